"""600 calls of every kind and every way to fail: does the ledger equal the provider's bill?

python -m tests.load.mixed_calls [postgres|sqlite]
"""

import asyncio
import random
import sys
import time
from contextlib import aclosing
from decimal import Decimal
from typing import Any

from tests.fake_claude import FakeClaude, Script
from tests.load.stage import report, stage

CALLS = 600
AT_ONCE = 20
ANSWER = "El folio autorizado figura en el CAF que entrega el SII al contribuyente. " * 6

# How many of each kind; the rest are answered.
FAULTS = (
    [Script(status=429, error_type="rate_limit_error", headers={"retry-after": "0"})] * 30
    + [Script(status=500)] * 30
    + [Script(status=529, error_type="overloaded_error")] * 30
    + [Script(reset=True)] * 20
    + [Script(hang=True)] * 10
    + [Script(ending="error", error_type="overloaded_error", after=20)] * 30
    + [Script(ending="truncate", after=35)] * 30
    + [Script(ending="abort", after=25)] * 30
    + [Script(ending="stall", after=15)] * 10
)
LEAVING = 60


async def one(number: int, key: Any, *, leaves: bool) -> None:
    from usage.errors import ModelUnavailable
    from usage.llm import Prompt, Turn, ask, stream
    from usage.models import Operation

    prompt = Prompt(
        ("Eres un experto en facturación electrónica chilena. " * 60,),
        (Turn("user", f"Pregunta {number}: ¿dónde figura el folio autorizado?"),),
        max_tokens=1000,
    )
    try:
        if leaves:
            async with aclosing(
                stream(prompt, api_key=key, operation=Operation.CHAT_REPLY)
            ) as parts:
                for _ in range(random.randint(1, 40)):
                    await anext(parts)
        elif number % 2:
            await ask(prompt, api_key=key, operation=Operation.DTE_REVIEW)
        else:
            async with aclosing(
                stream(prompt, api_key=key, operation=Operation.CHAT_REPLY)
            ) as parts:
                async for _ in parts:
                    pass
    except ModelUnavailable:
        pass


async def run(claude: FakeClaude) -> None:
    from channels.db import database_sync_to_async

    from usage.models import ApiKey

    claude.say(ANSWER)
    key, _ = await database_sync_to_async(ApiKey.objects.issue)(name="load")
    scripts = [*FAULTS, *[Script()] * (CALLS - len(FAULTS))]
    random.shuffle(scripts)
    claude.then(*scripts)
    leaving = set(random.sample(range(CALLS), LEAVING))
    gate = asyncio.Semaphore(AT_ONCE)

    async def limited(number: int) -> None:
        async with gate:
            await one(number, key, leaves=number in leaving)

    await asyncio.gather(*(limited(number) for number in range(CALLS)))


def main() -> None:
    random.seed(20261122)
    database = sys.argv[1] if len(sys.argv) > 1 else "postgres"
    variables = {
        "ANTHROPIC_TIMEOUT": "1",
        "ANTHROPIC_RETRIES": "1",
        "BREAKER_FAILURES": "1000",
    }
    with stage(database, **variables) as claude:
        from django.db.models import Sum

        from usage.models import BudgetWindow, UsageRecord

        started = time.perf_counter()
        asyncio.run(run(claude))
        seconds = time.perf_counter() - started
        rows = UsageRecord.objects.all()

        def total(complete: bool) -> Decimal:
            kept = rows.filter(usage_complete=complete, total_tokens__gt=0)
            return Decimal(kept.aggregate(sum=Sum("cost_usd", default=Decimal(0)))["sum"])

        exact = {
            row.provider_message_id: row.cost_usd
            for row in rows.filter(usage_complete=True).exclude(provider_message_id="")
        }
        bills = {bill.message_id: bill for bill in claude.bills}
        differing = [i for i, cost in exact.items() if bills[i].usd != cost]
        cut = {
            row.provider_message_id: row.cost_usd
            for row in rows.filter(usage_complete=False).exclude(provider_message_id="")
        }
        cut_bill = sum((bills[i].usd for i in cut), Decimal(0))
        short = [i for i, cost in cut.items() if cost < bills[i].usd]
        windows = set(BudgetWindow.objects.values_list("spent_usd", "held_usd"))
        report(
            f"mixed calls on {database}",
            calls=CALLS,
            requests_that_reached_the_provider=len(claude.requests),
            rows=rows.count(),
            rows_not_settled=rows.exclude(state="settled").count(),
            bills=len(bills),
            bills_without_a_row=len(set(bills) - set(exact) - set(cut)),
            completed_calls=len(exact),
            completed_calls_that_differ_from_their_bill=len(differing),
            ledger_of_completed_calls=f"{total(True):f}",
            bill_of_completed_calls=f"{sum((bills[i].usd for i in exact), Decimal(0)):f}",
            cut_calls=len(cut),
            ledger_of_cut_calls=f"{sum(cut.values(), Decimal(0)):f}",
            bill_of_cut_calls=f"{cut_bill:f}",
            cut_calls_below_their_bill=len(short),
            ledger_over_bill_of_cut_calls=f"{sum(cut.values()) / cut_bill - 1:+.2%}",
            ledger_of_calls_that_were_never_answered=f"{total(False) - sum(cut.values()):f}",
            every_window_equals_the_ledger=windows == {(total(True) + total(False), Decimal(0))},
            outcomes=dict(sorted(_count(rows).items())),
            seconds=round(seconds, 1),
        )


def _count(rows: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for outcome in rows.values_list("outcome", flat=True):
        counts[outcome] = counts.get(outcome, 0) + 1
    return counts


if __name__ == "__main__":
    main()
