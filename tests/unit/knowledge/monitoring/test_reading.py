"""From bytes to lines: what is kept of a page, and what is noise."""

import io

import pytest

from knowledge.monitoring import noise
from knowledge.monitoring.comparing import compare, is_apology
from knowledge.monitoring.extracting import UnreadableError, extract

pytestmark = pytest.mark.unit

URL = "https://www.sii.cl/n/pagina.htm"


def text(markup: str) -> list[str]:
    return noise.lines(extract(markup.encode(), "text/html; charset=utf-8", URL))


@pytest.mark.parametrize(
    "line",
    [
        "Última actualización: 12/11/2026",
        "Actualizado el 3 de noviembre de 2026 a las 14:05 hrs.",
        "Santiago, viernes 27 de noviembre de 2026",
        "27-11-2026 10:33:21",
        "Hoy es lunes 3 de marzo",
        "Visitas: 12.345",
        "UF: $39.727,96",
        "UTM noviembre: $69.542",
        "© 2026 Servicio de Impuestos Internos",
        "Sesión: 8f14e45fceea167a",
        "Imprimir",
        "• | –",
    ],
)
def test_noise_says_nothing(line):
    assert noise.lines(line) == []


@pytest.mark.parametrize(
    "line",
    [
        "Vigencia: a contar del 1 de mayo de 2026",
        "Circular N° 45 | 12-06-2026",
        "Fecha de entrada en vigencia: 1 de marzo de 2027",
        "Plazo: 30-11-2026",
        "El dólar observado se usa para convertir el total.",
        "Tasa: 19 %",
    ],
)
def test_dates_of_things_are_kept(line):
    assert noise.lines(line) == [line]


def test_frame_goes_and_text_stays():
    found = text(
        "<body><div id='menu-lateral'>Trámites</div><nav>Inicio</nav><div role='navigation'>x</div>"
        "<div class='main-content'><h1>Resolución Ex. 154</h1><p>Texto</p></div>"
        "<p hidden>oculto</p><footer>pie</footer><script>var a</script></body>"
    )
    assert found == ["Resolución Ex. 154", "Texto"]


def test_name_of_a_frame_around_the_whole_text_removes_nothing():
    found = text("<form><div class='header'><p>Circular 45</p><p>Deberá emitirse.</p></div></form>")
    assert found == ["Circular 45", "Deberá emitirse."]


def test_layout_table_does_not_mix_menu_and_text():
    found = text(
        "<table><tr><td><a>Uno</a><br><a>Dos</a><ul><li>a</li><li>b</li></ul></td>"
        "<td><p>Primero.</p><p>Segundo.</p></td></tr></table>"
    )
    assert "Primero." in found
    assert not any("Uno" in line and "Primero" in line for line in found)


def test_row_of_a_table_is_a_line():
    found = text("<table><tr><td><p>Circular 45</p></td><td>12-06-2026<br>(IVA)</td></tr></table>")
    assert found == ["Circular 45 | 12-06-2026 (IVA)"]


def test_file_behind_the_same_words_is_a_change():
    first, second = (
        f"<p><a href='/f/formato_dte_{n}.pdf;jsessionid=1'>Formato de los DTE</a></p>"
        for n in ("201911", "202602")
    )
    change = compare("\n".join(text(first)), "\n".join(text(second)))
    assert change
    assert change.files == ["/f/formato_dte_202602.pdf"]


def test_order_spacing_case_and_wrapping_are_no_change():
    before = "Circular 44\nCircular 45\nEl plazo es de 30 días."
    after = "circular  45.\nCIRCULAR 44\nEl plazo es\nde 30 días."
    assert compare(before, "Circular 45\nCircular 44\nEl plazo es de 30 días.") is None
    assert compare("El plazo es de 30 días.", "El plazo es\nde 30 días.") is None
    assert compare(before, after.replace("es\nde", "es de")) is None


def test_number_that_changes_is_a_change():
    assert compare("Tasa: 19 %", "Tasa: 18 %")
    assert compare("Monto +5", "Monto -5")


def test_nesting_without_end_is_survived():
    deep = "<div>" * 20_000 + "Circular 45 de 2026" + "</div>" * 20_000
    try:
        found = text(deep)
    except UnreadableError:
        return
    assert found in ([], ["Circular 45 de 2026"])


@pytest.mark.parametrize("body", [b"%PDF-1.7 broken", b"\x00\x01", b"", b"<!---->"])
def test_broken_answers_are_unreadable(body):
    kind = "application/pdf" if body.startswith(b"%PDF") else "text/html"
    try:
        found = extract(body, kind, URL)
    except UnreadableError:
        return
    assert is_apology(found)


def test_pdf_is_read_as_running_text():
    from fpdf import FPDF

    pdf = FPDF()
    pdf.set_font("helvetica")
    for number in (1, 2):
        pdf.add_page()
        pdf.multi_cell(
            0,
            text=f"Formato DTE. El campo {number} es obligatorio desde mayo de 2026.",
            new_x="LMARGIN",
            new_y="NEXT",
        )
        pdf.multi_cell(0, text=f"Página {number} de 2", new_x="LMARGIN", new_y="NEXT")
    stream = io.BytesIO(bytes(pdf.output()))
    found = extract(stream.getvalue(), "application/octet-stream", URL)
    assert "campo 2 es obligatorio" in found
    assert "Página" not in found
