"""Notices and sources in the admin: reading, reviewing, making a draft, and no way off the list."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse

from knowledge.models import Document, SiiNotice, SiiSource
from tests import sii_site
from tests.integration.knowledge.monitoring.test_looks import FIRST, PATH, SECOND

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture
def notice(site, source, look) -> SiiNotice:
    Document.objects.create(
        slug="guias", title="Guías", module="dte", source="SII, Circular 45 de 2026", body="x"
    )
    site.put(PATH, sii_site.page(FIRST))
    look()
    site.put(PATH, sii_site.page(SECOND))
    look()
    return SiiNotice.objects.get()


def test_list_and_page_show_what_matters(admin_client, notice):
    SiiNotice.objects.update(summary="<script>alert(1)</script> Cambió")
    listed = admin_client.get(reverse("admin:knowledge_siinotice_changelist")).content.decode()
    assert "alto" in listed
    assert "<script>alert(1)" not in listed
    shown = admin_client.get(
        reverse("admin:knowledge_siinotice_change", args=[notice.pk])
    ).content.decode()
    assert "<script>alert(1)" not in shown
    assert 'class="added"' in shown
    assert notice.url in shown
    assert "SII, Circular 45 de 2026" in shown


def test_reviewing_takes_it_from_the_list(admin_client, notice):
    listing = reverse("admin:knowledge_siinotice_changelist")
    admin_client.post(listing, {"action": "review", "_selected_action": [notice.pk]})
    notice.refresh_from_db()
    assert notice.reviewed_by == "admin"
    assert notice.reviewed_at
    assert not admin_client.get(listing).context["cl"].queryset.exists()
    assert admin_client.get(f"{listing}?revision=todos").context["cl"].queryset.exists()


def test_note_reviews_too_and_the_first_reviewer_stays(admin_client, notice):
    page = reverse("admin:knowledge_siinotice_change", args=[notice.pk])
    assert admin_client.post(page, {"note": "No nos toca."}).status_code == 302
    notice.refresh_from_db()
    assert notice.note == "No nos toca."
    assert notice.reviewed_by == "admin"


def test_draft_is_a_document_that_only_needs_finishing(admin_client, notice):
    answer = admin_client.get(reverse("admin:knowledge_siinotice_draft", args=[notice.pk]))
    assert answer.status_code == 302
    asked = {name: values[0] for name, values in parse_qs(urlsplit(answer.url).query).items()}
    assert asked["source"].startswith(f"SII, Circular 45 de 2026, {notice.url}")
    form = admin_client.get(answer.url).context["adminform"].form
    data = {name: form[name].value() or "" for name in form.fields}
    assert "Circular N° 45" in data["body"]
    saved = admin_client.post(reverse("admin:knowledge_document_add"), data)
    assert saved.status_code == 302, saved.context["errors"]
    document = Document.objects.get(slug=asked["slug"])
    assert notice.url in document.source


@pytest.mark.parametrize(
    "url", ["https://evil.example/", "http://169.254.169.254/", "file:///etc/passwd", "x"]
)
def test_source_off_the_list_is_refused(admin_client, source, url):
    page = reverse("admin:knowledge_siisource_change", args=[source.pk])
    data = {"name": "x", "slug": "x", "url": url, "kind": "otro", "is_active": "on"}
    answer = admin_client.post(page, data)
    assert answer.status_code == 200
    assert "url" in answer.context["adminform"].form.errors


def test_another_address_is_a_new_beginning(admin_client, site, notice, look):
    site.put("/otra.htm", sii_site.page("<p>Otra página sobre folios y timbraje de boletas.</p>"))
    source = SiiSource.objects.get()
    page = reverse("admin:knowledge_siisource_change", args=[source.pk])
    data = {"name": "x", "slug": "x", "url": f"{site.url}/otra.htm", "kind": "otro"}
    assert admin_client.post(page, {**data, "is_active": "on"}).status_code == 302
    assert look().notices == 0
    source.refresh_from_db()
    assert source.last_result == "baseline"


def test_who_may_not_see_notices_makes_no_drafts(client, notice, django_user_model):
    user = django_user_model.objects.create_user("lector", password="x", is_staff=True)
    client.force_login(user)
    answer = client.get(reverse("admin:knowledge_siinotice_draft", args=[notice.pk]))
    assert "/document/add" not in answer.url
