"""The validation endpoints: what goes in, what comes out, what is refused."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from prometheus_client import REGISTRY

from dte.models import RaisedCode, Validation
from tests.documents import document, to_xml

pytestmark = [pytest.mark.unit, pytest.mark.django_db, pytest.mark.urls("dte.urls")]

AS_OF = "2026-03-02T12:00:00-03:00"
FLAT = {
    "tipo_dte": "33",
    "folio": 1201,
    "fecha_emision": "2026-03-02",
    "rut_emisor": "76.192.083-9",
    "razon_social_emisor": "Molinos del Itata SpA",
    "rut_receptor": "77120455-4",
    "razon_social_receptor": "Panificadora La Espiga Limitada",
    "monto_neto": 1000,
    "monto_iva": 190,
    "monto_total": 1190,
    "items": [{"nombre": "Harina", "cantidad": 2, "precio_unitario": 500, "monto": 1000}],
}


def post(client, path, body, content_type="application/json", **query):
    data = body if isinstance(body, bytes) else json.dumps(body)
    query = {"as_of": AS_OF, "ai": "never", **query}
    return client.post(path, data, content_type=content_type, query_params=query)


def test_an_old_client_reads_the_fields_it_always_read(api_client):
    answer = post(
        api_client,
        "/api/ai/validate",
        {"dte_data": FLAT, "company_id": 1, "history": [], "mode": "emission"},
    )
    assert answer.status_code == 200
    body = answer.json()
    assert body["recommendation"] == "send"
    assert 0 <= body["confidence"] <= 100
    assert body["errors"] == []
    assert [finding["code"] for finding in body["findings"]] == ["LEG-02"]


def test_a_wrong_check_digit_is_an_error_that_says_which(api_client):
    flat = FLAT | {"rut_receptor": "77120455-K"}
    body = post(api_client, "/api/ai/validate", {"dte_data": flat}).json()
    assert body["recommendation"] == "reject"
    assert body["errors"] == [
        "[RUT-02] El RUT del receptor vale 77120455-K y su dígito verificador debería ser 4."
        " (Encabezado/Receptor/RUTRecep)"
    ]


def test_the_legacy_path_also_takes_the_sii_structure_and_xml_text(api_client):
    for data in (document(33), to_xml(document(33)).decode("iso-8859-1")):
        body = post(api_client, "/api/ai/validate", {"dte_data": data}).json()
        assert body["document"]["type"] == 33
        assert body["document"]["issuer"]["rut"] == "76192083-9"


def test_xml_text_may_be_longer_than_any_text_of_a_document(api_client):
    line = document(33)["Detalle"][0]
    lines = [{**line, "NroLinDet": str(n), "DscItem": "x" * 900} for n in range(1, 60)]
    xml = to_xml(document(33, {"Detalle": lines})).decode("iso-8859-1")
    assert len(xml) > 30_000
    assert post(api_client, "/api/ai/validate", {"dte_data": xml}).json()["document"]["lines"] == 59


def test_validations_are_counted(api_client):
    labels = {
        "kind": "DTE",
        "tipo": "33",
        "form": "json",
        "mode": "emission",
        "recommendation": "send",
    }
    before = REGISTRY.get_sample_value("aiservice_dte_validations_total", labels) or 0
    post(api_client, "/api/dte/validate", document(33))
    assert REGISTRY.get_sample_value("aiservice_dte_validations_total", labels) == before + 1


@pytest.mark.parametrize("document_of", [lambda: FLAT, lambda: document(33)])
def test_the_legacy_path_also_takes_the_document_bare(api_client, document_of):
    bare = document_of() | {"company_id": 1, "mode": "emission", "history": []}
    answer = post(api_client, "/api/ai/validate", bare)
    wrapped = post(api_client, "/api/ai/validate", {"dte_data": document_of()})
    assert answer.status_code == 200
    assert answer.json()["findings"] == wrapped.json()["findings"]
    assert answer.json()["document"] == wrapped.json()["document"]


def test_without_dte_data_the_field_is_named(api_client):
    answer = post(api_client, "/api/ai/validate", {"company_id": 1})
    assert answer.status_code == 400
    assert "dte_data" in answer.json()["errors"]


@pytest.mark.parametrize(
    "content_type", ["application/xml", "text/xml", "application/octet-stream"]
)
def test_the_xml_itself_is_judged_with_its_lines(api_client, content_type):
    raw = to_xml(document(33, {"Encabezado/Receptor/RUTRecep": "1-1"}))
    body = post(api_client, "/api/dte/validate", raw, content_type).json()
    finding = next(one for one in body["findings"] if one["code"] == "RUT-02")
    assert b"RUTRecep" in raw.splitlines()[finding["line"] - 1]
    assert body["document"]["form"] == "xml"


def test_an_uploaded_file_is_judged(api_client):
    upload = SimpleUploadedFile("dte.xml", to_xml(document(61)), content_type="text/xml")
    answer = api_client.post("/api/dte/validate?ai=never", {"file": upload})
    assert answer.json()["document"]["type"] == 61


def test_json_in_the_sii_structure_is_judged(api_client):
    body = post(api_client, "/api/dte/validate", document(39)).json()
    assert body["document"]["type_name"] == "Boleta electrónica"


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b"<DTE><a></DTE>", "application/xml", "XML-01"),
        (b'<!DOCTYPE a [<!ENTITY x "y">]><DTE/>', "application/xml", "XML-02"),
        (b"<LibroDeActas/>", "application/xml", "XML-05"),
        (b"not json", "application/json", "JSN-01"),
        (b'{"Encabezado": NaN}', "application/json", "JSN-04"),
        (b'{"a": 1, "a": 2}', "application/json", "JSN-05"),
        (b"[" * 100_000, "application/json", "XML-07"),
        (b"", "application/xml", "XML-01"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_rule(api_client, body, content_type, code):
    answer = post(api_client, "/api/dte/validate", body, content_type)
    assert answer.status_code == 400
    assert answer.json()["code"] == code
    assert answer.json()["recommendation"] == "reject"
    assert answer.json()["findings"][0]["fix"]


def test_a_body_over_the_limit_is_413(api_client):
    answer = post(api_client, "/api/dte/validate", b"<" * (5 * 1024 * 1024 + 1), "text/xml")
    assert answer.status_code == 413
    assert answer.json()["code"] == "XML-07"


def test_another_media_type_is_415(api_client):
    assert post(api_client, "/api/dte/validate", b"x", "video/mp4").status_code == 415


@pytest.mark.parametrize("wrong", [{"mode": "x"}, {"ai": "x"}, {"as_of": "x"}])
def test_a_wrong_parameter_is_named(api_client, wrong):
    answer = post(api_client, "/api/dte/validate", document(33), **wrong)
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == set(wrong)


def test_without_a_key_nothing_is_judged(client):
    answer = client.post("/api/dte/validate", b"<DTE/>", content_type="text/xml")
    assert answer.status_code == 401
    assert not Validation.objects.exists()


def test_every_answer_is_kept_and_can_be_read_again(api_client, api_key):
    body = post(
        api_client, "/api/dte/validate", document(33, {"Encabezado/Emisor/RUTEmisor": "1-1"})
    )
    row = Validation.objects.get()
    assert str(row.pk) == body.json()["id"]
    assert row.api_key == api_key[0]
    assert row.document is None
    assert set(RaisedCode.objects.values_list("code", flat=True)) == {
        finding["code"] for finding in body.json()["findings"]
    }
    again = api_client.get(f"/api/dte/validations/{row.pk}").json()
    assert again["findings"] == body.json()["findings"]
    assert again["outcome"] is None


def test_a_past_answer_belongs_to_its_key(api_client, api_key, client):
    from usage.models import ApiKey

    post(api_client, "/api/dte/validate", document(33))
    _, secret = ApiKey.objects.issue(name="stranger")
    path = f"/api/dte/validations/{Validation.objects.get().pk}"
    stranger = {"Authorization": f"Bearer {secret}"}
    assert client.get(path, headers=stranger).status_code == 404
    assert client.delete(path, headers=stranger).status_code == 404
    assert api_client.delete(path).status_code == 204
    assert not Validation.objects.exists()


def test_the_answer_of_the_sii_is_kept(api_client):
    post(api_client, "/api/dte/validate", document(33))
    path = f"/api/dte/validations/{Validation.objects.get().pk}/outcome"
    answer = post(api_client, path, {"outcome": "rejected", "codes": ["DTE-3-505"]})
    assert answer.status_code == 200
    assert answer.json()["outcome"]["codes"] == ["DTE-3-505"]
    assert post(api_client, path, {"outcome": "perhaps"}).status_code == 400
