"""How often each rule fires, and how right the verdicts were by what the SII answered."""

from typing import Any

from django.core.cache import cache
from django.db.models import Count, Q

from dte.models import RaisedCode, Validation

_REFUSED = Q(validation__outcome=Validation.SiiOutcome.REJECTED)
_TAKEN = Q(validation__outcome__in=[Validation.SiiOutcome.ACCEPTED, Validation.SiiOutcome.OBJECTED])


def frequent_codes(limit: int = 50) -> list[dict[str, Any]]:
    """Return the codes by frequency, with how many of their documents the SII refused or took."""
    rows = (
        RaisedCode.objects.values("code", "severity")
        .annotate(
            times=Count("id"),
            refused=Count("id", filter=_REFUSED),
            taken=Count("id", filter=_TAKEN),
        )
        .order_by("-times", "code")
    )
    return [dict(row) for row in rows[:limit]]


def raised_codes() -> list[str]:
    """Return every code that was ever raised, as of the last minutes: a page that lists rows asks each time.

    From one to the next by the index; a DISTINCT would read all of it.
    """

    def read() -> list[str]:
        codes: list[str] = []
        rows = RaisedCode.objects.order_by("code").values_list("code", flat=True)
        while following := rows.filter(code__gt=codes[-1] if codes else "").first():
            codes.append(following)
        return codes

    return cache.get_or_set("dte.raised_codes", read, 300) or []


def precision() -> list[dict[str, object]]:
    """Return, for each verdict given, how many documents the SII then accepted, objected or refused."""
    outcome = Validation.SiiOutcome
    rows = (
        Validation.objects.exclude(outcome="")
        .values("recommendation")
        .annotate(
            known=Count("id"),
            accepted=Count("id", filter=Q(outcome=outcome.ACCEPTED)),
            objected=Count("id", filter=Q(outcome=outcome.OBJECTED)),
            rejected=Count("id", filter=Q(outcome=outcome.REJECTED)),
        )
        .order_by("recommendation")
    )
    labels = dict(Validation.Recommendation.choices)
    return [{**row, "label": labels[row["recommendation"]]} for row in rows]
