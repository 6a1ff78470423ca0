"""The page on a desk and on phones, light and dark: no barriers, nothing that scrolls sideways."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.accessibility import barriers
from tests.integration.chat.conftest import Visitor
from tests.integration.conftest import RunningService, StartService

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SAMPLES = Path(__file__).parents[3] / "chat" / "static" / "chat" / "samples"
LOOKS = [(1280, 800, "light"), (390, 844, "dark"), (320, 640, "light")]


@pytest.fixture(scope="module")
def service(module_services: StartService) -> RunningService:
    """One service for all sizes."""
    return module_services(RATE_LIMIT_PER_MINUTE="0")


@pytest.mark.parametrize(("width", "height", "scheme"), LOOKS)
def test_every_state_is_free_of_barriers_and_fits(
    visitor: Visitor, width: int, height: int, scheme: str
) -> None:
    page = visitor.page
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for state in states(visitor, narrow=width < 900):
        assert barriers(page) == [], state
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), state
        assert outside(page) == [], state


def test_what_is_read_stays_in_place_when_the_way_to_the_end_appears(visitor: Visitor) -> None:
    page = visitor.page
    page.set_viewport_size({"width": 320, "height": 400})
    visitor.arrive()
    visitor.ask("¿Cómo anulo una factura con una nota de crédito?")
    expect(page.locator(".turn-facts")).to_be_visible()
    height = page.locator("#chat-scroller").evaluate("(node) => node.clientHeight")
    to_end = page.get_by_role("button", name="Ir al final de la conversación")
    expect(to_end).to_be_visible()
    to_end.click()
    expect(to_end).to_be_hidden()
    assert page.locator("#chat-scroller").evaluate("(node) => node.clientHeight") == height


def states(visitor: Visitor, *, narrow: bool) -> Iterator[str]:
    """Walk through what somebody sees of the page."""
    page = visitor.page
    visitor.arrive()
    expect(page.get_by_role("heading", level=1)).to_have_text("Asistente DTE")
    yield "welcome"
    visitor.ask("¿Cómo anulo una factura con una nota de crédito?")
    expect(page.locator(".turn-facts")).to_be_visible()
    page.get_by_role("button", name="Respuesta no útil").click()
    expect(page.locator(".reasons")).to_be_visible()
    yield "answer"
    if narrow:
        page.get_by_role("button", name="Conversaciones").click()
    expect(page.locator(".conversation")).to_be_visible()
    page.locator(".menu summary").click()
    yield "conversations"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Clave de API").click()
    yield "key"
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Validar DTE").click()
    yield "intake"
    page.set_input_files("#file", SAMPLES / "factura-con-errores.xml")
    expect(page.locator(".verdict")).to_be_visible()
    for number in page.locator("button.source-gutter").all():
        box = number.bounding_box()
        assert box is not None
        assert box["height"] >= 24
    yield "report"
    page.get_by_role("button", name="Validar otro documento").click()
    page.get_by_role("button", name="Validaciones anteriores").click()
    expect(page.locator(".history-table tbody tr")).to_have_count(1)
    yield "history"


def outside(page: Page) -> list[str]:
    """Buttons of the header that are not wholly in view."""
    return [
        button.inner_text()
        for button in page.locator("header button:visible").all()
        if (box := button.bounding_box())
        and (box["x"] < 0 or box["x"] + box["width"] > page.evaluate("innerWidth"))
    ]
