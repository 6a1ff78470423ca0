import pytest
from django.urls import reverse

from chat.admin import MESSAGES_PER_PAGE
from chat.models import Conversation, Message
from usage.models import ApiKey

pytestmark = [pytest.mark.unit, pytest.mark.django_db]


def conversation(exchanges):
    key = ApiKey.objects.issue(name="acme")[0]
    found = Conversation.objects.create(api_key=key, session_id="s")
    for number in range(exchanges):
        question = Message.objects.create(
            conversation=found, role="user", content=f"pregunta {number} <b>"
        )
        Message.objects.create(
            conversation=found,
            role="assistant",
            content=f"**respuesta {number}**",
            reply_to=question,
        )
    return found


def test_a_long_conversation_opens_in_pages(admin_client, django_assert_max_num_queries):
    url = reverse("admin:chat_conversation_change", args=[conversation(100).pk])
    with django_assert_max_num_queries(12):
        first = admin_client.get(url).content.decode()
    assert first.count("<article") == MESSAGES_PER_PAGE
    assert "pregunta 0 &lt;b&gt;" in first
    assert "<strong>respuesta 0</strong>" in first
    assert "Página 1 de 5" in first
    last = admin_client.get(url, {"pagina": 5}).content.decode()
    assert "<strong>respuesta 99</strong>" in last
    assert "respuesta 0<" not in last


def test_an_answer_says_whether_it_was_cut(admin_client):
    answer = conversation(1).messages.get(role="assistant")
    assert "completa" in admin_client.get(reverse("admin:chat_message_changelist")).content.decode()
    Message.objects.filter(pk=answer.pk).update(cut=True)
    page = admin_client.get(reverse("admin:chat_message_changelist")).content.decode()
    assert "<strong>cortada</strong>" in page
