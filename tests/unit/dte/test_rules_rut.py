"""The RUT family: each rule fires on its fault, in both forms, and is silent on a valid document."""

import pytest

from tests.documents import BUYER, ISSUER, TYPES, codes, document

pytestmark = pytest.mark.unit

both_forms = pytest.mark.parametrize("form", ["xml", "json"])


@both_forms
@pytest.mark.parametrize("tipo", TYPES)
def test_a_valid_document_has_no_rut_finding(tipo, form):
    assert not {code for code in codes(document(tipo), form) if code.startswith("RUT")}


@both_forms
@pytest.mark.parametrize(
    ("path", "rut", "code"),
    [
        ("Encabezado/Emisor/RUTEmisor", "76192083-8", "RUT-01"),
        ("Encabezado/Emisor/RUTEmisor", "76.192.083-9", "RUT-01"),
        ("Encabezado/Receptor/RUTRecep", "77120455-K", "RUT-02"),
        ("Encabezado/Transporte/RUTTrans", "11111111-2", "RUT-03"),
        ("Encabezado/Transporte/RUTTrans", "7-6", "RUT-04"),
        ("Encabezado/Receptor/RUTRecep", "66666666-6", "RUT-05"),
        ("Encabezado/Receptor/RUTRecep", ISSUER, "RUT-06"),
    ],
)
def test_a_wrong_rut_is_found(path, rut, code, form):
    assert code in codes(document(33, {path: rut}), form)


@both_forms
def test_the_message_names_the_right_check_digit(form):
    from tests.documents import findings

    found = findings(document(33, {"Encabezado/Receptor/RUTRecep": "77120455-K"}), form)
    message = next(finding.message for finding in found if finding.code == "RUT-02")
    assert f"debería ser {BUYER[-1]}" in message


@both_forms
def test_a_note_on_a_boleta_may_keep_the_generic_buyer(form):
    note = document(
        61, {"Encabezado/Receptor/RUTRecep": "66666666-6", "Referencia[1]/TpoDocRef": "39"}
    )
    assert "RUT-05" not in codes(note, form)
