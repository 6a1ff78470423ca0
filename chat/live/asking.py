"""The entry to a conversation, for every transport: ask, ask again, resume, stop."""

from collections.abc import AsyncGenerator
from dataclasses import replace

from channels.db import database_sync_to_async
from rest_framework import status

from chat.answering.attachments import examined
from chat.answering.exchange import Exchange, Question, prepare
from chat.answering.record import Record
from chat.answering.turns import Action, TurnTaken
from chat.engine import give
from chat.events import Sent
from chat.live import stored
from chat.live.following import follow, is_under_way
from chat.live.running import RUNNING
from chat.live.shared import SHARED
from chat.live.stored import Stored
from chat.live.turns import Turn, new_turn_id, parse
from chat.models import Conversation, owner_of
from usage.errors import Refusal
from usage.models import ApiKey
from usage.threads import in_thread

Events = AsyncGenerator[Sent, None]


class TurnMismatch(Refusal):
    """The id of a turn came with another question."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = "Ese turn_id ya se usó con otra pregunta."
    default_code = "turn_mismatch"


class TurnNotFound(Refusal):
    """No such turn in a conversation of the caller."""

    status_code = status.HTTP_404_NOT_FOUND
    default_detail = "No existe ese turno en esa sesión para esta clave de API."
    default_code = "not_found"


def prepared_at_once(question: Question) -> Exchange | None:
    """Prepare a question in the hop in which its request is checked.

    None where something else comes first: a turn that may be under way, an earlier question, a file.
    """
    if question.turn_id or question.action is not Action.SEND or question.files:
        return None
    if question.api_key.is_visitor:
        return None
    return prepare(replace(question, turn_id=new_turn_id()))


async def ask(question: Question, *, streaming: bool, exchange: Exchange | None = None) -> Events:
    """Begin to answer a question, or join the answer that its turn already has.

    Asking again with the id of a turn is safe: what is running is joined, what is answered is given
    again at no cost, and what was lost is asked without a second copy of the question.

    Args:
        question: What is asked. Without a ``turn_id`` it is given one.
        streaming: Whether the caller can use the answer piece by piece.
        exchange: From `prepared_at_once`.

    Raises:
        TurnMismatch: The id belongs to another question.
        TurnTaken: The conversation's last question, which the action is about, is being answered.
        NotFound, NothingToDo: There is no such question.
    """
    if exchange is None:
        found = await _prepared(question)
        if not isinstance(found, Exchange):
            return found
        exchange = found
    question = exchange.question
    record = Record(exchange, streaming=streaming)
    turn = Turn(owner_of(question.api_key), question.session_id, question.turn_id)
    if (known := RUNNING.find(turn)) is not None and known.last is None:
        return known.read()  # the same was asked at the same moment
    running = RUNNING.start(turn, record, give(record, streaming=streaming))
    SHARED.copy(running)
    return running.read()


async def _prepared(question: Question) -> Exchange | Events:
    """Prepare a question, or return the answer that its turn already has."""
    await _keep_to_own(question.api_key, question.session_id, new=True)
    if question.turn_id:
        found = await _joined(question)
        if isinstance(found, Question):
            question = found
        else:
            return found
    else:
        question = replace(question, turn_id=new_turn_id())
    if question.action is not Action.SEND:
        await _refuse_if_busy(question)
    if question.files:
        attached = await examined(question.files, question.api_key)
        question = replace(question, files=(), attachments=attached)
    return await in_thread(prepare, question)


async def _keep_to_own(api_key: ApiKey, session_id: str, *, new: bool) -> None:
    """Refuse a visitor of a customer's site the conversations of others.

    Raises:
        NotFound: The session is not his; or is not there yet, where it may not be ``new``.
    """
    if not api_key.is_visitor:
        return
    account = Conversation.objects.filter(api_key__account=api_key.account_id)
    known = await database_sync_to_async(account.filter(session_id=session_id).exists)()
    if known or not new:
        await database_sync_to_async(Conversation.objects.of)(api_key, session_id)


async def _joined(question: Question) -> Events | Question:
    """Return the answer that a turn has, or what is left to be asked."""
    turn = Turn(owner_of(question.api_key), question.session_id, question.turn_id)
    running = RUNNING.find(turn)
    if running is not None and running.last is None:
        return running.read()
    found = await database_sync_to_async(stored.find_anywhere)(question.api_key, turn)
    if found is None:
        return question
    asks = question.action in (Action.SEND, Action.EDIT)
    if asks and found.question.content != question.text:
        raise TurnMismatch
    if await is_under_way(found):
        return follow(question.api_key, found, 0)
    if found.is_whole:
        return _told(found, 0)
    if question.action is Action.CONTINUE:
        return question
    return replace(
        question,
        action=Action.SEND,
        again=found.question.pk,
        text=found.question.content,
    )


async def _refuse_if_busy(question: Question) -> None:
    owner = owner_of(question.api_key)
    if RUNNING.under_way((owner, question.session_id)):
        raise TurnTaken
    found = await database_sync_to_async(stored.latest)(
        question.api_key, owner, question.session_id
    )
    if found is not None and await is_under_way(found):
        raise TurnTaken


async def resume(api_key: ApiKey, session_id: str, event_id: str = "") -> Events | None:
    """Go on after an event, or from the beginning of the answer that is under way.

    Args:
        api_key: The caller.
        session_id: Of the conversation.
        event_id: The last event seen; empty for none.

    Returns:
        The events to the end of the turn; None if nothing more comes.

    Raises:
        NotFound: The caller has no such session, or it has no such turn.
    """
    await _keep_to_own(api_key, session_id, new=False)
    owner = owner_of(api_key)
    place = parse(event_id)
    if place is None:
        found = await database_sync_to_async(stored.latest)(api_key, owner, session_id)
        under_way = RUNNING.under_way((owner, session_id))
        if under_way:  # perhaps not stored yet
            return under_way[-1].read()
        if found is None or not await is_under_way(found):
            return None
        return follow(api_key, found, 0)
    turn_id, position = place
    turn = Turn(owner, session_id, turn_id)
    found = await database_sync_to_async(stored.find_anywhere)(api_key, turn)
    running = RUNNING.find(turn)
    if running is not None and (found is not None or running.last is None):
        return running.read(position) if running.has_after(position) else None
    if found is None:  # never begun, or erased
        raise TurnNotFound
    if found.answer is None:
        return follow(api_key, found, position)
    return _told(found, position) if found.sent_after(position) else None


async def stop(api_key: ApiKey, session_id: str) -> bool:
    """End the answer that is being given in a conversation; False if there is none.

    Raises:
        NotFound: The caller has no such session.
    """
    await _keep_to_own(api_key, session_id, new=False)
    owner = owner_of(api_key)
    under_way = RUNNING.under_way((owner, session_id))
    for running in under_way:
        await running.stop()
    if under_way:
        return True
    found = await database_sync_to_async(stored.latest)(api_key, owner, session_id)
    if found is None or not await is_under_way(found):
        return False
    await SHARED.ask_to_stop(found.turn, found.question.process)
    return True


async def running_turn(api_key: ApiKey, session_id: str, found: Stored | None) -> str | None:
    """Return the id of the turn that is being answered in a conversation."""
    under_way = RUNNING.under_way((owner_of(api_key), session_id))
    if under_way:
        return under_way[-1].turn.turn_id
    return found.turn.turn_id if found is not None and await is_under_way(found) else None


async def forget(turns: list[Turn]) -> None:
    """Let go of what there is of turns whose conversation was erased."""
    for turn in turns:
        if (running := RUNNING.find(turn)) is not None and running.last is not None:
            RUNNING.forget(running)
    await SHARED.forget(turns)


def is_idle() -> bool:
    """Tell whether this process gives no answer."""
    return not RUNNING.under_way()


async def close() -> None:
    """End what is still being said, before the process does; its readers find it elsewhere."""
    await RUNNING.stop_all()
    await SHARED.flush()


async def _told(found: Stored, position: int) -> Events:
    for one in found.sent_after(position):
        yield one
