"""One request to the provider: opened, read and hung up by a task of its own.

The task reads on whatever happens to the caller, so that all that has arrived is known when a caller
leaves; a cancellation inside the SDK's generator would lose it.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

import structlog
from django.conf import settings

from usage.llm import failures, hearing
from usage.llm.failures import Failure
from usage.llm.reading import Reading
from usage.llm.sse import Event, Events

if TYPE_CHECKING:
    import httpx2
    from anthropic import AsyncAnthropic

log = structlog.get_logger(__name__)

# How long a request whose caller left may still wait for the provider's first event: the bill starts
# with it, and it says what the input costs.
PARTING_SECONDS: Final = 3.0
# Reading on what had been sent before the caller left: until nothing more comes for a moment.
ARRIVED_IDLE_SECONDS: Final = 0.05
ARRIVED_SECONDS: Final = 0.2
# There and back: what the provider sent is on its way, and it goes on until it hears of the hanging up.
FLIGHT_SECONDS: Final = 0.1
# What has come to a busy process takes so many turns of its event loop to be read.
PASSES: Final = 4
# After the last event the provider ends the response; a connection at its end can be used again.
ENDING_SECONDS: Final = 0.5


class Connection:
    """A request under way.

    Attributes:
        failure: What went wrong, if anything did.
        sent: Whether the request may have reached the provider.
        underway_bytes: What may have been sent, as fast as before, and was not read any more.
        request_id: The provider's identifier of the request.
    """

    def __init__(
        self,
        client: "AsyncAnthropic",
        arguments: dict[str, Any],
        reading: Reading,
        on_event: Callable[[], None],
        *,
        whole: bool = False,
    ) -> None:
        self._whole = whole  # wake the caller only at the end
        self.failure: Failure | None = None
        self.sent = False
        self.underway_bytes = 0.0
        self.request_id = ""
        self._client = client
        self._arguments = arguments
        self._reading = reading
        self._on_event = on_event
        self._loop = asyncio.get_running_loop()
        self._pieces: list[str] = []
        self._waiting: asyncio.Future[None] | None = None  # the caller, for news
        self._over = False  # nothing more will come to the caller
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._hearing = hearing.clock()
        self._sent_at = self._last_event_at = self._first_event_by = self._heard_at = 0.0
        self._first_event_at = 0.0

    def send(self, *, first_event_seconds: float) -> None:
        """Send the request.

        Args:
            first_event_seconds: How long the provider may say nothing at all while this process listens.
        """
        self.sent = True
        self._sent_at = self._last_event_at = self._loop.time()
        self._heard_at = self._hearing.time()
        self._first_event_by = self._heard_at + first_event_seconds
        self._watch()
        self._task = asyncio.create_task(self._run())

    async def begun(self) -> None:
        """Wait until the provider has begun to answer, or there is nothing to wait for."""
        while not (self._reading.began or self._over):
            await self._change()

    async def piece(self) -> str | None:
        """Return the text that has come since the last piece, None at the end; all of it for `whole`.

        Pieces that arrived together go on together: under load a stream gets fewer and longer ones.
        """
        while not self._over and (self._whole or not self._pieces):
            await self._change()
        if not self._pieces:
            return None
        text = "".join(self._pieces)
        self._pieces.clear()
        return text

    async def hang_up(self, *, left: bool) -> None:
        """End the connection; the provider stops then.

        Args:
            left: Whether the caller left before the end.
        """
        if self._task is None:
            return
        if left and not self._reading.began:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PARTING_SECONDS):
                    await self.begun()
        if left and not self._over:
            await self._read_what_arrived()
        if self._over and self.failure is None:
            await asyncio.wait([self._task], timeout=ENDING_SECONDS)
        underway = not self._over
        self._task.cancel()
        await asyncio.wait([self._task])
        if underway:  # what ended by itself has been read to its end
            silent = self._loop.time() - self._last_event_at
            self.underway_bytes = self._rate() * (silent + FLIGHT_SECONDS)

    def _rate(self) -> float:
        """Return the bytes a second that have been arriving."""
        seconds = self._last_event_at - (self._first_event_at or self._last_event_at)
        return self._reading.received_bytes / max(seconds, ARRIVED_SECONDS)

    async def _change(self) -> None:
        self._waiting = self._loop.create_future()
        await self._waiting

    def _tell(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def _read_what_arrived(self) -> None:
        """Read on; stop after a silence, or just after an event, when the least is under way."""
        self._whole = False
        end = self._loop.time() + ARRIVED_SECONDS
        while not self._over:
            self._waiting = news = self._loop.create_future()
            await asyncio.wait([news], timeout=ARRIVED_IDLE_SECONDS)
            for _ in range(PASSES):
                await asyncio.sleep(0)
            if not news.done() or self._loop.time() >= end:
                return

    # --- The task ---------------------------------------------------------------------------------

    async def _run(self) -> None:
        from usage.llm import sdk  # loaded by now, for there is a client

        response: httpx2.Response | None = None
        try:
            response = await self._send()
            self._arguments = {}  # they may be large, and the answer take minutes
            self.request_id = response.headers.get("request-id", "")
            events = Events()
            async for chunk in sdk.chunks(response):
                self._take(events.feed(chunk))
            self._take(events.end())
            self._fail(failures.TRUNCATED)
        except sdk.EXPECTED as exc:
            self._fail(sdk.classify(exc))
        except (ValueError, RecursionError) as exc:  # no JSON, no UTF-8
            log.warning("malformed_stream", error=type(exc).__name__)
            self._fail(failures.MALFORMED)
        except Exception as exc:  # whatever the provider sends, the row is settled
            log.exception("unexpected_stream", error=type(exc).__name__)
            self._fail(failures.MALFORMED)
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._end()
            if response is not None:
                with contextlib.suppress(*sdk.EXPECTED):
                    await response.aclose()

    async def _send(self) -> "httpx2.Response":
        """Send the request; again, where a connection was given up while this process did not look."""
        from usage.llm import sdk

        in_vain = 0.9 * sdk.connect_seconds(settings.ANTHROPIC_TIMEOUT)
        while True:
            began = self._hearing.time()
            try:
                return await sdk.send(self._client, self._arguments)
            except sdk.EXPECTED as exc:
                if not sdk.is_connect_timeout(exc) or self._hearing.time() - began > in_vain:
                    raise

    def _take(self, events: Iterable[Event]) -> None:
        """Take in the events that came together, and take note of them once."""
        began, finished, news = self._reading.began, self._reading.finished, False
        try:
            for name, data in events:
                if data and name != "ping":
                    news |= self._take_one(name, data)
        finally:
            if news:
                now = (self._reading.began, self._reading.finished)
                self._take_note(begins_or_ends=now != (began, finished))

    def _take_one(self, name: str | None, data: str) -> bool:
        """Take in an event; tell whether it belongs to the answer."""
        event = json.loads(data)
        if not isinstance(event, dict):
            raise ValueError("an event that is no object")  # as json's own
        if "error" in (event.get("type"), name):
            self._fail(failures.reported(event, self.request_id))
            self._end()
        if self._over:
            return False
        if text := self._reading.feed(event if "type" in event else event | {"type": name}):
            self._pieces.append(text)
        if self._reading.finished and self._reading.closed:
            self._end()
        return True

    def _take_note(self, *, begins_or_ends: bool) -> None:
        self._last_event_at = self._loop.time()
        self._heard_at = self._hearing.time()
        if begins_or_ends:
            self._first_event_at = self._first_event_at or self._last_event_at
            self._watch()  # other deadlines hold from here on
        self._on_event()
        if not self._whole or begins_or_ends:
            self._tell()

    def _fail(self, failure: Failure) -> None:
        # An answer that came to its end is whole, whatever happens to its connection after it.
        if not self._reading.finished and self.failure is None:
            self.failure = failure

    def _end(self) -> None:
        self._over = True
        self._tell()

    # --- Deadlines --------------------------------------------------------------------------------

    def _left(self) -> float:
        """Return the seconds until the call is over if nothing more is heard."""
        if self._reading.finished:
            return self._last_event_at + ENDING_SECONDS - self._loop.time()
        silence = self._heard_at + float(settings.ANTHROPIC_TIMEOUT)
        if not self._reading.began:
            return min(silence, self._first_event_by) - self._hearing.time()
        total = self._sent_at + float(settings.ANTHROPIC_TOTAL_TIMEOUT) - self._loop.time()
        return min(silence - self._hearing.time(), total)

    def _watch(self) -> None:
        """End the call when its time is over; one timer that is set anew when it rings, not per event."""
        if self._timer is not None:
            self._timer.cancel()
        left = self._left()
        if self._task is None or left > 0:
            self._timer = self._loop.call_later(left, self._watch)
            return
        self._fail(failures.TIMED_OUT if self._reading.began else failures.SILENT)
        self._task.cancel()
