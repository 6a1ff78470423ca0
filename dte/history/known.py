"""What the history of an account tells the kinds of file that are about documents, and what they tell it."""

from collections.abc import Iterable, Sequence
from typing import Final, cast
from uuid import UUID

from django.db.models import Q, QuerySet

from dte.examining.examination import Answered, Past
from dte.history.record import report_outcome
from dte.models import Validation
from dte.rules.registry import SiiOutcome
from usage.models import ApiKey

# A folio that the SII refused can be used again; what we advised not to send was probably not sent.
_UNUSED: Final = Q(outcome="rejected") | Q(outcome="", recommendation="reject")
# An answer may name thousands of documents; those of one upload are at most 2,000.
MOST_LINKS: Final = 2_000


class KeyRecords:
    """The history of a key's account; implements ``dte.examining.examination.Records``."""

    def __init__(self, api_key: ApiKey) -> None:
        self._api_key = api_key

    def used_folios(self, issuer: str, tipo: int, first: int, last: int) -> frozenset[int]:
        """Return the folios of a range that were used, as far as is known."""
        rows = sent(self._api_key).filter(issuer=issuer, tipo=tipo).exclude(_UNUSED)
        folios = rows.values_list("folio", flat=True).distinct()[:100_000]
        numbers = (int(folio) for folio in folios if folio.isascii() and folio.isdecimal())
        return frozenset(number for number in numbers if first <= number <= last)

    def document(self, issuer: str, tipo: int, folio: str) -> Past | None:
        """Return the newest validation of a document that was to be sent."""
        found = newest(self._api_key, Answered("", issuer=issuer, tipo=tipo, folio=folio))
        return _past(found[0]) if found else None

    def sent_as(self, track_id: str) -> Sequence[Past]:
        """Return the documents of the upload that the SII gave this number."""
        rows = sent(self._api_key).filter(track_id=track_id) if track_id else ()
        return [_past(row) for row in rows[:MOST_LINKS]]


def sent(api_key: ApiKey) -> QuerySet[Validation]:
    """Return the documents that a key's account had validated in order to send them, the newest first."""
    rows = Validation.objects.filter(
        api_key__account=api_key.account_id,
        kind=Validation.DOCUMENT,
        mode=Validation.Mode.EMISSION,
    )
    return rows.defer("findings", "review", "document")


def newest(api_key: ApiKey, said: Answered) -> list[Validation]:
    """Return the documents that an answer is about: one, or all of an upload.

    Without the issuer, a type and folio that two issuers of the account share are nobody's.
    """
    rows = sent(api_key)
    if said.folio:
        rows = rows.filter(folio=said.folio.lstrip("0"))
        rows = rows.filter(tipo=said.tipo) if said.tipo else rows
        rows = rows.filter(issuer=said.issuer) if said.issuer else rows
        of_upload = list(rows.filter(track_id=said.track_id)[:1]) if said.track_id else []
        found = of_upload or list(rows[:20])
        same = {(row.issuer, row.tipo) for row in found}
        return found[:1] if len(same) == 1 else []
    return list(rows.filter(track_id=said.track_id)[:MOST_LINKS]) if said.track_id else []


def follow(
    api_key: ApiKey, answered: Iterable[Answered], about: Validation | None = None
) -> list[dict[str, object]]:
    """Keep what the SII answered as the outcome of the documents it names, and link to them.

    Args:
        api_key: Whose documents.
        answered: What the SII said.
        about: The validation that the answer belongs to, where the caller said it and the answer does
            not name a document itself.
    """
    links: dict[UUID, dict[str, object]] = {}
    for said in answered:
        found = newest(api_key, said)
        if not found and about is not None and not said.folio:
            found = members(about)
        for row in found:
            if said.outcome:
                report_outcome(row, said.outcome, said.codes, said.detail)
            links[row.pk] = _link(row)
        if len(links) >= MOST_LINKS:
            break
    return list(links.values())


def remember_upload(about: Validation, track_id: str) -> list[dict[str, object]]:
    """Give a validated envelope, and every document in it, the number of its upload."""
    rows = [about, *members(about)]
    Validation.objects.filter(pk__in=[row.pk for row in rows]).update(track_id=track_id)
    return [_link(row) for row in {row.pk: row for row in rows}.values()]


def members(about: Validation) -> list[Validation]:
    """Return the documents of an envelope that was validated, or the document itself."""
    if about.kind == Validation.DOCUMENT:
        return [about]
    return list(sent(about.api_key).filter(batch=about.batch)) if about.batch else []


def _link(row: Validation) -> dict[str, object]:
    return {
        "id": str(row.pk),
        "kind": row.kind,
        "type": row.tipo,
        "folio": row.folio,
        "outcome": row.outcome or None,
        "url": row.get_absolute_url(),
    }


def _past(row: Validation) -> Past:
    return Past(
        id=str(row.pk),
        issuer=row.issuer,
        tipo=row.tipo or 0,
        folio=row.folio,
        receiver=row.receiver,
        total=row.total,
        recommendation=row.recommendation,
        outcome=cast(SiiOutcome, row.outcome),
    )
