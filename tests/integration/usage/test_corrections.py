from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from tests.integration.usage.books import reservation, windows
from usage.accounting import ledger
from usage.accounting.corrections import correct
from usage.accounting.ledger import Settlement
from usage.models import ApiKey, Correction, Outcome, UsageRecord
from usage.tokens import TokenUsage

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

BILLED = TokenUsage(1000, 0, 0, 0, 100)


@pytest.fixture
def key():
    return ApiKey.objects.issue(name="acme")[0]


@pytest.fixture
def swept(key, settings, tmp_path):
    settings.STATE_DIR = tmp_path
    call = ledger.reserve(reservation(key))
    ledger.settle(call, Settlement(Outcome.SWEPT, cost_usd=call.held_usd, usage_complete=False))
    return UsageRecord.objects.get(pk=call.id)


def url(record):
    return f"/admin/usage/usagerecord/{record.pk}/change/"


def form(**changed):
    return {
        "input_tokens": 1000,
        "cache_write_5m_tokens": 0,
        "cache_write_1h_tokens": 0,
        "cache_read_tokens": 0,
        "output_tokens": 100,
        "reason": "exportación del 27-11",
        "corrections-TOTAL_FORMS": 0,
        "corrections-INITIAL_FORMS": 0,
        **changed,
    }


def test_a_swept_row_is_corrected_in_the_admin_and_the_budgets_follow(key, swept, admin_client):
    assert windows(key)[True, "day"] == (Decimal("0.01"), 0)
    page = admin_client.get(url(swept)).content.decode()
    assert 'name="output_tokens"' in page
    assert 'name="cost_usd"' not in page
    assert admin_client.post(url(swept), form()).status_code == 302
    swept.refresh_from_db()
    assert (swept.cost_usd, swept.total_tokens) == (Decimal("0.003"), 1100)
    assert (swept.usage_complete, swept.outcome) == (True, "swept")
    assert set(windows(key).values()) == {(Decimal("0.003"), Decimal(0))}
    kept = Correction.objects.get()
    assert (kept.corrected_by.username, kept.reason) == ("admin", "exportación del 27-11")
    assert (kept.cost_before_usd, kept.cost_after_usd) == (Decimal("0.01"), Decimal("0.003"))
    assert (kept.tokens_before["output_tokens"], kept.tokens_after["output_tokens"]) == (0, 100)
    page = admin_client.get(url(swept)).content.decode()  # and can be again
    assert "exportación del 27-11" in page
    assert "0,003" in page
    assert admin_client.post(url(swept), form(output_tokens=200)).status_code == 302
    assert windows(key)[False, "month"] == (Decimal("0.004"), 0)


def test_a_correction_needs_a_reason(swept, admin_client):
    assert admin_client.post(url(swept), form(reason=" ")).status_code == 200
    assert not Correction.objects.exists()


def test_what_the_provider_reported_cannot_be_corrected(key, admin_client):
    call = ledger.reserve(reservation(key))
    ledger.settle(call, Settlement(Outcome.ANSWERED, cost_usd=Decimal("0.002")))
    record = UsageRecord.objects.get()
    assert 'name="output_tokens"' not in admin_client.get(url(record)).content.decode()
    assert admin_client.post(url(record), form()).status_code == 403
    with pytest.raises(ValidationError):
        correct(record.pk, BILLED, reason="x", by=User.objects.get())


def test_an_open_row_cannot_be_corrected(key, admin_user):
    call = ledger.reserve(reservation(key))
    with pytest.raises(ValidationError):
        correct(call.id, BILLED, reason="x", by=admin_user)
