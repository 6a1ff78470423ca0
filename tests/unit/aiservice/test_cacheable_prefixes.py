"""A prefix below a model's minimum is silently not cached: the shipped ones are long enough."""

import pytest

from chat import plugins
from dte.review import _SYSTEM, _digest
from usage.accounting import prices

pytestmark = pytest.mark.unit

# Even the older tokenizers need no more bytes than this for a token of Spanish prose.
BYTES_PER_TOKEN = 5
# Not the 4.5 generation and Opus 4.6, whose minimum of 4096 is more than these prompts are worth.
MINIMUM = {
    row["model"]: row["min_cacheable_tokens"]
    for row in prices.reviewed()
    if row["min_cacheable_tokens"] <= 2048
}


def least_tokens(*texts):
    return sum(len(text.encode()) for text in texts) // BYTES_PER_TOKEN


def test_the_default_model_has_a_minimum_that_the_prompts_are_held_to(settings):
    assert settings.ANTHROPIC_MODEL in MINIMUM


@pytest.mark.parametrize("model", sorted(MINIMUM))
def test_the_prefix_of_a_review_is_cacheable(model):
    assert least_tokens(_SYSTEM, _digest()) >= MINIMUM[model]


@pytest.mark.parametrize("model", sorted(MINIMUM))
def test_the_prefix_of_every_specialist_is_cacheable(model):
    for specialist in plugins.everyone():
        assert least_tokens(plugins.COMMON_INSTRUCTIONS, specialist.instructions) >= MINIMUM[model]
