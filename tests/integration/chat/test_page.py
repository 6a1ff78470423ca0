"""The web page in a real browser against the really running service."""

import io
import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command
from django.template.loader import render_to_string
from playwright.sync_api import Page, expect

from chat.page import CONTENT_SECURITY_POLICY
from tests.fake_claude import FakeClaude, Script
from tests.integration.chat.conftest import Visitor
from tests.integration.conftest import StartService

pytestmark = [pytest.mark.integration, pytest.mark.slow]

CHAT = Path(__file__).parents[3] / "chat"
SAMPLES = CHAT / "static" / "chat" / "samples"
SHIPPED = CHAT.parent / "knowledge" / "documents"


@pytest.fixture
def knowledge(transactional_db: None, tmp_path: Path) -> None:
    """Three of the shipped documents: enough to answer from, and quickly loaded."""
    for name in ("nc-anular-factura.md", "folios-y-caf.md", "rechazos-y-reparos.md"):
        shutil.copy(SHIPPED / name, tmp_path)
    call_command("load_knowledge", path=[tmp_path], verbosity=0)


@pytest.fixture
def online_visitor(
    fake_claude: FakeClaude, start_service: StartService, secret: str, tab: Page
) -> Visitor:
    """A visitor of a service that has a model."""
    service = start_service(ANTHROPIC_BASE_URL=fake_claude.url, ANTHROPIC_API_KEY="sk-ant-test")
    return Visitor(tab, service.url, secret)


@pytest.fixture
def modules(tab: Page) -> Page:
    """The page's files without a service behind them, to try its modules one by one."""
    address = "http://page.example"
    policy = {"Content-Security-Policy": CONTENT_SECURITY_POLICY}
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
    fake_claude.say("Con una **nota de crédito** que la referencia [1].")
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
    answer.get_by_role("button", name="Fuente 1").click()
    title = "Anular una factura con nota de crédito, paso a paso"
    expect(page.locator("#passage-title")).to_have_text(title)
    expect(page.locator("#passage-text")).to_contain_text("CodRef")


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


def test_answer_is_rated_and_what_is_shown_is_what_the_service_keeps(
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
    up.click()
    expect(note).to_have_text("Gracias.")

    page.reload()
    expect(up).to_have_attribute("aria-pressed", "true")
    expect(down).to_have_attribute("aria-pressed", "false")
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
    visitor.ask("¿Qué es un CAF?")
    page.get_by_label("Clave", exact=True).fill("no-es-una-clave")
    page.get_by_role("button", name="Guardar").click()
    expect(page.locator("#key-reason.is-refusal")).to_be_visible()
    page.get_by_label("Clave", exact=True).fill(visitor.secret)
    page.get_by_role("button", name="Guardar").click()
    expect(page.locator(".source").first).to_be_visible()
    assert visitor.secret not in page.evaluate(
        "JSON.stringify([document.cookie, {...localStorage}])"
    )


def test_document_is_validated_and_its_findings_lead_to_their_lines_and_to_the_assistant(
    visitor: Visitor,
) -> None:
    visitor.arrive()
    page = visitor.page
    page.get_by_role("tab", name="Validar DTE").click()
    page.set_input_files("#file", SAMPLES / "factura-con-errores.xml")
    expect(page.get_by_role("heading", name="No enviar")).to_be_visible()
    expect(page.locator(".summary")).to_contain_text("1043")
    wrong_total = page.locator(".finding", has_text="MntTotal").first
    expect(wrong_total).to_contain_text("Cómo corregirlo")
    wrong_total.get_by_role("button", name=re.compile("Línea")).click()
    expect(page.locator(".source-line.is-shown")).to_contain_text("Mnt")
    wrong_total.get_by_role("button", name="Preguntar al asistente").click()
    expect(page.get_by_role("tab", name="Asistente")).to_have_attribute("aria-selected", "true")
    code = wrong_total.get_attribute("data-code") or ""
    expect(page.get_by_label("Su pregunta")).to_have_value(re.compile(re.escape(code)))


def test_received_document_is_judged_as_received_alone_or_in_a_batch(visitor: Visitor) -> None:
    visitor.arrive()
    page = visitor.page
    page.get_by_role("tab", name="Validar DTE").click()
    page.get_by_role("radio", name="Emitido por nosotros").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Recibido de un proveedor")).to_be_checked()
    expect(page.get_by_role("heading", name="Valide antes de aceptar")).to_be_visible()

    with page.expect_request("**/api/dte/validate?*") as judged:
        page.set_input_files("#file", SAMPLES / "factura-con-errores.xml")
    assert "mode=reception" in judged.value.url
    expect(page.get_by_role("heading", name="No aceptar", exact=True)).to_be_visible()

    page.get_by_role("button", name="Validar otro documento").click()
    batch = {"name": "mes.zip", "mimeType": "application/zip", "buffer": zipped("factura.xml")}
    with page.expect_request("**/api/dte/validate/batch?*") as judged:
        page.set_input_files("#file", files=[batch])
    assert "mode=reception" in judged.value.url
    expect(page.locator(".verdict")).to_contain_text("2 documentos. No aceptar: 1, En regla: 1.")
    expect(page.get_by_text("Archivo que no se pudo leer")).to_be_visible()


def test_received_document_is_compared_with_the_visitors_company(visitor: Visitor) -> None:
    visitor.arrive()
    page = visitor.page
    page.get_by_role("tab", name="Validar DTE").click()
    rut = page.get_by_label("RUT de su empresa")
    expect(rut).to_be_hidden()
    page.get_by_text("Recibido de un proveedor").click()
    sample = SAMPLES / "factura.xml"

    rut.fill("761920830")
    page.set_input_files("#file", sample)
    expect(page.locator("#receiver-problem")).to_contain_text("dígito verificador")
    expect(rut).to_be_focused()
    expect(page.locator("#result")).to_be_hidden()

    rut.fill("761920839")
    with page.expect_request("**/api/dte/validate?*") as judged:
        page.set_input_files("#file", sample)
    assert "receptor=76192083-9" in judged.value.url
    finding = page.locator('.finding[data-code="REC-02"]')
    expect(finding).to_contain_text("Qué puede hacer usted")
    expect(page.locator(".verdict-scope")).to_contain_text(
        "Las correcciones le corresponden al emisor"
    )

    page.reload()
    page.get_by_role("tab", name="Validar DTE").click()
    page.get_by_text("Recibido de un proveedor").click()
    expect(rut).to_have_value("76.192.083-9")
    with page.expect_request("**/api/dte/validate?*") as judged:
        page.get_by_role("button", name="factura correcta").click()
    assert "receptor" not in judged.value.url  # a sample is nobody's
    page.get_by_role("button", name="Validar otro documento").click()
    page.get_by_text("Emitido por nosotros").click()
    with page.expect_request("**/api/dte/validate?*") as judged:
        page.set_input_files("#file", sample)
    assert "receptor" not in judged.value.url


def zipped(sample: str) -> bytes:
    """A ZIP with one of the samples, and with a file that is no document."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(SAMPLES / sample, sample)
        archive.writestr("leeme.txt", "no es un documento")
    return packed.getvalue()


def test_document_may_be_a_sample_or_pasted_and_one_that_is_none_is_refused_in_words(
    visitor: Visitor,
) -> None:
    visitor.arrive()
    page = visitor.page
    page.get_by_role("tab", name="Validar DTE").click()
    page.get_by_role("button", name="factura correcta").click()
    expect(page.get_by_role("heading", name="Enviar", exact=True)).to_be_visible()
    expect(page.locator(".source-code")).to_contain_text("Papelera Los Aromos")
    page.get_by_role("button", name="Validar otro documento").click()
    page.get_by_role("button", name="Pegar texto").click()
    page.get_by_label("XML, JSON, o la respuesta").fill("<DTE><Documento>")
    page.get_by_role("button", name="Validar", exact=True).click()
    expect(page.locator(".finding", has_text="XML bien formado")).to_be_visible()


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
