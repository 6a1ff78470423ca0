"""The Prometheus names of usage, all in one place.

Every label takes its values from a closed set: nothing a client sends ever becomes a series. Models
come from the settings. Dollars are exact in the ledger; here they are a counter to alert on.
"""

from decimal import Decimal
from typing import Final

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from usage.tokens import TokenUsage

# The client library's own note beside each counter, a second series of no use to Prometheus.
disable_created_metrics()  # type: ignore[no-untyped-call]

_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300)

RATE_LIMIT: Final = Counter(
    "aiservice_rate_limit_total", "Requests judged by the rate limit.", ["decision"]
)
RATE_LIMIT_FALLBACK: Final = Counter(
    "aiservice_rate_limit_fallback_total",
    "Requests judged in process because Redis did not answer.",
)
BUDGET_REFUSALS: Final = Counter(
    "aiservice_budget_refusals_total", "Calls refused for want of budget.", ["scope", "period"]
)
BUDGET_NEAR_CALLS: Final = Counter(
    "aiservice_budget_near_calls_total",
    "Reservations that took a budget past its soft threshold, or found no room.",
    ["scope", "period"],
)
SCOPES: Final = ("key", "account", "end_user", "global")
for _scope in SCOPES:
    for _period in ("day", "month"):  # from zero on: Prometheus sees no rise to a first value
        BUDGET_REFUSALS.labels(_scope, _period)
        BUDGET_NEAR_CALLS.labels(_scope, _period)
CALLS: Final = Counter(
    "aiservice_model_calls_total",
    "Settled rows of the ledger: attempts to call the model, and answers given without it.",
    ["operation", "model", "outcome"],
)
TOKENS: Final = Counter(
    "aiservice_model_tokens_total",
    "Tokens billed, by the provider's disjoint classes.",
    ["operation", "model", "kind"],
)
COST: Final = Counter("claude_api_cost_usd_total", "Dollars spent.", ["operation", "model"])
SECONDS: Final = Histogram(
    "aiservice_model_seconds", "Duration of model calls.", ["operation"], buckets=_SECONDS
)
FIRST_TEXT_SECONDS: Final = Histogram(
    "aiservice_model_first_text_seconds",
    "Time from the call to its first text.",
    ["operation"],
    buckets=_SECONDS,
)
# Where several processes serve one port, those that measure the same thing do not add up.
OPEN_CALLS: Final = Gauge(
    "aiservice_ledger_open",
    "Rows of calls under way, as of the last sweep.",
    multiprocess_mode="livemostrecent",
)
OLDEST_OPEN: Final = Gauge(
    "aiservice_ledger_oldest_open_seconds",
    "Age of the oldest row of a call under way, as of the last sweep; 0 without any.",
    multiprocess_mode="livemostrecent",
)
SPOOLED: Final = Gauge(
    "aiservice_ledger_spooled",
    "Settlements on disk that wait for the database.",
    multiprocess_mode="livemostrecent",
)
SPOOL_DAMAGED: Final = Gauge(
    "aiservice_ledger_spool_damaged",
    "Settlements on disk that cannot be replayed, set aside.",
    multiprocess_mode="livemax",
)
UPKEEP_BEAT: Final = Gauge(
    "aiservice_upkeep_beat_seconds",
    "When the background work on the books last went well, in seconds since 1970.",
    multiprocess_mode="livemin",
)
BUDGET_SPENT: Final = Gauge(
    "aiservice_budget_spent_usd",
    "Spent by all keys together.",
    ["period"],
    multiprocess_mode="livemostrecent",
)
BUDGET_HELD: Final = Gauge(
    "aiservice_budget_held_usd",
    "Held of all keys together for calls under way.",
    ["period"],
    multiprocess_mode="livemostrecent",
)
BUDGET_LIMIT: Final = Gauge(
    "aiservice_budget_limit_usd",
    "The global limit; +Inf where there is none.",
    ["period"],
    multiprocess_mode="livemostrecent",
)
BUDGET_RATIO: Final = Gauge(
    "aiservice_budget_ratio",
    "The largest share of a limit that is spent or held, of any key or of all keys together.",
    ["scope", "period"],
    multiprocess_mode="livemostrecent",
)
BUDGET_WARNINGS: Final = Counter(
    "aiservice_budget_warnings_total",
    "Thresholds of budgets that somebody was told of.",
    ["scope", "period"],
)
BUDGETS_NEAR: Final = Gauge(
    "aiservice_budgets_near_limit",
    "Budgets past their soft threshold, of any key.",
    multiprocess_mode="livemostrecent",
)
BREAKER: Final = Gauge(
    "aiservice_breaker_state",
    "0 closed, 1 half-open, 2 open.",
    ["model"],
    multiprocess_mode="livemax",
)


def count_call(operation: str, model: str, outcome: str) -> None:
    """Count one settled row."""
    CALLS.labels(operation=operation, model=model, outcome=outcome).inc()


def count_cost(operation: str, model: str, usage: TokenUsage, cost: Decimal) -> None:
    """Count what a settled row cost."""
    labels = {"operation": operation, "model": model}
    COST.labels(**labels).inc(float(cost))
    for kind, tokens in (
        ("input", usage.input_tokens),
        ("cache_write_5m", usage.cache_write_5m_tokens),
        ("cache_write_1h", usage.cache_write_1h_tokens),
        ("cache_read", usage.cache_read_tokens),
        ("output", usage.output_tokens),
    ):
        if tokens:
            TOKENS.labels(**labels, kind=kind).inc(tokens)
