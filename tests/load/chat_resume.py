"""Readers who lose their connection over and over, a process that dies, and many slow streams at once.

    python -m tests.load.chat_resume cuts  --readers 200
    python -m tests.load.chat_resume kill  --readers 40
    python -m tests.load.chat_resume slow  --readers 500 --processes 1

Two processes by default, PostgreSQL, Redis, the local provider in a process of its own; half of the readers on
WebSockets. ``cuts`` hangs up at random and resumes; ``kill`` ends one process with SIGKILL; ``slow`` reads
to the end, and prints the memory that each stream took.
"""

import argparse
import asyncio
import io
import os
import signal
import time
from collections import Counter

from tests import servers
from tests.load.processes import family
from tests.load.service import Service
from tests.load.stage import provider_process, report, stage
from tests.readers import Reader, some_cuts

ANSWER = " ".join(f"paso{n:02d}, ñandú;" for n in range(50))


def readers(url: str, secret: str, count: int, *, cuts: bool) -> list[Reader]:
    """Return readers, every other one on a WebSocket."""
    headers = {"Authorization": f"Bearer {secret}"}
    return [
        Reader(
            url,
            headers,
            f"sesion-{n}",
            f"turno-{n:06d}",
            over_socket=n % 2 == 1,
            cuts=some_cuts(40) if cuts else [],
        )
        for n in range(count)
    ]


def summary(found: list[Reader]) -> dict[str, object]:
    """Say what became of them."""
    ends = Counter(str(one.last.get("code", one.last["type"])) for one in found)
    numbers = [[event["seq"] for event in one.seen if "seq" in event] for one in found]
    return {
        "readers": len(found),
        "ends": dict(ends),
        "equal to the model's text": sum(one.text == ANSWER for one in found),
        "an event twice or out of order": sum(seen != sorted(set(seen)) for seen in numbers),
        "resumed": sum(one.resumed for one in found),
    }


async def cuts(url: str, secret: str, count: int) -> None:
    """Hang up at random and come back."""
    found = readers(url, secret, count, cuts=True)
    await asyncio.gather(*(one.read(180) for one in found))
    report("disconnects and resumes", **summary(found))


async def kill(url: str, secret: str, count: int, pid: int) -> None:
    """End one of two processes in mid-answer, then ask again what was lost."""
    found = readers(url, secret, count, cuts=False)
    asking = asyncio.gather(*(one.read(120) for one in found))
    while sum(len(one.seen) > 3 for one in found) < count:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    victim = servers.children(pid)[0]
    os.kill(victim, signal.SIGKILL)
    await asking
    lost = [one for one in found if one.last["type"] == "error"]
    slowest = max((one.over_at - (one.lost_at or one.over_at) for one in lost), default=0.0)
    report("kill -9 of one of two", **summary(found), slowest_seconds=round(slowest, 2))
    again = [Reader(one.url, one.headers, one.session, one.turn, one.over_socket) for one in lost]
    await asyncio.gather(*(one.read(120) for one in again))
    report("asked again with the same turn", **summary(again))


async def slow(url: str, secret: str, count: int, pid: int) -> None:
    """Read many slow answers at once."""
    await asyncio.gather(*(one.read(60) for one in readers(url, secret, 2, cuts=False)))
    before = memory_kb(pid)
    found = readers(url, secret, count, cuts=False)
    for one in found:
        one.session, one.turn = f"lenta-{one.session}", f"lenta-{one.turn}"
    most = [before]

    async def watch() -> None:
        while True:
            most[0] = max(most[0], memory_kb(pid))
            await asyncio.sleep(0.2)

    watching = asyncio.create_task(watch())
    began = time.monotonic()
    await asyncio.gather(*(one.read(180) for one in found))
    watching.cancel()
    report(
        "slow streams",
        **summary(found),
        seconds=round(time.monotonic() - began, 1),
        kb_each=round((most[0] - before) / count, 1),
    )


def memory_kb(pid: int) -> int:
    """Return the resident memory of a server and its processes, in KB."""
    total = 0
    for one in family(pid):
        with open(f"/proc/{one}/status") as status:
            total += next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    return total


def bill() -> None:
    """Print what the ledger has of every turn."""
    from chat.models import Message
    from usage.models import UsageRecord

    outcomes = Counter(UsageRecord.objects.values_list("outcome", flat=True))
    asked = Message.objects.filter(role="user").count()
    answered = UsageRecord.objects.filter(outcome="answered").count()
    report("ledger", outcomes=dict(outcomes), questions=asked, paid_twice=max(0, answered - asked))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=["cuts", "kill", "slow"])
    parser.add_argument("--readers", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--pause", type=float, default=0.1)
    options = parser.parse_args()
    pause = ["--pause", str(options.pause), "--answer", ANSWER]
    with provider_process(*pause) as provider, stage(provider=provider):
        from django.core.management import call_command

        from usage.models import ApiKey

        call_command("load_knowledge", stdout=io.StringIO())
        _, secret = ApiKey.objects.issue(name="load")
        service = Service(PROCESSES=str(options.processes))
        service.start()
        url, pid = service.url, service.process.pid
        try:
            match options.what:
                case "cuts":
                    asyncio.run(cuts(url, secret, options.readers or 200))
                case "kill":
                    asyncio.run(kill(url, secret, options.readers or 40, pid))
                case "slow":
                    asyncio.run(slow(url, secret, options.readers or 500, pid))
        finally:
            servers.stop(service.process, signal.SIGTERM)
        bill()


if __name__ == "__main__":
    main()
