"""What Prometheus is told: the counts of every process, and gauges that are measured when it asks."""

import os
import time
from collections.abc import Iterator

from django_prometheus import models
from django_prometheus.conf import NAMESPACE, PROMETHEUS_LATENCY_BUCKETS
from django_prometheus.middleware import Metrics
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from aiservice.database.absence import DATABASE
from aiservice.dependency import PATIENCE_SECONDS, Dependency
from aiservice.redis import REDIS
from knowledge.metrics import PassagesCollector
from knowledge.monitoring.metrics import MonitorCollector

# What the package registers when it is imported, and nothing here would ever move.
for _unused in (models.model_inserts, models.model_updates, models.model_deletes):
    REGISTRY.unregister(_unused)


class HttpMetrics(Metrics):  # type: ignore[misc]
    """The two families of django-prometheus that our middleware counts; its others would never move."""

    def register(self) -> None:
        """Register them under the names that dashboards for Django know."""
        self.responses_by_status_view_method = self.register_metric(
            Counter,
            "django_http_responses_total_by_status_view_method_total",
            "Responses by status, view and method.",
            ["status", "view", "method"],
            namespace=NAMESPACE,
        )
        self.requests_latency_by_view_method = self.register_metric(
            Histogram,
            "django_http_requests_latency_seconds_by_view_method",
            "Seconds to the response, of a stream to its beginning, by view and method.",
            ["view", "method"],
            buckets=PROMETHEUS_LATENCY_BUCKETS,
            namespace=NAMESPACE,
        )


class DependencyCollector(Collector):
    """``aiservice_dependency_up``: 1 or 0 for the database and, where it is configured, for Redis.

    Only those two: asking Claude would cost money, and the rest lives in this process.
    """

    def describe(self) -> list[GaugeMetricFamily]:
        """Name the metric without measuring it; the registry asks when it takes the collector."""
        return [self._family()]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Ask each dependency."""
        asked: list[Dependency] = [DATABASE]
        if REDIS.configured:
            asked.append(REDIS)
        for dependency in asked:
            dependency.ask()
        deadline = time.monotonic() + PATIENCE_SECONDS
        family = self._family()
        for dependency in asked:
            state = dependency.check(deadline - time.monotonic())
            family.add_metric([dependency.name], 1 if state.up else 0)
        yield family

    @staticmethod
    def _family() -> GaugeMetricFamily:
        return GaugeMetricFamily(
            "aiservice_dependency_up",
            "Whether the service reaches what it depends on.",
            labels=["dependency"],
        )


def exposition() -> bytes:
    """Return the metrics in Prometheus' text format; of all processes that serve this port."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(DependencyCollector())
    registry.register(PassagesCollector())
    registry.register(MonitorCollector())
    return generate_latest(registry)
