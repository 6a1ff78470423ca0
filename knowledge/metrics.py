"""The Prometheus names of the knowledge base. Labels are closed sets: no question becomes a series."""

from collections.abc import Iterator
from typing import Final

from django.db import DatabaseError, InterfaceError, connections
from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

SEARCHES: Final = Counter(
    "aiservice_knowledge_searches_total",
    "Searches, of the chat and of the API, by whether anything was found.",
    ["result"],
)
SEARCH_SECONDS: Final = Histogram(
    "aiservice_knowledge_search_seconds",
    "Duration of searches.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
for _result in ("found", "nothing"):
    SEARCHES.labels(_result)


class PassagesCollector(Collector):
    """``aiservice_knowledge_passages``: how many can be found; no sample while nobody can say."""

    def describe(self) -> list[GaugeMetricFamily]:
        """Name the metric without measuring it."""
        return [self._family()]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Ask the index that this process searches, which is read now if nobody has searched yet."""
        from knowledge.searching import search

        family = self._family()
        try:
            family.add_metric([], search.status()["passages"])
        except (DatabaseError, InterfaceError):
            pass
        finally:
            for connection in connections.all(initialized_only=True):
                if not connection.in_atomic_block:
                    connection.close_if_unusable_or_obsolete()
        yield family

    @staticmethod
    def _family() -> GaugeMetricFamily:
        return GaugeMetricFamily(
            "aiservice_knowledge_passages", "Passages of the knowledge base that can be found."
        )
