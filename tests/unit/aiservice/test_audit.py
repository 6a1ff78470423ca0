"""Who changed what, with before and after; and who read a conversation."""

import pytest
from auditlog.models import LogEntry
from django.contrib.auth.models import Group, User
from django.urls import reverse
from model_bakery import baker

from chat.models import Conversation
from knowledge.models import Document
from usage.models import ApiKey, Budget, ModelPrice

pytestmark = [pytest.mark.unit, pytest.mark.django_db]


@pytest.fixture
def key(db):
    return ApiKey.objects.issue(name="acme")[0]


def last(model):
    return LogEntry.objects.filter(content_type__model=model).order_by("-pk").first()


def test_a_change_in_the_admin_is_kept_with_who_made_it(admin_client, admin_user, key):
    admin_client.post(
        reverse("admin:usage_apikey_change", args=[key.pk]),
        {"name": "Acme SpA", "expires_at_0": "", "expires_at_1": "", "may_monitor": "on"},
    )
    entry = last("apikey")
    assert (entry.actor, entry.remote_addr) == (admin_user, "127.0.0.1")
    assert entry.changes == {"name": ["acme", "Acme SpA"]}
    page = admin_client.get(reverse("admin:auditlog_logentry_change", args=[entry.pk]))
    shown = page.content.decode()
    assert "Cambio de Acme SpA" in shown
    assert "127.0.0.1" in shown
    assert "Remote" not in shown
    listed = admin_client.get(reverse("admin:auditlog_logentry_changelist")).content.decode()
    assert "cambió" in listed
    assert "nombre" in listed


def test_an_action_of_the_list_is_kept_too(admin_client, admin_user, key):
    admin_client.post(
        reverse("admin:usage_apikey_changelist"),
        {"action": "revoke", "_selected_action": [key.pk]},
    )
    entry = last("apikey")
    assert entry.actor == admin_user
    assert entry.changes["revoked_at"][0] == "None"


def test_secrets_are_not_in_the_log(admin_client, key):
    admin_client.post(reverse("admin:usage_apikey_rotate", args=[key.pk]), {"grace": "24"})
    key.refresh_from_db()
    assert key.has_two_secrets()
    entry = last("apikey")
    assert set(entry.changes) == {"old_until"}
    assert key.digest not in str(list(LogEntry.objects.values()))


def test_budgets_prices_and_documents_are_kept(admin_client, key):
    data = {"api_key": key.pk, "period": "day", "limit_usd": "25.50", "soft_percent": "80"}
    admin_client.post(reverse("admin:usage_budget_add"), data)
    budget = Budget.objects.get()
    admin_client.post(
        reverse("admin:usage_budget_change", args=[budget.pk]), {**data, "limit_usd": "30"}
    )
    assert last("budget").changes["limit_usd"][1] == "30"
    price = ModelPrice.objects.order_by("pk").first()
    price.source = "otra"
    price.save()
    assert last("modelprice").actor is None
    document = baker.make(Document, title="antes", module="dte", slug="a", tags=[])
    document.title = "después"
    document.save()
    assert last("document").changes["title"] == ["antes", "después"]


def test_migrate_makes_the_groups_with_what_they_may_do():
    allowed = {
        group.name: {
            f"{one.content_type.app_label}.{one.codename}" for one in group.permissions.all()
        }
        for group in Group.objects.all()
    }
    assert set(allowed) == {"Operadores", "Finanzas", "Administradores"}
    assert {"knowledge.change_document", "chat.view_conversation"} <= allowed["Operadores"]
    assert not {name for name in allowed["Operadores"] if name.startswith("usage.")}
    assert {"usage.change_budget", "usage.view_usagerecord"} <= allowed["Finanzas"]
    assert not {name for name in allowed["Finanzas"] if name.startswith("chat.")}
    assert {"usage.add_apikey", "auditlog.view_logentry"} <= allowed["Administradores"]


def test_each_opening_of_a_conversation_is_kept(admin_client, admin_user, key, client):
    conversation = baker.make(Conversation, api_key=key, session_id="s")
    url = reverse("admin:chat_conversation_change", args=[conversation.pk])
    assert admin_client.get(url).status_code == 200
    entry = last("conversation")
    assert (entry.actor, entry.action) == (admin_user, LogEntry.Action.ACCESS)
    client.force_login(User.objects.create_user("clerk", is_staff=True))
    assert client.get(url).status_code == 403
    assert LogEntry.objects.filter(content_type__model="conversation").count() == 1
