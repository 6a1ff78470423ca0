"""The lists of conversations and messages: filters, search, files, and where a call came from."""

import csv
import io

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test.utils import CaptureQueriesContext
from model_bakery import baker

from chat.models import Conversation, Message
from usage.models import ApiKey, UsageRecord

pytestmark = [pytest.mark.unit, pytest.mark.django_db]

CONVERSATIONS, MESSAGES = "/admin/chat/conversation/", "/admin/chat/message/"


@pytest.fixture
def acme():
    return ApiKey.objects.issue(name="acme")[0]


def conversation(key, name, *exchanges, **fields):
    found = Conversation.objects.create(api_key=key, session_id=name, **fields)
    for question, answer in exchanges:
        asked = Message.objects.create(conversation=found, role="user", content=question)
        Message.objects.create(
            conversation=found, role="assistant", content=answer, reply_to=asked,
            specialist="l10n_cl_dte", llm_used="anthropic",
        )  # fmt: skip
    return found


def listed(page):
    return [row.pk for row in page.context["cl"].result_list]


def csv_of(client, path, **params):
    async def read():
        return b"".join([part async for part in response.streaming_content])

    response = client.get(f"{path}export/csv/", params)
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(async_to_sync(read)().decode("utf-8-sig"))))


def test_conversations_are_found_by_their_words_and_by_their_name(admin_client, acme):
    first = conversation(acme, "odoo-1", ("¿cómo anulo una factura?", "Con una nota de crédito."))
    second = conversation(acme, "odoo-2", ("¿y una guía?", "Se rectifica."))
    for term, found in (
        ("facturas anuladas", [first.pk]),  # by Spanish words, not by letters
        ("guía", [second.pk]),
        ("odoo", [second.pk, first.pk]),
        ("odoo-1", [first.pk]),
        ("nada de eso", []),
    ):
        assert listed(admin_client.get(CONVERSATIONS, {"q": term})) == found, term


def test_messages_are_found_by_words_and_by_conversation(admin_client, acme):
    found = conversation(acme, "odoo-1", ("hola", "La nota de crédito anula la factura"))
    conversation(acme, "odoo-2", ("hola", "adiós"))
    assert len(listed(admin_client.get(MESSAGES, {"q": '"nota de crédito"'}))) == 1
    assert set(listed(admin_client.get(MESSAGES, {"q": "odoo-1"}))) == {
        message.pk for message in found.messages.all()
    }


@pytest.mark.parametrize(
    "params",
    [
        {"llm_used": "anthropic"}, {"specialist": "l10n_cl_dte"}, {"role__exact": "assistant"},
        {"rating__exact": "up"}, {"cut__exact": "1"}, {"created_at_from": "01-01-2026"}, {"q": "x'\\ \"("},
        {"created_at_from": "01-01-0001"}, {"created_at_to": "31-12-9999"},
    ],
)  # fmt: skip
def test_every_filter_of_the_messages_answers(admin_client, acme, params):
    conversation(acme, "s", ("a", "b"))
    with CaptureQueriesContext(connection) as queries:
        assert admin_client.get(MESSAGES, params).status_code == 200
    assert not [q for q in queries if "DISTINCT" in q["sql"] or "COUNT(" in q["sql"]]


@pytest.mark.parametrize("name", ["x", "%00", "99999999999999999999", "-1", "0"])
def test_what_is_no_conversation_is_told_as_such(admin_client, name):
    page = admin_client.get(f"{CONVERSATIONS}{name}/change/", follow=True)
    assert page.status_code == 200
    assert "no existe" in page.content.decode()


def test_a_specialist_is_shown_by_its_title(admin_client, acme):
    conversation(acme, "s", ("a", "b"), specialist="l10n_cl_dte")
    page = admin_client.get(CONVERSATIONS).content.decode()
    assert "Facturación electrónica" in page
    assert ">l10n_cl_dte<" not in page


def test_conversations_are_taken_along_with_what_they_cost(admin_client, acme):
    found = conversation(acme, "=s", ("a", "b"), ("c", "d"))
    record = baker.make(
        UsageRecord, api_key=acme, operation="chat.reply", price=None, cost_usd="0.000000000003"
    )
    found.messages.filter(role="assistant").update(usage=record)
    conversation(acme, "otra")
    rows = csv_of(admin_client, CONVERSATIONS, q="=s")
    assert [(row["sesion"], row["mensajes"], row["costo_usd"]) for row in rows] == [
        ("'=s", "4", "0.000000000006")
    ]
    assert [row["texto"] for row in csv_of(admin_client, MESSAGES, q="=s")] == ["d", "c", "b", "a"]


def test_a_call_leads_to_its_conversation_and_back(admin_client, acme):
    found = conversation(acme, "la-sesion", ("a", "b"))
    record = baker.make(UsageRecord, api_key=acme, operation="chat.reply", price=None)
    found.messages.filter(role="assistant").update(usage=record)
    ledger = "/admin/usage/usagerecord/"
    assert listed(admin_client.get(ledger, {"q": "la-sesion"})) == [record.pk]
    page = admin_client.get(f"{ledger}{record.pk}/change/").content.decode()
    assert f"/admin/chat/conversation/{found.pk}/change/?pagina=1#mensajes" in page


def test_a_list_shows_an_answers_words_without_their_marks(admin_client, acme):
    conversation(
        acme, "s", ("¿rut_emisor?", "## Anular\n\nCon una **nota** [1].\n\n|a|b|\n|---|---|")
    )
    page = admin_client.get(MESSAGES).content.decode()
    assert "Anular Con una nota . a b" in page
    assert "¿rut_emisor?" in page
