"""The chat with a model: what is sent to it, what becomes of its answers, what happens when it fails."""

from contextlib import aclosing
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.management import call_command
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from chat import plugins
from chat.answering.exchange import Question
from chat.answering.prompt import MAX_TOKENS
from chat.engine import answer
from chat.events import Text
from chat.models import Message
from tests.fake_claude import FakeClaude, Script
from usage.models import ApiKey, State, UsageRecord

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

QUESTION = "¿Cuánto duran los folios de un CAF?"


@pytest.fixture(autouse=True)
def knowledge(db: None) -> None:
    """The shipped documents."""
    call_command("load_knowledge")


@pytest.fixture(autouse=True)
def one_attempt(settings: Settings) -> None:
    """Do not try again what the fake was told to fail."""
    settings.ANTHROPIC_RETRIES = 0


def ask(client: APIClient, message: str = QUESTION, **data: Any) -> dict[str, Any]:
    response = client.post("/api/chat/message", {"message": message, **data}, format="json")
    assert response.status_code == 200, response.content
    body: dict[str, Any] = response.json()
    return body


def texts(content: Any) -> str:
    return content if isinstance(content, str) else "".join(block["text"] for block in content)


def test_the_model_answers_and_its_cost_is_linked(api_client: APIClient, fake_claude: FakeClaude):
    fake_claude.say("Duran seis meses [1].")

    body = ask(api_client)

    record = UsageRecord.objects.get()
    answer = Message.objects.get(pk=body["message_id"])
    assert body["message"] == answer.content == "Duran seis meses [1]."
    assert body["llm_used"] == "anthropic"
    assert body["model"] == record.model
    assert body["tokens_used"]["total_tokens"] == record.total_tokens > 0
    assert body["tokens_used"]["output_tokens"] == record.output_tokens
    assert answer.usage == record
    assert record.state == State.SETTLED
    assert not answer.cut


def test_the_history_says_what_an_answer_cost_as_its_last_event_did(
    api_client: APIClient, fake_claude: FakeClaude
):
    body = ask(api_client)

    asked, answered = api_client.get(f"/api/chat/session/{body['session_id']}").json()["messages"]

    told = ("model", "tokens_used", "cost_usd", "cache_read_share")
    assert answered["cost"] == {name: body[name] for name in told}
    assert float(answered["cost"]["cost_usd"]) > 0
    assert asked["cost"]["cost_usd"] == "0"


def test_the_sources_are_those_the_model_was_given(api_client: APIClient, fake_claude: FakeClaude):
    fake_claude.say("Duran seis meses [2].")

    body = ask(api_client)

    sent = texts(fake_claude.requests[0]["messages"][-1]["content"])
    assert [c["cited"] for c in body["citations"]][:2] == [False, True]
    assert all(f'número="{c["number"]}" título="{c["title"]}"' in sent for c in body["citations"])
    assert body["sources"] == list(dict.fromkeys(c["title"] for c in body["citations"]))


def test_a_citation_of_no_passage_is_taken_out(api_client: APIClient, fake_claude: FakeClaude):
    fake_claude.say("Duran seis meses [1], o eso creo [9].")

    assert ask(api_client)["message"] == "Duran seis meses [1], o eso creo."


def test_what_changes_stands_behind_what_stays(api_client: APIClient, fake_claude: FakeClaude):
    ask(api_client, session_id="s")
    ask(api_client, "¿Y qué pasa si vencen?", session_id="s", user_context={"module": "account"})

    first, second = fake_claude.requests
    specialist = plugins.choose(QUESTION).specialist
    system = [texts([block]) for block in second["system"]]
    assert system == [plugins.COMMON_INSTRUCTIONS, specialist.instructions]
    assert first["system"] == second["system"]
    assert [m["role"] for m in second["messages"]] == ["user", "assistant", "user"]
    assert texts(second["messages"][0]["content"]) == texts(first["messages"][0]["content"])
    assert "<pasajes>" in texts(second["messages"][-1]["content"])


def test_from_the_second_turn_on_the_prompt_is_read_from_the_cache(
    api_client: APIClient, fake_claude: FakeClaude
):
    fake_claude.say("Seis meses [1]. " * 30)

    tokens = [
        ask(api_client, question, session_id="s")["tokens_used"]
        for question in (QUESTION, "¿Y los de boletas?", "¿Y los de guías de despacho?")
    ]

    assert tokens[0]["cache_creation_tokens"] > 0
    assert tokens[1]["cache_read_tokens"] >= tokens[0]["cache_creation_tokens"]
    assert tokens[2]["cache_read_tokens"] > tokens[1]["cache_read_tokens"]


def test_a_conversation_of_another_key_is_never_sent(
    api_client: APIClient, fake_claude: FakeClaude
):
    from usage.models import ApiKey

    other = APIClient()
    other.credentials(HTTP_AUTHORIZATION=f"Bearer {ApiKey.objects.issue(name='otro')[1]}")
    ask(other, "secreto ajeno", session_id="s")

    ask(api_client, session_id="s")

    assert "secreto ajeno" not in str(fake_claude.requests[-1])


@pytest.mark.parametrize(
    "script",
    [
        Script(status=529, error_type="overloaded_error"),
        Script(status=500),
        Script(status=401, error_type="authentication_error"),
        Script(reset=True),
        Script(text="", stop_reason="end_turn"),
        Script(text="", stop_reason="refusal"),
    ],
    ids=["overloaded", "broken", "wrong key", "reset", "nothing said", "refused"],
)
def test_when_the_model_cannot_answer_the_knowledge_base_does(
    api_client: APIClient, fake_claude: FakeClaude, script: Script
):
    fake_claude.then(script)

    body = ask(api_client)

    answer = Message.objects.get(pk=body["message_id"])
    assert body["llm_used"] == "offline"
    assert "seis meses" in body["message"]
    assert answer.usage is not None
    assert answer.usage.cost_usd == 0
    assert not UsageRecord.objects.exclude(state=State.SETTLED).exists()


def test_an_answer_that_breaks_off_is_answered_whole_where_nothing_was_shown_yet(
    api_client: APIClient, fake_claude: FakeClaude
):
    fake_claude.then(Script(text="uno dos tres cuatro", ending="error", after=2))

    body = ask(api_client)

    assert body["llm_used"] == "offline"
    assert Message.objects.filter(role="assistant").count() == 1


def test_an_answer_that_hit_the_limit_says_so(api_client: APIClient, fake_claude: FakeClaude):
    fake_claude.then(Script(text="Duran seis", stop_reason="max_tokens"))

    body = ask(api_client)

    assert body["truncated"] is True
    assert Message.objects.get(pk=body["message_id"]).cut


def test_an_answer_whose_reader_leaves_at_its_last_piece_is_kept(
    api_key: tuple[ApiKey, str], fake_claude: FakeClaude
):
    fake_claude.say("Duran seis meses [")  # what may begin a citation is held back to the end

    async def leave_at_the_end() -> None:
        question = Question(api_key[0], "s1", QUESTION, {})
        async with aclosing(answer(question, streaming=True)) as events:
            async for event in events:
                if isinstance(event, Text) and event.content.endswith("["):
                    return

    async_to_sync(leave_at_the_end)()
    kept = Message.objects.get(role=Message.Role.ASSISTANT)
    assert (kept.content, kept.cut) == ("Duran seis meses [", False)


def test_questions_that_were_never_answered_are_not_sent_again(
    api_client: APIClient, fake_claude: FakeClaude
):
    ask(api_client, session_id="s")
    Message.objects.filter(role="assistant").delete()

    ask(api_client, "¿Y los de boletas?", session_id="s")

    assert len(fake_claude.requests[-1]["messages"]) == 1


def test_a_conversation_too_long_for_one_request_goes_on_without_its_beginning(
    api_client: APIClient, fake_claude: FakeClaude, settings: Settings
):
    ask(api_client, session_id="s")
    two_turns = ask(api_client, "¿Y si vencen?", session_id="s")["tokens_used"]["total_tokens"]
    # Room for two turns, with the gateway's margin for the provider's count; not for three.
    settings.MAX_TOKENS_PER_REQUEST = int(two_turns * 1.05) + MAX_TOKENS + 800
    fake_claude.say(lambda body: "Sí [1].")

    body = ask(api_client, "¿Y los de boletas?", session_id="s")
    ask(api_client, "¿Y los de guías?", session_id="s")

    assert body["llm_used"] == "anthropic"
    assert len(fake_claude.requests[-2]["messages"]) == 1
    assert len(fake_claude.requests[-1]["messages"]) == 3


def test_who_asks_is_not_told_to_the_provider(api_client: APIClient, fake_claude: FakeClaude):
    context = {
        "user_name": "Ana Soto",
        "user_email": "ana@acme.cl",
        "company_rut": "76543210-3",
        "environment": "Certificación",
    }

    ask(api_client, user_context=context)

    sent = str(fake_claude.requests[-1])
    assert "Certificación" in sent
    assert not any(private in sent for private in ("Ana Soto", "ana@acme.cl", "76543210-3"))
