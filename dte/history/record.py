"""What an account has had validated: read by the rules, written after every answer."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, cast
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from dte import metrics
from dte.documents.document import Dte
from dte.formato.tipos import TYPE_NAMES
from dte.judging.examined import Examined
from dte.judging.report import Judged
from dte.models import KeyPolicy, RaisedCode, Validation
from dte.rules.registry import Earlier, Mode, SiiOutcome
from usage import statements
from usage.accounting.ledger import count_offline
from usage.accounting.remembered import memory
from usage.models import ApiKey, UsageRecord

_LONGEST = {"folio": 20, "rut": 12, "state": 40, "track_id": 20}
# Issuers and types that share a folio number, as far as a key is expected to have.
_MOST_ROWS = 20
Key = tuple[str, int, str]


@dataclass(slots=True)
class _Known:
    """What the rows of one folio say, whatever is being judged."""

    digest: str
    outcome: SiiOutcome
    total: Decimal | None
    received: str | None = None
    """The digest of what was last received; None if nothing was."""


_NAMES: Final = ("issuer", "tipo", "folio", "digest", "outcome", "total", "mode", "outcome_at")


def _of_folios(account_id: int, folios: Collection[str]) -> QuerySet[Validation]:
    return Validation.objects.filter(
        api_key__account=account_id, folio__in=folios, kind=Validation.DOCUMENT
    )


def _newest(
    account_id: int, folios: Collection[str], limit: int
) -> QuerySet[Validation, tuple[Any, ...]]:
    rows = _of_folios(account_id, folios)
    return rows.order_by("-created_at").values_list(*_NAMES)[:limit]


_OF_ONE_FOLIO: Final = statements.Prepared(
    lambda account_id, folio: _newest(account_id, [folio], _MOST_ROWS), -7, "\N{PAGE FACING UP}"
)


class KeyHistory:
    """The earlier validations of a key's account; implements ``dte.rules.registry.History``.

    Rows are looked up when a rule asks and remembered; ``preload`` asks once for many documents.
    """

    def __init__(self, api_key: ApiKey) -> None:
        self._api_key = api_key
        self._known: dict[Key, _Known] = {}
        self._loaded: set[str] = set()
        self._digests: dict[Key, str] = {}

    def expect(self, dte: Dte, digest: str) -> None:
        """Say which content is being judged, so that a retry is not taken for another document."""
        self._digests[(dte.issuer, dte.tipo, dte.folio)] = digest

    def earlier(self, issuer: str, tipo: int, folio: str) -> Earlier | None:
        """Return what is known of this type and folio of this issuer, if anything is."""
        if folio not in self._loaded:
            self.preload({folio})
        key = (issuer, tipo, folio)
        known = self._known.get(key)
        if known is None:
            return None
        digest = self._digests.get(key)
        received_same = None if known.received is None else known.received == digest
        return Earlier(known.digest == digest, known.outcome, known.total, received_same)

    def preload(self, folios: Iterable[str]) -> None:
        """Read what is known of many folios together, rather than one by one."""
        asked = set(folios)
        self._loaded |= asked
        wanted = {folio for folio in asked if len(folio) <= _LONGEST["folio"]}
        for issuer, tipo, folio, digest, outcome, total, mode in self._rows(wanted):
            key = (issuer, tipo or 0, folio)
            known = self._known.setdefault(key, _Known(digest, cast(SiiOutcome, outcome), total))
            if mode == Validation.Mode.RECEPTION and known.received is None:
                known.received = digest

    def _rows(self, folios: set[str]) -> list[tuple[Any, ...]]:
        """What the SII answered last comes first, then what was validated last.

        A document that is validated over and over has many rows and needs one: the newest come by
        the index, and only where there are more is the rest searched for answers of the SII.
        """
        account, limit = self._api_key.account_id, _MOST_ROWS * len(folios)
        if len(folios) == 1:
            newest = _OF_ONE_FOLIO.rows(account, *folios)
        else:
            newest = list(_newest(account, folios, limit))
        if len(newest) == limit:
            answered = _of_folios(account, folios).filter(outcome_at__isnull=False)
            newest += answered.order_by("-outcome_at").values_list(*_NAMES)[:limit]
        said = sorted((row for row in newest if row[-1]), key=lambda row: row[-1], reverse=True)
        return [row[:-1] for row in (*said, *(row for row in newest if not row[-1]))]


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose validation it is and what it left in the ledger."""

    api_key: ApiKey
    mode: Mode
    usage_id: UUID | None = None
    """The row of the ledger that this answer left."""
    batch: UUID | None = None
    """The same for all that came in one request; None for a single document."""
    track_id: str = ""
    """Number of the upload in which the documents went to the SII, where the caller said it."""


def record(
    judged: Sequence[Judged | Examined], origin: Origin, free: UsageRecord | None = None
) -> None:
    """Store what was said, and give each document the identifier under which it was stored.

    Args:
        judged: The documents.
        origin: Whose they are.
        free: The row of the ledger that says that they cost nothing, if it is not written yet.
    """
    keep = memory.get_or_set(
        f"keeps:{origin.api_key.pk}", lambda: bool(_KEEPS.rows(origin.api_key.pk))
    )
    rows = [_row(one, origin, keep) for one in judged]
    codes = [code for row in rows for code in _codes(row)]
    paid = () if free is None else (free,)
    if len(rows) == 1:
        statements.insert_together(*paid, *rows, *codes)
    else:
        with transaction.atomic(savepoint=False):
            for row in paid:
                statements.insert(row)
            Validation.objects.bulk_create(rows, batch_size=500)
            RaisedCode.objects.bulk_create(codes, batch_size=500)
    if free is not None:
        count_offline(free)
    _count(rows, codes)


_KEEPS: Final = statements.Prepared(
    lambda key: KeyPolicy.objects.filter(api_key=key, keep_documents=True).values_list("pk"), -7
)


def _count(rows: Sequence[Validation], codes: Sequence[RaisedCode]) -> None:
    for row in rows:
        tipo = str(row.tipo) if row.tipo in TYPE_NAMES else ""
        metrics.VALIDATIONS.labels(row.kind, tipo, row.form, row.mode, row.recommendation).inc()
        if row.review:
            metrics.REVIEWS.labels(row.review["status"]).inc()
    for raised in codes:
        metrics.FINDINGS.labels(raised.code).inc()


def _row(judged: Judged | Examined, origin: Origin, keep: bool) -> Validation:
    verdict = judged.verdict
    row = Validation(
        api_key=origin.api_key,
        end_user=origin.api_key.end_user,
        usage_id=origin.usage_id,
        batch=origin.batch,
        number=judged.number,
        kind=judged.kind_name,
        state=str(judged.stored.get("state", ""))[: _LONGEST["state"]],
        track_id=str(judged.stored.get("track_id") or origin.track_id)[: _LONGEST["track_id"]],
        mode=origin.mode,
        form=judged.form,
        digest=judged.digest,
        tipo=judged.stored.get("type"),
        folio=judged.stored.get("folio", "")[: _LONGEST["folio"]],
        issuer=_rut(judged, "issuer"),
        receiver=_rut(judged, "receiver"),
        total=_total(judged.stored.get("total")),
        summary=judged.stored,
        recommendation=verdict.recommendation,
        confidence=verdict.confidence,
        findings=judged.stored_findings,
        review=judged.review,
        document=(judged.content or None) if keep else None,
    )
    judged.id = str(row.id)
    return row


def _codes(row: Validation) -> list[RaisedCode]:
    worst: dict[str, str] = {}
    for found in row.findings:  # the worst comes first
        worst.setdefault(found["code"], found["severity"])
    return [
        RaisedCode(validation=row, code=code, severity=severity) for code, severity in worst.items()
    ]


def _rut(judged: Judged | Examined, party: str) -> str:
    rut: str = judged.stored.get(party, {}).get("rut", "")
    return rut[: _LONGEST["rut"]]


def _total(value: object) -> Decimal | None:
    """Return a total that fits the column; an absurd one is in the summary all the same."""
    if value is None:
        return None
    total = Decimal(str(value))
    return total if abs(total) < Decimal(10) ** 20 else None


def report_outcome(validation: Validation, outcome: str, codes: Sequence[str], detail: str) -> None:
    """Keep what the SII really answered; the last answer counts."""
    validation.outcome = outcome
    validation.outcome_codes = list(codes)
    validation.outcome_detail = detail
    validation.outcome_at = timezone.now()
    validation.save(update_fields=["outcome", "outcome_codes", "outcome_detail", "outcome_at"])
