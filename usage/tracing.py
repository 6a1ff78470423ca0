"""Spans of a call for OpenTelemetry, where an endpoint is configured; nothing is imported otherwise.

Names and attributes of model calls follow the conventions for generative AI
(https://opentelemetry.io/docs/specs/semconv/gen-ai/). No span holds a text, a document, a key or a RUT.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

SERVICE: Final = "aiservice"


class _Tracing:
    tracer: "Tracer | None" = None


def start(endpoint: str, version: str) -> None:
    """Send spans to an endpoint from now on.

    Args:
        endpoint: Of OTLP over HTTP, without its path: ``http://collector:4318``.
        version: Of this service.

    Raises:
        ImproperlyConfigured: The packages of the group ``tracing`` are not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as exc:
        raise ImproperlyConfigured(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed: "
            "pip install --no-deps --require-hashes -r requirements/tracing.txt"
        ) from exc
    resource = Resource.create({"service.name": SERVICE, "service.version": version})
    provider = TracerProvider(resource=resource)  # sends what is left when the process ends
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _Tracing.tracer = provider.get_tracer(SERVICE, version)


def begin(name: str, kind: str = "INTERNAL", **attributes: object) -> "Span | None":
    """Begin a span below the current one; whoever begins it ends it with `end`.

    Args:
        name: Of a closed set.
        kind: ``INTERNAL``, ``SERVER`` or ``CLIENT``.
        **attributes: A double underscore stands for a dot.
    """
    if _Tracing.tracer is None:
        return None
    from opentelemetry.trace import SpanKind

    return _Tracing.tracer.start_span(name, kind=SpanKind[kind], attributes=_dotted(attributes))


def end(span: "Span | None", error: str = "", **attributes: object) -> None:
    """End a span, with what is known by now."""
    if span is None:
        return
    span.set_attributes(_dotted(attributes))
    if error:
        from opentelemetry.trace import Status, StatusCode

        span.set_attribute("error.type", error)
        span.set_status(Status(StatusCode.ERROR))
    span.end()


def keep_current(span: "Span | None") -> None:
    """Make a span the parent of all that follows in this task, its streamed answer included."""
    if span is not None:
        from opentelemetry import context, trace

        context.attach(trace.set_span_in_context(span))


@contextmanager
def span(name: str, **attributes: str) -> Iterator[None]:
    """Measure a block."""
    current = begin(name, **attributes)
    try:
        yield
    except BaseException as exc:
        end(current, type(exc).__name__)
        raise
    end(current)


def _dotted(attributes: dict[str, Any]) -> dict[str, Any]:
    return {
        name.replace("__", "."): value
        for name, value in attributes.items()
        if value not in ("", None)
    }
