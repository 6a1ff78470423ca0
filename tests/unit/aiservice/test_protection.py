"""Django's own protection, which runs on the event loop: headers, HTTPS, frames, forms."""

import pytest
from django.core.checks import Tags, run_checks
from django.test import AsyncClient, Client

pytestmark = pytest.mark.unit

HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@pytest.mark.parametrize("path", ["/", "/live", "/api/usage", "/admin/login/", "/nothing"])
async def test_every_answer_carries_the_headers(path):
    response = await AsyncClient().get(path)
    assert {name: response.headers[name] for name in HEADERS} == HEADERS


async def test_pages_move_to_https_and_stay_there(settings):
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 60
    moved = await AsyncClient().get("/admin/login/")
    assert moved.status_code == 301
    assert moved.headers["Location"] == "https://testserver/admin/login/"
    secure = await AsyncClient().get("/admin/login/", secure=True)
    assert secure.headers["Strict-Transport-Security"].startswith("max-age=60")
    assert (await AsyncClient().get("/api/usage")).status_code == 401  # a machine is not redirected


async def test_a_form_needs_its_token():
    client = AsyncClient(enforce_csrf_checks=True)
    refused = await client.post("/")
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")
    client.cookies["csrftoken"] = "a" * 32
    accepted = await client.post("/", {"csrfmiddlewaretoken": "a" * 32})
    assert accepted.status_code == 405  # the page has no forms, but the token is in order


async def test_a_call_of_the_api_needs_none():
    refused = await AsyncClient(enforce_csrf_checks=True).post("/api/chat/message")
    assert refused.json()["code"] == "not_authenticated"


def test_a_synchronous_server_has_it_too():
    assert Client().get("/").headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    ("setting", "off", "warning"),
    [
        ("SECURE_HSTS_SECONDS", 0, "aiservice.W001"),
        ("SECURE_SSL_REDIRECT", False, "aiservice.W002"),
    ],
)
def test_a_deployment_is_warned_of_what_is_off(settings, setting, off, warning):
    settings.SECURE_HSTS_SECONDS, settings.SECURE_SSL_REDIRECT = 60, True
    assert warning not in warnings()
    setattr(settings, setting, off)
    assert warning in warnings()


def warnings():
    return {found.id for found in run_checks(tags=[Tags.security], include_deployment_checks=True)}
