"""Somebody at the page, in a real browser, in front of the really running service."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from playwright.sync_api import ConsoleMessage, Page, expect, sync_playwright

from tests.fake_claude import FakeClaude
from tests.integration.conftest import RunningService, StartService
from usage.models import ApiKey

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
# Without a sandbox, because CI runs as root in a container; without anything that calls home.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SHIPPED = Path(__file__).parents[3] / "knowledge" / "documents"
expect.set_options(timeout=30_000)  # only a failing test waits so long; a busy machine may need it


@pytest.fixture
def secret(transactional_db: None) -> str:
    """The secret of a key, issued before the browser's event loop hides the database from us."""
    return ApiKey.objects.issue(name="navegador")[1]


@pytest.fixture
def tab() -> Iterator[Page]:
    """A browser tab that must find nothing to complain about, the content policy included."""
    if CHROMIUM is None:
        pytest.skip("no browser: install chromium (apt-get install chromium)")
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        # Chromium logs every 4xx answer itself; what the page makes of it is for the tests to see.
        if not message.text.startswith("Failed to load resource"):
            complaints.append(f"{message.type}: {message.text}")

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = browser.new_context(locale="es-CL", reduced_motion="reduce")
        tab = context.new_page()
        tab.on("console", hear)
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        yield tab
        browser.close()
    assert not complaints


class Visitor:
    """Somebody on the page of the running service."""

    def __init__(self, page: Page, url: str, secret: str) -> None:
        self.page = page
        self.url = url
        self.secret = secret

    def arrive(self, path: str = "/", *, with_key: bool = True) -> None:
        self.page.goto(f"{self.url}{path}" + (f"#key={self.secret}" if with_key else ""))

    def ask(self, question: str) -> None:
        self.page.get_by_label("Su pregunta").fill(question)
        self.page.keyboard.press("Enter")


@pytest.fixture
def visitor(service: RunningService, secret: str, tab: Page) -> Visitor:
    return Visitor(tab, service.url, secret)


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
