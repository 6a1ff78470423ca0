"""200 parallel calls against a budget for 50, on PostgreSQL and on SQLite."""

import asyncio
import subprocess
import sys
import time
from decimal import Decimal
from typing import Any

from tests.load.stage import report, stage

CALLS, ROOM = 200, 50


async def run(key: Any, claude: Any) -> list[str]:
    """Let all of them ask before any is answered, so that nothing is settled in between."""
    from usage.errors import BudgetExceeded

    refused = 0

    async def one() -> str:
        nonlocal refused
        try:
            await ask_once(key)
        except BudgetExceeded:
            refused += 1
            return "refused"
        return "granted"

    before = len(claude.requests)
    claude.hold()
    calls = [asyncio.ensure_future(one()) for _ in range(CALLS)]
    async with asyncio.timeout(120):
        while refused + len(claude.requests) - before < CALLS:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    claude.release()
    outcomes = await asyncio.gather(*calls)
    return list(outcomes)


async def ask_once(key: Any) -> None:
    from usage.llm import Prompt, Turn, ask
    from usage.models import Operation

    prompt = Prompt((), (Turn("user", "¿Qué es un folio?"),), max_tokens=100)
    await ask(prompt, api_key=key, operation=Operation.CHAT_REPLY)


async def first(key: Any) -> None:
    await ask_once(key)


def measure(database: str) -> None:
    with stage(database) as claude:
        from usage.models import ApiKey, Budget, BudgetWindow, UsageRecord

        key, _ = ApiKey.objects.issue(name="load")
        asyncio.run(first(key))
        bound = UsageRecord.objects.get().held_usd
        spent = UsageRecord.objects.get().cost_usd
        limit = bound * ROOM + spent
        Budget.objects.create(api_key=key, period="day", limit_usd=limit)
        before = len(claude.requests)
        started = time.perf_counter()
        outcomes = asyncio.run(run(key, claude))
        seconds = time.perf_counter() - started
        window = BudgetWindow.objects.get(api_key=key, period="day")
        report(
            f"budget on {database}",
            calls=CALLS,
            room_for=ROOM,
            granted=outcomes.count("granted"),
            requests_that_reached_the_provider=len(claude.requests) - before,
            spent_over_the_limit=max(Decimal(0), window.spent_usd - limit),
            still_held=window.held_usd,
            seconds=round(seconds, 2),
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1])
    else:  # Django has one database for each process
        for name in ("postgres", "sqlite"):
            subprocess.run([sys.executable, "-m", "tests.load.budget", name], check=True)
