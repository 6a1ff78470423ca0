"""The engine: from a question to typed events, with the model, without it, and when a reader leaves."""

from contextlib import aclosing

import pytest
from channels.db import database_sync_to_async as on_database
from django.core.management import call_command

from chat import engine
from chat.answering.exchange import Question
from chat.events import Done, Text
from chat.models import Message
from tests.fake_claude import Script
from usage.errors import ModelUnavailable
from usage.models import ApiKey, UsageRecord

pytestmark = [pytest.mark.unit, pytest.mark.django_db(transaction=True)]

ASKED = "¿Cuánto duran los folios de un CAF?"


@pytest.fixture(autouse=True)
def one_attempt(settings):
    settings.ANTHROPIC_RETRIES = 0


@pytest.fixture
async def question():
    key, _ = await on_database(ApiKey.objects.issue)(name="acme")
    return Question(key, "sesion", ASKED, {}, turn_id="turno-0001")


async def collect(question, *, streaming=True):
    async with aclosing(engine.answer(question, streaming=streaming)) as events:
        return [event async for event in events]


async def stored():
    return await on_database(
        lambda: list(Message.objects.order_by("pk").values_list("role", "content", "cut"))
    )()


async def outcomes():
    return await on_database(lambda: list(UsageRecord.objects.values_list("outcome", flat=True)))()


async def test_a_streamed_answer_is_pieces_and_then_what_is_stored(fake_claude, question):
    fake_claude.say("Los folios duran seis meses.")
    fake_claude.pause = 0.3
    *texts, done = await collect(question)

    assert len(texts) > 1
    assert all(isinstance(text, Text) for text in texts)
    assert "".join(text.content for text in texts) == "Los folios duran seis meses."
    assert isinstance(done, Done)
    assert done.absence is None
    assert (done.message.llm_used, done.message.specialist) == ("anthropic", "l10n_cl_dte")
    assert done.choice_reason
    assert await stored() == [
        ("user", ASKED, False),
        ("assistant", "Los folios duran seis meses.", False),
    ]
    assert await outcomes() == ["answered"]


async def test_an_answer_in_one_piece_is_one_text(fake_claude, question):
    fake_claude.say("Los folios duran seis meses.")
    text, done = await collect(question, streaming=False)

    assert text.content == done.message.content == "Los folios duran seis meses."


async def test_passages_go_to_the_model_and_are_cited(fake_claude, question):
    await on_database(call_command)("load_knowledge")
    fake_claude.say("Duran seis meses [1].")
    *_, done = await collect(question)

    asked = str(fake_claude.requests[-1]["messages"])
    assert "<pasaje número=" in asked
    assert done.message.citations[0]["title"] in asked


async def test_without_a_model_the_passages_answer(settings, question):
    settings.ANTHROPIC_API_KEY = ""
    await on_database(call_command)("load_knowledge")
    *texts, done = await collect(question)

    assert done.absence.reason == "not_configured"
    assert done.message.llm_used == "offline"
    assert "".join(text.content for text in texts) == done.message.content
    assert done.message.citations
    assert await outcomes() == ["offline"]


async def test_a_model_that_fails_before_a_word_is_replaced(fake_claude, question):
    fake_claude.then(Script(status=500))
    *_, done = await collect(question)

    assert (done.message.llm_used, done.absence.reason) == ("offline", "provider_failed")
    assert [role for role, *_ in await stored()] == ["user", "assistant"]


async def test_one_that_breaks_off_leaves_what_it_said(fake_claude, question):
    fake_claude.then(Script(text="Uno dos tres cuatro", ending="abort", after=2))
    with pytest.raises(ModelUnavailable) as cut:
        await collect(question)

    assert cut.value.get_codes() == "answer_cut"
    (_, asked, _), (_, said, was_cut) = await stored()
    assert (asked, said.strip(), was_cut) == (ASKED, "Uno dos", True)


async def test_who_leaves_pays_for_what_was_said_and_keeps_it(fake_claude, question):
    fake_claude.say("Uno dos tres cuatro cinco seis")
    fake_claude.pause = 0.2
    async with aclosing(engine.answer(question, streaming=True)) as events:
        async for event in events:
            assert isinstance(event, Text)
            break

    (_, asked, _), (_, said, was_cut) = await stored()
    assert asked == ASKED
    assert said.startswith("Uno")
    assert was_cut
    assert await outcomes() == ["cancelled"]
