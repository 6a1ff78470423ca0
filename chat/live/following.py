"""One reader's way through a turn that another process is giving, or was."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Final

from django.utils import timezone
from rest_framework import status

from chat.events import Begun, Failed, Last, Ping, Sent, Text
from chat.live import stored
from chat.live.running import PING_SECONDS, RUNNING
from chat.live.shared import SHARED, Seen
from chat.live.stored import Stored
from usage.accounting import process
from usage.errors import Refusal
from usage.hops import hop
from usage.models import ApiKey

# How often the database is asked whether the answer is there; with Redis that says so first.
LOOK_SECONDS: Final = 1.0
# Another host may not have said yet that it lives.
JUST_BEGUN: Final = timedelta(seconds=2)
_BEHIND_THE_END: Final = 1 << 28


class AnswerLost(Refusal):
    """The process that gave the answer has died."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = (
        "Se perdió la respuesta: el proceso que la escribía terminó. Vuelva a intentar; "
        "la pregunta no se repite en la conversación."
    )
    default_code = "answer_lost"


async def follow(api_key: ApiKey, found: Stored, position: int) -> AsyncGenerator[Sent, None]:
    """Yield what comes after a number, to the end: from Redis as it comes, else once it is stored."""
    turn, owner = found.turn, found.question.process
    loop = asyncio.get_running_loop()
    spoke = looked = loop.time()
    seen = Seen()
    if position == 0:
        yield Begun(turn.event_id(0))
    while True:
        if seen.text:
            position += len(seen.text)
            yield Text(seen.text.decode(errors="ignore"), turn.event_id(position), position)
            spoke = loop.time()
        if seen.last is not None:
            yield Last(seen.last, turn.event_id(position + 1), position + 1)
            return
        if loop.time() - looked >= LOOK_SECONDS:
            looked = loop.time()
            alive = is_alive(owner, seen)
            again = await hop(stored.find_anywhere, api_key, turn)
            if again is None or again.question.process != owner or not alive:
                sent = again.sent_after(position) if again else []
                lost = Failed.from_refusal(AnswerLost()).as_dict()
                number = position + 1
                for one in sent or [Last(lost, turn.event_id(number), number)]:
                    yield one
                return
            if again.answer is not None:
                for one in again.sent_after(position):
                    yield one
                return
        if loop.time() - spoke >= PING_SECONDS:
            spoke = loop.time()
            yield Ping()
        seen = await SHARED.look(turn, position, owner)


async def is_under_way(found: Stored) -> bool:
    """Tell whether some process is giving the answer of a turn."""
    owner = found.question.process
    if not owner or found.answer is not None:
        return False
    if owner == process.PROCESS_ID:
        running = RUNNING.find(found.turn)
        return running is not None and running.last is None
    if process.has_died(owner):
        return False
    if process.is_here(owner) or timezone.now() - found.question.created_at < JUST_BEGUN:
        return True
    return bool((await SHARED.look(found.turn, _BEHIND_THE_END, owner)).alive)


def is_alive(owner: str, seen: Seen) -> bool:
    """Tell whether the process that gives an answer lives: the lock of this host, else what Redis heard."""
    if owner == process.PROCESS_ID or process.has_died(owner):
        return False  # what this process gives is not followed here
    return process.is_here(owner) or bool(seen.alive)
