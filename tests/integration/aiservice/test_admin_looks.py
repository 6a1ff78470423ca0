"""Every page of the admin and the API's, as somebody sees it who reads with a keyboard or by ear.

axe-core finds nothing serious on any of them on a phone in the dark, nor on the pages of their own kind
at a desk in the light, and no page scrolls sideways. Set ``SCREENSHOTS`` to a directory to look at them.
"""

import os
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest
from auditlog.models import LogEntry
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone
from model_bakery import baker
from playwright.sync_api import Page, ViewportSize, expect

from chat.models import Conversation, Message
from dte.models import RaisedCode, Validation
from knowledge.models import (
    DocumentVersion,
    Evaluation,
    Expression,
    Question,
    SiiNotice,
    SiiSnapshot,
    SiiSource,
)
from tests.accessibility import barriers
from tests.integration.chat.conftest import tab  # noqa: F401  # a fixture
from tests.integration.conftest import RunningService
from tests.integration.owner import NAME, create_owner, log_in
from usage.models import ApiKey, Budget, BudgetWindow, ModelPrice, Operation, Outcome, UsageRecord
from usage.money import from_pico

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
# How much wider a list is than the box that it scrolls in.
HIDDEN: Final = """() => {
  const list = document.querySelector("#result_list");
  for (let box = list?.parentElement; box; box = box.parentElement)
    if (getComputedStyle(box).overflowX !== "visible") return box.scrollWidth - box.clientWidth;
  return 0;
}"""
# Links in the header that take more than one line.
BROKEN: Final = """() => [...document.querySelectorAll("nav.exports a")].filter((link) => {
  const text = document.createRange();
  text.selectNodeContents(link);
  return text.getClientRects().length > 1;
}).map((link) => link.textContent)"""
DESK: Final[ViewportSize] = {"width": 1280, "height": 800}
OTHERS = ["/admin/", "/admin/?dias=90", "/admin/usage/usagerecord/", "/admin/usage/budget/gasto/", "/admin/dte/validation/estadisticas/",
          "/admin/knowledge/document/try/?q=folios", "/api/docs/"]  # fmt: skip


def calls(key: ApiKey, days: int = 40) -> list[UsageRecord]:
    """Some calls of every day, of every kind."""
    price = ModelPrice.objects.current("claude-sonnet-5-5", timezone.localdate())
    made = []
    for number in range(days * 3):
        operation = Operation.values[number % len(Operation.values)]
        outcome = Outcome.values[number % len(Outcome.values)]
        moment = timezone.now() - timedelta(hours=8 * number)
        made.append(
            UsageRecord(
                api_key=key, operation=operation, model="claude-sonnet-5-5", price=price, state="settled",
                outcome=outcome, started_at=moment, settled_at=moment, latency_ms=2300 + number,
                first_token_ms=640, input_tokens=1200, cache_read_tokens=21_000, output_tokens=450,
                total_tokens=22_650, cost_usd=from_pico(9_000_000_000 + number * 10**6),
                usage_complete=outcome != Outcome.SWEPT, request_id=f"solicitud-{number}",
            )
        )  # fmt: skip
    return UsageRecord.objects.bulk_create(made)


@pytest.fixture
def furnished(transactional_db: None) -> None:
    """Something on every page."""
    owner = create_owner()
    Group.objects.create(name="Turno de noche")
    key = ApiKey.objects.issue(name="Papelera Los Aromos SpA, Odoo de producción")[0]
    records = calls(key)
    Budget.objects.create(api_key=key, period="month", limit_usd=Decimal("25.50"))
    baker.make(BudgetWindow, api_key=key, period="day", starts_on=timezone.localdate())
    conversation = Conversation.objects.create(
        api_key=key,
        session_id="odoo-4711",
        specialist="l10n_cl_dte",
        user_context={"module": "account"},
    )
    for number in range(60):
        question = Message.objects.create(
            conversation=conversation, role="user", content="¿Cómo anulo la factura 4711?"
        )
        Message.objects.create(
            conversation=conversation, role="assistant", reply_to=question, usage=records[number],
            content="Con una **nota de crédito** [1].\n\n1. Abra la factura\n2. `Agregar nota`\n\n"
            "| código | qué |\n|---|---|\n| 1 | anula |", specialist="l10n_cl_dte",
            llm_used="anthropic", confidence=0.87, grounding=0.5, rating="up" if number % 2 else "",
            cut=number == 3, citations=[{"title": "Notas de crédito", "url": "/x"}],
        )  # fmt: skip
    finding = {
        "code": "TOT-04", "severity": "review", "path": "Encabezado/Totales/IVA", "line": 2, "values": {},
        "message": "El IVA es 180 y el neto por la tasa da 190.", "fix": "IVA = neto × 19 %.", "source": "F2.2",
    }  # fmt: skip
    for number in range(60):
        one = Validation.objects.create(
            api_key=key, usage=records[number], mode="emission", form="xml", digest="a" * 64, tipo=33,
            folio=str(1000 + number), issuer="76192083-9", receiver="77120455-4", total=Decimal(1190000),
            recommendation=Validation.Recommendation.values[number % 3], confidence=98, findings=[finding],
            document=b"<DTE>\n<IVA>180</IVA>\n</DTE>", outcome=["", "accepted", "rejected"][number % 3],
        )  # fmt: skip
        RaisedCode.objects.create(validation=one, code="TOT-04", severity="review")
    baker.make(DocumentVersion, title="Folios", body="## Uso\n\nUn folio.", document__title="Folios",
                         document__slug="folios", document__body="## Uso", document__module="dte", module="dte")  # fmt: skip
    Question.objects.create(text="¿Qué pasa si el folio venció?", module="dte", not_found=3)
    baker.make(Evaluation, hit_1=0.9, hit_5=0.989, mrr=0.95, worst=[], questions=1234)
    baker.make(Expression)
    source = baker.make(SiiSource, name="Circulares", slug="prueba", url="https://www.sii.cl/x")
    before, after = baker.make(SiiSnapshot, _quantity=2, source=source, text="texto")
    baker.make(
        SiiNotice, source=source, before=before, after=after, diff="+ línea", summary="Cambió el formato",
        links=[], dates=[], dte_types=[33], components=[], actions=["Revisar"], rules=[], documents=[],
        url="https://www.sii.cl/x",
    )  # fmt: skip
    for model in (AccessAttempt, AccessLog, AccessFailureLog):
        baker.make(
            model,
            username=NAME,
            ip_address="192.0.2.7",
            user_agent="Firefox",
            path_info="/admin/",
        )
    LogEntry.objects.log_create(
        owner,
        force_log=True,
        action=LogEntry.Action.UPDATE,
        changes={"email": ["a@example.cl", "b@example.cl"]},
    )


def addresses() -> list[str]:
    """Return the lists, forms and pages of the admin, each with something on it."""
    found = list(OTHERS)
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        found.append(reverse(f"{name}_changelist"))
        if (first := model._default_manager.first()) is not None:
            found.append(reverse(f"{name}_change", args=[first.pk]))
        found.append(reverse(f"{name}_add"))
    return found


@pytest.fixture
def pages(furnished: None) -> list[str]:
    """Read the addresses before the browser's event loop hides the database from us."""
    return addresses()


def test_nothing_keeps_anybody_from_reading_a_page(
    service: RunningService,
    pages: list[str],
    tab: Page,  # noqa: F811  # the fixture
) -> None:
    log_in(tab, service.url)
    found = {}
    # From narrow to wide, never back: a chart is drawn anew only some time after the page got narrower.
    for scheme, sizes, paths in (("dark", [PHONE, DESK], pages), ("light", [DESK], OTHERS)):
        tab.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        for path in paths:
            tab.set_viewport_size(sizes[0])
            answer = tab.goto(f"{service.url}{path}")
            assert answer is not None
            if answer.status == 403 and path.endswith("/add/"):
                continue  # nothing is added there
            assert answer.status == 200, path
            if path == "/api/docs/":
                expect(tab.locator(".opblock").first).to_be_visible()
            if bad := barriers(tab) + too_wide(tab, sizes, f"{path}-{scheme}"):
                found[f"{path} {scheme}"] = bad
    assert not found, "\n".join(f"{page}\n  " + "\n  ".join(bad) for page, bad in found.items())


def too_wide(page: Page, sizes: list[ViewportSize], name: str) -> list[str]:
    """Say at which widths a page or at the last its list scrolls sideways, or its header breaks; a directory may get pictures."""
    found = []
    for size in sizes:
        page.set_viewport_size(size)
        if directory := os.environ.get("SCREENSHOTS"):
            file = name.strip("/").translate(str.maketrans("/?", "__"))
            page.screenshot(path=str(Path(directory, f"{file}-{size['width']}.png")))
        if (wider := page.evaluate("document.documentElement.scrollWidth - innerWidth")) > 0:
            found.append(f"{wider} px wider than {size['width']}")
        if broken := page.evaluate(BROKEN):
            found.append(f"{broken} break at {size['width']}")
    if (hidden := page.evaluate(HIDDEN)) > 0:
        found.append(f"{hidden} px of the list are out of sight")
    return found
