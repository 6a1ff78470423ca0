"""What a change is about, without the model; and who cites the same text."""

from datetime import date

import pytest

from knowledge.models import Document
from knowledge.monitoring import citing
from knowledge.monitoring.addresses import _is_public, problem
from knowledge.monitoring.classifying import by_rules
from knowledge.monitoring.comparing import compare
from knowledge.monitoring.references import Reference, dates, dte_types, references

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Circular N° 45 del 12 de junio de 2026", [("circular", "45", 2026)]),
        ("Resolución Exenta SII N°154 de 2025-11-05", [("resolucion", "154", 2025)]),
        ("Res. Ex. SII 58 de 2017", [("resolucion", "58", 2017)]),
        ("RESOLUCION EX. N°80", [("resolucion", "80", 0)]),
        ("Ley 19.983 y Ley N° 21.713", [("ley", "19983", 0), ("ley", "21713", 0)]),
        ("DL 825, artículo 23", [("dl", "825", 0)]),
        ("preguntas 001.003.6914 a 001.003.6916", [
            ("faq", "001.003.6914", 0), ("faq", "001.003.6915", 0), ("faq", "001.003.6916", 0)
        ]),
        ("Formato de los documentos tributarios", [("formato", "dte", 0)]),
        ("El formato de la carta", []),
        ("Circular sobre 2 temas", []),
    ],
)  # fmt: skip
def test_references(text, expected):
    assert references(text) == [Reference(*found) for found in expected]


def test_dates_and_types():
    assert dates("el 1° de mayo del 2026, 02/06/2026, 2026-12-31 y 31/02/2026") == [
        date(2026, 5, 1), date(2026, 6, 2), date(2026, 12, 31)
    ]  # fmt: skip
    assert dte_types("Guías de despacho y DTE tipo 33, 34 y 61") == [33, 34, 52, 61]
    assert dte_types("nota de crédito de exportación") == [112]
    assert dte_types("boletas de honorarios") == []
    assert dte_types("boleta electrónica") == [39, 41]


@pytest.mark.parametrize(
    ("line", "kind", "expected"),
    [
        ("Circular N° 3 de 2026 sobre bienes raíces", "circular", ("circular", "3", 1)),
        (
            "Resolución Ex. N° 12 de 2026: deberá indicarse en la boleta",
            "otro",
            ("resolucion", "12", 3),
        ),
        ("Se agrega el campo IndTraslado, obligatorio", "formato", ("formato", "", 3)),
        ("¿Qué es una factura electrónica? Según la Circular 4", "faq", ("faq", "", 1)),
    ],
)
def test_rules_classify(line, kind, expected):
    change = compare("Antes", f"Antes\n{line}")
    found = by_rules(change, kind, "Página")
    assert (found.kind, found.number, found.impact) == expected


def test_notice_names_the_rules_that_cite_the_same_text():
    codes = {
        rule["code"] for rule in citing.rules("Resolución Ex. SII N° 58 de 2017", "resolucion")
    }
    assert any(code.startswith("CAF-") for code in codes)
    assert not citing.rules("Resolución Ex. SII N° 58 de 1999", "resolucion")


def test_changed_field_names_its_rules_and_code_lists():
    codes = {
        rule["code"] for rule in citing.rules("Cambian los códigos de CodPaisDestin", "formato")
    }
    assert "lista: aduana" in codes
    assert len(codes) < 20


def test_new_format_names_all_that_rests_on_it():
    assert len(citing.rules("Formato DTE versión 2.3 (2027)", "formato")) > 50


@pytest.mark.django_db
def test_notice_names_the_documents_that_cite_the_same_text():
    for slug, source in (("a", "SII, Resolución Ex. 154 de 2025"), ("b", "Ley 19.983")):
        Document.objects.create(slug=slug, title=slug, module="dte", source=source, body="x")
    found = citing.documents(
        "Modifica la Resolución Exenta N° 154 del 5 de noviembre de 2025", "otro"
    )
    assert [document["slug"] for document in found] == ["a"]


@pytest.mark.parametrize(
    "url",
    [
        "http://www.sii.cl/x",
        "https://sii.cl.evil.example/x",
        "https://www.sii.cl@evil.example/x",
        "https://user:pass@www.sii.cl/x",
        "https://www.sii.cl:8443/x",
        "https://127.0.0.1/x",
        "file:///etc/passwd",
        "https://[::1",
        "",
    ],
)
def test_addresses_off_the_list_are_refused(url):
    assert problem(url)


def test_address_on_the_list_is_taken():
    assert problem("https://www.sii.cl/normativa.htm?a=1") == ""


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("200.10.251.1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("::1", False),
        ("::ffff:10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104
    ],
)
def test_only_public_addresses_are_public(address, public):
    assert _is_public(address) is public
