"""The owner of the bill at the admin, in a real browser, in front of the really running service."""

from decimal import Decimal

import httpx2
import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from tests import servers
from tests.integration.chat.conftest import tab  # noqa: F401  # a fixture
from tests.integration.conftest import RunningService
from tests.integration.owner import create_owner, log_in
from usage.models import ApiKey, BudgetWindow

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
def spender(transactional_db: None) -> tuple[int, str]:
    """A key that has spent 25.49 today, and somebody who may log in."""
    create_owner()
    key, secret = ApiKey.objects.issue(name="gastadora")
    BudgetWindow.objects.create(
        api_key=key, period="day", starts_on=timezone.localdate(), spent_usd=Decimal("25.49")
    )
    return key.pk, secret


def ask(service: RunningService, secret: str, path: str = "/api/usage") -> httpx2.Response:
    headers = {"Authorization": f"Bearer {secret}"}
    return httpx2.get(service.url + path, headers=headers, trust_env=False)


def test_a_key_is_made_rotated_and_revoked(
    spender: tuple[int, str],
    service: RunningService,
    tab: Page,  # noqa: F811  # the fixture
) -> None:
    log_in(tab, service.url)
    tab.goto(f"{service.url}/admin/usage/apikey/add/")
    tab.locator("#id_name").fill("ERP")
    tab.locator("[name=_save]").click()
    first = tab.locator("[data-copy]").inner_text()
    expect(tab.get_by_role("button", name="Copiar")).to_be_visible()
    assert ask(service, first).status_code == 200

    tab.get_by_role("link", name="ERP", exact=True).click()
    key_page = tab.url
    tab.get_by_role("link", name="Rotar").click()
    tab.get_by_role("button", name="Rotar la clave").click()
    second = tab.locator("[data-copy]").inner_text()
    assert second != first
    assert [ask(service, one).status_code for one in (first, second)] == [200, 200]

    tab.goto(key_page)
    tab.get_by_role("link", name="Rotar").click()
    tab.get_by_label("La clave actual deja de servir").select_option(label="De inmediato")
    tab.get_by_role("button", name="Rotar la clave").click()
    third = tab.locator("[data-copy]").inner_text()
    assert [ask(service, one).status_code for one in (first, second, third)] == [401, 401, 200]

    tab.goto(key_page)
    tab.get_by_role("link", name="Revocar").click()
    tab.get_by_role("button", name="Revocar la clave").click()
    expect(tab.get_by_text("quedó revocada")).to_be_visible()
    refused = ask(service, third)
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_api_key")


def test_a_budget_of_25_50_is_edited_and_enforced(
    spender: tuple[int, str],
    service: RunningService,
    tab: Page,  # noqa: F811  # the fixture
) -> None:
    key, secret = spender
    log_in(tab, service.url)
    tab.goto(f"{service.url}/admin/usage/budget/add/?api_key={key}&period=day")
    tab.locator("#id_limit_usd").fill("30")
    tab.locator("[name=_save]").click()
    estimate = {"messages": [{"role": "user", "content": "Hola"}]}
    headers = {"Authorization": f"Bearer {secret}"}

    def appraise() -> dict[str, object]:
        url = f"{service.url}/api/usage/estimate"
        found: dict[str, object] = httpx2.post(
            url, json=estimate, headers=headers, trust_env=False
        ).json()
        return found

    assert appraise()["allowed"] is True
    tab.goto(f"{service.url}/admin/usage/budget/gasto/")
    tab.get_by_role("link", name="Clave gastadora").first.click()
    expect(tab.locator("#id_limit_usd")).to_have_value("30")
    tab.locator("#id_limit_usd").fill("25.50")
    tab.locator("[name=_save]").click()
    expect(tab).to_have_url(f"{service.url}/admin/usage/budget/")
    # The service reads limits anew every two seconds.
    servers.wait_until(lambda: appraise()["allowed"] is False, service.process)
    assert "de 25,50 USD" in str(appraise()["reason"])
