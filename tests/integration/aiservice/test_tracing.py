"""Spans of a call, as a collector of OpenTelemetry receives them; and nothing of it unless it is wanted."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import pytest

pytest.importorskip("opentelemetry.sdk")
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

pytestmark = [pytest.mark.integration, pytest.mark.slow]


class Collector:
    """Keeps the spans that it is sent, over HTTP as OTLP has it."""

    def __init__(self) -> None:
        spans: list[Any] = []
        self.spans = spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    import gzip

                    body = gzip.decompress(body)
                request = ExportTraceServiceRequest.FromString(body)
                for resource in request.resource_spans:
                    for scope in resource.scope_spans:
                        spans.extend(scope.spans)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.server.shutdown()
    collector.server.server_close()


def attributes(span) -> dict[str, object]:
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in span.attributes
    }


@pytest.mark.parametrize("path", ["/api/chat/message", "/api/chat/message/stream"])
def test_a_question_is_one_trace(start_service, fake_claude, api_key, collector, path):
    question = "¿Cuánto duran los folios de un CAF?"
    service = start_service(
        ANTHROPIC_BASE_URL=fake_claude.url,
        ANTHROPIC_API_KEY="sk-ant-test",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
    )
    headers = {"Authorization": f"Bearer {api_key[1]}", "X-Request-ID": "rastro"}
    answer = httpx2.post(
        f"{service.url}{path}", json={"message": question}, headers=headers, timeout=30
    )
    assert answer.status_code == 200
    assert service.stop() == 0  # what is left is sent at the end
    deadline = time.monotonic() + 10
    names = {"request", "retrieve passages", "ledger.reserve", "ledger.settle"}
    while not names <= {span.name for span in collector.spans}:
        assert time.monotonic() < deadline, {span.name for span in collector.spans}
        time.sleep(0.1)
    (call,) = [span for span in collector.spans if span.name.startswith("chat claude")]
    (request,) = [
        span for span in collector.spans if attributes(span).get("aiservice.request_id") == "rastro"
    ]
    trace = [span for span in collector.spans if span.trace_id == request.trace_id]
    assert names < {span.name for span in trace}
    assert call.parent_span_id == request.span_id
    told = attributes(call)
    assert told["gen_ai.operation.name"] == "chat"
    assert told["gen_ai.provider.name"] == "anthropic"
    assert told["gen_ai.usage.output_tokens"] > 0
    assert told["aiservice.outcome"] == "answered"
    assert "folios" not in str(collector.spans)
    assert api_key[1] not in str(collector.spans)


def test_a_collector_that_is_away_disturbs_nobody(start_service, api_key):
    service = start_service(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    headers = {"Authorization": f"Bearer {api_key[1]}"}
    assert httpx2.get(f"{service.url}/api/usage", headers=headers).status_code == 200


def test_nothing_is_imported_without_an_endpoint():
    code = (
        "import django, sys; django.setup(); import aiservice.asgi; "
        # redis-py imports some of it by itself, where it is installed.
        "print([name for name in sys.modules if name.startswith(('opentelemetry.exporter', "
        "'opentelemetry.sdk.trace'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
