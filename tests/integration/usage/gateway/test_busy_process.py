"""What a process that is too busy to look makes of a provider that is well."""

import asyncio
import time

import pytest
import uvloop

from tests.integration.usage.gateway.ledger_rows import QUESTION
from usage.llm import compose, sdk
from usage.llm.connection import Connection
from usage.llm.reading import Reading

pytestmark = pytest.mark.integration


async def busy(passes: int) -> None:
    """Hold up the event loop for longer than a connection may take, again and again."""
    for _ in range(passes):
        time.sleep(2 * sdk.CONNECT_SECONDS)  # noqa: ASYNC251 - what a busy process does
        await asyncio.sleep(0)


def test_a_connection_that_was_made_unseen_is_not_given_up_for_good(fake_claude, monkeypatch):
    monkeypatch.setattr(sdk, "CONNECT_SECONDS", 0.5)

    async def ask() -> tuple[Connection, Reading]:
        client = sdk.connect(fake_claude.url, "sk-ant-test", 60)
        reading = Reading()
        arguments = compose.parameters(QUESTION, "claude-sonnet-5-5")
        asked = Connection(client, arguments, reading, lambda: None, whole=True)
        asked.send(first_event_seconds=20)
        await busy(4)
        while await asked.piece():
            pass
        await asked.hang_up(left=False)
        await client.close()
        return asked, reading

    asked, reading = uvloop.run(ask())
    assert asked.failure is None
    assert reading.finished
    assert len(fake_claude.requests) == 1
