"""Which requests cross to a thread, and what their thread is left with."""

import asyncio
import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.core.signals import request_finished
from django.db import connection
from django.http import HttpResponse
from rest_framework.response import Response

from aiservice.handler import Handler
from tests.load.invoices import invoice
from usage import threads
from usage.http.answering import AsyncAPIView
from usage.models import ApiKey
from usage.threads import ReusedThreads, Steps, Threads

pytestmark = [pytest.mark.unit]


class Client:
    """Sends one request, and leaves when it is told to."""

    def __init__(self, path: str, *, body: bytes = b"", **headers: str) -> None:
        headers["content-length"] = str(len(body))
        self.scope = {
            "type": "http",
            "method": "POST" if body else "GET",
            "path": path,
            "query_string": b"",
            "headers": [
                (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
            ],
            "client": ["127.0.0.1", 1],
            "server": ["127.0.0.1", 80],
        }
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.incoming.put_nowait({"type": "http.request", "body": body})
        self.answer: list[Any] = []

    def leave(self) -> None:
        self.incoming.put_nowait({"type": "http.disconnect"})

    async def ask(self, application: Any) -> int:
        async def send(message: Any) -> None:
            self.answer.append(message)

        await application(self.scope, self.incoming.get, send)
        return self.answer[0]["status"] if self.answer else 0


class Gate(Handler):
    """Answers once it may, with a view of the test's own."""

    def __init__(self, view: Any) -> None:
        super().__init__()
        self.view = view

    async def get_response_async(self, request: Any) -> Any:
        return await self.view(request)


@pytest.fixture
def steps(monkeypatch):
    """Count the steps that requests do in their threads."""
    taken = []
    submit = Steps.submit

    def counting(self, fn, /, *args, **kwargs):
        taken.append(fn)
        return submit(self, fn, *args, **kwargs)

    monkeypatch.setattr(Steps, "submit", counting)
    return taken


@pytest.mark.parametrize(("path", "status"), [("/live", 200), ("/nowhere", 404)])
async def test_a_cheap_request_crosses_to_no_thread(steps, path, status):
    client = Client(path)
    assert await client.ask(ReusedThreads(Handler(), Threads())) == status
    assert steps == []
    assert client.answer[-1]["body"]


@pytest.mark.django_db(transaction=True)
async def test_a_request_without_a_key_crosses_once(steps):
    assert await Client("/api/usage").ask(ReusedThreads(Handler(), Threads())) == 401
    assert len(steps) == 1


@pytest.mark.django_db(transaction=True)
async def test_a_validation_by_the_rules_crosses_once(steps):
    _, secret = await database_sync_to_async(ApiKey.objects.issue)(name="crossing")
    client = Client(
        "/api/dte/validate",
        body=json.dumps(invoice(1, 1)).encode(),
        content_type="application/json",
        x_api_key=secret,
    )
    assert await client.ask(ReusedThreads(Handler(), Threads())) == 200
    assert len(steps) == 1
    assert json.loads(client.answer[-1]["body"])["id"]


@pytest.mark.django_db(transaction=True)
async def test_a_question_is_prepared_in_the_hop_in_which_it_is_checked(steps):
    _, secret = await database_sync_to_async(ApiKey.objects.issue)(name="crossing")
    client = Client(
        "/api/chat/message",
        body=json.dumps({"message": "¿Qué es un CAF?"}).encode(),
        content_type="application/json",
        x_api_key=secret,
    )
    assert await client.ask(ReusedThreads(Handler(), Threads())) == 200
    assert len(steps) == 1
    assert json.loads(client.answer[-1]["body"])["llm_used"] == "offline"


@pytest.mark.django_db(transaction=True)
async def test_a_view_that_keeps_its_connection_has_it_given_back():
    left = []

    async def view(request):
        count = await sync_to_async(ApiKey.objects.count)()
        left.append(threads.is_clean())
        left.append(await sync_to_async(lambda: connection.connection)())
        return HttpResponse(str(count))

    assert await Client("/").ask(ReusedThreads(Gate(view), Threads())) == 200
    assert left == [True, None]


async def test_a_client_that_leaves_ends_its_view():
    client, begun, ended = Client("/"), asyncio.Event(), []

    async def view(request):
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("view")

    def finished(**kwargs):
        ended.append("request")

    request_finished.connect(finished)
    try:
        serving = asyncio.ensure_future(client.ask(ReusedThreads(Gate(view), Threads())))
        async with asyncio.timeout(30):
            await begun.wait()
            client.leave()
            assert await serving == 0
    finally:
        request_finished.disconnect(finished)
    assert ended == ["view", "request"]


async def test_what_a_view_fails_with_reaches_the_server():
    async def view(request):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Client("/").ask(ReusedThreads(Gate(view), Threads()))


@pytest.mark.parametrize(
    ("data", "crossings"),
    [
        ({"rows": [{"text": "a" * 1000}] * 10}, 0),
        ({"rows": [{"text": "a"}, *[{"text": "b" * 1000}] * 1000]}, 1),
        ("c" * 1_000_000, 1),
    ],
)
async def test_a_large_answer_is_rendered_in_a_thread(steps, data, crossings):
    class Rows(AsyncAPIView):
        authentication_classes = permission_classes = ()

        async def get(self, request):
            return Response(data)

    class Mounted(Handler):
        def resolve_request(self, request):
            return Rows.as_view(), (), {}

    client = Client("/")
    assert await client.ask(ReusedThreads(Mounted(), Threads())) == 200
    assert len(steps) == crossings
    assert json.loads(b"".join(part["body"] for part in client.answer[1:])) == data
