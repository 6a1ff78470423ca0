"""Loading documents: what changes, what does not, what is refused, what searches see."""

import os
import threading
from datetime import date, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from knowledge.loading import folder, ingest
from knowledge.models import Document, DocumentVersion, Passage, SearchIndex
from knowledge.searching import analysis, indexing, live
from knowledge.searching.engine import engine
from knowledge.searching.search import explore, search

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


def write(root: Path, name: str, text: str, **front: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {"title": Path(name).stem.capitalize(), "module": "dte", "tags": "[x]"} | front
    head = "\n".join(f"{key}: {value}" for key, value in values.items())
    path.write_text(f"---\n{head}\n---\n\n{text}\n", encoding="utf-8")
    return path


def load(*paths: Path, **options: object) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("load_knowledge", path=list(paths), stdout=out, stderr=err, **options)
    return out.getvalue().strip(), err.getvalue()


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    write(
        tmp_path, "folios.md", "# Folios\n\nUn folio autorizado.\n\n## Vencimiento\n\nSeis meses."
    )
    write(tmp_path, "sub/boletas.md", "La boleta se entrega siempre.", module="boletas")
    return tmp_path


def test_counts_what_it_did(docs: Path):
    assert load(docs)[0] == "created: 2, updated: 0, unchanged: 0, removed: 0, failed: 0"
    assert load(docs)[0] == "created: 0, updated: 0, unchanged: 2, removed: 0, failed: 0"
    write(docs, "folios.md", "Otra cosa.")
    write(docs, "nuevo.md", "Nuevo.")
    (docs / "sub/boletas.md").unlink()
    assert load(docs)[0] == "created: 1, updated: 1, unchanged: 1, removed: 0, failed: 0".replace(
        "unchanged: 1", "unchanged: 0"
    )
    assert load(docs, prune=True)[0].endswith("removed: 1, failed: 0")


def test_an_unchanged_load_touches_nothing(docs: Path):
    load(docs)
    stamp = SearchIndex.objects.get().stamp
    versions = list(DocumentVersion.objects.values_list("pk", flat=True))
    load(docs, prune=True)
    assert SearchIndex.objects.get().stamp == stamp
    assert list(DocumentVersion.objects.values_list("pk", flat=True)) == versions


def test_a_change_makes_a_version_and_keeps_the_old_passages(docs: Path):
    load(docs)
    old = search("vencimiento de folios")[0]
    write(docs, "folios.md", "# Folios\n\n## Vencimiento\n\nDos años, no menos.")
    load(docs)
    new = search("vencimiento de folios")[0]
    assert (old.version, new.version) == (1, 2)
    assert (old.anchor, new.anchor) == ("vencimiento", "vencimiento")
    assert new.content == "Dos años, no menos."
    assert Passage.objects.filter(version__number=1, version__document__slug="folios").exists()


def test_only_changed_passages_are_analysed_again(docs: Path, monkeypatch: pytest.MonkeyPatch):
    load(docs)
    kept = set(engine.index.reload().ranker.ids.tolist())
    write(docs, "folios.md", "Otra cosa.")
    load(docs)
    now = set(engine.index.reload().ranker.ids.tolist())
    boletas = Passage.objects.get(version__document__slug="sub-boletas")
    assert now & kept == {boletas.pk}


def test_one_bad_file_never_stops_the_others(docs: Path):
    (docs / "malo.md").write_text("---\ntitle: x\n---\ntexto")
    (docs / "roto.md").write_text("---\ntitle: [x\nmodule: dte\n---\ntexto")
    out, err = load(docs)
    assert out == "created: 2, updated: 0, unchanged: 0, removed: 0, failed: 2"
    assert err.splitlines() == [
        "malo.md:1: falta 'module'",
        "roto.md:3: el encabezado no es YAML válido: expected ',' or ']', but got ':'",
    ]


def test_a_file_that_became_unreadable_is_not_pruned(docs: Path):
    load(docs)
    (docs / "folios.md").write_text("sin encabezado")
    assert load(docs, prune=True)[0] == (
        "created: 0, updated: 0, unchanged: 1, removed: 0, failed: 1"
    )
    assert search("folio autorizado")


def test_pruning_spares_documents_written_in_the_admin(docs: Path):
    ingest.save(Document(slug="propio", title="Propio", module="x", body="Escrito aquí."))
    load(docs, prune=True)
    assert Document.objects.active().filter(slug="propio").exists()


def test_a_removed_document_is_not_found_and_comes_back_when_loaded(docs: Path):
    load(docs)
    text = (docs / "folios.md").read_text()
    (docs / "folios.md").unlink()
    load(docs, prune=True)
    assert not [hit for hit in search("folio autorizado") if hit.document_id == "folios"]
    (docs / "folios.md").write_text(text)
    assert load(docs)[0].startswith("created: 0, updated: 1")
    assert search("folio autorizado")[0].document_id == "folios"


def test_an_edit_in_the_admin_survives_a_load_of_the_same_file(docs: Path):
    load(docs)
    document = Document.objects.get(slug="folios")
    document.body = "Corregido a mano."
    assert ingest.save(document, author="ana")
    load(docs)
    document.refresh_from_db()
    assert document.body == "Corregido a mano."
    assert document.versions.first().created_by == "ana"


def test_an_edit_begun_before_a_load_comes_after_it(docs: Path):
    load(docs)
    opened = Document.objects.get(slug="folios")
    write(docs, "folios.md", "Del archivo.")
    load(docs)
    opened.body = "De la editora."
    assert ingest.save(opened)
    versions = [(v.number, v.body, v.is_current) for v in opened.versions.all()]
    assert versions[:2] == [(3, "De la editora.", True), (2, "Del archivo.", False)]
    assert load(docs)[0].startswith("created: 0, updated: 0, unchanged: 2")


def test_saving_without_a_change_makes_no_version(docs: Path):
    load(docs)
    document = Document.objects.get(slug="folios")
    assert not ingest.save(document)
    assert document.versions.count() == 1


def test_two_files_with_one_doc_id_the_second_is_refused(docs: Path):
    write(docs, "z1.md", "Uno.", doc_id="mismo")
    write(docs, "z2.md", "Dos.", doc_id="mismo")
    out, err = load(docs)
    assert out.endswith("failed: 1")
    assert "z2.md:1: doc_id 'mismo' repetido" in err


def test_links_that_leave_the_folder_are_refused(docs: Path, tmp_path_factory):
    outside = tmp_path_factory.mktemp("fuera")
    write(outside, "secreto.md", "No leer.")
    (docs / "enlace.md").symlink_to(outside / "secreto.md")
    (docs / "carpeta").symlink_to(outside)
    (docs / "roto.md").symlink_to(docs / "no-existe.md")
    os.mkfifo(docs / "tubo.md")
    _, err = load(docs)
    assert "enlace.md:1: es un enlace que sale" in err
    assert "carpeta:1: es un enlace que sale" in err
    assert "roto.md:1: no se puede abrir" in err
    assert "tubo.md:1: no es un archivo" in err
    assert not Document.objects.filter(body__contains="No leer").exists()


def test_a_readme_and_hidden_files_are_passed_over(docs: Path):
    (docs / "README.md").write_text("# Cómo escribir")
    (docs / ".borrador.md").write_text("nada")
    assert load(docs)[0].endswith("failed: 0")


def test_a_huge_file_is_refused_without_reading_it(docs: Path):
    with (docs / "enorme.md").open("wb") as file:
        file.truncate(10_000_000_000)  # sparse: takes no disk, but would take all memory
    assert "enorme.md:1: el archivo supera" in load(docs)[1]


def test_check_writes_nothing_and_fails_on_a_bad_file(docs: Path):
    assert load(docs, check=True)[0] == "valid: 2, failed: 0"
    (docs / "malo.md").write_text("x")
    with pytest.raises(SystemExit) as caught:
        load(docs, check=True)
    assert caught.value.code == 1
    assert not Document.objects.exists()


def test_a_path_that_does_not_exist_or_is_empty_is_an_error(tmp_path: Path):
    with pytest.raises(CommandError, match="No existe"):
        load(tmp_path / "nada")
    with pytest.raises(CommandError, match="No hay archivos"):
        load(tmp_path)


def test_documents_out_of_their_period_are_not_found(docs: Path):
    today = timezone.localdate()
    for name, front in {
        "vencido": {"valid_to": str(today - timedelta(days=1))},
        "futuro": {"valid_from": str(today + timedelta(days=1))},
        "ultimo": {"valid_from": str(today), "valid_to": str(today)},
    }.items():
        write(docs, f"{name}.md", "Zarzaparrilla tributaria.", **front)
    load(docs)
    assert [hit.document_id for hit in search("zarzaparrilla")] == ["ultimo"]
    assert [d.slug for d in Document.objects.stale(today)] == ["vencido"]


def test_filters_by_module_and_tag(docs: Path):
    load(docs)
    assert [h.module for h in search("folio boleta", modules=["boletas"])] == ["boletas"]
    assert search("folio", modules=["nada"]) == []
    assert search("folio", tags=["x"])


def test_misspelt_words_are_taken_for_the_nearest_known_one(docs: Path):
    load(docs)
    assert explore("venciminto").query.corrected == {"venciminto": ("vencimiento",)}
    assert search("venciminto")[0].anchor == "vencimiento"


@pytest.mark.parametrize(
    "query", ["", "   ", "¿?", "el la los", "\x00", "👍", "x" * 5_000, "' OR 1=1 --"]
)
def test_odd_questions_find_nothing_and_break_nothing(docs: Path, query: str):
    load(docs)
    assert search(query) == []


def test_an_index_of_another_analyser_is_not_searched_with_and_the_next_load_rebuilds_it(
    docs: Path,
):
    load(docs)
    SearchIndex.objects.update(analysis="es-0", data=b"not an index of ours")
    engine.index.forget()
    assert search("folio autorizado")[0].document_id == "folios"
    assert load(docs)[0].startswith("created: 0, updated: 0, unchanged: 2")
    assert SearchIndex.objects.get().analysis == analysis.VERSION
    assert not indexing.ensure_current()


@pytest.mark.django_db(transaction=True)
def test_searches_during_a_load_see_the_old_or_the_new_never_a_mixture(tmp_path: Path):
    """Every document of a generation says its number; a result must speak of one only."""

    def generation(number: int) -> None:
        for i in range(20):
            write(
                tmp_path, f"d{i}.md", f"Palabra común de la generación g{number}.", doc_id=f"d{i}"
            )
        documents, _ = folder.read_all(folder.find([tmp_path]))
        ingest.load(documents)

    seen: list[set[str]] = []
    errors: list[Exception] = []
    stop = threading.Event()

    def look() -> None:
        try:
            while not stop.is_set():
                hits = search("palabra común generación", top_k=20)
                seen.append({hit.content.split()[-1] for hit in hits})
                if len(hits) != 20:
                    raise AssertionError(f"{len(hits)} hits")
        except Exception as error:  # noqa: BLE001 - reported by the test's own thread
            errors.append(error)
        finally:
            connection.close()

    generation(0)
    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(1, 6):
        generation(number)
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors
    assert all(len(words) == 1 for words in seen)
    assert len(set.union(*seen)) > 1


@pytest.mark.django_db(transaction=True)
def test_loads_at_once_lose_nothing(tmp_path: Path):
    def load_own(name: str) -> None:
        try:
            for number in range(5):
                write(tmp_path / name, f"{name}{number}.md", f"Palabra{name} compartida.")
                documents, _ = folder.read_all(folder.find([tmp_path / name]))
                ingest.load(documents)
        finally:
            connection.close()

    threads = [threading.Thread(target=load_own, args=[name]) for name in ("uno", "dos", "tres")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Document.objects.count() == DocumentVersion.objects.count() == 15
    assert len(search("compartida", top_k=50)) == 15


@pytest.mark.django_db(transaction=True)
def test_a_load_that_fails_changes_nothing(docs: Path, monkeypatch: pytest.MonkeyPatch):
    load(docs)
    stamp = SearchIndex.objects.get().stamp

    def fail(self: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr("knowledge.searching.postings.Postings.to_bytes", fail)
    write(docs, "folios.md", "Texto nuevo.")
    with pytest.raises(MemoryError):
        load(docs)
    assert SearchIndex.objects.get().stamp == stamp
    assert Document.objects.get(slug="folios").version == 1


@pytest.mark.django_db(transaction=True)
def test_a_load_in_another_process_is_noticed_and_no_search_waits_for_it(
    docs: Path, monkeypatch: pytest.MonkeyPatch
):
    load(docs)
    before = engine.index.current()
    monkeypatch.setattr(live, "REFRESH_SECONDS", 0.0)
    monkeypatch.setattr(
        engine.index, "catch_up", lambda: None
    )  # what another process does not do for us
    write(docs, "folios.md", "Un folio distinto.")
    load(docs)
    assert engine.index.current() is before
    engine.index.settle()
    assert engine.index.current() is not before
    assert search("folio")[0].content == "Un folio distinto."


def test_watching_loads_what_changes_until_interrupted(docs: Path, monkeypatch: pytest.MonkeyPatch):
    steps = iter(
        [
            lambda: None,
            lambda: write(docs, "nuevo.md", "Texto recién escrito."),
            lambda: (docs / "nuevo.md").unlink(),
        ]
    )

    def meanwhile(seconds: float) -> None:
        try:
            next(steps)()
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr("knowledge.management.commands.load_knowledge.time.sleep", meanwhile)
    out, _ = load(docs, watch=True, prune=True)
    assert out.splitlines() == [
        "created: 2, updated: 0, unchanged: 0, removed: 0, failed: 0",
        "created: 1, updated: 0, unchanged: 2, removed: 0, failed: 0",
        "created: 0, updated: 0, unchanged: 2, removed: 1, failed: 0",
    ]


def test_validity_includes_both_ends():
    document = Document(valid_from=date(2026, 1, 1), valid_to=date(2026, 1, 31))
    assert document.is_valid_on(date(2026, 1, 1))
    assert document.is_valid_on(date(2026, 1, 31))
    assert not document.is_valid_on(date(2026, 2, 1))
    assert not document.is_valid_on(date(2025, 12, 31))
