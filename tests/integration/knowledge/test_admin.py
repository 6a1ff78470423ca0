"""The knowledge base as an editor works with it."""

import html
import io
import json
import re
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from knowledge import scoring
from knowledge.frontmatter import ParsedDocument
from knowledge.loading import archive, ingest
from knowledge.models import Document, DocumentVersion, Evaluation, Question
from knowledge.questions import Reason, record
from knowledge.render import to_html

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

BASE = "/admin/knowledge/document/"
FORM = {
    "title": "Folios",
    "module": "dte",
    "slug": "folios",
    "tags": "caf, 33",
    "source": "SII",
    "valid_from": "2024-01-01",
    "valid_to": "",
    "body": "## Uso\n\nUn folio por documento.",
}


@pytest.fixture
def document() -> Document:
    ingest.load(
        [
            ParsedDocument(
                slug="folios",
                title="Folios",
                module="dte",
                tags=("caf",),
                source_path="dte/folios.md",
                body="## Uso\n\nUn folio por documento.\n\n## Plazo\n\nSeis meses.",
            )
        ]
    )
    return Document.objects.get()


def test_a_document_written_in_the_admin_is_found(admin_client: Client):
    response = admin_client.post(f"{BASE}add/", FORM)
    assert response.status_code == 302, response.context["errors"]
    document = Document.objects.get()
    assert (document.tags, document.version) == (["caf", "33"], 1)
    assert document.versions.get().created_by == "admin"
    assert document.versions.get().passages.get().content == "Un folio por documento."


def test_an_edit_makes_a_version_with_its_difference(admin_client: Client, document: Document):
    body = "## Uso\n\nUn folio por documento, siempre."
    response = admin_client.post(f"{BASE}{document.pk}/change/", FORM | {"body": body})
    assert response.status_code == 302
    new, old = document.versions.all()
    assert (new.number, new.is_current, old.is_current) == (2, True, False)
    page = admin_client.get(f"/admin/knowledge/documentversion/{new.pk}/change/").content.decode()
    assert '<div class="added">+Un folio por documento, siempre.</div>' in page
    assert '<div class="deleted">-Seis meses.</div>' in page
    assert '<div class="added">+source: SII</div>' in page


def test_saving_without_a_change_says_so(admin_client: Client, document: Document):
    unchanged = FORM | {
        "tags": "caf",
        "source": "",
        "valid_from": "",
        "body": document.body,
    }
    response = admin_client.post(f"{BASE}{document.pk}/change/", unchanged, follow=True)
    assert "No había cambios" in response.content.decode()
    assert document.versions.count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("valid_to", "2023-01-01"), ("tags", "x" * 101), ("body", "  ")],
)
def test_what_a_file_may_not_say_the_form_may_not_either(
    admin_client: Client, field: str, value: str
):
    response = admin_client.post(f"{BASE}add/", FORM | {field: value})
    assert response.status_code == 200
    assert not Document.objects.exists()


def test_deleting_takes_out_of_use_and_keeps_what_answers_cite(
    admin_client: Client, document: Document
):
    admin_client.post(f"{BASE}{document.pk}/delete/", {"post": "yes"})
    assert not Document.objects.active().exists()
    assert DocumentVersion.objects.count() == 1
    admin_client.post(
        BASE + "?vigencia=retirados", {"action": "restore", "_selected_action": document.pk}
    )
    assert Document.objects.active().exists()


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "<a href='data:text/html,x'>x</a>",
        "<iframe src='//x'></iframe>",
        "<style>*{display:none}</style>",
    ],
)
def test_the_preview_lets_nothing_run(admin_client: Client, attack: str):
    html = admin_client.post(f"{BASE}preview/", {"body": f"# Hola\n\n{attack}"}).content.decode()
    assert "<h1>Hola</h1>" in html
    for forbidden in ("<script", "onerror", "javascript:", "data:", "<iframe", "<style"):
        assert forbidden not in html


def test_the_preview_shows_tables_and_code():
    html = to_html("| a | b |\n|---|---|\n| 1 | 2 |\n\n```xml\n<DTE/>\n```")
    assert "<td>1</td>" in html
    assert "&lt;DTE/&gt;" in html


def test_trying_a_question_shows_why(admin_client: Client, document: Document):
    page = admin_client.get(f"{BASE}try/", {"q": "¿plaso de los folios?"}).content.decode()
    assert "plaso → plazo" in page
    assert "Folios › Plazo" in page


def test_trying_a_question_shows_the_request_and_its_price(
    admin_client: Client, document: Document, settings: Settings
):
    page = admin_client.get(f"{BASE}try/", {"q": "plazo de los folios"}).content.decode()
    assert f"{settings.ANTHROPIC_MODEL}: a lo más" in page
    assert "hasta US$ 0,0" in page
    assert "&lt;pregunta&gt;\nplazo de los folios\n&lt;/pregunta&gt;" in page
    assert "Seis meses." in page[page.index("&lt;pasaje ") :]


def test_trying_a_question_that_finds_nothing(admin_client: Client, document: Document):
    page = admin_client.get(f"{BASE}try/", {"q": "receta de pan"}).content.decode()
    assert "Se responde que no hay información" in page


def test_export_and_import_are_the_same_folder(admin_client: Client, document: Document):
    response = admin_client.get(f"{BASE}export/")
    assert response["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(response.content)) as exported:
        assert exported.namelist() == ["dte/folios.md"]
    upload = SimpleUploadedFile("docs.zip", response.content)
    page = admin_client.post(f"{BASE}import/", {"file": upload}, follow=True).content.decode()
    assert "Creados: 0, actualizados: 0, sin cambios: 1, retirados: 0, con error: 0" in page


def test_an_import_lists_what_it_refuses_and_loads_the_rest(admin_client: Client):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        bundle.writestr("bueno.md", "---\ntitle: Bueno\nmodule: dte\n---\nTexto.")
        bundle.writestr("malo.md", "sin encabezado")
        bundle.writestr("enorme.md", b"x" * 3_000_000)
        bundle.writestr("README.md", "no es un documento")
        bundle.writestr("foto.png", b"\x89PNG")
    upload = SimpleUploadedFile("docs.zip", buffer.getvalue())
    page = admin_client.post(f"{BASE}import/", {"file": upload}).content.decode()
    assert "Creados: 1, actualizados: 0, sin cambios: 0, retirados: 0, con error: 2" in page
    assert "malo.md:1: falta el encabezado" in page
    assert "enorme.md:1: el archivo supera" in page


def test_a_file_that_is_no_zip_is_refused(admin_client: Client):
    upload = SimpleUploadedFile("docs.zip", b"PK\x03\x04 nada")
    page = admin_client.post(f"{BASE}import/", {"file": upload}).content.decode()
    assert "No es un archivo ZIP" in page


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 1_000_000)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("a.md", b"0" * 2_000_000)
    with pytest.raises(archive.InvalidArchiveError):
        archive.read(io.BytesIO(buffer.getvalue()))


def test_two_documents_of_one_path_do_not_overwrite_each_other(document: Document):
    ingest.load(
        [
            ParsedDocument(
                slug="otro",
                title="Otro",
                module="x",
                tags=(),
                body="Otro.",
                source_path="dte/folios.md",
            )
        ]
    )
    documents, failures = archive.read(io.BytesIO(archive.export(Document.objects.active())))
    assert {item.slug for item in documents} == {"folios", "otro"}
    assert not failures


def test_questions_without_answer_lead_to_a_new_document(admin_client: Client):
    for _ in range(2):
        record("¿qué es la cesión?", Reason.NOT_FOUND)
    record("otra cosa", Reason.THUMBS_DOWN)
    page = admin_client.get("/admin/knowledge/question/").content.decode()
    assert page.index("cesión?") < page.index("otra cosa")
    assert "/admin/knowledge/document/add/?title=%C2%BFqu%C3%A9+es+la+cesi%C3%B3n%3F" in page
    admin_client.post(
        "/admin/knowledge/question/",
        {"action": "resolve", "_selected_action": [q.pk for q in Question.objects.all()]},
    )
    assert "otra cosa" not in admin_client.get("/admin/knowledge/question/").content.decode()


def test_the_last_evaluation_is_shown(admin_client: Client, document: Document, tmp_path: Path):
    (tmp_path / "q.yaml").write_text("- {question: plazo de folios, expect: [folios]}")
    result = scoring.save(scoring.run(scoring.read([tmp_path])))
    assert result.hit_1 == 1
    assert "hit@1 1,000" in admin_client.get(BASE).content.decode()
    assert admin_client.get(f"/admin/knowledge/evaluation/{result.pk}/change/").status_code == 200
    assert admin_client.get("/admin/knowledge/evaluation/run/").status_code == 405


def test_the_last_evaluations_are_drawn_oldest_first(admin_client: Client):
    def drawn() -> list[Any]:
        page = admin_client.get("/admin/knowledge/evaluation/").content.decode()
        return [json.loads(html.unescape(data)) for data in re.findall(r'data-value="(.+?)"', page)]

    start = timezone.now() - timedelta(days=1)
    for n, hit_1 in enumerate((0.5, 0.625, 0.75)):
        assert len(drawn()) == (n > 1)
        Evaluation.objects.create(
            questions=8,
            hit_1=hit_1,
            hit_3=1,
            hit_5=1,
            mrr=1,
            ndcg=1,
            falsely_refused=0,
            created_at=start + timedelta(hours=n),
        )
    (runs,) = drawn()
    lines = {line["label"]: line["data"] for line in runs["datasets"]}
    assert lines["Lo esperado no es lo primero"] == [50.0, 37.5, 25.0]
    assert lines["Ajenas respondidas"] == [None] * 3
    assert len(runs["labels"]) == 3


@pytest.mark.parametrize("page", ["try/", "export/", "import/", "preview/", ""])
def test_nobody_without_permission_sees_anything(client: Client, page: str, django_user_model: Any):
    client.force_login(django_user_model.objects.create_user("visita", is_staff=True))
    response = client.post(f"{BASE}{page}") if page == "preview/" else client.get(f"{BASE}{page}")
    assert response.status_code in {200, 403}
    assert page == "preview/" or response.status_code == 403
