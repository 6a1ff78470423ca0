"""The knowledge base over HTTP."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from knowledge.frontmatter import ParsedDocument
from knowledge.loading import ingest

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

SEARCH = "/api/chat/knowledge/search"


@pytest.fixture
def documents() -> None:
    ingest.load(
        [
            ParsedDocument(
                slug="folios/caf 1",
                title="Folios y CAF",
                module="dte",
                tags=("caf",),
                source="SII, 2024",
                source_path="dte/folios.md",
                body="## ¿Cuándo vence un folio?\n\nA los seis meses.\n\n## ¿Cómo se pide?\n\nEn línea.",
            ),
            ParsedDocument(
                slug="boletas",
                title="Boletas",
                module="boletas",
                tags=(),
                body="La boleta se entrega.",
            ),
            ParsedDocument(
                slug="vieja",
                title="Norma vieja",
                module="dte",
                tags=(),
                body="Timbre de goma.",
                valid_to=timezone.localdate() - timedelta(days=1),
            ),
        ]
    )


def ask(client: APIClient, **parameters: Any) -> Any:
    response = client.get(SEARCH, parameters)
    assert response.status_code == 200, response.json()
    return response.json()


def test_answers_in_the_shape_that_clients_know(api_client: APIClient, documents: None):
    answer = ask(api_client, query="¿cuando bence un folio?", top_k=3)
    assert answer["query"] == "¿cuando bence un folio?"
    assert answer["results_found"] == len(answer["results"]) > 0
    first = answer["results"][0]
    assert first == {
        "document_id": "folios/caf 1",
        "title": "Folios y CAF",
        "module": "dte",
        "section": "¿Cuándo vence un folio?",
        "content": "A los seis meses.",
        "score": first["score"],
        "source": "SII, 2024",
        "source_path": "dte/folios.md",
        "tags": ["caf"],
        "version": 1,
        "anchor": "cuando-vence-un-folio",
        "url": "/api/knowledge/documents/folios/caf%201/sections/cuando-vence-un-folio",
    }
    assert 0 < first["score"] <= 1


def test_what_nothing_fits_finds_nothing(api_client: APIClient, documents: None):
    answer = ask(api_client, query="¿quién ganó la copa mundial de rugby?")
    assert answer == {
        "query": "¿quién ganó la copa mundial de rugby?",
        "results_found": 0,
        "results": [],
    }


def test_an_empty_knowledge_base_finds_nothing(api_client: APIClient):
    assert ask(api_client, query="folio")["results"] == []


def test_filters(api_client: APIClient, documents: None):
    found = ask(api_client, query="folio boleta", module="boletas,otro")["results"]
    assert {hit["document_id"] for hit in found} == {"boletas"}
    assert ask(api_client, query="folio", tags="nada")["results"] == []


def test_top_k_limits(api_client: APIClient, documents: None):
    assert len(ask(api_client, query="folio se pide vence", top_k=1)["results"]) == 1


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({}, "query"),
        ({"query": "  "}, "query"),
        ({"query": "x" * 2_001}, "query"),
        ({"query": "a\x00b"}, "query"),
        ({"query": "x", "top_k": "0"}, "top_k"),
        ({"query": "x", "top_k": "51"}, "top_k"),
        ({"query": "x", "top_k": "muchos"}, "top_k"),
    ],
)
def test_bad_parameters_are_told_by_field(
    api_client: APIClient, parameters: dict[str, str], field: str
):
    response = api_client.get(SEARCH, parameters)
    assert response.status_code == 400
    assert response.json()["code"] == "invalid"
    assert field in response.json()["errors"]


@pytest.mark.parametrize(
    "path", [f"{SEARCH}?query=x", "/api/knowledge/modules", "/api/knowledge/documents"]
)
def test_needs_a_key(db: None, path: str):
    response = APIClient().get(path)
    assert response.status_code == 401
    assert "WWW-Authenticate" in response.headers


def test_searches_are_limited_as_reads(api_client: APIClient, documents: None, settings: Settings):
    settings.RATE_LIMIT_PER_MINUTE = settings.RATE_LIMIT_BURST = 1
    statuses = [api_client.get(SEARCH, {"query": "folio"}).status_code for _ in range(6)]
    assert statuses == [*[200] * 5, 429]


def test_what_has_not_changed_is_not_sent_again(api_client: APIClient, documents: None):
    first = api_client.get(SEARCH, {"query": "folio"})
    etag = first.headers["ETag"]
    again = api_client.get(SEARCH, {"query": "folio"}, headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    other = api_client.get(SEARCH, {"query": "boleta"}, headers={"If-None-Match": etag})
    assert other.status_code == 200
    ingest.load([ParsedDocument(slug="nuevo", title="Otro", module="x", tags=(), body="Folio.")])
    changed = api_client.get(SEARCH, {"query": "folio"}, headers={"If-None-Match": etag})
    assert changed.status_code == 200


def test_reads_a_document_and_a_section(api_client: APIClient, documents: None):
    hit = ask(api_client, query="cómo se pide")["results"][0]
    section = api_client.get(hit["url"]).json()
    assert section["content"] == "En línea."
    assert section["document"]["title"] == "Folios y CAF"
    document = api_client.get(section["document"]["url"]).json()
    assert [part["anchor"] for part in document["sections"]] == [
        "cuando-vence-un-folio",
        "como-se-pide",
    ]
    assert document["version"] == 1


def test_lists_documents_and_modules(api_client: APIClient, documents: None):
    listed = api_client.get("/api/knowledge/documents").json()["documents"]
    assert [item["document_id"] for item in listed] == ["boletas", "folios/caf 1", "vieja"]
    assert "body" not in listed[0]
    assert api_client.get("/api/knowledge/modules").json() == {
        "modules": [{"name": "boletas", "documents": 1}, {"name": "dte", "documents": 2}]
    }


@pytest.mark.parametrize(
    "path", ["documents/no-existe", "documents/boletas/sections/nada", "documents/x/sections/y"]
)
def test_what_does_not_exist_is_404(api_client: APIClient, documents: None, path: str):
    response = api_client.get(f"/api/knowledge/{path}")
    assert response.status_code == 404
    assert set(response.json()) == {"detail", "code"}


def test_a_removed_document_cannot_be_read(api_client: APIClient, documents: None):
    from knowledge.models import Document

    ingest.remove(Document.objects.filter(slug="boletas"))
    assert api_client.get("/api/knowledge/documents/boletas").status_code == 404


@pytest.mark.parametrize("path", ["%00", "a%00b", "x", "%00/sections/a", "x/sections/%00"])
def test_a_document_that_cannot_exist_is_not_found(api_client: APIClient, path: str):
    response = api_client.get(f"/api/knowledge/documents/{path}")
    assert response.status_code == 404
    assert response.json() == {"detail": "No encontrado.", "code": "not_found"}
