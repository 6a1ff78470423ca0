"""The CAF family: each rule fires on its fault and is silent on a valid document."""

from datetime import date

import pytest

from dte.documents.names import same_name
from dte.rules.caf import add_months, expiry
from tests.documents import TYPES
from tests.factories import signed
from tests.factories.judged import codes, finding
from tests.factories.keys import small_key

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("caf_authority")]

NAME = "Encabezado/Emisor/RznSoc"


@pytest.mark.parametrize("tipo", TYPES)
def test_a_valid_document_has_no_caf_finding(tipo):
    assert not codes(signed(tipo), "CAF")


@pytest.mark.parametrize(
    ("code", "caf"),
    [
        ("CAF-01", {"tipo": "34"}),
        ("CAF-02", {"issuer": "77120455-4"}),
        ("CAF-03", {"authority": small_key("impostor", 65537)}),
        ("CAF-03", {"changes": (("H", "900"),)}),
        ("CAF-04", {"granted": "2025-08-30"}),
        ("CAF-04", {"granted": "2018-06-30"}),
        ("CAF-05", {"idk": 777}),
        ("CAF-06", {"name": "Otra Empresa Limitada"}),
        ("CAF-09", {"first": 500, "last": 1}),
    ],
)
def test_a_wrong_caf_is_found(code, caf):
    assert codes(signed(33, caf=caf), "CAF") == {code}


def test_the_message_says_what_the_caf_is_for():
    found = finding(signed(33, caf={"tipo": "34"}), "CAF-01")
    assert found.message == "El CAF autoriza folios del tipo 34 y el documento es del tipo 33."
    assert found.line


def test_a_stamp_without_caf_is_found():
    raw = signed(33)
    start, end = raw.index(b"<CAF "), raw.index(b"</CAF>") + 6
    assert "CAF-03" in codes(raw[:start] + raw[end:], "CAF")


@pytest.mark.parametrize("tipo", sorted(set(TYPES) - {33, 43, 46, 56, 61}))
def test_folios_without_tax_credit_never_expire(tipo):
    assert not codes(signed(tipo, caf={"granted": "2020-01-01"}), "CAF")


@pytest.mark.parametrize(
    ("granted", "severity"),
    [
        ("2025-09-03", None),
        ("2025-09-02", "warn"),
        ("2025-09-01", "reject"),
    ],
)
def test_the_last_days_of_a_caf_are_a_warning(granted, severity):
    # Stamped on 2026-03-02: 180 days after 2025-09-03, six months after 2025-09-02.
    found = finding(signed(33, caf={"granted": granted}), "CAF-04")
    assert (found.severity if found else None) == severity


@pytest.mark.parametrize(
    ("granted", "last"),
    [
        (date(2025, 1, 18), date(2025, 7, 18)),
        (date(2025, 8, 31), date(2026, 2, 28)),
        (date(2018, 7, 1), date(2019, 1, 1)),
        (date(2018, 6, 30), date(2018, 12, 31)),
        (date(2016, 1, 31), date(2017, 7, 31)),
    ],
)
def test_expiry_follows_the_resolution(granted, last):
    assert expiry(granted) == last


def test_months_are_added_across_the_year():
    assert add_months(date(2024, 8, 29), 6) == date(2025, 2, 28)
    assert add_months(date(2023, 8, 31), 6) == date(2024, 2, 29)
    assert add_months(date(2024, 12, 15), 1) == date(2025, 1, 15)


@pytest.mark.parametrize(
    ("environment", "idk", "severity"),
    [
        ("produccion", 100, "reject"),
        ("certificacion", 300, "reject"),
        ("certificacion", 100, None),
        ("", 100, None),
        ("", 777, "warn"),
        ("produccion", 777, "warn"),
    ],
)
def test_a_caf_of_another_environment_is_found(environment, idk, severity):
    found = finding(signed(33, caf={"idk": idk}), "CAF-05", environment=environment)
    assert (found.severity if found else None) == severity


@pytest.mark.parametrize(
    ("registered", "name", "same"),
    [
        ("COMERCIAL LOS ÑIRES LIMITADA", "Comercial Los Ñires Ltda.", True),
        ("COMERCIAL LOS NIRES LTDA", "Comercial Los Ñires Limitada", True),
        ("PEREZ Y CIA S A", "Pérez & Cía. S.A.", True),
        (
            "INVERSIONES Y ASESORIAS DEL VALLE CENTR",
            "Inversiones y Asesorías del Valle Central SpA",
            True,
        ),
        ("FRUTAS SPA", "Frutas Sociedad por Acciones", True),
        ("FRUTAS SPA", "Frutas del Sur SpA", False),
        ("FRUTAS", "Frutas del Sur", False),
    ],
)
def test_names_are_compared_as_people_read_them(registered, name, same):
    assert same_name(registered, name) is same


@pytest.mark.parametrize(
    "leak",
    [
        "<RSASK>-----BEGIN RSA PRIVATE KEY-----</RSASK>",
        "<RSAPUBK>x</RSAPUBK>",
        "<Otro>-----BEGIN PRIVATE KEY-----</Otro>",
    ],
)
def test_a_private_key_in_the_document_is_found(leak):
    raw = signed(33).replace(b"</Detalle>", b"</Detalle>\n" + leak.encode())
    found = finding(raw, "CAF-07")
    assert found.severity == "reject"
    assert raw.splitlines()[found.line - 1].startswith(leak[:6].encode())


def test_a_private_key_inside_the_caf_does_not_hide_the_rest():
    raw = signed(33).replace(b"</FRMA>", b"</FRMA><RSASK>x</RSASK>")
    assert codes(raw, "CAF") == {"CAF-07"}


def test_a_private_key_mentioned_in_a_line_is_no_leak():
    assert not codes(signed(33, {"Detalle[1]/NmbItem": "Curso RSASK básico"}), "CAF")
