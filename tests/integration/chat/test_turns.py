"""What may be done with the last question: answered anew, changed, continued, rated; and answers that fail."""

from typing import Any

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from chat.models import Message
from knowledge.models import Question
from tests.fake_claude import FakeClaude, Script
from usage.models import UsageRecord

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

QUESTION = "¿Cuánto duran los folios de un CAF?"


@pytest.fixture(autouse=True)
def one_attempt(settings: Any, db: None) -> None:
    settings.ANTHROPIC_RETRIES = 0
    call_command("load_knowledge")


def send(client: APIClient, **data: Any) -> Any:
    return client.post("/api/chat/message", {"session_id": "s", **data}, format="json")


def ask(client: APIClient, message: str = QUESTION, **data: Any) -> dict[str, Any]:
    response = send(client, message=message, **data)
    assert response.status_code == 200, response.content
    body: dict[str, Any] = response.json()
    return body


def said() -> list[tuple[str, str]]:
    return list(Message.objects.order_by("pk").values_list("role", "content"))


def turns(body: dict[str, Any]) -> list[str]:
    return [message["role"] for message in body["messages"]]


def test_an_answer_is_given_anew_in_place_of_the_old(
    api_client: APIClient, fake_claude: FakeClaude
):
    fake_claude.say("Primera.")
    ask(api_client, "Antes")
    ask(api_client)
    fake_claude.say("Segunda.")

    body = send(api_client, action="regenerate").json()

    assert body["message"] == "Segunda."
    assert said() == [
        ("user", "Antes"),
        ("assistant", "Primera."),
        ("user", QUESTION),
        ("assistant", "Segunda."),
    ]
    assert turns(fake_claude.requests[-1]) == ["user", "assistant", "user"]
    assert "Primera." not in str(fake_claude.requests[-1]["messages"][-1])
    assert UsageRecord.objects.count() == 3


def test_a_good_answer_is_not_given_up_for_one_without_the_model(
    api_client: APIClient, fake_claude: FakeClaude
):
    fake_claude.say("Primera.")
    ask(api_client)
    fake_claude.then(Script(status=500))

    refused = send(api_client, action="regenerate")

    assert refused.status_code == 503
    assert said() == [("user", QUESTION), ("assistant", "Primera.")]
    assert send(api_client, action="regenerate").status_code == 200


def test_the_last_question_is_changed_and_answered(api_client: APIClient, fake_claude: FakeClaude):
    ask(api_client, "¿Cuánto duran los folos?")
    fake_claude.say("Seis meses.")

    body = send(api_client, action="edit", message=QUESTION).json()

    assert body["message"] == "Seis meses."
    assert said() == [("user", QUESTION), ("assistant", "Seis meses.")]
    assert "folos" not in str(fake_claude.requests[-1]["messages"])


def test_an_answer_that_was_cut_goes_on_where_it_stopped(
    api_client: APIClient, fake_claude: FakeClaude
):
    fake_claude.then(Script(text="Los folios duran", stop_reason="max_tokens"))
    first = ask(api_client)
    fake_claude.say(" seis meses [1].")

    body = send(api_client, action="continue").json()

    assert first["truncated"]
    assert body["message"] == " seis meses [1]."
    assert body["continued"]
    assert body["message_id"] == first["message_id"]
    assert said() == [("user", QUESTION), ("assistant", "Los folios duran seis meses [1].")]
    assert body["citations"][0]["cited"]
    assert not Message.objects.get(role="assistant").cut
    assert turns(fake_claude.requests[-1]) == ["user", "assistant", "user"]


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        ({"action": "regenerate"}, 404, "not_found"),
        ({"action": "continue"}, 404, "not_found"),
        ({"action": "edit", "message": "x"}, 404, "not_found"),
        ({"action": "edit"}, 400, "invalid"),
        ({"action": "otra", "message": "x"}, 400, "invalid"),
        ({"action": "regenerate", "session_id": ""}, 400, "invalid"),
        ({"message": "x", "turn_id": "corto"}, 400, "invalid"),
        ({"message": "x", "turn_id": "con espacio en medio"}, 400, "invalid"),
    ],
)
def test_what_cannot_be_done_is_said(
    api_client: APIClient, data: dict[str, Any], status: int, code: str
):
    response = send(api_client, **data)

    assert response.status_code == status
    assert response.json()["code"] == code


def test_a_whole_answer_is_not_continued(api_client: APIClient, fake_claude: FakeClaude):
    ask(api_client)

    response = send(api_client, action="continue")

    assert response.status_code == 409
    assert response.json()["code"] == "nothing_to_continue"


def test_a_question_asked_again_with_its_turn_is_answered_once(
    api_client: APIClient, fake_claude: FakeClaude
):
    first = ask(api_client, turn_id="turno-0001")
    again = ask(api_client, turn_id="turno-0001")

    assert again["message"] == first["message"]
    assert again["message_id"] == first["message_id"]
    assert again["tokens_used"] == first["tokens_used"]
    assert len(fake_claude.requests) == 1


def test_what_broke_off_is_asked_again_without_a_second_copy(
    api_client: APIClient, fake_claude: FakeClaude
):
    fake_claude.then(Script(status=500))
    offline = ask(api_client, turn_id="turno-0001")
    fake_claude.say("Seis meses.")
    again = ask(api_client, turn_id="turno-0001")

    assert offline["llm_used"] == "offline"
    assert again["llm_used"] == "anthropic"
    assert said() == [("user", QUESTION), ("assistant", "Seis meses.")]


def test_a_rating_has_a_reason_and_can_be_taken_back(api_client: APIClient):
    path = f"/api/chat/message/{ask(api_client)['message_id']}/feedback"

    down = api_client.post(path, {"rating": "down", "reason": "No responde"}, format="json")
    kept = api_client.get("/api/chat/session/s").json()["messages"][-1]
    undone = api_client.post(path, {"rating": None}, format="json")
    answer = Message.objects.get(role="assistant")

    assert down.json() == {"rating": "down", "reason": "No responde"}
    assert (kept["rating"], kept["rating_reason"]) == ("down", "No responde")
    assert undone.json() == {"rating": None, "reason": ""}
    assert (answer.rating, answer.rating_reason) == ("", "")
    assert Question.objects.filter(text=QUESTION).exists()


def test_an_answer_says_what_was_found_in_the_files_whenever_it_is_given(
    api_client: APIClient, fake_claude: FakeClaude
):
    files = [{"filename": "nota.json", "content": '{"Encabezado": {"IdDoc": {"TipoDTE": 33}}}'}]
    asked = {"attachments": files, "turn_id": "turno-con-archivo"}
    found = ask(api_client, **asked)["attachments"]
    again = ask(api_client, **asked)["attachments"]
    anew = send(api_client, action="regenerate").json()["attachments"]
    without = ask(api_client, "¿Y el timbre?")["attachments"]
    told = api_client.get("/api/chat/session/s").json()["messages"][0]["attachments"]

    assert [one["filename"] for one in found] == ["nota.json"]
    assert found[0]["verdict"] == "reject"
    assert found == again == anew == told
    assert without == []
