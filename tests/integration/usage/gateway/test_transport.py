"""What becomes of a call whose connection fails: it certainly never left, or it may have been billed."""

import asyncio
import gc
import gzip
import json
import socket
import threading
import weakref
from contextlib import aclosing
from functools import partial

import pytest

from tests import scripted_peer
from tests.integration.usage.gateway.ledger_rows import QUESTION, row, rows
from tests.scripted_peer import read_request, reset, serving
from tests.sii_site import certificate
from usage import llm
from usage.errors import ModelUnavailable
from usage.llm import Prompt, Turn, ask, sdk, stream
from usage.models import Operation

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nrequest-id: req_1\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


def events(text="Un folio es un número."):
    usage = {"input_tokens": 900, "output_tokens": 9}
    for event in (
        {"type": "message_start", "message": {"id": "msg_1", "usage": usage}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
        {"type": "message_stop"},
    ):
        yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def chunked(data, size=1_000_000):
    pieces = [data[n : n + size] for n in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def answer(wire, head=CHUNKED, body=None):
    read_request(wire)
    wire.sendall(head + (chunked(b"".join(events())) if body is None else body))


@pytest.fixture(autouse=True)
def provider(settings, monkeypatch):
    settings.ANTHROPIC_API_KEY = "sk-ant-test"
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


async def booked(key):
    """Ask in vain; return what the ledger says of it."""
    with pytest.raises(ModelUnavailable):
        await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    record = (await rows())[-1]
    return record.error_type, record.usage_complete, record.cost_usd > 0


NEVER_LEFT = ("unreachable", True, False)
MAYBE_BILLED = ("connection", False, True)


# --- It never left: nothing is booked -------------------------------------------------------------


async def test_where_nobody_listens(key, settings):
    settings.ANTHROPIC_BASE_URL = "http://127.0.0.1:9"
    assert await booked(key) == NEVER_LEFT


async def test_a_name_that_is_not_known(key, settings, monkeypatch):
    def unknown(*args, **kwargs):  # a real one would have to be asked for outside of this machine
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    settings.ANTHROPIC_BASE_URL = "http://nowhere.invalid"
    assert await booked(key) == NEVER_LEFT


async def test_a_connection_that_is_not_accepted_in_time(key, settings, monkeypatch):
    monkeypatch.setattr(sdk, "CONNECT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        settings.ANTHROPIC_BASE_URL = f"http://127.0.0.1:{port}"
        assert await booked(key) == NEVER_LEFT
        for one in waiting:
            one.close()


async def test_a_certificate_that_nobody_vouches_for(key, settings, tmp_path):
    cert = certificate(tmp_path / "cert.pem")
    with serving(answer, certificate=cert) as port:
        settings.ANTHROPIC_BASE_URL = f"https://127.0.0.1:{port}"
        assert await booked(key) == NEVER_LEFT


@pytest.mark.parametrize("instead", [lambda wire: wire.sendall(b"HTTP/1.1 200 OK\r\n\r\n"), reset])
async def test_a_server_that_speaks_no_tls(key, settings, instead):
    with serving(lambda wire: (wire.recv(1), instead(wire))) as port:
        settings.ANTHROPIC_BASE_URL = f"https://127.0.0.1:{port}"
        assert await booked(key) == NEVER_LEFT


async def test_a_proxy_that_is_not_there_or_opens_no_tunnel(key, settings, monkeypatch):
    settings.ANTHROPIC_BASE_URL = "https://api.anthropic.test"
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert await booked(key) == NEVER_LEFT

    def refuse(wire):
        read_request(wire)
        wire.sendall(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")

    with serving(refuse) as port:
        settings.ANTHROPIC_BASE_URL = "https://api2.anthropic.test"
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        assert await booked(key) == NEVER_LEFT


# --- It was sent, or part of it: its input is booked ------------------------------------------------


def half_read(wire, then):
    wire.recv(1)
    then(wire)


def read(wire, then):
    read_request(wire)
    then(wire)


def in_the_head(wire, then):
    read_request(wire)
    wire.sendall(HEAD)
    then(wire)


def no_http(wire, then):
    read_request(wire)
    wire.sendall(b"220 smtp.example ESMTP\r\n\r\n")
    then(wire)


def before_the_first_event(wire, then):
    read_request(wire)
    wire.sendall(CHUNKED + b"5\r\neve")
    then(wire)


@pytest.mark.parametrize("then", [reset, socket.socket.close])
@pytest.mark.parametrize("when", [half_read, read, in_the_head, no_http, before_the_first_event])
async def test_a_connection_that_breaks_once_the_request_is_under_way(key, settings, when, then):
    with serving(partial(when, then=then)) as port:
        settings.ANTHROPIC_BASE_URL = f"http://127.0.0.1:{port}"
        assert await booked(key) == MAYBE_BILLED


@pytest.mark.parametrize("then", [reset, socket.socket.close])
async def test_a_connection_that_was_used_before_and_breaks(key, settings, then):
    def again(wire):
        answer(wire)
        read_request(wire)
        then(wire)

    with serving(again) as port:
        settings.ANTHROPIC_BASE_URL = f"http://127.0.0.1:{port}"
        await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
        assert await booked(key) == MAYBE_BILLED
        assert len(await rows()) == 2  # no request is sent again unseen


async def test_an_answer_that_breaks_off_costs_what_arrived(key, settings):
    begun = next(events())

    def broken(wire):
        read_request(wire)
        wire.sendall(CHUNKED + b"%x\r\n%s\r\n" % (len(begun), begun))
        reset(wire)

    with serving(broken) as port:
        settings.ANTHROPIC_BASE_URL = f"http://127.0.0.1:{port}"
        assert await booked(key) == MAYBE_BILLED
        assert (await row()).outcome == "cut"


# --- The connection itself --------------------------------------------------------------------------


async def test_a_connection_is_used_again_and_closed_at_the_end(key, settings):
    met, left = [], asyncio.Event()
    loop = asyncio.get_running_loop()

    def twice(wire):
        met.append(wire)
        answer(wire)
        answer(wire)
        wire.recv(1)
        loop.call_soon_threadsafe(left.set)

    with serving(twice) as port:
        settings.ANTHROPIC_BASE_URL = f"http://127.0.0.1:{port}"
        for _ in range(2):
            await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
        assert len(met) == 1
        assert (await rows())[0].provider_request_id == "req_1"
        await llm.close()
        async with asyncio.timeout(20):
            await left.wait()


@pytest.mark.parametrize("size", [1, 7, 4096])
async def test_an_answer_is_whole_wherever_its_chunks_end(key, settings, size):
    text = "Ñandú €5 " * 200
    body = chunked(b"".join(events(text)), size)
    with serving(partial(answer, body=body)) as port:
        settings.ANTHROPIC_BASE_URL = f"http://127.0.0.1:{port}/through/a/gateway"
        assert (await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)).text == text


async def test_an_answer_may_be_large_compressed_or_without_chunks(key, settings):
    text = "palabra " * 400_000
    plain = b"".join(events(text))
    small = gzip.compress(plain)
    heads = [
        (CHUNKED, chunked(plain)),
        (HEAD + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(small), small),
        (HEAD + b"connection: close\r\n\r\n", plain),
    ]

    def each(wire, head, body):
        answer(wire, head, body)

    conversations = [partial(each, head=head, body=body) for head, body in heads]
    with serving(*conversations) as port:
        settings.ANTHROPIC_BASE_URL = f"http://127.0.0.1:{port}"
        for _ in heads:
            reply = await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
            assert reply.text == text
            await llm.close()  # so that the next one takes another connection


async def test_pieces_are_handed_on_as_they_come(key, settings):
    seen = threading.Event()

    def slowly(wire):
        read_request(wire)
        wire.sendall(CHUNKED)
        for event in events():
            wire.sendall(b"%x\r\n%s\r\n" % (len(event), event))
            if b"text_delta" in event:
                assert seen.wait(20)  # it was read before the rest was sent
        wire.sendall(b"0\r\n\r\n")

    with serving(slowly) as port:
        settings.ANTHROPIC_BASE_URL = f"http://127.0.0.1:{port}"
        async with aclosing(stream(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)) as parts:
            async for _ in parts:
                seen.set()


async def test_what_was_sent_is_let_go_while_it_is_being_answered(key, settings):
    """It may be most of a conversation, and hundreds of streams wait at the same time."""
    read_on = threading.Event()

    def slowly(wire):
        read_request(wire)
        begun, text, *rest = events()
        wire.sendall(CHUNKED + b"%x\r\n%s\r\n" % (len(begun + text), begun + text))
        read_on.wait(20)
        wire.sendall(chunked(b"".join(rest)))

    texts = [Text("Responde en español. " * 100), Text("¿Qué es un folio?")]
    kept = [weakref.ref(text) for text in texts]
    prompt = Prompt((texts.pop(0),), (Turn("user", texts.pop()),), max_tokens=500)
    with serving(slowly) as port:
        settings.ANTHROPIC_BASE_URL = f"http://127.0.0.1:{port}"
        parts = stream(prompt, api_key=key, operation=Operation.CHAT_REPLY)
        del prompt
        async with aclosing(parts):
            async for part in parts:
                if isinstance(part, llm.TextDelta):
                    gc.collect()
                    assert [text() for text in kept] == [None, None]
                    read_on.set()
            assert part.complete


class Text(str):
    """A text that can be watched."""


# --- Proxies ----------------------------------------------------------------------------------------


async def test_a_proxy_of_the_environment_is_used_unless_the_host_is_excepted(
    key, settings, monkeypatch, tmp_path
):
    cert = certificate(tmp_path / "cert.pem", names=("127.0.0.1", "localhost"))
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    asked = []

    def connect(wire):
        head, _ = read_request(wire)
        asked.append(head.split(b"\r\n")[0].decode())
        wire.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        scripted_peer.tunnel(wire, int(head.split(b" ")[1].rpartition(b":")[2]))

    with serving(answer, certificate=cert) as port, serving(connect) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy}")
        settings.ANTHROPIC_BASE_URL = f"https://localhost:{port}"
        assert (await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)).text
        assert asked == [f"CONNECT localhost:{port} HTTP/1.1"]
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        settings.ANTHROPIC_BASE_URL = f"https://127.0.0.1:{port}"
        assert (await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)).text
        assert len(asked) == 1


async def test_a_proxy_passes_on_what_is_not_encrypted(key, settings, monkeypatch):
    asked = []

    def forward(wire):
        head, _ = read_request(wire)
        asked.append(head.split(b" ")[1].decode())
        wire.sendall(CHUNKED + chunked(b"".join(events())))

    with serving(forward) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy}")
        settings.ANTHROPIC_BASE_URL = "http://claude.internal"
        assert (await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)).text
        assert asked == ["http://claude.internal/v1/messages"]
