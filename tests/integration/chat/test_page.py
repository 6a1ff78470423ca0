"""The web page in a real browser against the really running service."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.template.loader import render_to_string
from playwright.sync_api import Page, Route, expect

from chat.page import policy as page_policy
from tests.fake_claude import FakeClaude, Script
from tests.integration.chat.conftest import Visitor

pytestmark = [pytest.mark.integration, pytest.mark.slow]

CHAT = Path(__file__).parents[3] / "chat"


@pytest.fixture
def modules(tab: Page) -> Page:
    """The page's files without a service behind them, to try its modules one by one."""
    address = "http://page.example"
    policy = {"Content-Security-Policy": page_policy()}
    html = render_to_string("chat/page.html")
    tab.route(
        f"{address}/**",
        lambda route: route.fulfill(path=CHAT / urlsplit(route.request.url).path[1:]),
    )
    tab.route(
        f"{address}/",
        lambda route: route.fulfill(body=html, content_type="text/html", headers=policy),
    )
    tab.goto(f"{address}/")
    return tab


def test_answer_is_shown_as_it_is_written_may_be_stopped_and_cites_its_passages(
    knowledge: None, fake_claude: FakeClaude, online_visitor: Visitor
) -> None:
    fake_claude.then(Script(text="Se anula con una nota de crédito.", ending="stall", after=4))
    fake_claude.say(
        "Emita una **nota de crédito** (61) con una sola referencia a la factura [1]. "
        "El folio de la factura anulada no se recupera [1]."
    )
    online_visitor.arrive()
    page = online_visitor.page

    online_visitor.ask("¿Cómo anulo una factura?")
    answer = page.locator(".turn-answer").first
    expect(answer.locator(".prose")).to_contain_text("Se anula")  # the model has not finished
    expect(answer).to_have_attribute("aria-busy", "true")
    page.get_by_role("button", name="Detener la respuesta").click()
    expect(answer).to_contain_text("se detuvo antes de terminar")

    online_visitor.ask("¿Cómo anulo una factura con una nota de crédito?")
    answer = page.locator(".turn-answer").last
    expect(answer.locator("strong")).to_have_text("nota de crédito")
    expect(answer.locator(".turn-facts")).to_contain_text("tokens")
    expect(answer.locator(".source")).to_have_count(1)
    expect(answer.locator(".facts")).to_contain_text("con respaldo en las fuentes")
    expect(answer.locator(".facts")).to_contain_text("US$")
    answer.get_by_role("button", name="Fuente 1").first.click()
    title = "Anular una factura con nota de crédito, paso a paso"
    expect(page.locator("#passage-title")).to_have_text(title)
    expect(page.locator("#passage-text")).to_contain_text("CodRef")
    expect(page.locator("#passage-origin")).to_contain_text("Versión 1")
    official = page.get_by_role("link", name="Página oficial")
    expect(official).to_have_attribute("href", re.compile(r"^https://([a-z]+\.)*(sii|bcn)\.cl/"))
    page.get_by_role("button", name="Ver el documento completo").click()
    expect(page.locator("#passage-text h3").nth(1)).to_be_visible()


def test_answer_without_a_model_is_marked_and_the_conversation_survives_a_reload(
    knowledge: None, visitor: Visitor
) -> None:
    visitor.arrive()
    page = visitor.page
    expect(page).to_have_url(f"{visitor.url}/")  # the key has left the address bar
    page.get_by_role("button", name="¿Cómo anulo una factura").click()
    answer = page.locator(".turn-answer")
    expect(answer.locator(".source").first).to_be_visible()
    expect(answer.locator(".prose")).to_contain_text("nota de crédito", ignore_case=True)
    expect(answer.locator(".badge-offline")).to_contain_text("no hay un modelo configurado")
    expect(answer.locator(".turn-facts")).to_contain_text("Facturación electrónica (DTE)")
    expect(answer).not_to_have_attribute("aria-busy", "true")

    page.reload()
    expect(page.locator(".turn")).to_have_count(2)
    expect(page.locator(".source").first).to_be_visible()
    page.get_by_role("button", name="Nueva conversación").click()
    expect(page.locator(".turn")).to_have_count(0)
    expect(page.locator("#welcome")).to_be_visible()


def test_answer_is_rated_with_a_reason_which_can_be_undone(
    knowledge: None, visitor: Visitor
) -> None:
    visitor.arrive()
    page = visitor.page
    page.get_by_role("button", name="¿Cómo anulo una factura").click()
    up = page.get_by_role("button", name="Respuesta útil", exact=True)
    down = page.get_by_role("button", name="Respuesta no útil", exact=True)
    note = page.locator(".rating-note")
    expect(up).to_have_attribute("aria-pressed", "false")
    down.press("Space")
    expect(note).to_contain_text("anotada para revisión")
    expect(down).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Está incompleta").click()
    expect(note).to_contain_text("el motivo quedó anotado")

    page.reload()
    expect(down).to_have_attribute("aria-pressed", "true")
    down.click()
    expect(note).to_contain_text("Valoración retirada")
    up.click()
    expect(note).to_contain_text("Gracias.")
    page.route("**/feedback", lambda route: route.abort())
    down.click()
    expect(note).to_contain_text("No se guardó la valoración")
    expect(up).to_have_attribute("aria-pressed", "true")
    expect(down).to_have_attribute("aria-pressed", "false")


def test_visitor_without_a_valid_key_is_asked_for_one_and_then_answered(
    knowledge: None, visitor: Visitor
) -> None:
    visitor.arrive(with_key=False)
    page = visitor.page
    box = page.get_by_label("Su pregunta")
    visitor.ask("¿Qué es un CAF?")
    page.get_by_role("button", name="Cancelar").click()
    expect(box).to_have_value("¿Qué es un CAF?")  # nothing is lost by having no key at hand
    expect(box).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_label("Clave", exact=True).fill("no-es-una-clave")
    page.get_by_role("button", name="Guardar").click()
    expect(page.locator("#key-reason.is-refusal")).to_be_visible()
    page.get_by_label("Clave", exact=True).fill(visitor.secret)
    page.get_by_role("button", name="Guardar").click()
    expect(page.locator(".source").first).to_be_visible()
    assert visitor.secret not in page.evaluate(
        "JSON.stringify([document.cookie, {...localStorage}])"
    )

    page.get_by_role("button", name="Clave de API").click()
    page.get_by_label("Clave", exact=True).fill(visitor.secret)
    page.get_by_label("Recordar en este equipo").check()
    page.get_by_role("button", name="Guardar").click()
    other = page.context.new_page()
    other.goto(visitor.url)
    expect(other.locator(".conversation")).to_have_count(1)
    page.get_by_role("button", name="Clave de API").click()
    page.get_by_role("button", name="Olvidar clave").click()
    expect(page.locator(".turn")).to_have_count(0)
    expect(page.locator(".conversation")).to_have_count(0)


def test_a_late_refusal_of_the_key_before_asks_for_no_other(
    knowledge: None, visitor: Visitor
) -> None:
    visitor.arrive(with_key=False)
    page = visitor.page
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if held:
            route.continue_()
        held.append(route)

    page.route("**/api/chat/message/stream", hold_the_first)
    visitor.ask("¿Qué es un CAF?")
    page.get_by_label("Clave", exact=True).fill("no-es-una-clave")
    page.get_by_role("button", name="Guardar").click()
    expect(page.locator("#key-reason.is-refusal")).to_be_visible()  # of the list of conversations
    page.get_by_label("Clave", exact=True).fill(visitor.secret)
    page.get_by_role("button", name="Guardar").click()
    held[0].continue_()
    expect(page.locator(".source").first).to_be_visible()
    expect(page.locator("#key-dialog")).to_be_hidden()


RENDER = """async (source) => {
  const { renderMarkdown } = await import('/static/chat/js/markdown.js');
  const box = document.createElement('div');
  box.append(renderMarkdown(source));
  document.body.append(box);
  return box.innerHTML;
}"""


def test_markdown_of_an_answer_never_becomes_markup(modules: Page) -> None:
    hostile = (
        "<img src=x onerror=alert(1)> <script>alert(2)</script>\n\n"
        "[uno](javascript:alert(3)) ![dos](data:text/html,x) [tres](//sin-esquema.cl) "
        '<svg onload="alert(4)"> [cuatro](https://sii.cl/"onmouseover="alert(5))\n\n'
        "| <b>a</b> | b |\n|---|---|\n| `<i>` | <a href=javascript:x>x</a> |\n"
    )
    modules.evaluate(RENDER, hostile)
    box = modules.locator("body > div").last
    assert box.locator("img, script, svg, b, i, [onerror], [onload], [onmouseover]").count() == 0
    assert [link.get_attribute("href") for link in box.locator("a").all()] == [
        "https://sii.cl/%22onmouseover=%22alert(5)"
    ]


MARKDOWN = {
    "Uno **dos** *tres* `cuatro`": "<p>Uno <strong>dos</strong> <em>tres</em> <code>cuatro</code></p>",
    "1. a\n   - b\n2. c": "<ol><li>a<ul><li>b</li></ul></li><li>c</li></ol>",
    "> cita\n> sigue": "<blockquote><p>cita\nsigue</p></blockquote>",
    "```xml\n<IVA>1</IVA>\n```": "&lt;IVA&gt;1&lt;/IVA&gt;</code></pre>",
    "| a | b |\n|---|--:|\n| 1 | 2 |": '<td>1</td><td class="align-end">2</td>',
    "[SII](https://www.sii.cl/a_(b))": 'href="https://www.sii.cl/a_(b)"',
    "REF L[1]-3-758 y Detalle[3]": "<p>REF L[1]-3-758 y Detalle[3]</p>",
    "llm_usado_hoy 2 * 3 * 4": "<p>llm_usado_hoy 2 * 3 * 4</p>",
    "Según la ley [2].": 'data-cites="2"',
}


def test_markdown_is_shown_as_its_author_meant_it(modules: Page) -> None:
    for source, html in MARKDOWN.items():
        assert html in modules.evaluate(RENDER, source)


def test_events_are_read_wherever_the_network_cuts_them(modules: Page) -> None:
    events: list[dict[str, Any]] = [
        {"type": "text", "content": "Ñuñoa\n\n«facturación»"},
        {"type": "done", "metadata": {}},
    ]
    stream = ": \n\n" + "".join(
        f"data: {json.dumps(event, ensure_ascii=False)}\n\n" for event in events
    )
    assert modules.evaluate(READ_EVENTS, list(stream.encode())) == events


READ_EVENTS = """async (bytes) => {
  const { serverEvents } = await import('/static/chat/js/api.js');
  const body = new ReadableStream({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });
  const events = [];
  for await (const event of serverEvents(body)) events.push(event);
  return events;
}"""


def test_policy_of_the_page_allows_nothing_from_elsewhere(client: Any) -> None:
    response = client.get("/")
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert b"<script>" not in response.content
    assert b"style=" not in response.content
