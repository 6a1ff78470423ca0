"""The chat over a WebSocket, with a real client against the running server."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from channels.db import database_sync_to_async
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from chat.models import Message
from tests.integration.conftest import RunningService, StartService
from usage.models import ApiKey, UsageRecord

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

QUESTION = {"message": "¿Cuánto duran los folios de un CAF?"}


@pytest.fixture(scope="module")
def service(module_services: StartService) -> RunningService:
    """The service without a Claude key, for all these tests."""
    return module_services()


def address(service: RunningService) -> str:
    return service.url.replace("http", "ws", 1) + "/ws/chat/"


@asynccontextmanager
async def socket(
    service: RunningService, secret: str, **options: Any
) -> AsyncIterator[ClientConnection]:
    headers = {"Authorization": f"Bearer {secret}"}
    async with connect(address(service), additional_headers=headers, **options) as connection:
        yield connection


async def answer(connection: ClientConnection, **question: Any) -> list[dict[str, Any]]:
    await connection.send(json.dumps({**QUESTION, **question}))
    events = [json.loads(await connection.recv())]
    while events[-1]["type"] == "text":
        events.append(json.loads(await connection.recv()))
    return events


async def closed_with(connection: ClientConnection) -> int | None:
    await connection.wait_closed()
    return connection.close_code


async def test_a_question_gets_the_events_of_a_stream(
    service: RunningService, api_key: tuple[ApiKey, str]
):
    async with socket(service, api_key[1]) as connection:
        events = await answer(connection, session_id="s")

    assert [event["type"] for event in events[:-1]] == ["text"] * (len(events) - 1)
    assert events[-1]["type"] == "done"
    assert events[-1]["metadata"]["session_id"] == "s"
    assert events[-1]["metadata"]["llm_used"] == "offline"


async def test_one_socket_takes_question_after_question(
    service: RunningService, api_key: tuple[ApiKey, str]
):
    async with socket(service, api_key[1]) as connection:
        first = await answer(connection, session_id="s")
        second = await answer(connection, session_id="s")

    assert first[-1]["type"] == second[-1]["type"] == "done"


async def test_the_key_may_come_in_its_own_header(
    service: RunningService, api_key: tuple[ApiKey, str]
):
    async with connect(
        address(service), additional_headers={"X-Api-Key": api_key[1]}
    ) as connection:
        events = await answer(connection)

    assert events[-1]["type"] == "done"


async def test_a_browser_sends_the_key_as_a_subprotocol_and_does_not_get_it_back(
    service: RunningService, api_key: tuple[ApiKey, str]
):
    async with connect(
        address(service),
        subprotocols=[Subprotocol("aiservice.bearer"), Subprotocol(api_key[1])],
        origin=Origin(service.url),
    ) as connection:
        events = await answer(connection)

    assert connection.subprotocol == "aiservice.bearer"
    assert events[-1]["type"] == "done"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"additional_headers": {"Authorization": "Bearer ai_nada_nada"}},
        {"additional_headers": {"Authorization": "Basic abc"}},
        {"additional_headers": {"X-Api-Key": ""}},
        {"subprotocols": ["aiservice.bearer"]},
        {"subprotocols": ["aiservice.bearer", "ai_nada_nada"]},
    ],
)
async def test_without_a_valid_key_the_socket_says_why_and_closes(
    service: RunningService, options: dict[str, Any]
):
    async with connect(address(service), **options) as connection:
        event = json.loads(await connection.recv())
        code = await closed_with(connection)

    assert event["type"] == "error"
    assert event["status"] == 401
    assert code == 4401


async def test_a_key_revoked_while_the_socket_is_open_opens_nothing_more(
    service: RunningService, api_key: tuple[ApiKey, str]
):
    async with socket(service, api_key[1]) as connection:
        assert (await answer(connection))[-1]["type"] == "done"
        await database_sync_to_async(api_key[0].revoke)()
        refused = await answer(connection)
        async with asyncio.timeout(20):
            code = await closed_with(connection)

    assert [event["code"] for event in refused] == ["invalid_api_key"]
    assert code == 4401


@pytest.mark.parametrize("path", ["/ws/otra/", "/ws/chat", "/"])
async def test_a_socket_to_another_path_is_refused(
    service: RunningService, api_key: tuple[ApiKey, str], path: str
):
    url = service.url.replace("http", "ws", 1) + path
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url, additional_headers={"X-Api-Key": api_key[1]}):
            pass

    assert refused.value.response.status_code == 403


async def test_a_key_in_the_address_is_not_a_key(
    service: RunningService, api_key: tuple[ApiKey, str]
):
    async with connect(f"{address(service)}?api_key={api_key[1]}") as connection:
        assert await closed_with(connection) == 4401


async def test_a_page_of_another_site_is_refused(
    start_service: StartService, api_key: tuple[ApiKey, str]
):
    service = start_service(ALLOWED_HOSTS="127.0.0.1")

    with pytest.raises(InvalidStatus) as refused:
        async with socket(service, api_key[1], origin="https://otro.example"):
            pass

    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("hola", "parse_error"),
        ("[]", "invalid"),
        ("{}", "invalid"),
        ('{"message": ""}', "invalid"),
        (b"\x00", "parse_error"),
        ("[" * 20_000, "parse_error"),
    ],
)
async def test_a_message_that_is_no_question_is_explained_and_the_socket_stays_open(
    service: RunningService, api_key: tuple[ApiKey, str], text: str | bytes, code: str
):
    async with socket(service, api_key[1]) as connection:
        await connection.send(text)
        event = json.loads(await connection.recv())
        events = await answer(connection)

    assert event["type"] == "error"
    assert event["code"] == code
    assert event["status"] == 400
    assert events[-1]["type"] == "done"


async def test_too_many_questions_close_the_socket_with_their_own_code(
    start_service: StartService, api_key: tuple[ApiKey, str]
):
    service = start_service(RATE_LIMIT_PER_MINUTE="1", RATE_LIMIT_BURST="1")

    async with socket(service, api_key[1]) as connection:
        first = await answer(connection)
        second = await answer(connection)
        code = await closed_with(connection)

    assert first[-1]["type"] == "done"
    assert second[-1]["code"] == "rate_limited"
    assert second[-1]["retry_after"] > 0
    assert code == 4429


async def test_an_address_that_tries_keys_is_refused_before_they_are_looked_up(
    start_service: StartService, transactional_db: None
):
    service = start_service(RATE_LIMIT_UNAUTHENTICATED="1/3")
    codes = []
    for number in range(5):
        async with socket(service, f"ai_abcdefgh_{number}") as connection:
            codes.append(await closed_with(connection))
    assert codes == [4401] * 3 + [4429] * 2


async def test_every_answer_leaves_a_usage_row(
    service: RunningService, api_key: tuple[ApiKey, str]
):
    async with socket(service, api_key[1]) as connection:
        await answer(connection)
        await answer(connection)

    answers = Message.objects.filter(role="assistant", usage__isnull=False)
    assert await database_sync_to_async(UsageRecord.objects.count)() == 2
    assert await database_sync_to_async(answers.count)() == 2


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
async def test_idle_sockets_hold_no_threads(service: RunningService, api_key: tuple[ApiKey, str]):
    threads = f"/proc/{service.process.pid}/task"
    async with AsyncExitStack() as sockets:
        for _ in range(10):
            opened = [sockets.enter_async_context(socket(service, api_key[1])) for _ in range(20)]
            connections = [await connection for connection in opened]
        events = await answer(connections[0])
        await asyncio.sleep(0.5)  # more than 16 threads end by themselves
        counted = len(os.listdir(threads))

    assert events[-1]["type"] == "done"
    assert counted < 60


async def test_the_example_client_of_the_documentation_gets_its_answer(
    service: RunningService, api_key: tuple[ApiKey, str]
):
    command = [sys.executable, "-m", "tests.websocket_client", address(service), api_key[1]]
    example = await asyncio.create_subprocess_exec(
        *command, QUESTION["message"], stdout=asyncio.subprocess.PIPE
    )
    output, _ = await example.communicate()

    stored = await database_sync_to_async(Message.objects.get)(role="assistant")
    assert example.returncode == 0
    assert output.decode().startswith(stored.content)


async def test_a_socket_answers_pings_and_has_nothing_to_resume(
    service: RunningService, api_key: tuple[ApiKey, str]
):
    async with socket(service, api_key[1]) as connection:
        await connection.send('{"type": "ping"}')
        pong = json.loads(await connection.recv())
        last = (await answer(connection, session_id="s"))[-1]
        told = []
        for asked in (
            {"session_id": "s"},
            {"session_id": "s", "last_event_id": last["id"]},
            {"session_id": "otra"},
            {"session_id": "s", "last_event_id": "turno-9999:1"},
            {},
        ):
            await connection.send(json.dumps({"type": "resume", **asked}))
            event = json.loads(await connection.recv())
            told.append(event.get("code", event["type"]))
        await connection.send('{"type": "otra"}')
        unknown = json.loads(await connection.recv())

    assert pong == {"type": "pong"}
    assert told == ["idle", "idle", "not_found", "not_found", "invalid"]
    assert unknown["code"] == "invalid"
