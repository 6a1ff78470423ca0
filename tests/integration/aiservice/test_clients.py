"""What clients and proxies send that no well-behaved library would, over a raw socket."""

import gzip
import json
import socket
import time

import pytest

from tests import raw
from tests.documents import document, to_xml
from tests.integration.conftest import RunningService, StartService
from usage.models import ApiKey

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

JSON = {"Content-Type": "application/json"}
XML = {"Content-Type": "application/xml"}
CHUNKED = {"Transfer-Encoding": "chunked"}


@pytest.fixture(scope="module")
def service(module_services: StartService) -> RunningService:
    """The service without a Claude key, for all these tests."""
    return module_services(RATE_LIMIT_PER_MINUTE="0")


@pytest.fixture
def key(transactional_db: None, api_key: tuple[ApiKey, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {api_key[1]}"}


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


# --- Bodies without a length ----------------------------------------------------------------------


def test_a_chunked_question_is_read(service: RunningService, key: dict[str, str]):
    body = raw.chunked(as_json({"message": "¿Qué es un CAF?", "session_id": "s"}))
    sent = raw.request("POST", "/api/chat/message", {**key, **JSON, **CHUNKED}, body)

    answer = raw.exchange(service.url, sent)

    assert (answer.status, answer.json["session_id"]) == (200, "s")


def test_a_chunked_context_is_not_dropped(service: RunningService, key: dict[str, str]):
    body = raw.chunked(as_json({"user_context": "no es un objeto"}))
    sent = raw.request("POST", "/api/chat/session/new", {**key, **JSON, **CHUNKED}, body)

    answer = raw.exchange(service.url, sent)

    assert (answer.status, list(answer.json["errors"])) == (400, ["user_context"])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/api/chat", {"message": "¿Qué es un CAF?"}),
        ("/api/ai/validate", {"dte_data": document(33)}),
        ("/api/dte/validate", document(33)),
        ("/api/ai/reception/match_po", {"dte_data": {"lines": []}, "pending_pos": []}),
    ],
)
def test_a_chunked_body_is_answered_as_the_same_body_with_a_length(
    service: RunningService, key: dict[str, str], path: str, value: object
):
    body = as_json(value)
    plain = raw.exchange(service.url, raw.request("POST", path, {**key, **JSON}, body))
    sent = raw.request("POST", path, {**key, **JSON, **CHUNKED}, raw.chunked(body))

    answer = raw.exchange(service.url, sent)

    assert (answer.status, set(answer.json)) == (200, set(plain.json))


def test_a_chunked_batch_and_a_chunked_form_are_judged(
    service: RunningService, key: dict[str, str]
):
    xml = to_xml(document(33))
    form = (
        b"--frontier\r\nContent-Disposition: form-data; name=file; filename=a.xml\r\n"
        b"Content-Type: text/xml\r\n\r\n" + xml + b"\r\n--frontier--\r\n"
    )
    multipart = {"Content-Type": "multipart/form-data; boundary=frontier"}
    for path in ("/api/dte/validate", "/api/dte/validate/batch"):
        for headers, body in ((XML, xml), (multipart, form)):
            sent = raw.request("POST", path, {**key, **headers, **CHUNKED}, raw.chunked(body))
            answer = raw.exchange(service.url, sent)
            assert answer.status == 200
            assert b'"recommendation"' in answer.body


def test_a_body_that_is_packed_is_refused_whatever_it_would_unpack_to(
    service: RunningService, key: dict[str, str]
):
    for body in (gzip.compress(to_xml(document(33))), gzip.compress(bytes(50_000_000))):
        for path in ("/api/dte/validate", "/api/chat/message", "/api/dte/validate/batch"):
            sent = raw.request("POST", path, {**key, **XML, "Content-Encoding": "gzip"}, body)
            answer = raw.exchange(service.url, sent)
            assert (answer.status, answer.json["code"]) == (415, "unsupported_content_encoding")
            assert answer.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "path", ["/api/chat/message", "/api/chat", "/api/chat/session/new", "/api/usage/estimate"]
)
def test_null_is_refused_in_spanish(service: RunningService, key: dict[str, str], path: str):
    answer = raw.exchange(service.url, raw.request("POST", path, {**key, **JSON}, b"null"))

    assert answer.status == 400
    assert answer.json["detail"] == "El cuerpo debe ser un objeto JSON, no null."


# --- Request lines --------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_query_that_is_not_escaped_is_read_as_it_was_meant(
    service: RunningService, key: dict[str, str], encoding: str
):
    target = "/api/chat/knowledge/search?query=facturación".encode(encoding)

    answer = raw.exchange(service.url, raw.request("GET", target, key))

    assert (answer.status, answer.json["query"]) == (200, "facturación")


def test_a_path_that_is_not_escaped_is_read_as_it_was_meant(
    service: RunningService, key: dict[str, str]
):
    answer = raw.exchange(service.url, raw.request("DELETE", "/api/chat/session/sesión", key))

    assert answer.status in {200, 404}
    assert "detail" in answer.json or answer.json["session_id"] == "sesión"


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"GET /live?a=nota de venta HTTP/1.1\r\n\r\n", 400, "bad_request"),
        (b"GET live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 400, "bad_request"),
        (b"G\xc9T /live HTTP/1.1\r\n\r\n", 400, "bad_request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", 400, "bad_request"),
        (b"GET /live HTTP/1.1\r\nno colon\r\n\r\n", 400, "bad_request"),
        (b"POST /live HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400, "bad_request"),
        (b"POST /live HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "bad_request"),
        (b"GET /live HTTP/1.1\r\nX: " + b"a" * 15_000 + b"\r\n" + b"Y: " + b"a" * 15_000 + b"\r\n\r\n",
         431, "headers_too_large"),
        (b"GET /live HTTP/1.1\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n", 431, "headers_too_large"),
        (b"GET /live HTTP/1.1\r\n" + b"X: a\r\n" * 2_000 + b"\r\n", 431, "headers_too_large"),
        (b"GET /live?" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", 414, "uri_too_long"),
        (b"a" * 1_000_000, 414, "uri_too_long"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_in_the_shape_of_every_error(
    service: RunningService, sent: bytes, status: int, code: str
):
    answer = raw.exchange(service.url, sent)

    assert (answer.status, answer.json["code"]) == (status, code)
    assert answer.headers["connection"] == "close"


def test_an_absolute_uri_is_taken_for_its_path(service: RunningService, key: dict[str, str]):
    live = raw.exchange(service.url, raw.request("GET", f"{service.url}/live"))
    root = raw.exchange(service.url, raw.request("GET", service.url))
    target = f"{service.url}/api/chat/knowledge/search?query=folio"
    found = raw.exchange(service.url, raw.request("GET", target, key))

    assert (live.status, root.status, found.status) == (200, 200, 200)


@pytest.mark.parametrize("path", ["/admin", "/api/docs", "/api/schema"])
def test_a_page_without_its_slash_is_found(service: RunningService, path: str):
    answer = raw.exchange(service.url, raw.request("GET", f"{path}?a=1"))

    assert (answer.status, answer.headers["location"]) == (302, f"{path}/?a=1")


def test_an_admin_page_without_its_slash_is_found_after_the_login(service: RunningService):
    answer = raw.exchange(service.url, raw.request("GET", "/admin/usage/apikey"))

    assert answer.status == 302
    assert answer.headers["location"] == "/admin/login/?next=/admin/usage/apikey"


def test_a_conversation_may_be_called_new(service: RunningService, key: dict[str, str]):
    path = "/api/chat/session/new"
    absent = raw.exchange(service.url, raw.request("GET", path, key))
    body = as_json({"message": "¿Qué es un CAF?", "session_id": "new"})
    raw.exchange(service.url, raw.request("POST", "/api/chat/message", {**key, **JSON}, body))
    found = raw.exchange(service.url, raw.request("GET", path, key))
    cleared = raw.exchange(service.url, raw.request("DELETE", path, key))

    assert (absent.status, found.status, cleared.status) == (404, 200, 200)
    assert found.json["session_id"] == cleared.json["session_id"] == "new"


def test_every_status_has_its_name(start_service: StartService, key: dict[str, str]):
    service = start_service(RATE_LIMIT_READS="1/1")
    ask = raw.request("GET", "/api/usage", key)

    answers = [raw.exchange(service.url, ask) for _ in range(2)]

    assert [(a.status, a.phrase) for a in answers] == [(200, "OK"), (429, "Too Many Requests")]


# --- Answers that are read slowly -----------------------------------------------------------------


def test_a_client_that_reads_slowly_gets_all_of_it_in_order(service: RunningService):
    """More than the buffers of a connection hold: part of it waits in the server until there is room."""
    path = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
    whole = raw.exchange(service.url, raw.request("GET", path)).body
    asked = 5
    again = raw.request("GET", path, {"Connection": "keep-alive"}) * (asked - 1)

    with raw.connect(service.url) as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        wire.sendall(again + raw.request("GET", path))
        wait_until_nothing_more_comes(wire)
        received = bytearray()
        while piece := wire.recv(1 << 20):
            received += piece

    assert len(whole) > 1_000_000
    assert received.count(whole) == asked


def wait_until_nothing_more_comes(wire: socket.socket) -> None:
    """Wait until the server has filled all buffers on the way, as long as nobody reads."""
    unchanged, before = 0, -1
    while unchanged < 20:
        waiting = len(wire.recv(1 << 20, socket.MSG_PEEK))
        unchanged = unchanged + 1 if waiting == before else 0
        before = waiting
        time.sleep(0.01)
