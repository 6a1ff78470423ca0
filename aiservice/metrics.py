"""Gauges that are measured when Prometheus asks, not when something happens."""

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from aiservice import health

UP: Final = {"ok": 1, "down": 0}


class DependencyCollector(Collector):
    """``aiservice_dependency_up``: 1 or 0 for the database and, where it is configured, for Redis.

    Only those two: asking Claude would cost money, and the rest lives in this process.
    """

    def describe(self) -> list[GaugeMetricFamily]:
        """Name the metric without measuring it; the registry asks when it takes the collector."""
        return [self._family()]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Ask each dependency."""
        family = self._family()
        for name in ("database", "redis"):
            status = health.CHECKS[name]()["status"]
            if status in UP:
                family.add_metric([name], UP[status])
        yield family

    @staticmethod
    def _family() -> GaugeMetricFamily:
        return GaugeMetricFamily(
            "aiservice_dependency_up",
            "Whether the service reaches what it depends on.",
            labels=["dependency"],
        )
