"""What is found in the knowledge base, and in which order: words, index, ranking, spelling; no database."""

import random
from datetime import date

import numpy as np
import pytest

from knowledge.searching import analysis
from knowledge.searching.postings import Entry, Postings
from knowledge.searching.ranking import Ranker, best
from knowledge.searching.spelling import Speller

pytestmark = pytest.mark.unit

TODAY = date(2026, 11, 22)

ENTRIES = [
    Entry(10, "Folios y CAF", "", "El SII autoriza rangos de folios.", "dte", ("caf",)),
    Entry(20, "Boleta electrónica", "Plazos", "La boleta se envía en el día.", "boletas", ("39",)),
    Entry(30, "Anulación", "", "Una factura se anula con nota de crédito.", "dte", ("61", "caf")),
    Entry(40, "Guía vieja", "", "Folios de papel.", "dte", valid_to=date(2025, 12, 31)),
    Entry(50, "Guía nueva", "", "Folios del futuro.", "dte", valid_from=date(2027, 1, 1)),
]


def index(entries: list[Entry]) -> Ranker:
    return Ranker(Postings.empty().changed(keep=(), add=entries))


def ask(ranker: Ranker, text: str) -> list[int]:
    rows = [ranker.row_of(t) for w in analysis.words(text) for t in analysis.terms_of(w)]
    scores = ranker.scores((row, 1.0) for row in rows if row is not None)
    return [int(ranker.ids[row]) for row in best(scores, 10)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Emisión ELECTRÓNICA", ["emision", "electronica"]),
        ("ñandú", ["nandu"]),
        ("TipoDTE", ["tipodte", "tipo", "dte"]),
        ("Ley 19.983", ["ley", "19", "983", "19983"]),
        ("", []),
    ],
)
def test_words_are_folded_and_compounds_opened(text: str, expected: list[str]):
    assert list(analysis.words(text)) == expected


@pytest.mark.parametrize(("one", "other"), [("facturas", "factura"), ("anulación", "anular")])
def test_forms_of_a_word_share_a_stem(one: str, other: str):
    assert analysis.stem(analysis.fold(one)) == analysis.stem(analysis.fold(other))


def test_finds_by_stem_without_accents_and_by_title():
    ranker = index(ENTRIES)
    assert ask(ranker, "anular facturas")[0] == 30
    assert ask(ranker, "boletas electronicas")[0] == 20


def test_a_word_in_the_title_outweighs_the_same_in_the_text():
    ranker = index(
        [
            Entry(1, "Otra cosa", "", "timbre en el texto", "x"),
            Entry(2, "Timbre", "", "otra cosa", "x"),
        ]
    )
    assert ask(ranker, "timbre") == [2, 1]


def test_rare_words_outweigh_common_ones():
    entries = [Entry(i, "folio", "", "folio corriente", "x") for i in range(1, 20)]
    ranker = index([*entries, Entry(99, "otro", "", "cesión de folio", "x")])
    assert ask(ranker, "folio cesion")[0] == 99


def test_only_passages_valid_on_the_day_are_usable():
    ranker = index(ENTRIES)
    assert ranker.ids[ranker.usable(TODAY)].tolist() == [10, 20, 30]
    assert 40 in ranker.ids[ranker.usable(date(2025, 12, 31))]
    assert 50 in ranker.ids[ranker.usable(date(2027, 1, 1))]


def test_modules_and_tags_filter_and_an_unknown_one_matches_nothing():
    ranker = index(ENTRIES)
    assert ranker.ids[ranker.usable(TODAY, modules=["boletas"])].tolist() == [20]
    assert ranker.ids[ranker.usable(TODAY, tags=["caf"])].tolist() == [10, 30]
    assert ranker.ids[ranker.usable(TODAY, modules=["dte"], tags=["61"])].tolist() == [30]
    assert not ranker.usable(TODAY, modules=["nada"]).any()


def test_a_changed_index_ranks_like_one_built_afresh():
    first = Postings.empty().changed(keep=(), add=ENTRIES)
    new = Entry(60, "Cesión de créditos", "", "La factura se cede con AEC.", "dte", ("aec",))
    changed = Ranker(first.changed(keep=[10, 20, 30], add=[new]))
    fresh = index([*ENTRIES[:3], new])
    assert changed.terms.tolist() == fresh.terms.tolist()
    for question in ("factura", "folios caf", "cesión", "boleta del día", "papel"):
        assert ask(changed, question) == ask(fresh, question)
    assert changed.ids[changed.usable(TODAY, tags=["caf"])].tolist() == [10, 30]


def test_an_index_of_many_blocks_ranks_like_one_of_one(monkeypatch):
    words = [f"palabra{number}" for number in range(40)]
    chance = random.Random(3)
    entries = [
        Entry(number, f"titulo{number}", "", " ".join(chance.choices(words, k=12)), "x")
        for number in range(1, 101)
    ]
    expected = scores_by_term(index(entries))
    for module in ("postings", "ranking"):
        monkeypatch.setattr(f"knowledge.searching.{module}.BLOCK", 16)
    first = Postings.empty().changed(keep=(), add=entries[:50])
    stored = Postings.from_bytes(first.changed(keep=range(1, 41), add=entries[40:]).to_bytes())
    assert len(stored.starts) == 7
    assert stored.rows.max() < 16
    assert scores_by_term(Ranker(stored)) == expected


def scores_by_term(ranker: Ranker) -> dict[bytes, tuple[int, list[float]]]:
    """Return the frequency of every term, and every passage's score for it."""
    return {
        bytes(term): (ranker.frequency(row), ranker.scores([(row, 0.7)]).tolist())
        for row, term in enumerate(ranker.terms)
    }


def test_an_index_survives_being_stored():
    postings = Postings.empty().changed(keep=(), add=ENTRIES)
    back = Postings.from_bytes(postings.to_bytes())
    assert ask(Ranker(back), "anular boleta") == ask(Ranker(postings), "anular boleta")
    assert back.names == postings.names


def test_an_empty_index_answers_nothing():
    ranker = index([])
    assert ask(ranker, "factura") == []
    assert not Speller(ranker).suggest("factura")


def test_more_passages_than_one_batch_are_all_indexed():
    ranker = index([Entry(i, f"titulo{i}", "", "texto", "x") for i in range(1, 4_502)])
    assert ask(ranker, "titulo1") == [1]
    assert ask(ranker, "titulo4501") == [4501]
    assert len(ranker) == 4_501


def test_best_orders_by_score_and_keeps_index_order_among_equals():
    scores = np.array([0, 2, 1, 2, 0, 1], np.float32)
    assert best(scores, 3).tolist() == [1, 3, 2]
    assert best(scores, 100).tolist() == [1, 3, 2, 5]


def test_nearest_words_are_those_found_by_measuring_each():
    chance = random.Random(5)
    words = sorted({"".join(chance.choices("abc", k=chance.randint(4, 8))) for _ in range(300)})
    speller = Speller(index([Entry(i, "", "", word, "x") for i, word in enumerate(words)]))
    for _ in range(200):
        typed = "".join(chance.choices("abc", k=chance.randint(4, 8)))
        edits = {word: one_by_one(typed, word) for word in words}
        nearest = min(edits.values())
        found = speller.suggest(typed)
        assert bool(found) == (nearest <= (2 if len(typed) >= 6 else 1))
        assert all(edits[near.word] == near.distance == nearest for near in found)


def one_by_one(left: str, right: str) -> int:
    table = [
        [max(i, j) if not i or not j else 0 for j in range(len(right) + 1)]
        for i in range(len(left) + 1)
    ]
    for i in range(1, len(left) + 1):
        for j in range(1, len(right) + 1):
            same = left[i - 1] == right[j - 1]
            table[i][j] = min(
                table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (not same)
            )
            if i > 1 and j > 1 and left[i - 1] == right[j - 2] and left[i - 2] == right[j - 1]:
                table[i][j] = min(table[i][j], table[i - 2][j - 2] + 1)
    return table[-1][-1]


@pytest.mark.parametrize("typed", ["folois", "folio0s", "foliso", "folos"])
def test_spelling_finds_the_near_word(typed: str):
    speller = Speller(index(ENTRIES))
    expected = [] if any(c.isdigit() for c in typed) else ["folios"]
    assert [s.word for s in speller.suggest(typed)] == expected


def test_spelling_prefers_one_edit_to_two_and_common_to_rare():
    entries = [Entry(i, "timbre", "", "timbre", "x") for i in range(3)]
    speller = Speller(index([*entries, Entry(9, "timbra", "", "tiembla", "x")]))
    assert [s.word for s in speller.suggest("timbrr")] == ["timbre", "timbra"]


def test_short_words_and_codes_are_never_corrected():
    speller = Speller(index(ENTRIES))
    assert not speller.suggest("caff")[1:]
    assert not speller.suggest("cav")
    assert not speller.suggest("f29x")
