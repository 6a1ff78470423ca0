"""Browsers of other sites: who is allowed, what a visitor's token opens, and the widget on a real page."""

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, expect
from rest_framework.test import APIClient
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from tests import servers
from tests.integration.conftest import StartService
from tests.widget_site import site
from usage.models import ApiKey

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

SITE = "https://erp.example.cl"
TOKEN = "/api/chat/widget/token"


@pytest.fixture
def allowed(settings: Any) -> None:
    settings.ALLOWED_ORIGINS = settings.CORS_ALLOWED_ORIGINS = [SITE]


def visitor(client: APIClient, **data: Any) -> APIClient:
    answer = client.post(TOKEN, data, format="json").json()
    assert answer["expires_in"] > 0
    visiting = APIClient()
    visiting.credentials(HTTP_AUTHORIZATION=f"Bearer {answer['token']}")
    return visiting


def ask(client: APIClient, **data: Any) -> Any:
    return client.post("/api/chat/message", {"message": "Hola", **data}, format="json")


def sessions(client: APIClient) -> list[str]:
    return [row["session_id"] for row in client.get("/api/chat/conversations").json()["results"]]


@pytest.mark.parametrize(("origin", "let_in"), [(SITE, True), ("https://otro.example", False)])
def test_a_preflight_is_answered_to_the_sites_that_are_allowed(
    allowed: None, client: Client, origin: str, let_in: bool
):
    answer = client.options(
        "/api/chat/message",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
        },
    )

    assert answer.status_code == 200
    assert (answer.headers.get("Access-Control-Allow-Origin") == origin) is let_in
    if let_in:
        assert "idempotency-key" in answer.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_an_answer_may_be_read_by_the_site(allowed: None, api_client: APIClient):
    answer = api_client.get("/api/chat/conversations", HTTP_ORIGIN=SITE)
    refused = APIClient().get("/api/chat/conversations", HTTP_ORIGIN=SITE)

    assert answer.headers["Access-Control-Allow-Origin"] == SITE
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == SITE


def test_the_page_may_be_framed_by_the_sites_alone(settings: Any, client: Client):
    settings.ALLOWED_ORIGINS = []
    closed = client.get("/").headers
    settings.ALLOWED_ORIGINS = [SITE]
    opened = client.get("/").headers

    assert "frame-ancestors 'none'" in closed["Content-Security-Policy"]
    assert closed["X-Frame-Options"] == "DENY"
    assert f"frame-ancestors {SITE}" in opened["Content-Security-Policy"]
    assert "X-Frame-Options" not in opened


def test_a_visitor_sees_his_own_conversations_alone(api_client: APIClient):
    ana, beto = visitor(api_client, end_user="ana"), visitor(api_client, end_user="beto")
    assert ask(ana, session_id="de-ana").status_code == 200
    assert ask(api_client, session_id="del-erp").status_code == 200

    assert sessions(ana) == ["de-ana"]
    assert sessions(beto) == []
    assert set(sessions(api_client)) == {"de-ana", "del-erp"}
    for session in ("de-ana", "del-erp"):
        for refused in (
            ask(beto, session_id=session),
            beto.get(f"/api/chat/session/{session}"),
            beto.get(f"/api/chat/session/{session}/events"),
            beto.post(f"/api/chat/session/{session}/stop"),
            beto.delete(f"/api/chat/session/{session}"),
        ):
            assert refused.status_code == 404, (session, refused.content)
    assert sessions(visitor(api_client, end_user="ana")) == ["de-ana"]
    assert ask(ana, session_id="otra", end_user="beto").status_code == 200
    assert sessions(beto) == []


def test_a_token_opens_the_chat_and_nothing_else(api_client: APIClient):
    visiting = visitor(api_client)

    assert ask(visiting).status_code == 200
    assert visiting.get("/api/chat/knowledge/search", {"query": "folios"}).status_code == 200
    assert visiting.post(TOKEN, {}, format="json").status_code == 403
    assert visiting.get("/api/usage").status_code == 403
    assert visiting.post("/api/dte/validate", {}, format="json").status_code == 403


def test_a_token_ends_with_its_time_and_with_its_key(
    api_client: APIClient, api_key: tuple[ApiKey, str], settings: Any
):
    visiting = visitor(api_client)
    settings.CHAT_TOKEN_SECONDS = -1
    late = ask(visiting)
    settings.CHAT_TOKEN_SECONDS = 60
    api_key[0].revoke()

    assert late.status_code == ask(visiting).status_code == 401


@pytest.mark.parametrize("token", ["wt_", "wt_x", "wt_a.b.c", "wt_" + "x" * 700])
def test_what_is_no_token_is_refused(token: str, db: None):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")

    assert ask(client).status_code == 401


@pytest.mark.django_db(transaction=True)
def test_a_socket_opens_to_the_sites_that_are_allowed_and_takes_a_token(
    start_service: StartService, api_client: APIClient
):
    token = api_client.post(TOKEN, {}, format="json").json()["token"]
    service = start_service(ALLOWED_HOSTS="127.0.0.1", ALLOWED_ORIGINS=SITE)
    address = service.url.replace("http", "ws", 1) + "/ws/chat/"
    protocols = [Subprotocol("aiservice.bearer"), Subprotocol(token)]

    async def open_from(origin: str) -> str:
        async with connect(address, origin=Origin(origin), subprotocols=protocols) as socket:
            await socket.send('{"message": "Hola"}')
            return str(json.loads(await socket.recv())["type"])

    assert asyncio.run(open_from(SITE)) == "text"
    with pytest.raises(InvalidStatus) as refused:
        asyncio.run(open_from("https://otro.example"))
    assert refused.value.response.status_code == 403


@pytest.fixture
def page_of_a_site(start_service: StartService, secret: str) -> Iterator[str]:
    """The address of another site's page with the widget on it."""
    port = servers.free_port()
    address = f"http://127.0.0.1:{port}"
    # By name: to the browser it is another site than the page's.
    service = start_service(ALLOWED_ORIGINS=address)
    host = site(service.url.replace("127.0.0.1", "localhost"), secret, port)
    threading.Thread(target=host.serve_forever, daemon=True).start()
    yield address
    host.shutdown()
    host.server_close()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_widget_answers_on_the_page_of_another_site(page_of_a_site: str, tab: Page):
    tab.goto(page_of_a_site)
    tab.get_by_role("button", name="Asistente").click()
    chat = tab.frame_locator("iframe[title='Asistente']")
    question = chat.get_by_label("Su pregunta")
    while not chat.locator("#turns > li").count():  # until the frame's scripts have taken over
        question.fill("¿Cuánto duran los folios de un CAF?")
        question.press("Enter")
        tab.wait_for_timeout(500)

    # The service of this test has no knowledge and no model.
    expect(chat.get_by_text("No encontré nada")).to_be_visible()
    tab.get_by_role("button", name="Asistente").click()
    expect(tab.locator("iframe")).to_be_hidden()
