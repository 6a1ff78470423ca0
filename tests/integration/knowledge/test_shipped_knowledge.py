"""The shipped documents, measured with the shipped questions: floors that a change must hold."""

from io import StringIO

import pytest
from django.core.management import call_command

from knowledge.loading import embedding
from knowledge.management.commands.load_knowledge import SHIPPED
from knowledge.searching.search import search

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

FLOORS = ["hit@1=0.84", "hit@5=0.96", "mrr=0.89", "answered=0.98", "refused=0.94"]


def test_the_shipped_documents_load_without_a_failure():
    out, err = StringIO(), StringIO()
    call_command("load_knowledge", stdout=out, stderr=err)
    assert out.getvalue().strip().endswith("failed: 0"), err.getvalue()


def test_the_shipped_documents_bring_their_vectors():
    call_command("load_knowledge", stdout=StringIO(), stderr=StringIO())
    passages = len(embedding.missing())
    taken = embedding.import_file(SHIPPED / embedding.SHIPPED)
    # After an edit some are missing, and computed at loading: `load_knowledge --save-vectors`.
    assert taken > 0.8 * passages


def test_search_by_words_alone_holds_the_floors_on_the_shipped_questions():
    call_command("load_knowledge", stdout=StringIO())
    minima = [argument for floor in FLOORS for argument in ("--min", floor)]
    call_command("evaluate_knowledge", "--no-save", *minima, stdout=StringIO())
    # A word that no document has must not sink a short question.
    assert search("folios quemados")[0].document_id == "anular-folios"
    assert search("nota de crédito pifiada")
