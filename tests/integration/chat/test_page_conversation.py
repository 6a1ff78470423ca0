"""What people expect around an answer, in a real browser against the really running service."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.fake_claude import FakeClaude
from tests.fake_claude.server import ANSWER
from tests.integration.chat.conftest import Visitor
from tests.integration.conftest import RunningService, StartService
from tests.relay import Relay
from tests.servers import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SAMPLES = Path(__file__).parents[3] / "chat" / "static" / "chat" / "samples"
LONG = " ".join(f"La palabra {number} de la respuesta." for number in range(1, 41))
PAUSE = 0.05


@pytest.fixture(scope="module")
def claude() -> Iterator[FakeClaude]:
    server = FakeClaude()
    yield server
    server.stop()


@pytest.fixture
def fake_claude(claude: FakeClaude, service: RunningService) -> Iterator[FakeClaude]:
    """The local Claude, as if new."""
    claude.requests.clear()
    claude.say(ANSWER)
    yield claude
    claude.pause = 0
    claude.release()
    # So that nothing settles in the next test.
    wait_until(lambda: claude.open_streams == 0, service.process)


@pytest.fixture(scope="module")
def service(module_services: StartService, claude: FakeClaude) -> RunningService:
    """One service with a model for all of these."""
    return module_services(
        ANTHROPIC_BASE_URL=claude.url, ANTHROPIC_API_KEY="sk-ant-test", RATE_LIMIT_PER_MINUTE="0"
    )


@pytest.fixture
def visitor(fake_claude: FakeClaude, visitor: Visitor) -> Visitor:
    """Whoever visits finds the model as if new."""
    return visitor


@pytest.fixture
def relay(service: RunningService, visitor: Visitor) -> Iterator[Relay]:
    """The visitor's network, which can be cut."""
    relay = Relay(urlsplit(service.url).port or 80)
    visitor.url = relay.url
    yield relay
    relay.stop()


def shown(page: Page) -> list[tuple[str, str]]:
    """The conversation as it stands on the page."""
    return [
        (
            "question" if "turn-question" in (turn.get_attribute("class") or "") else "answer",
            turn.locator(".bubble, .prose").inner_text(),
        )
        for turn in page.locator(".turn").all()
    ]


def test_answer_goes_on_after_a_reload_and_after_a_loss_of_the_network(
    fake_claude: FakeClaude, visitor: Visitor, relay: Relay
) -> None:
    fake_claude.say(LONG)
    fake_claude.pause = PAUSE
    visitor.arrive()
    page = visitor.page
    visitor.ask("¿Qué es un CAF?")
    expect(page.locator(".turn-answer .prose")).to_contain_text("palabra 3 ")
    page.reload()
    expect(page.locator(".turn-answer .prose")).to_contain_text("palabra 12 ")
    expect(page.locator(".turn-answer")).to_have_attribute("aria-busy", "true")
    relay.cut()
    expect(page.locator(".turn-answer")).to_contain_text("Se perdió la conexión")
    relay.mend()
    expect(page.locator(".turn-facts")).to_be_visible()
    assert shown(page) == [("question", "¿Qué es un CAF?"), ("answer", LONG)]
    assert len(fake_claude.requests) == 1


def test_retry_after_a_long_loss_makes_no_second_copy(
    fake_claude: FakeClaude, visitor: Visitor, relay: Relay
) -> None:
    fake_claude.say("Un rango de folios que autoriza el SII.")
    visitor.arrive()
    page = visitor.page
    expect(page.locator("#conversations-status")).to_contain_text("Aquí quedan")
    page.clock.install()
    relay.cut()
    visitor.ask("¿Qué es un CAF?")
    for _ in range(12):  # the waits between its attempts
        page.clock.run_for(6_000)
        page.wait_for_timeout(50)
    expect(page.get_by_role("button", name="Reintentar")).to_be_visible()
    relay.mend()
    page.get_by_role("button", name="Reintentar").click()
    expect(page.locator(".turn-facts")).to_be_visible()
    page.reload()
    expect(page.locator(".turn-facts")).to_be_visible()
    assert [kind for kind, _ in shown(page)] == ["question", "answer"]


def test_last_turn_is_answered_anew_edited_stopped_and_continued(
    fake_claude: FakeClaude, visitor: Visitor
) -> None:
    fake_claude.say("Primera respuesta.")
    visitor.arrive()
    page = visitor.page
    visitor.ask("¿Qué es un CAF?")
    answer = page.locator(".turn-answer")
    expect(answer.locator(".turn-facts")).to_be_visible()
    fake_claude.say("Segunda respuesta.")
    page.get_by_role("button", name="Responder de nuevo").click()
    expect(answer.locator(".prose")).to_have_text("Segunda respuesta.")
    expect(answer.locator(".turn-facts")).to_be_visible()

    fake_claude.say(LONG)
    fake_claude.pause = PAUSE
    page.get_by_role("button", name="Editar la pregunta").click()
    page.get_by_label("Pregunta corregida").fill("¿Cuánto duran los folios?")
    page.get_by_role("button", name="Preguntar", exact=True).click()
    expect(answer.locator(".prose")).to_contain_text("palabra 2 ")
    page.get_by_role("button", name="Detener la respuesta").click()
    expect(answer).to_contain_text("se detuvo antes de terminar")
    cut = answer.locator(".prose").inner_text()
    fake_claude.say(" Y así termina.")
    page.get_by_role("button", name="Continuar la respuesta").click()
    expect(answer.locator(".prose")).to_contain_text("Y así termina.")
    expect(answer.locator(".turn-facts")).to_be_visible()
    assert answer.locator(".prose").inner_text().startswith(cut[:40])

    before = shown(page)
    page.reload()
    expect(answer.locator(".turn-facts")).to_be_visible()
    assert shown(page) == before
    assert [kind for kind, _ in before] == ["question", "answer"]


def test_conversations_are_listed_renamed_found_exported_and_deleted(visitor: Visitor) -> None:
    visitor.arrive()
    page = visitor.page
    visitor.ask("¿Qué es un CAF?")
    expect(page.locator(".turn-facts")).to_be_visible()
    page.get_by_role("button", name="Nueva conversación").click()
    visitor.ask("¿Cómo anulo una factura?")
    expect(page.locator(".turn-facts")).to_be_visible()
    items = page.locator(".conversation")
    expect(items).to_have_count(2)

    items.last.locator(".menu summary").click()
    items.last.get_by_role("button", name="Renombrar").click()
    page.get_by_label("Título").fill("Folios de enero")
    page.keyboard.press("Enter")
    named = items.filter(has_text="Folios de enero")
    expect(named).to_have_count(1)
    page.get_by_label("Buscar en las conversaciones").fill("enero")
    expect(items).to_have_count(1)
    items.locator(".conversation-open").click()
    expect(page.locator(".bubble")).to_have_text("¿Qué es un CAF?")

    items.locator(".menu summary").click()
    with page.expect_download() as download:
        items.get_by_role("button", name="Exportar (Markdown)").click()
    assert "¿Qué es un CAF?" in Path(download.value.path()).read_text()
    items.locator(".menu summary").click()
    items.get_by_role("button", name="Borrar").click()
    items.get_by_role("button", name="Borrar", exact=True).click()
    expect(items).to_have_count(0)
    expect(page.locator("#welcome")).to_be_visible()
    page.get_by_label("Buscar en las conversaciones").fill("")
    expect(items).to_have_count(1)


def test_xml_is_attached_to_a_question_and_other_files_are_validated(
    fake_claude: FakeClaude, visitor: Visitor
) -> None:
    visitor.arrive()
    page = visitor.page
    page.set_input_files("#attach-file", SAMPLES / "factura-con-errores.xml")
    expect(page.locator("#attachments")).to_contain_text("factura-con-errores.xml")
    visitor.ask("¿Qué le falta?")
    expect(page.locator(".turn-facts")).to_be_visible()
    sent = page.locator(".turn-question .attached")
    expect(sent).to_contain_text("con faltas")
    assert "ENC-06" in str(fake_claude.requests[-1])
    page.reload()
    expect(sent).to_contain_text("con faltas")

    ours = [{"name": "leeme.txt", "mimeType": "text/plain", "buffer": b"hola"}]
    page.set_input_files("#attach-file", files=ours)
    expect(page.get_by_role("tab", name="Validar DTE")).to_have_attribute("aria-selected", "true")
    expect(page.locator(".verdict")).to_be_visible()


def test_two_tabs_see_each_others_turns(visitor: Visitor) -> None:
    visitor.arrive()
    page = visitor.page
    visitor.ask("¿Qué es un CAF?")
    expect(page.locator(".turn-facts")).to_be_visible()
    other = page.context.new_page()
    second = Visitor(other, visitor.url, visitor.secret)
    second.arrive()
    other.locator(".conversation-open").click()
    expect(other.locator(".turn")).to_have_count(2)
    second.ask("¿Y cuánto dura?")
    expect(other.locator(".turn-facts")).to_have_count(2)
    expect(page.locator(".turn")).to_have_count(4)


def test_what_is_written_is_kept_and_never_cut(visitor: Visitor) -> None:
    visitor.arrive()
    page = visitor.page
    box = page.get_by_label("Su pregunta")
    expect(box).to_be_focused()
    page.keyboard.type("¿Qué es")
    page.reload()
    expect(box).to_have_value("¿Qué es")
    pasted = "x" * 12_345
    box.fill(pasted)
    expect(page.locator("#composer-length")).to_contain_text("12.345 caracteres")
    expect(page.get_by_role("button", name="Enviar pregunta")).to_be_disabled()
    expect(box).to_have_value(pasted)


def test_code_is_copied_where_the_browser_hides_its_clipboard(
    fake_claude: FakeClaude, visitor: Visitor
) -> None:
    page = visitor.page
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    fake_claude.say("Así:\n\n```xml\n<CodRef>1</CodRef>\n```\n")
    visitor.arrive()
    visitor.ask("¿Cómo anulo una factura?")
    expect(page.locator(".turn-facts")).to_be_visible()
    page.get_by_role("button", name="Copiar código").click()
    expect(page.get_by_role("button", name="Copiado")).to_be_visible()
    box = page.get_by_label("Su pregunta")
    box.focus()
    page.keyboard.press("Control+V")
    expect(box).to_have_value("<CodRef>1</CodRef>")


def test_a_model_that_says_nothing_is_spoken_of_after_ten_seconds(
    fake_claude: FakeClaude, visitor: Visitor
) -> None:
    fake_claude.delay_start()
    page = visitor.page
    page.clock.install()
    visitor.arrive()
    visitor.ask("¿Qué es un CAF?")
    answer = page.locator(".turn-answer")
    expect(answer).to_contain_text("Buscando en la base de conocimiento")
    page.clock.run_for(10_500)
    expect(answer).to_contain_text("Está tomando más de lo habitual")
    fake_claude.release()
    expect(answer.locator(".turn-facts")).to_be_visible()
    expect(answer).not_to_contain_text("Está tomando más de lo habitual")
