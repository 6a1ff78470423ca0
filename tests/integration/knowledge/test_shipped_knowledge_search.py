"""The search finds what is shipped: floors over the evaluation questions, words alone.

Words alone because the vectors of all passages take minutes; `manage.py evaluate_knowledge`
measures both. Floors are those of the project, not what was last measured: they catch damage, and a
title reworded for clarity must not fail them.
"""

import pytest
from django.core.management import call_command

from knowledge import scoring

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


def test_the_shipped_questions_find_their_answers() -> None:
    call_command("load_knowledge")
    figures = scoring.summarise(scoring.run(scoring.read([scoring.SHIPPED]))).figures()
    assert figures["hit@1"] >= 0.80
    assert figures["hit@5"] >= 0.95
    assert figures["answered"] >= 0.98
