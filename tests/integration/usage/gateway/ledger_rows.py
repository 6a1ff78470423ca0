"""What the gateway's tests ask, and what they read back from the ledger."""

import asyncio
from contextlib import aclosing

from channels.db import database_sync_to_async as on_database

from usage.llm import Prompt, Turn, stream
from usage.models import BudgetWindow, Operation, UsageRecord

SYSTEM = ("Responde en español sobre documentos tributarios electrónicos. " * 80,)
QUESTION = Prompt(SYSTEM, (Turn("user", "¿Qué es un folio?"),), max_tokens=500)


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # the server lives on another thread
            await asyncio.sleep(0.01)


async def rows():
    return await on_database(
        lambda: list(UsageRecord.objects.select_related("price").order_by("started_at"))
    )()


async def row():
    (only,) = await rows()
    return only


async def spent():
    """Return what every window says was spent and is held; they must agree."""
    windows = await on_database(lambda: list(BudgetWindow.objects.all()))()
    assert len(windows) == 4
    (numbers,) = {(window.spent_usd, window.held_usd) for window in windows}
    return numbers


async def collect(prompt, key):
    async with aclosing(stream(prompt, api_key=key, operation=Operation.CHAT_REPLY)) as parts:
        return [part async for part in parts]
