"""The Prometheus names of the chat. Labels are closed sets: nothing a client sends becomes a series."""

import time
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

ANSWERS: Final = Counter(
    "aiservice_chat_answers_total",
    "Questions answered: by which specialist, from what, and why not by the model.",
    ["specialist", "llm_used", "reason"],
)
UNANSWERED: Final = Counter(
    "aiservice_chat_unanswered_total",
    "Questions without a whole answer, because the caller left or because it failed.",
    ["why"],
)
SECONDS: Final = Histogram(
    "aiservice_chat_seconds",
    "From a question to its whole answer.",
    ["llm_used"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300),
)
OPEN: Final = Gauge(
    "aiservice_chat_open", "Questions that are being answered now.", multiprocess_mode="livesum"
)
RATINGS: Final = Counter("aiservice_chat_ratings_total", "Answers rated by people.", ["rating"])
for _why in ("left", "failed"):
    UNANSWERED.labels(_why)


class Counted:
    """One question on its way to its answer."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._why = "left"
        OPEN.inc()

    def answered(self, specialist: str, llm_used: str, reason: str) -> None:
        """Count a whole answer."""
        self._why = ""
        ANSWERS.labels(specialist, llm_used, reason).inc()
        SECONDS.labels(llm_used).observe(time.monotonic() - self._started)

    def failed(self) -> None:
        """Note that it broke off for another reason than its caller's leaving."""
        self._why = self._why and "failed"

    def ended(self) -> None:
        """Count what was not answered."""
        OPEN.dec()
        if self._why:
            UNANSWERED.labels(self._why).inc()
