"""Files that are no documents, on the page."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.factories.caf import caf_file
from tests.factories.certificado import PASSWORD, key_store
from tests.factories.respuesta import mail_text
from tests.integration.chat.conftest import Visitor

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def test_other_files_are_shown_for_what_they_are_and_asked_for_what_they_need(
    visitor: Visitor, tmp_path: Path
) -> None:
    (tmp_path / "folios.xml").write_bytes(caf_file())
    (tmp_path / "firma.pfx").write_bytes(key_store())
    visitor.arrive()
    page = visitor.page
    page.get_by_role("tab", name="Validar DTE").click()
    page.set_input_files("#file", tmp_path / "folios.xml")
    expect(page.get_by_role("heading", name="CAF vencido")).to_be_visible()
    expect(page.locator(".summary")).to_contain_text("1 a 50")
    page.get_by_label("Folios ya usados").fill("1-20, 25")
    page.get_by_role("button", name="Revisar con esto").click()
    expect(page.locator(".summary")).to_contain_text("29 de 50")
    page.get_by_role("button", name="Validar otro documento").click()
    page.set_input_files("#file", tmp_path / "firma.pfx")
    page.get_by_label("Clave del certificado").fill(PASSWORD)
    page.get_by_role("button", name="Revisar con esto").click()
    expect(page.locator(".summary")).to_contain_text("9.876.543-3")
    page.get_by_role("button", name="Validar otro documento").click()
    page.get_by_role("button", name="Pegar texto").click()
    page.get_by_label("XML, JSON, o la respuesta").fill(mail_text("RSC", []))
    page.get_by_role("button", name="Validar", exact=True).click()
    expect(page.get_by_role("heading", name="Rechazado por el SII")).to_be_visible()
