"""Somebody of finance at the ledger: looks, filters, takes it along, corrects an estimate."""

import csv
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from tests.integration.chat.conftest import tab  # noqa: F401  # the browser of the chat's tests
from tests.integration.conftest import RunningService
from tests.integration.owner import create_owner, log_in
from usage.models import ApiKey, ModelPrice, UsageRecord

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SWEPT = 3


@pytest.fixture
def ledger(transactional_db: None) -> list[str]:
    """Calls of two months, three of which ended in a crash; the identifiers of these."""
    create_owner()
    key = ApiKey.objects.issue(name="Odoo de producción")[0]
    price = ModelPrice.objects.current("claude-sonnet-5-5", timezone.localdate())
    now = timezone.now()
    made = UsageRecord.objects.bulk_create(
        UsageRecord(
            api_key=key, operation="chat.reply", model=price.model, price=price, state="settled",
            outcome="swept" if number < SWEPT else "answered", usage_complete=number >= SWEPT,
            started_at=now - timedelta(hours=8 * number), settled_at=now, latency_ms=900,
            input_tokens=1000, output_tokens=100, total_tokens=1100, cost_usd=Decimal("0.003"),
        )
        for number in range(180)
    )  # fmt: skip
    return [str(record.pk) for record in made[:SWEPT]]


def test_an_owner_reads_filters_takes_along_and_corrects(
    service: RunningService,
    ledger: list[str],
    tab: Page,  # noqa: F811
    tmp_path: Path,
):
    log_in(tab, service.url)
    expect(tab.get_by_role("heading", name="Este mes", exact=True)).to_be_visible()
    expect(tab.locator("canvas.chart")).to_have_count(3)

    tab.get_by_role("link", name="Registros de uso").first.click()
    expect(tab.locator(".totals")).to_contain_text("180 llamadas")
    expect(tab.locator(".totals")).to_contain_text("USD 0,54")
    tab.get_by_role("link", name="Más antiguas").click()
    expect(tab.get_by_role("link", name="Más recientes")).to_be_visible()

    tab.goto(f"{service.url}/admin/usage/usagerecord/?outcome__exact=swept")
    expect(tab.locator("#result_list tbody tr")).to_have_count(SWEPT)
    with tab.expect_download() as download:
        tab.get_by_role("link", name="CSV").click()
    file = tmp_path / "uso.csv"
    download.value.save_as(file)
    with file.open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert sorted(row["id"] for row in rows) == sorted(ledger)
    assert {row["costo_usd"] for row in rows} == {"0.003"}

    tab.locator("#result_list tbody th a").first.click()
    expect(tab.get_by_text("es una estimación")).to_have_count(0)  # its tokens cost what it says
    tab.fill("input[name=output_tokens]", "1100")
    tab.fill("input[name=reason]", "Factura de noviembre")
    tab.get_by_role("button", name="Guardar", exact=True).click()
    expect(tab.locator("#result_list")).to_contain_text("0,013")
    tab.goto(f"{service.url}/admin/usage/usagerecord/")
    expect(tab.locator(".totals")).to_contain_text("USD 0,55")
