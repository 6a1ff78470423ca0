"""Passwords tried on the admin, over HTTP."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User

from tests.integration.conftest import RunningService, StartService

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

ATTEMPTS = {"ADMIN_LOGIN_FAILURES": "3", "TRUSTED_PROXIES": "1", "LOG_LEVEL": "INFO"}


@pytest.fixture(scope="module")
def service(module_services: StartService) -> RunningService:
    """One service for all of these: what it knows of attempts is in the database."""
    return module_services(**ATTEMPTS)


@pytest.fixture
def logged(service: RunningService) -> Callable[[], str]:
    """What the service has logged since the test began."""
    before = len(service.log.read_text())
    return lambda: service.log.read_text()[before:]


@pytest.fixture
def admin(transactional_db: None) -> User:
    return User.objects.create_superuser("jefa", password="la clave buena")


def attempt(service: RunningService, password: str, address: str = "192.0.2.1") -> int:
    """Send the admin's form, as a browser behind the proxy does."""
    headers = {"X-Forwarded-For": address}
    with httpx2.Client(base_url=service.url, headers=headers, timeout=30) as browser:
        page = browser.get("/admin/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        assert token
        form = {"username": "jefa", "password": password, "csrfmiddlewaretoken": token[1]}
        return browser.post("/admin/login/", data=form).status_code


def test_wrong_passwords_lock_an_address_out_and_no_other(
    service: RunningService, logged: Callable[[], str], admin: User
):
    wrong = [attempt(service, f"mala {number}") for number in range(5)]

    assert wrong == [200, 200, 429, 429, 429]
    assert attempt(service, "la clave buena") == 429
    assert attempt(service, "la clave buena", "192.0.2.2") == 302
    assert list(AccessAttempt.objects.values_list("ip_address", flat=True)) == ["192.0.2.1"]
    log = logged()
    assert log.count('"event": "login_failed"') == 3
    assert '"address": "192.0.2.1"' in log
    assert "jefa" not in log
    assert "mala" not in log


def test_many_at_once_try_no_more_passwords_than_one_after_the_other(
    service: RunningService, logged: Callable[[], str], admin: User
):
    with ThreadPoolExecutor(20) as pool:
        codes = list(pool.map(lambda number: attempt(service, f"mala {number}"), range(40)))

    assert set(codes) <= {200, 429}
    assert logged().count('"event": "login_failed"') <= 3


def test_an_address_of_ipv6_is_counted_by_its_network(service: RunningService, admin: User):
    codes = [attempt(service, "mala", f"2001:db8::{number}") for number in range(4)]

    assert codes == [200, 200, 429, 429]
    assert AccessAttempt.objects.get().ip_address == "2001:db8::"
