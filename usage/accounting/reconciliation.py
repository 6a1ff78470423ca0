"""The ledger beside the provider's own account of usage: what differs, by day of UTC, model and class of tokens.

Two exports are read: the CSV of Anthropic's Console (Usage, Export), and the JSON of the usage report,
``GET /v1/organizations/usage_report/messages?group_by[]=model``, one page or a list of pages
(https://platform.claude.com/docs/en/api/admin-api/usage-cost/get-messages-usage-report).
"""

import csv
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate

from usage.accounting import prices
from usage.models import ModelPrice, State, UsageRecord
from usage.models.record import TOKEN_CLASSES
from usage.tokens import TokenUsage

Place = tuple[date, str]  # a day of UTC and a model

_CONSOLE: Final = dict(
    zip(
        TOKEN_CLASSES,
        (
            "usage_input_tokens_no_cache",
            "usage_input_tokens_cache_write_5m",
            "usage_input_tokens_cache_write_1h",
            "usage_input_tokens_cache_read",
            "usage_output_tokens",
        ),
        strict=True,
    )
)
_VERSION: Final = re.compile(r"-20\d{6}$")  # the provider reports the version of an alias


class UnreadableExport(ValueError):  # noqa: N818  # what it says is for people
    """The file is neither of the two exports, or not grouped by model."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What the provider says more (or, negative, less) than the ledger."""

    day: date
    model: str
    tokens: str
    ours: int
    theirs: int
    usd: Decimal | None
    """What the difference costs at the rate of the day; None for a model without a price."""
    estimates: int
    """Rows of that day and model whose usage is an estimate: the first to look at."""


def read(path: Path, api_key: str = "") -> dict[Place, Counter[str]]:
    """Read an export.

    Args:
        path: The file.
        api_key: Only what this key of the provider used, by the name or id that the file has.

    Raises:
        UnreadableExport: It cannot be read as one.
    """
    text = path.read_text(encoding="utf-8-sig")
    try:
        rows = _from_json(text) if text.lstrip()[:1] in "[{" else _from_console(text)
        found: dict[Place, Counter[str]] = defaultdict(Counter)
        for key, day, model, tokens in rows:
            if api_key in ("", key):
                found[day, alias(model)].update(tokens)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        if isinstance(exc, UnreadableExport):
            raise
        raise UnreadableExport(f"El archivo no se pudo leer: {type(exc).__name__}: {exc}.") from exc
    return found


def alias(model: str) -> str:
    """Return a model's name without its version."""
    return _VERSION.sub("", model)


def _from_console(text: str) -> list[tuple[str, date, str, dict[str, int]]]:
    reader = csv.DictReader(io.StringIO(text))
    missing = {"usage_date_utc", "model_version", *_CONSOLE.values()} - set(reader.fieldnames or ())
    if missing:
        raise UnreadableExport(f"Al CSV le faltan columnas: {', '.join(sorted(missing))}.")
    return [
        (
            row.get("api_key") or "",
            date.fromisoformat(row["usage_date_utc"][:10]),
            row["model_version"],
            {name: int(row[column] or 0) for name, column in _CONSOLE.items()},
        )
        for row in reader
    ]


def _from_json(text: str) -> list[tuple[str, date, str, dict[str, int]]]:
    pages = json.loads(text)
    found = []
    for page in pages if isinstance(pages, list) else [pages]:
        for bucket in page["data"]:
            day = datetime.fromisoformat(bucket["starting_at"]).astimezone(UTC).date()
            for result in bucket["results"]:
                if not result.get("model"):
                    raise UnreadableExport("El informe no viene por modelo: use group_by[]=model.")
                found.append(
                    (result.get("api_key_id") or "", day, result["model"], _tokens(result))
                )
    return found


def _tokens(result: dict[str, Any]) -> dict[str, int]:
    written = result.get("cache_creation") or {}
    counts = (
        result["uncached_input_tokens"],
        written.get("ephemeral_5m_input_tokens", result.get("cache_creation_5m_input_tokens", 0)),
        written.get("ephemeral_1h_input_tokens", result.get("cache_creation_1h_input_tokens", 0)),
        result["cache_read_input_tokens"],
        result["output_tokens"],
    )
    return {name: int(count) for name, count in zip(TOKEN_CLASSES, counts, strict=True)}


def compare(theirs: dict[Place, Counter[str]]) -> list[Difference]:
    """Return every difference in the days from the first to the last of the export."""
    if not theirs:
        return []
    days = [day for day, _ in theirs]
    ours, estimates = _ledger(min(days), max(days))
    found = []
    for day, model in sorted({*theirs, *ours}):
        place = (day, model)
        price = ModelPrice.objects.current(model, day)
        for name in TOKEN_CLASSES:
            mine, other = ours[place][name], theirs.get(place, Counter())[name]
            if mine != other:
                usd = _worth(name, other - mine, price)
                found.append(Difference(day, model, name, mine, other, usd, estimates[place]))
    return found


def _worth(name: str, tokens: int, price: ModelPrice | None) -> Decimal | None:
    if price is None:
        return None
    # At the rates of a short request: which of them were long is not in the export.
    rates = dict(prices.rates(TokenUsage(), price))
    return tokens * rates[name] / prices.MILLION


def _ledger(first: date, last: date) -> tuple[dict[Place, Counter[str]], Counter[Place]]:
    """Add up the ledger's rows by day of UTC, on which the provider's days begin and end."""
    began = datetime.combine(first, time.min, UTC)
    ended = datetime.combine(last, time.min, UTC) + timedelta(days=1)
    groups: Iterable[Any] = (
        UsageRecord.objects.filter(state=State.SETTLED, started_at__gte=began, started_at__lt=ended)
        .annotate(day=TruncDate("started_at", tzinfo=UTC))
        .values("day", "model")
        .order_by()
        .annotate(
            estimates=Count("pk", filter=Q(usage_complete=False)),
            **{f"{name}_sum": Sum(name) for name in TOKEN_CLASSES},
        )
    )
    found: dict[Place, Counter[str]] = defaultdict(Counter)
    estimates: Counter[Place] = Counter()
    for group in groups:
        place = (group["day"], alias(group["model"]))
        found[place].update({name: group[f"{name}_sum"] for name in TOKEN_CLASSES})
        estimates[place] += group["estimates"]
    return found, estimates
