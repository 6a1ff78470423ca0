"""The validation tab in a real browser against the really running service."""

import csv
import io
import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.documents import document, to_xml
from tests.factories import envelope, signed
from tests.integration.chat.conftest import Visitor
from tests.integration.conftest import RunningService, StartService

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SAMPLES = Path(__file__).parents[3] / "chat" / "static" / "chat" / "samples"


@pytest.fixture(scope="module")
def service(module_services: StartService) -> RunningService:
    """One service for all of these: it keeps nothing of one test that another would see."""
    return module_services(RATE_LIMIT_PER_MINUTE="0")


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
    expect(page.locator(".verdict")).to_contain_text(
        "1 documento y 1 archivo que no se pudo leer. No aceptar: 1, En regla: 1."
    )
    expect(page.locator(".document", has_text="Archivo que no se pudo leer")).to_be_visible()


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
    page.get_by_role("button", name="Validar otro documento").click()
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


def thirty_files() -> list[dict[str, object]]:
    """Ten envelopes of three, nineteen single invoices, and one that is nothing."""
    files = [(f"sobre-{n}.xml", envelope([signed(33)] * 3)) for n in range(10)]
    files += [
        (f"f-{n}.xml", to_xml(document(33, {"Encabezado/IdDoc/Folio": str(100 + n)})))
        for n in range(19)
    ]
    files.append(("leeme.txt", b"no es un documento"))
    return [{"name": name, "mimeType": "text/xml", "buffer": raw} for name, raw in files]


def test_thirty_files_are_one_batch_whose_numbers_agree_and_which_stays(visitor: Visitor) -> None:
    visitor.arrive("/?vista=validar")
    page = visitor.page
    page.set_input_files("#file", files=thirty_files())
    banner = page.locator(".verdict")
    expect(banner).to_contain_text("49 documentos y 1 archivo que no se pudo leer en 10 sobres.")
    shown = [
        int(text)
        for text in page.locator(
            ".documents:not([hidden]) .chip[data-verdict]:not(summary *)"
        ).all_inner_texts()
    ]
    told = [
        int(text) for text in re.findall(r": (\d+)[,.]", banner.inner_text().split("Códigos")[0])
    ]
    assert sorted(shown) == sorted([*told, 10])  # and the envelopes, apart
    assert sum(told) == 50

    page.get_by_label("Buscar entre los documentos").fill("f-18.xml")
    expect(page.locator(".document:visible")).to_have_count(1)
    expect(page.locator(".filter-count")).to_have_text("1 de 60")
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text), delimiter=";"))
    assert {row["Archivo"] for row in rows} >= {"sobre-0.xml", "f-0.xml", "leeme.txt"}
    assert {row["Quién actúa"] for row in rows} == {"Emisor"}

    page.reload()
    expect(banner).to_contain_text("49 documentos y 1 archivo que no se pudo leer en 10 sobres.")
    page.get_by_label("Buscar entre los documentos").fill("118")
    page.locator(".document:visible summary").click()
    expect(page.locator(".document:visible .summary")).to_contain_text("N° 118")


def test_result_is_in_the_address_and_in_the_history(visitor: Visitor) -> None:
    visitor.arrive()
    page = visitor.page
    page.get_by_role("tab", name="Validar DTE").click()
    page.set_input_files("#file", SAMPLES / "factura-con-errores.xml")
    expect(page.locator(".source-code")).to_be_visible()
    address = page.url
    page.get_by_role("button", name="Validar otro documento").click()
    page.go_back()
    expect(page.locator(".source-code")).to_be_visible()  # as it was, with its document
    assert page.url == address
    page.reload()
    expect(page.get_by_role("heading", name="No enviar")).to_be_visible()
    expect(page.locator(".summary")).to_contain_text("76.543.210-3")

    page.get_by_role("button", name="Validar otro documento").click()
    page.get_by_role("button", name="Validaciones anteriores").click()
    page.get_by_label("Folio").fill("1043")
    page.get_by_role("button", name="Buscar").click()
    row = page.locator(".history-table tbody tr")
    expect(row).to_contain_text("76.543.210-3")
    row.get_by_role("button").click()
    expect(page.get_by_role("heading", name="No enviar")).to_be_visible()
    for _ in range(2):
        page.go_back()
    expect(page.locator("#drop")).to_be_visible()


def test_a_validation_on_its_way_is_seen_and_can_be_cancelled(visitor: Visitor) -> None:
    visitor.arrive("/?vista=validar")
    page = visitor.page
    held = []
    page.route("**/api/dte/validate?*", lambda route: held.append(route))  # never answered
    page.set_input_files("#file", SAMPLES / "factura.xml")
    expect(page.locator("#busy", has_text="Validando factura.xml…")).to_be_visible()
    page.get_by_role("button", name="Cancelar").click()
    expect(page.locator("#busy")).to_be_hidden()
    page.unroute("**/api/dte/validate?*")
    page.set_input_files("#file", SAMPLES / "factura.xml")
    expect(page.locator(".verdict")).to_be_visible()


def test_an_envelope_is_filtered_and_printed_whole(visitor: Visitor) -> None:
    visitor.arrive("/?vista=validar")
    page = visitor.page
    wrong = {"Encabezado/Totales/IVA": "1"}
    raw = envelope([signed(33, wrong), *([signed(33)] * 7)])
    page.set_input_files(
        "#file", files=[{"name": "envio.xml", "mimeType": "text/xml", "buffer": raw}]
    )
    expect(page.locator(".document")).to_have_count(8)
    page.get_by_label("Buscar entre los documentos").fill("TOT-")
    expect(page.locator(".document:visible")).to_have_count(1)
    page.get_by_label("Buscar entre los documentos").fill("")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(page.locator(".document[open] .summary")).to_have_count(8)
