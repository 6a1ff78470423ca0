"""The monitor's figures for Prometheus, read when it asks: the run may be a process of cron's."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import DatabaseError, InterfaceError, connections
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from knowledge.monitoring import status


class MonitorCollector(Collector):
    """``aiservice_sii_…``; without samples while neither cache nor database can be asked."""

    def describe(self) -> list[Metric]:
        """Name the metrics without measuring them."""
        return _families(None)

    def collect(self) -> Iterator[Metric]:
        """Read the figures."""
        try:
            figures = status.figures()
        except (DatabaseError, InterfaceError):
            figures = None
        finally:
            for connection in connections.all(initialized_only=True):
                if not connection.in_atomic_block:
                    connection.close_if_unusable_or_obsolete()
        yield from _families(figures)


def _families(figures: dict[str, Any] | None) -> list[Metric]:
    checks = CounterMetricFamily(
        "aiservice_sii_checks",
        "Looks at pages of the SII, by what came of them.",
        labels=["result"],
    )
    success = GaugeMetricFamily(
        "aiservice_sii_last_success_seconds",
        "When a page was last read, in seconds since 1970.",
        labels=["source"],
    )
    notices = GaugeMetricFamily(
        "aiservice_sii_notices_24h", "Changes found in the last 24 hours.", labels=["impact"]
    )
    waiting = GaugeMetricFamily(
        "aiservice_sii_notices_unreviewed", "Notices that nobody has reviewed."
    )
    if figures is not None:
        checks.add_metric(["ok"], figures["total_checks"] - figures["errors"])
        checks.add_metric(["failed"], figures["errors"])
        for source in figures["sources"]:
            if source["last_success"]:
                seconds = datetime.fromisoformat(source["last_success"]).timestamp()
                success.add_metric([source["source"]], seconds)
        for impact, number in figures["notices_24h_by_impact"].items():
            notices.add_metric([impact], number)
        waiting.add_metric([], figures["notices_unreviewed"])
    return [checks, success, notices, waiting]
