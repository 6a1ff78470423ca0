"""The universal assistant of existing Odoo modules."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from chat.models import Conversation

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

READ_BY_CLIENTS = {"message", "sources", "confidence", "session_id"}


@pytest.mark.parametrize("stream", [True, False])
def test_the_universal_assistant_answers_as_json(api_client: APIClient, stream: bool):
    asked = {
        "message": "¿y qué hago con esto?",
        "session_id": None,
        "context": {"module": "stock", "company_id": 3},
        "stream": stream,
    }

    first = api_client.post("/api/chat", asked, format="json")
    again = api_client.post(
        "/api/chat", asked | {"session_id": first.json()["session_id"]}, format="json"
    )

    assert first.status_code == again.status_code == 200
    assert first.json().keys() >= READ_BY_CLIENTS
    assert first.json()["plugin_used"] == "stock"
    assert first.json()["plugin_reason"] == "por el módulo en que trabaja"
    assert Conversation.objects.get().messages.count() == 4


@pytest.mark.parametrize("body", [{}, {"message": ""}, {"message": "x", "context": []}, None])
def test_the_universal_assistant_refuses_what_is_no_question(api_client: APIClient, body: Any):
    refused = api_client.post("/api/chat", body, format="json")

    assert refused.status_code == 400
    assert refused.json()["detail"]
