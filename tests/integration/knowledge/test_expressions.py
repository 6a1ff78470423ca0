"""The language of the trade: shipped, changed in the admin, heard by every search."""

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from knowledge.frontmatter import ParsedDocument
from knowledge.loading import expressions, ingest
from knowledge.models import Expression, SearchIndex
from knowledge.searching.engine import engine
from knowledge.searching.search import explore, search

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture
def documents() -> None:
    texts = {"notas": "Una nota de crédito rebaja la factura.", "guias": "La guía va con la carga."}
    ingest.load(
        [
            ParsedDocument(slug=slug, title=slug, module="dte", tags=(), body=text)
            for slug, text in texts.items()
        ]
    )


def test_an_abbreviation_finds_what_it_stands_for(documents: None):
    assert search("NC") == []
    Expression.objects.create(text="NC", meaning="nota de crédito")
    engine.forget()
    assert search("una nc")[0].document_id == "notas"
    assert explore("nc").query.respelled == "nota de crédito"


def test_a_change_in_the_admin_is_heard_at_the_next_search(documents: None, admin_client: Client):
    search("carga")
    before = SearchIndex.objects.get().stamp
    values = {"text": "GD", "meaning": "guía con la carga", "is_active": "on"}
    admin_client.post(reverse("admin:knowledge_expression_add"), values)
    assert SearchIndex.objects.get().stamp != before
    engine.index.reload()
    assert search("GD")[0].document_id == "guias"
    expression = Expression.objects.get()
    url = reverse("admin:knowledge_expression_change", args=[expression.pk])
    admin_client.post(url, {"text": "GD", "meaning": "guía con la carga"})
    engine.index.reload()
    assert search("GD") == []


def test_the_shipped_ones_are_added_once_and_an_editors_change_stays():
    assert expressions.load_shipped() == len(expressions.read())
    Expression.objects.filter(text="NC").update(meaning="no conforme", is_active=False)
    assert expressions.load_shipped() == 0
    assert Expression.objects.get(text="NC").meaning == "no conforme"


def test_loading_the_shipped_documents_brings_them():
    call_command("load_knowledge", no_embed=True)
    assert Expression.objects.active().count() == len(expressions.read())


def test_what_is_not_ours_is_refused_and_never_a_result():
    ingest.load(
        [
            ParsedDocument(
                slug="ajeno",
                title="Pasaporte",
                module="fuera_de_alcance",
                tags=(),
                body="Renovar el pasaporte.",
            ),
            ParsedDocument(
                slug="certificado",
                title="Certificado",
                module="dte",
                tags=(),
                body="Para renovar el certificado se compra otro.",
            ),
        ]
    )
    assert search("renovar el pasaporte") == []
    assert [hit.document_id for hit in search("renovar el certificado")] == ["certificado"]
    assert search("pasaporte", modules=["fuera_de_alcance"]) == []
