"""Copies of running answers in Redis, for readers who come to another process or host.

One thread of each process speaks to Redis a few times a second, in one round trip for all its answers:
it copies what has been said since, fetches what its own readers wait for from elsewhere, learns what is
to be stopped, and says that the process is alive. Without Redis, or while it is away, answers are given
all the same; a reader who comes to another process then gets the whole of it once it is stored.
"""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from django.conf import settings
from django_redis import get_redis_connection
from redis.exceptions import RedisError

from chat.live.running import RUNNING, Running
from chat.live.turns import Turn
from usage.accounting import process

log = structlog.get_logger(__name__)

INTERVAL: Final = 0.25
# Longer than an answer may take (ANTHROPIC_TOTAL_TIMEOUT), and no longer than somebody would come back.
KEPT_SECONDS: Final = 900
# A process that is not heard of for so long is dead, or stands still: its readers are told.
ALIVE_MS: Final = 3_000
_STOPS_AT_ONCE: Final = 100


@dataclass
class Seen:
    """What a look at an answer of another process found.

    Attributes:
        alive: Whether that process was heard of lately; None when Redis could not be asked.
    """

    text: bytes = b""
    last: dict[str, Any] | None = None
    alive: bool | None = None


@dataclass
class _Copy:
    """How much of an answer Redis has."""

    bytes: int = 0
    whole: bool = False  # its end, too


@dataclass
class _Look:
    turn: Turn
    position: int
    process: str
    answer: "asyncio.Future[Seen]"


@dataclass
class _Work:
    """One round trip."""

    writes: list[tuple[str, int, bytes, bytes | None]] = field(default_factory=list)
    looks: list[_Look] = field(default_factory=list)
    alive: bool = False


@dataclass
class _Found:
    looks: list[Seen]
    stops: list[str]


class Shared:
    """This process's side of what Redis holds."""

    def __init__(self) -> None:
        self._copies: dict[Running, _Copy] = {}
        self._looks: list[_Look] = []
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="live")

    @property
    def is_configured(self) -> bool:
        """Whether there is a Redis to share through."""
        return str(settings.CACHES["default"]["BACKEND"]).startswith("django_redis")

    def copy(self, running: Running) -> None:
        """Copy an answer from now on."""
        if self.is_configured:
            self._copies[running] = _Copy()
            self._begin()

    async def look(self, turn: Turn, position: int, owner: str) -> Seen:
        """Return what another process has said of a turn after a number; waits for the next round trip.

        Args:
            turn: Of the answer.
            position: What is known of it, in bytes.
            owner: The process that gives it.
        """
        if not self.is_configured:
            await asyncio.sleep(INTERVAL)
            return Seen()
        look = _Look(turn, position, owner, asyncio.get_running_loop().create_future())
        self._looks.append(look)
        self._begin()
        return await look.answer

    async def ask_to_stop(self, turn: Turn, owner: str) -> None:
        """Ask the process that gives an answer to end it."""
        if self.is_configured:
            await self._in_thread(_push_stop, owner, turn.name)

    async def forget(self, turns: list[Turn]) -> None:
        """Delete what there is of turns whose conversation was erased."""
        if self.is_configured and turns:
            await self._in_thread(_delete, [turn.name for turn in turns])

    async def flush(self) -> None:
        """Copy what is left at once, before the process ends."""
        if self._copies:
            await self._round()

    async def _in_thread(self, function: Any, *args: Any) -> Any:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, function, *args)
        except RedisError as exc:
            log.debug("not_shared", error=type(exc).__name__)
            return None

    def _begin(self) -> None:
        if self._task is None or self._task.done() or self._is_of_another_loop(self._task):
            self._task = asyncio.create_task(self._run())

    @staticmethod
    def _is_of_another_loop(task: "asyncio.Task[None]") -> bool:
        return task.get_loop() is not asyncio.get_running_loop()

    async def _run(self) -> None:
        while self._copies or self._looks:
            await asyncio.sleep(INTERVAL)
            try:
                await self._round()
            except Exception:
                log.exception("sharing_failed")
                self._answer_all([Seen() for _ in self._looks])

    async def _round(self) -> None:
        work = _Work(looks=list(self._looks), alive=bool(self._copies))
        sent: list[tuple[_Copy, int, bool]] = []
        for running, copy in list(self._copies.items()):
            if running.stored and copy.bytes == 0:  # ended before anybody could have come for it
                del self._copies[running]
                continue
            end, ended = len(running.text), running.last is not None
            if end > copy.bytes or ended:
                last = json.dumps(running.last).encode() if ended else None
                news = bytes(running.text[copy.bytes :])
                work.writes.append((running.turn.name, copy.bytes, news, last))
                sent.append((copy, end, ended))
        found: _Found | None = await self._in_thread(_round_trip, work)
        for (
            copy,
            end,
            ended,
        ) in sent:  # what may not have arrived is written again, from the beginning
            copy.bytes, copy.whole = (end, ended) if found else (0, False)
        self._copies = {
            running: copy
            for running, copy in self._copies.items()
            if not (copy.whole or (running.last is not None and found is None))
        }
        if found is not None:
            self._stop(found.stops)
        self._answer_all(found.looks if found else [Seen() for _ in work.looks])

    def _answer_all(self, seen: list[Seen]) -> None:
        looks, self._looks = self._looks[: len(seen)], self._looks[len(seen) :]
        for look, one in zip(looks, seen, strict=True):
            if not look.answer.done() and look.answer.get_loop() is asyncio.get_running_loop():
                look.answer.set_result(one)

    def _stop(self, names: list[str]) -> None:
        for running in RUNNING.under_way():
            if running.turn.name in names:
                running.cancel()


def _key(kind: str, name: str) -> str:
    return f"aiservice:turn:{kind}:{name}"


def _round_trip(work: _Work) -> _Found:
    pipe = get_redis_connection("default").pipeline(transaction=False)
    for name, start, news, last in work.writes:
        if start == 0:
            pipe.set(_key("text", name), news, ex=KEPT_SECONDS)
        elif news:
            pipe.setrange(_key("text", name), start, news)
        if last is not None:
            pipe.set(_key("end", name), last, ex=KEPT_SECONDS)
    before = len(pipe)
    if work.alive:
        pipe.set(_key("alive", process.PROCESS_ID), b"1", px=ALIVE_MS)
        pipe.lpop(_key("stop", process.PROCESS_ID), _STOPS_AT_ONCE)
    for look in work.looks:
        pipe.getrange(_key("text", look.turn.name), look.position, -1)
        pipe.get(_key("end", look.turn.name))
        pipe.exists(_key("alive", look.process))
    answers = pipe.execute()[before:]
    stops: list[str] = []
    if work.alive:
        stops = [name.decode() for name in answers[1] or ()]
        answers = answers[2:]
    looks = [
        Seen(text, json.loads(last) if last else None, bool(alive))
        for text, last, alive in zip(answers[::3], answers[1::3], answers[2::3], strict=True)
    ]
    return _Found(looks, stops)


def _push_stop(owner: str, name: str) -> None:
    pipe = get_redis_connection("default").pipeline(transaction=False)
    pipe.rpush(_key("stop", owner), name)
    pipe.expire(_key("stop", owner), KEPT_SECONDS)
    pipe.execute()


def _delete(names: list[str]) -> None:
    keys = [_key(kind, name) for name in names for kind in ("text", "end")]
    get_redis_connection("default").delete(*keys)


SHARED: Final = Shared()
