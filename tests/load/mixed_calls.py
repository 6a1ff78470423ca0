"""Calls of every kind and every way to fail: does the ledger equal the provider's bill?

python -m tests.load.mixed_calls [postgres|sqlite] [how many]
"""

import asyncio
import random
import sys
import time
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

from tests.fake_claude import FakeClaude, Script
from tests.load.stage import report, stage

CALLS: Final = 600
AT_ONCE: Final = 20
ANSWER: Final = "El folio autorizado figura en el CAF que entrega el SII al contribuyente. " * 6
# As large as what the chat asks with: its instructions, and some passages of the knowledge.
SYSTEM: Final = "Eres un experto en facturación electrónica chilena. " * 60
PASSAGES: Final = (
    "El folio se autoriza en el CAF, por tipo de documento y por rango de números. " * 80
)
DELAY: Final = 0.2  # seconds until an answer begins
PAUSE: Final = 0.01  # seconds between its pieces

# Of 60 calls, how many requests are answered in which way; the rest are answered well.
FAULTS: Final = (
    (3, Script(status=429, error_type="rate_limit_error", headers={"retry-after": "0"})),
    (3, Script(status=500)),
    (3, Script(status=529, error_type="overloaded_error")),
    (2, Script(reset=True)),
    (1, Script(hang=True)),
    (3, Script(ending="error", error_type="overloaded_error", after=20)),
    (3, Script(ending="truncate", after=35)),
    (3, Script(ending="abort", after=25)),
    (1, Script(ending="stall", after=15)),
)
# Of 60 calls, how many clients leave: in the middle of the answer, or before it began.
LEAVING: Final = 10
LEAVING_EARLY: Final = 10

Way = Literal["stays", "leaves", "leaves early"]


@dataclass(frozen=True)
class Group:
    """Rows of one kind beside the provider's bill for them."""

    rows: int = 0
    ledger: Decimal = Decimal(0)
    bill: Decimal = Decimal(0)
    below: int = 0  # rows that cost less than their bill

    @property
    def over(self) -> Decimal:
        """How much more the ledger says than the bill, as a share of the bill."""
        return self.ledger / self.bill - 1 if self.bill else Decimal(0)

    def __str__(self) -> str:
        text = f"{self.rows} rows, ledger {self.ledger:f}, bill {self.bill:f}"
        return f"{text}, {self.over:+.2%}, {self.below} below" if self.bill else text


@dataclass(frozen=True)
class Outcome:
    """What came of the calls, by how each row ended.

    Attributes:
        complete: The usage was reported to its end.
        left: The client left once the provider had begun to answer.
        left_early: The client left before; the provider began, and its beginning was waited for.
        cut: The provider or the connection broke off.
        silent: Sent, and never a word came back. The provider of the tests bills nothing for them;
            the ledger books what the real one may have billed.
        unsettled: Open rows.
        without_a_row: Bills of which the ledger knows nothing by name.
        windows_agree: Whether every budget window equals the ledger.
    """

    complete: Group
    left: Group
    left_early: Group
    cut: Group
    silent: Group
    unsettled: int
    without_a_row: int
    windows_agree: bool

    @property
    def gone(self) -> Group:
        """All rows of clients that left."""
        pair = (self.left, self.left_early)
        return Group(
            sum(group.rows for group in pair),
            sum((group.ledger for group in pair), Decimal(0)),
            sum((group.bill for group in pair), Decimal(0)),
            sum(group.below for group in pair),
        )


async def one(number: int, key: Any, way: Way) -> None:
    from usage.errors import ModelUnavailable
    from usage.llm import Prompt, Turn, ask, stream
    from usage.models import Operation

    question = f"Pregunta {number}: ¿dónde figura el folio autorizado?\n{PASSAGES}"
    prompt = Prompt((SYSTEM,), (Turn("user", question),), max_tokens=1000)
    try:
        if way == "stays" and number % 2:
            await ask(prompt, api_key=key, operation=Operation.DTE_REVIEW)
            return
        async with aclosing(stream(prompt, api_key=key, operation=Operation.CHAT_REPLY)) as parts:
            if way == "leaves early":
                async with asyncio.timeout(random.uniform(0, 2 * DELAY)):
                    await anext(parts)
                return
            texts = random.randint(1, 40) if way == "leaves" else 1_000_000
            async for _ in parts:
                texts -= 1
                if not texts:
                    return
    except (ModelUnavailable, TimeoutError):
        pass


async def run(claude: FakeClaude, key: Any, calls: int) -> None:
    """Make the calls, so many at once."""
    share = calls / 60
    claude.say(ANSWER)
    claude.pause = PAUSE
    scripts = [script for count, script in FAULTS for _ in range(round(count * share))]
    scripts += [Script(delay=DELAY)] * (calls - len(scripts))
    random.shuffle(scripts)
    claude.then(*scripts)
    ways: list[Way] = ["leaves"] * round(LEAVING * share)
    ways += ["leaves early"] * round(LEAVING_EARLY * share)
    ways += ["stays"] * (calls - len(ways))
    random.shuffle(ways)
    gate = asyncio.Semaphore(AT_ONCE)

    async def limited(number: int, way: Way) -> None:
        async with gate:
            await one(number, key, way)

    await asyncio.gather(*(limited(number, way) for number, way in enumerate(ways)))


def compare(claude: FakeClaude) -> Outcome:
    """Put the ledger beside the bill."""
    from usage.models import BudgetWindow, UsageRecord

    rows = list(UsageRecord.objects.exclude(outcome="offline"))
    bills = {bill.message_id: bill.usd for bill in claude.bills}

    def group(kept: Iterable[Any]) -> Group:
        pairs = [(row.cost_usd, bills.get(row.provider_message_id, Decimal(0))) for row in kept]
        return Group(
            len(pairs),
            sum((cost for cost, _ in pairs), Decimal(0)),
            sum((bill for _, bill in pairs), Decimal(0)),
            sum(cost < bill for cost, bill in pairs),
        )

    known = [row for row in rows if row.provider_message_id]
    partly = [row for row in known if not row.usage_complete]
    left = [row for row in partly if row.outcome == "cancelled"]
    windows = set(BudgetWindow.objects.values_list("spent_usd", "held_usd"))
    return Outcome(
        complete=group(row for row in known if row.usage_complete),
        left=group(row for row in left if row.first_token_ms is not None),
        left_early=group(row for row in left if row.first_token_ms is None),
        cut=group(row for row in partly if row.outcome != "cancelled"),
        silent=group(row for row in rows if not row.provider_message_id and row.cost_usd),
        unsettled=sum(row.state != "settled" for row in rows),
        without_a_row=len(set(bills) - {row.provider_message_id for row in known}),
        windows_agree=windows == {(sum(row.cost_usd for row in rows), Decimal(0))},
    )


def main() -> None:
    random.seed(20261122)
    database = sys.argv[1] if len(sys.argv) > 1 else "postgres"
    calls = int(sys.argv[2]) if len(sys.argv) > 2 else CALLS
    variables = {
        "ANTHROPIC_TIMEOUT": "3",
        "ANTHROPIC_RETRIES": "1",
        "BREAKER_FAILURES": "1000",
    }
    with stage(database, **variables) as claude:
        from usage.models import ApiKey

        key, _ = ApiKey.objects.issue(name="load")
        started = time.perf_counter()
        asyncio.run(run(claude, key, calls))
        found = compare(claude)
        report(
            f"mixed calls on {database}",
            calls=calls,
            requests_that_reached_the_provider=len(claude.requests),
            **vars(found),
            all_that_left=found.gone,
            seconds=round(time.perf_counter() - started, 1),
        )


if __name__ == "__main__":
    main()
