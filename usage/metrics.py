"""The Prometheus names of usage, all in one place.

Every label takes its values from a closed set: nothing a client sends ever becomes a series.
"""

from typing import Final

from prometheus_client import Counter

RATE_LIMIT: Final = Counter(
    "aiservice_rate_limit_total", "Requests judged by the rate limit.", ["decision"]
)
RATE_LIMIT_FALLBACK: Final = Counter(
    "aiservice_rate_limit_fallback_total",
    "Requests judged in process because Redis did not answer.",
)
