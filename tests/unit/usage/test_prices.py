import csv
from datetime import date
from decimal import Decimal

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command

from usage.accounting import prices
from usage.checks import check_models, require_usable_models
from usage.models import ModelPrice
from usage.money import to_pico
from usage.tokens import TokenUsage

pytestmark = [pytest.mark.unit, pytest.mark.django_db]

TODAY = date(2026, 11, 22)


def price(model="claude-sonnet-5-5", on=TODAY):
    return ModelPrice.objects.current(model, on)


@pytest.mark.parametrize(
    ("model", "usage", "dollars"),
    [
        # A million tokens of each class, from the published table of October 2026.
        ("claude-sonnet-5-5", {"input_tokens": 1_000_000}, "2"),
        ("claude-sonnet-5-5", {"cache_write_5m_tokens": 1_000_000}, "2.5"),
        ("claude-sonnet-5-5", {"cache_write_1h_tokens": 1_000_000}, "4"),
        ("claude-sonnet-5-5", {"cache_read_tokens": 1_000_000}, "0.10"),  # not a tenth of the input
        ("claude-sonnet-5-5", {"output_tokens": 1_000_000}, "10"),
        ("claude-opus-5-5", {"cache_read_tokens": 1_000_000}, "0.20"),
        ("claude-fable-5-2", {"input_tokens": 1_000_000, "output_tokens": 1_000_000}, "48"),
        # Haiku 5.5: all of the input decides, and then every token pays the long rate.
        ("claude-haiku-5-5", {"input_tokens": 100_000, "output_tokens": 1_000}, "0.0105"),
        ("claude-haiku-5-5", {"input_tokens": 100_001, "output_tokens": 1_000}, "0.0525005"),
        (
            "claude-haiku-5-5",
            {"input_tokens": 1, "cache_read_tokens": 100_000, "output_tokens": 1_000},
            "0.0075005",
        ),
        (
            "claude-sonnet-5-5",
            {
                "input_tokens": 3,
                "cache_write_5m_tokens": 5,
                "cache_write_1h_tokens": 7,
                "cache_read_tokens": 11,
                "output_tokens": 13,
            },
            "0.0001776",
        ),
    ],
)
def test_cost_is_exact(model, usage, dollars):
    assert prices.cost(TokenUsage(**usage), price(model)) == Decimal(dollars)


def test_residency_multiplies_every_class():
    usage = TokenUsage(1_000_000, 0, 0, 1_000_000, 1_000_000)
    base = prices.cost(usage, price())
    assert prices.cost(usage, price(), inference_geo="us") == base * Decimal("1.1")
    assert prices.cost(usage, price(), inference_geo="global") == base


def test_every_rate_is_whole_pico_dollars_a_token_with_every_multiplier():
    for row in ModelPrice.objects.all():
        for tokens in ((1, 1, 1, 1, 1), (100_001, 1, 1, 1, 1)):
            to_pico(prices.cost(TokenUsage(*tokens), row, inference_geo="us"))


def test_the_rate_of_the_day_of_the_call_holds():
    assert price(on=date(2026, 10, 6)).cache_read == Decimal("0.2")
    assert price(on=date(2026, 10, 7)).cache_read == Decimal("0.1")
    assert price(on=date(2026, 9, 27)) is None


def test_upper_bound_is_no_less_than_any_way_to_bill_the_call():
    row = price()
    bound = prices.upper_bound(row, input_tokens=1000, output_tokens=100, one_hour=False)
    for usage in ((1000, 0, 0, 0, 100), (0, 1000, 0, 0, 100), (0, 0, 0, 1000, 100)):
        assert prices.cost(TokenUsage(*usage), row) <= bound
    hour = prices.upper_bound(row, input_tokens=1000, output_tokens=100, one_hour=True)
    assert prices.cost(TokenUsage(0, 0, 1000, 0, 100), row) <= hour


def test_every_reviewed_price_names_its_source():
    with prices.FILE.open() as file:
        rows = list(csv.DictReader(file))
    assert all(row["source"].startswith("https://platform.claude.com/") for row in rows)
    assert len({(row["model"], row["valid_from"]) for row in rows}) == len(rows)


def test_migrating_adds_missing_prices_and_keeps_what_an_operator_changed():
    ModelPrice.objects.filter(model="claude-haiku-5-5").delete()
    ModelPrice.objects.filter(model="claude-sonnet-5-5").update(input=Decimal("9"))
    call_command("migrate", verbosity=0)
    assert price("claude-haiku-5-5").input == Decimal("0.1")
    assert price().input == Decimal("9")


@pytest.mark.parametrize(
    ("model", "day", "problem"),
    [
        ("claude-sonnet-5-5", "2026-11-22", None),
        ("claude-sonnet-4-5", "2026-11-22", "usage.W001"),
        ("claude-sonnet-4-5", "2026-11-30", "usage.E002"),
        ("claude-sonnet-4-5-20250929", "2026-12-24", "usage.E002"),
        ("claude-imaginary", "2026-11-22", "usage.E001"),
    ],
)
def test_a_retired_or_unpriced_model_is_refused_at_start(
    settings, monkeypatch, model, day, problem
):
    settings.ANTHROPIC_MODEL = model
    monkeypatch.setattr("usage.checks.timezone.localdate", lambda: date.fromisoformat(day))
    assert [message.id for message in check_models()] == ([problem] if problem else [])
    if problem and "E" in problem:
        with pytest.raises(ImproperlyConfigured, match=model):
            require_usable_models()
    else:
        require_usable_models()


def test_fallback_models_are_checked_too(settings):
    settings.ANTHROPIC_FALLBACK_MODELS = ["claude-imaginary"]
    assert [message.id for message in check_models()] == ["usage.E001"]


def test_a_price_from_the_admin_makes_a_model_usable(settings):
    row = price()
    row.pk, row.model = None, "claude-future-6"
    row.save()
    settings.ANTHROPIC_MODEL = "claude-future-6"
    (warning,) = check_models()
    assert warning.id == "usage.W002"  # usable, though nobody wrote down what it takes


def test_a_model_that_cannot_run_where_it_should_is_refused_at_start(settings):
    settings.ANTHROPIC_FALLBACK_MODELS = ["claude-haiku-4-5"]
    settings.ANTHROPIC_INFERENCE_GEO = "us"
    assert [message.id for message in check_models()] == ["usage.E003"]
