"""The gateway's own CPU for a plain call and for a stream of 50 pieces, and where it goes.

The provider runs in a process of its own; what is counted is this process's CPU time, event loop and
ledger threads together.
"""

import asyncio
import cProfile
import pstats
import sys
import time
from contextlib import aclosing
from typing import Any

from tests.load.stage import provider_process, report, stage

ROUNDS = 200
PLAIN = "El folio figura en el CAF."
STREAM = "palabra " * 50


async def measure(key: Any, *, streaming: bool, rounds: int) -> float:
    """Return CPU seconds per call."""
    from usage.llm import Prompt, Turn, ask, stream
    from usage.models import Operation

    system = ("Eres un experto en facturación electrónica chilena. " * 60,)
    started = time.process_time()
    for number in range(rounds):
        question = (STREAM if streaming else PLAIN) + f" {number}"  # the provider echoes it
        prompt = Prompt(system, (Turn("user", question),), max_tokens=400)
        if streaming:
            async with aclosing(
                stream(prompt, api_key=key, operation=Operation.CHAT_REPLY)
            ) as parts:
                async for _ in parts:
                    pass
        else:
            await ask(prompt, api_key=key, operation=Operation.CHAT_REPLY)
    return (time.process_time() - started) / rounds


async def bare(*, streaming: bool, rounds: int) -> float:
    """Return CPU seconds per call of the SDK alone: no ledger, no budgets, no breaker."""
    from usage.llm import runtime

    started = time.process_time()
    for number in range(rounds):
        question = (STREAM if streaming else PLAIN) + f" {number}"
        events = (
            await runtime.current()
            .clients.get()
            .messages.create(
                model="claude-sonnet-5-5",
                max_tokens=400,
                messages=[{"role": "user", "content": question}],
                stream=True,
            )
        )
        async for _ in events:
            pass
    return (time.process_time() - started) / rounds


async def run(key: Any) -> None:
    await measure(key, streaming=True, rounds=10)  # imports, connections, learnt density
    for name, streaming in (("plain call", False), ("stream of 50 pieces", True)):
        ours, sdk = [], []
        for _ in range(3):
            ours.append(await measure(key, streaming=streaming, rounds=ROUNDS))
            sdk.append(await bare(streaming=streaming, rounds=ROUNDS))
        report(
            name,
            cpu_per_call=f"{min(ours) * 1000:.2f} ms",
            of_which_the_sdk_alone=f"{min(sdk) * 1000:.2f} ms",
        )


async def profiled(key: Any) -> None:
    await measure(key, streaming=True, rounds=ROUNDS)


def main() -> None:
    with provider_process() as url, stage(provider=url):
        from usage.models import ApiKey

        key, _ = ApiKey.objects.issue(name="load")
        asyncio.run(run(key))
        profile = cProfile.Profile()
        profile.enable()
        asyncio.run(profiled(key))
        profile.disable()
        print("where the event loop spends it (own time, streams)")
        pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(18)


if __name__ == "__main__":
    main()
