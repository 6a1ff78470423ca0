"""What those who mean harm cost: processor, memory, and how long others wait for /live meanwhile.

    python -m tests.load.harm [refusals] [inputs] [crowds]

Whoever fails here fails alone: the last lines say the worst of each.
"""

import asyncio
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import httpx2
from websockets.asyncio.client import ClientConnection, connect

from tests import raw
from tests.corpus import configure
from tests.load.stack import Stack, running
from tests.load.upstream import Pace

SOCKETS: Final = 1_500
ROUNDS: Final = 1_000


class Watch:
    """Asks for /live all the time, and keeps the longest wait."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.worst = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        with httpx2.Client(timeout=60) as client:
            while not self._over.wait(0.005):
                started = time.perf_counter()
                client.get(f"{self.stack.url}/live")
                self.worst = max(self.worst, time.perf_counter() - started)

    @contextmanager
    def over(self, name: str) -> Iterator[None]:
        """Print what happens under this name cost."""
        time.sleep(0.05)
        cpu, started, self.worst = self.stack.cpu_seconds(), time.perf_counter(), 0.0
        yield
        wall = time.perf_counter() - started
        time.sleep(0.05)
        print(
            f"{name:58} {wall:7.2f} s  cpu {self.stack.cpu_seconds() - cpu:6.2f} s  "
            f"/live at worst {self.worst * 1000:5.0f} ms  {self.stack.memory_mb():4.0f} MB",
            flush=True,
        )

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def refusals() -> None:
    """Print the processor time of one refusal of each kind, one after another on one connection."""
    limits = {"RATE_LIMIT_PER_MINUTE": "60", "RATE_LIMIT_UNAUTHENTICATED": "0/1"}
    with running(Pace(), **limits) as stack, httpx2.Client(base_url=stack.url) as client:
        wrong = {"Authorization": "Bearer sk_wrong"}
        body = json.dumps({"message": "¿Qué es un CAF?"})
        typed = {"Content-Type": "application/json"}
        cases: dict[str, Callable[[], int]] = {
            "200 of /live, to compare": lambda: client.get("/live").status_code,
            "401, wrong key, GET": lambda: client.get("/api/usage", headers=wrong).status_code,
            "401, wrong key, question": lambda: (
                client.post("/api/chat/message", content=body, headers=wrong | typed).status_code
            ),
            "401, no key": lambda: client.get("/api/usage").status_code,
            "429, own rate": lambda: (
                client.post(
                    "/api/chat/message", content=body, headers=stack.headers | typed
                ).status_code
            ),
        }
        for name, call in cases.items():
            for _ in range(100):
                call()
            before = stack.cpu_seconds()
            statuses = {call() for _ in range(ROUNDS)}
            cpu = (stack.cpu_seconds() - before) / ROUNDS * 1000
            print(f"{name:40} {sorted(statuses)}  {cpu:.2f} ms of processor", flush=True)
    with (
        running(Pace(), RATE_LIMIT_PER_MINUTE="60") as stack,
        httpx2.Client(base_url=stack.url) as client,
    ):
        for _ in range(100):
            client.get("/api/usage", headers=wrong)
        before = stack.cpu_seconds()
        statuses = {client.get("/api/usage", headers=wrong).status_code for _ in range(ROUNDS)}
        cpu = (stack.cpu_seconds() - before) / ROUNDS * 1000
        print(f"{'429, an address of wrong keys':40} {sorted(statuses)}  {cpu:.2f} ms of processor")


def bodies() -> dict[str, tuple[str, str, bytes]]:
    """Return path, media type and body of each input, by name."""
    configure(Path())
    from tests.documents import document, to_xml
    from tests.hostile import HOSTILE, JSON, XML

    matched = {
        "dte_data": {"lines": [{"name": "harina", "quantity": 1, "price_unit": 2}] * 2_000},
        "pending_pos": [
            {"id": i, "lines": [{"name": f"harina {j}", "quantity": 1} for j in range(100)]}
            for i in range(180)
        ],
    }
    ones = b"1," * 1_500_000 + b"1]}"
    found = {
        "3 MB of ones, as items": (
            "/api/ai/validate",
            JSON,
            b'{"dte_data":{"items":[' + ones + b"}",
        ),
        "3 MB of ones, as history": ("/api/ai/validate", JSON, b'{"history":[' + ones),
        "3 MB of ones, as a message": ("/api/chat/message", JSON, b'{"message":[' + ones),
        "5 MB of text, as a message": (
            "/api/chat/message",
            JSON,
            b'{"message":"' + b"a" * 5_000_000 + b'"}',
        ),
        "9,000 messages to estimate": (
            "/api/usage/estimate",
            JSON,
            b'{"messages":[' + b"{}," * 9_000 + b"{}]}",
        ),
        "2,000 lines against 180 orders of 100": (
            "/api/ai/reception/match_po?ai=never",
            JSON,
            json.dumps(matched).encode(),
        ),
        "100,000 empty lines to match": (
            "/api/ai/reception/match_po?ai=never",
            JSON,
            b'{"dte_data":{"lines":[' + b"{}," * 100_000 + b'{}]},"pending_pos":[]}',
        ),
        "an envelope of nothing but documents' starts": (
            "/api/dte/validate/batch",
            XML,
            b"<EnvioDTE><SetDTE>" + b"<DTE/>" * 100_000 + b"</SetDTE></EnvioDTE>",
        ),
        "a document, to compare": ("/api/dte/validate?ai=never", XML, to_xml(document(33))),
        "a document in JSON, to compare": (
            "/api/dte/validate?ai=never",
            JSON,
            json.dumps(document(33)).encode(),
        ),
    }
    return found | {
        name: ("/api/dte/validate", hostile.kind, hostile.body) for name, hostile in HOSTILE.items()
    }


def inputs() -> None:
    """Print what each input costs, sent alone."""
    given = bodies()
    with running(Pace()) as stack, Watch(stack) as watch, httpx2.Client(timeout=120) as client:
        with watch.over("nothing, to compare"):
            time.sleep(2)
        for name, (path, kind, body) in given.items():
            headers = stack.headers | {"Content-Type": kind}
            with watch.over(name):
                client.post(stack.url + path, content=body, headers=headers)


def crowds() -> None:
    """Print what many at once cost: wrong keys, searches, slow connections, idle WebSockets."""
    with (
        running(Pace(), RATE_LIMIT_PER_MINUTE="60", KNOWLEDGE_SEMANTIC="on") as stack,
        Watch(stack) as watch,
        ThreadPoolExecutor(40) as pool,
        httpx2.Client(base_url=stack.url, timeout=120) as client,
    ):

        def wrong(number: int) -> int:
            headers = {"Authorization": f"Bearer sk_wrong_{number}"}
            return client.get("/api/usage", headers=headers).status_code

        def search(number: int) -> int:
            query = " ".join(f"folio timbre {number} plazo" for _ in range(80))[:2_000]
            where = f"/api/chat/knowledge/search?query={query}"
            return client.get(where, headers=stack.headers).status_code

        search(0)
        with watch.over("2,000 wrong keys, 40 at once"):
            statuses = list(pool.map(wrong, range(2_000)))
        print("   ", {status: statuses.count(status) for status in set(statuses)})
        with watch.over("300 searches of 2,000 characters by meaning, 40 at once"):
            statuses = list(pool.map(search, range(300)))
        print("   ", {status: statuses.count(status) for status in set(statuses)})
        with watch.over("400 connections that send half a head"), ExitStack() as wires:
            for _ in range(400):
                wires.enter_context(raw.connect(stack.url)).sendall(b"GET /live HTTP/1.1\r\nX: ")
            time.sleep(2)
    with running(Pace(delay=0)) as stack, Watch(stack) as watch:
        before = stack.memory_mb(), threads(stack)
        asyncio.run(sockets(stack, watch, before))


def threads(stack: Stack) -> int:
    """Return how many threads the server has."""
    status = Path(f"/proc/{stack.process.pid}/status").read_text()
    return int(status.partition("Threads:")[2].split()[0])


async def sockets(stack: Stack, watch: Watch, before: tuple[float, int]) -> None:
    """Open WebSockets that say nothing, then let each ask."""
    address = stack.url.replace("http", "ws", 1) + "/ws/chat/"
    open_now: list[ClientConnection] = []
    with watch.over(f"{SOCKETS} WebSockets opened"):
        for _ in range(SOCKETS // 50):
            opened = (connect(address, additional_headers=stack.headers) for _ in range(50))
            open_now += await asyncio.gather(*opened)
    with watch.over("all of them idle"):
        await asyncio.sleep(5)
    print(
        f"    idle: {threads(stack)} threads ({before[1]} before), "
        f"{(stack.memory_mb() - before[0]) / SOCKETS * 1024:.0f} kB each"
    )

    async def ask(socket: ClientConnection) -> str:
        await socket.send(json.dumps({"message": "¿Qué es un CAF?"}))
        event = {"type": "text"}
        while event["type"] not in {"done", "error"}:
            event = json.loads(await socket.recv())
        return event["type"]

    with watch.over("all of them asked, 50 at once"):
        gate, ends = asyncio.Semaphore(50), []

        async def in_turn(socket: ClientConnection) -> None:
            async with gate:
                ends.append(await ask(socket))

        await asyncio.gather(*map(in_turn, open_now))
    print(f"    {ends.count('done')} of {SOCKETS} answered, {threads(stack)} threads afterwards")
    await asyncio.gather(*(socket.close() for socket in open_now))


def main() -> None:
    """Run the parts that are named, or all."""
    parts = {"refusals": refusals, "inputs": inputs, "crowds": crowds}
    for name in sys.argv[1:] or parts:
        parts[name]()


if __name__ == "__main__":
    main()
