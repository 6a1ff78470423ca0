"""The server: accepts connections, routes, remembers."""

import asyncio
import contextlib
import json
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from tests.fake_claude.bill import Bill
from tests.fake_claude.exchange import Exchange
from tests.fake_claude.protocol import (
    LIFETIME,
    LOOKBACK,
    MINIMUM,
    blocks,
    instance,
    wrong_body,
    wrong_headers,
)
from tests.fake_claude.script import Script
from tests.fake_claude.wire import Wire

ANSWER: Final = "La factura electrónica afecta es el tipo de documento 33."


class FakeClaude:
    """The server; it runs on a thread of its own until `stop`."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.counted: list[dict[str, object]] = []
        self.bills: list[Bill] = []
        self.open_streams = 0
        self.delaying = False
        self.port = 0
        self.pause = 0.0  # seconds between the pieces of a stream
        self.count_script: Script | None = None
        self._answer: str | Callable[[dict[str, object]], str] = ANSWER
        self._scripts: deque[Script] = deque()
        self._cache: dict[tuple[str, str], float] = {}
        self._gate = threading.Event()
        self._gate.set()
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait()

    # --- For tests -------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def billed_usd(self) -> Decimal:
        """The whole bill."""
        return sum((bill.usd for bill in self.bills), Decimal(0))

    def say(self, answer: str | Callable[[dict[str, Any]], str]) -> None:
        """Set the standing answer: a text, or a function of the request's body."""
        self._answer = answer

    def then(self, *scripts: Script) -> None:
        """Answer the next requests by these scripts, one each."""
        self._scripts.extend(scripts)

    def hold(self) -> None:
        """Stop every stream before its next piece, until `release`."""
        self._gate.clear()

    def delay_start(self) -> None:
        """Accept requests, but do not begin to answer them until `release`."""
        self.delaying = True
        self._gate.clear()

    def release(self) -> None:
        """Let held streams go on."""
        self.delaying = False
        self._gate.set()

    def is_held(self) -> bool:
        """Whether streams wait for `release`."""
        return not self._gate.is_set()

    def expire_cache(self) -> None:
        """Forget every cached prefix, as if its lifetime were over."""
        self._cache.clear()

    def refuse(self) -> None:
        """Refuse connections until `accept`; those that there are stay."""
        self._loop.call_soon_threadsafe(self._server.close)

    def accept(self) -> None:
        """Accept connections again, on the same port."""
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    def stop(self) -> None:
        """End the server and its connections."""
        self._gate.set()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    # --- HTTP ------------------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self.port = self._server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        self._server.close()
        pending = asyncio.all_tasks(self._loop)
        for task in pending:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=1024)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            request_line, *lines = head.split("\r\n")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines if line)
            }
            body = json.loads(await reader.readexactly(int(headers.get("content-length", 0))))
            path = request_line.split(" ")[1].partition("?")[0]
            await self._route(path, headers, body, Wire(reader, writer))
        with contextlib.suppress(OSError):
            writer.close()
            await writer.wait_closed()

    async def _route(
        self, path: str, headers: dict[str, str], body: dict[str, object], wire: Wire
    ) -> None:
        if problem := wrong_headers(headers) or wrong_body(path, body):
            await wire.error(*problem)
        elif path == "/v1/messages/count_tokens":
            self.counted.append(body)
            await self._count(body, wire)
        elif path == "/v1/messages":
            self.requests.append(body)
            self.headers.append(headers)
            script = self._scripts.popleft() if self._scripts else Script()
            await self._answer_message(body, script, wire)
        else:
            await wire.error(404, "not_found_error", path)

    async def _count(self, body: dict[str, object], wire: Wire) -> None:
        script = self.count_script or Script()
        if script.hang:
            await wire.until_gone()
        elif script.status != 200:
            await wire.error(script.status, script.error_type, "on demand", headers=script.headers)
        else:
            total = sum(count for _, count, _ in blocks(body))
            await wire.json(200, {"input_tokens": total})

    # --- Messages --------------------------------------------------------------------------------

    async def _answer_message(self, body: dict[str, object], script: Script, wire: Wire) -> None:
        if script.reset:
            wire.abort()
        elif script.hang:
            await wire.until_gone()
        elif script.raw is not None:
            await wire.start_stream()
            await wire.piece(script.raw)
            match script.ending:
                case "abort":
                    await wire.abort_soon()
                case "hold":
                    await wire.until_gone()
                case _:
                    await wire.end_stream()
        elif script.empty:
            await wire.start_stream()
            await wire.end_stream()
        elif script.status != 200:
            await wire.error(
                script.status,
                script.error_type,
                "on demand",
                code=script.error_code,
                headers=script.headers,
            )
        else:
            exchange = Exchange(self, body, script)
            if body.get("stream"):
                await exchange.stream(wire)
            else:
                await exchange.whole(wire)

    def text_for(self, body: dict[str, Any]) -> str:
        """Return the standing answer to a request; one that must follow a schema does."""
        if callable(self._answer):
            return self._answer(body)
        schema = body.get("output_config", {}).get("format", {}).get("schema")
        if schema is not None and self._answer is ANSWER:
            return json.dumps(instance(schema), ensure_ascii=False)
        return self._answer

    def cached_prefix(self, body: dict[str, Any]) -> tuple[int, int, int, int, list[Any]]:
        """Return tokens uncached, written for 5 minutes and an hour, and read; and what to store."""
        parts = list(blocks(body))
        model = body["model"]
        sums = []
        prefix, running = "", 0
        marks = []
        for index, (content, count, ttl) in enumerate(parts):
            prefix = uuid.uuid5(uuid.NAMESPACE_URL, prefix + content).hex
            running += count
            sums.append((prefix, running))
            if ttl and running >= MINIMUM[model]:
                marks.append((index, ttl))
        now = time.monotonic()
        hit = -1
        for index, _ in marks:
            for position in range(index, max(-1, index - LOOKBACK), -1):
                if position > hit and self._cache.get((model, sums[position][0]), 0) > now:
                    hit = position
                    break
        read = sums[hit][1] if hit >= 0 else 0
        written = {"5m": 0, "1h": 0}
        done = read
        store: list[object] = []
        for index, ttl in marks:
            store.append(((model, sums[index][0]), ttl))
            if sums[index][1] > done:
                written[ttl] += sums[index][1] - done
                done = sums[index][1]
        if hit >= 0:
            store.append(((model, sums[hit][0]), "5m"))
        return running - done, written["5m"], written["1h"], read, store

    def store(self, entries: list[Any]) -> None:
        """Make prefixes readable; an entry that is used again lives longer."""
        now = time.monotonic()
        for key, ttl in entries:
            self._cache[key] = max(self._cache.get(key, 0), now + LIFETIME[ttl])
