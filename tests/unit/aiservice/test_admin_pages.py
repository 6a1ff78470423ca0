"""Every page of the admin answers, in Spanish, and whoever may not see a section has no entry for it."""

import re

import pytest
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext

from aiservice.navigation import sections

pytestmark = [pytest.mark.unit, pytest.mark.django_db]

LISTS = [f"{m._meta.app_label}_{m._meta.model_name}" for m in admin.site._registry]
ENGLISH = re.compile(
    r">\s*(Filters|Search|Add|Save|Apply Filters|Reset filters|By [a-z]+|Select all|Type to search|"
    r"Log out|Change password|No results found|Submit|Next|Previous|Dark|Light|System)\s*<"
)


HEADINGS_IN_ENGLISH = re.compile(
    r"\b(access|attempts?|failures?|log|user agent|address|username|path|select|to view|view|time)\b",
    re.IGNORECASE,
)


def headings(page):
    """Return a page's title and the names of its columns."""
    told = re.findall(r"<title>(.*?)</title>|column-\w+\">(.*?)</th>", page, re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", part) for parts in told for part in parts)


@pytest.mark.parametrize("name", LISTS)
def test_every_list_and_form_answers_in_spanish(admin_client, name):
    page = admin_client.get(reverse(f"admin:{name}_changelist"))
    assert page.status_code == 200
    assert not ENGLISH.findall(page.content.decode())
    assert not HEADINGS_IN_ENGLISH.findall(headings(page.content.decode()))
    form = admin_client.get(reverse(f"admin:{name}_add"))
    assert form.status_code in (200, 403)
    assert not ENGLISH.findall(form.content.decode())


def test_the_theme_speaks_spanish():
    with translation.override("es-cl"):
        for text in (
            "Apply Filters",
            "Reset filters",
            "Type to search",
            "Light",
            "Welcome back to",
        ):
            assert gettext(text) != text


def test_pages_carry_no_script_of_their_own(admin_client):
    for path in ("", "usage/usagerecord/", "chat/conversation/"):
        page = admin_client.get(f"/admin/{path}").content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>", page)


def test_the_menu_shows_what_one_may_see(rf):
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_usagerecord"))
    request = rf.get("/admin/")
    request.user = clerk
    titles = [item["title"] for section in sections(request) for item in section["items"]]
    assert titles == ["Resumen", "Registros de uso"]


@pytest.mark.parametrize(
    "page",
    [
        "dte/validation/?kind=%00",
        "chat/message/?llm_used=%00",
        "auditlog/logentry/?timestamp__year=99999999999999999999",
        "usage/usagerecord/?api_key__id__exact=99999999999999999999999",
        "knowledge/document/1/change/?_to_field=",
    ],
)
@pytest.mark.django_db(transaction=True)
def test_a_page_that_can_make_nothing_of_its_parameters_is_shown_without_them(admin_client, page):
    shown = admin_client.get(f"/admin/{page}", follow=True)
    assert shown.status_code == 200
    assert "%00" not in shown.request["QUERY_STRING"]


def test_a_fault_that_is_no_parameters_stays_one(admin_client, monkeypatch):
    def broken(*args):
        raise OverflowError

    monkeypatch.setattr(ChangeList, "get_results", broken)
    for query in ("", "?e=1"):
        with pytest.raises(OverflowError):
            admin_client.get(f"/admin/usage/budget/{query}")
