"""The answers that this process is giving, each in a task of its own that outlives its readers.

A reader that leaves does not end the answer: it goes on for ``CHAT_GRACE_SECONDS``, so that a reload
finds it; then it is stopped and its cost settled, as it is at once when somebody says so.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

import structlog
from django.conf import settings

from chat.answering.record import Record
from chat.events import Begun, Event, Failed, Last, Ping, Sent, Text, stopped
from chat.live.turns import Turn
from usage.hops import finish, hop

log = structlog.get_logger(__name__)

# Clients and proxies give up on a connection that is silent, some after ten seconds.
PING_SECONDS: Final = 3.0
# What has ended is in the database; a reader who comes at that moment finds it here as well.
KEPT_SECONDS: Final = 10.0
# An answer is begun for a reader who is about to come, unless its client left at that moment.
FIRST_READER_SECONDS: Final = 5.0


class Running:
    """One answer and its readers.

    Attributes:
        text: What has been said so far, in UTF-8.
        last: The event that ended it.
    """

    def __init__(self, turn: Turn, record: Record, events: AsyncGenerator[Event, None]) -> None:
        self.turn = turn
        self.text = bytearray()
        self.last: dict[str, Any] | None = None
        self.stored = False
        self._record: Record | None = record
        self._readers: set[_Reader] = set()
        self._grace: asyncio.TimerHandle | None = None
        self._task = asyncio.create_task(self._run(events, record))
        self._task.add_done_callback(self._conclude)
        self._wait_for_readers(max(FIRST_READER_SECONDS, settings.CHAT_GRACE_SECONDS))

    async def _run(self, events: AsyncGenerator[Event, None], record: Record) -> None:
        try:
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, Text):
                        self.text += event.content.encode()
                    else:
                        self.last = event.as_dict()
                    self._tell()
        except Exception as exc:  # noqa: BLE001 - its readers are told
            self.last = Failed.from_fault(exc).as_dict()
            self._tell()
        finally:
            if not record.is_stored:
                await finish(hop(record.give_up))

    def _conclude(self, task: "asyncio.Task[None]") -> None:
        if self._record is not None:
            self.stored = self._record.is_stored
            if self.last is None:
                turn, record = self.turn, self._record
                self.last = stopped(
                    turn.session_id, turn.turn_id, record.answer, record.attachments
                )
            self._record = None  # it holds the passages and the conversation
        self._tell()
        RUNNING.ended(self)

    def _tell(self) -> None:
        for reader in self._readers:
            reader.tell()

    async def read(self, position: int = 0) -> AsyncGenerator[Sent, None]:
        """Yield what comes after a number, to the end; close the generator to leave.

        Whoever reads slowly gets fewer and longer pieces.
        """
        reader = _Reader()
        self._readers.add(reader)
        if self._grace is not None:
            self._grace.cancel()
        try:
            if position == 0:
                yield Begun(self.turn.event_id(0))
            while True:
                if position < len(self.text):
                    content = self.text[position:].decode(errors="ignore")
                    position = len(self.text)
                    yield Text(content, self.turn.event_id(position), position)
                elif self.last is not None:
                    if position == len(self.text):
                        number = position + 1
                        yield Last(self.last, self.turn.event_id(number), number)
                    return
                elif not await reader.news():
                    yield Ping()
        finally:
            reader.close()
            self._readers.discard(reader)
            if not self._readers and self.last is None:
                await self._left()

    async def _left(self) -> None:
        if settings.CHAT_GRACE_SECONDS > 0:
            self._wait_for_readers(settings.CHAT_GRACE_SECONDS)
        else:
            await self.stop()

    def _wait_for_readers(self, seconds: float) -> None:
        self._grace = asyncio.get_running_loop().call_later(seconds, self._abandon)

    def _abandon(self) -> None:
        if not self._readers and self.last is None:
            log.info("answer_abandoned")
            self._task.cancel()

    def has_after(self, position: int) -> bool:
        """Whether there is, or will be, an event after a number."""
        return self.last is None or position <= len(self.text)

    def cancel(self) -> None:
        """End the answer."""
        self._task.cancel()

    async def stop(self) -> None:
        """End the answer and wait until what it cost is settled."""
        self._task.cancel()
        await asyncio.wait([self._task])


class _Reader:
    """Waits for news with one timer for all of a turn, which is set anew when it rings."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Future[bool] | None = None
        self._due = self._loop.time() + PING_SECONDS
        self._timer = self._loop.call_at(self._due, self._ring)

    async def news(self) -> bool:
        """Wait; False when nothing has come for a while."""
        self._waiting = self._loop.create_future()
        came = await self._waiting
        self._due = self._loop.time() + PING_SECONDS
        return came

    def tell(self) -> None:
        self._answer(came=True)

    def close(self) -> None:
        self._timer.cancel()

    def _ring(self) -> None:
        if self._loop.time() >= self._due:
            self._answer(came=False)
            self._due = self._loop.time() + PING_SECONDS
        self._timer = self._loop.call_at(self._due, self._ring)

    def _answer(self, *, came: bool) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(came)


class Registry:
    """The answers of this process, and those that have just ended."""

    def __init__(self) -> None:
        self._known: dict[str, Running] = {}

    def start(self, turn: Turn, record: Record, events: AsyncGenerator[Event, None]) -> Running:
        """Begin to give an answer."""
        running = Running(turn, record, events)
        self._known[turn.name] = running
        return running

    def find(self, turn: Turn) -> Running | None:
        """Return the answer of a turn."""
        return self._known.get(turn.name)

    def under_way(self, conversation: tuple[int, str] | None = None) -> list[Running]:
        """Return the answers that have not ended, of a conversation or all."""
        return [
            running
            for running in self._known.values()
            if running.last is None and conversation in (None, running.turn.conversation)
        ]

    def everything(self) -> list[Running]:
        """Return also what has just ended."""
        return list(self._known.values())

    def ended(self, running: Running) -> None:
        """Keep what has ended for those who are on their way to it."""
        asyncio.get_running_loop().call_later(KEPT_SECONDS, self.forget, running)

    def forget(self, running: Running) -> None:
        """Let go of an answer that has ended."""
        if self._known.get(running.turn.name) is running:
            del self._known[running.turn.name]

    async def stop_all(self) -> None:
        """End what is still under way, when the process ends."""
        await asyncio.gather(*(running.stop() for running in self.under_way()))


RUNNING: Final = Registry()
