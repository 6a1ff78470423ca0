"""JSON of other APIs: OpenFactura's and SimpleAPI's, judged as the documents they describe."""

import json
from typing import Any

import pytest

from dte.models import KeyPolicy, Validation
from dte.parsing.json import parse_json
from dte.parsing.others import read_foreign
from tests.documents import BUYER, DAY, ISSUER, document
from tests.dump import dump

pytestmark = [pytest.mark.unit, pytest.mark.django_db, pytest.mark.urls("dte.urls")]


def post(client, body, path="/api/dte/validate"):
    query = {"as_of": f"{DAY}T12:00:00-03:00", "ai": "never"}
    answer = client.post(
        path, json.dumps(body), content_type="application/json", query_params=query
    )
    assert answer.status_code == 200, answer.content
    return answer.json()


def codes(answer):
    return {found["code"] for found in answer["findings"]}


def open_factura(tipo=33, changes=None, **more):
    return {"response": ["XML", "PDF", "TIMBRE"], "dte": document(tipo, changes), **more}


def simple_api(**changes):
    """A factura of 1,190 pesos as SimpleAPI takes it; ``changes`` by path, as in ``Detalles/0/Precio``."""
    body: dict[str, Any] = {
        "Documento": {
            "Encabezado": {
                "IdentificacionDTE": {
                    "TipoDTE": 33, "Folio": 123, "FechaEmision": f"{DAY}T00:00:00", "FormaPago": 1,
                    "TipoDespacho": 0, "TipoTraslado": 0,
                },
                "Emisor": {
                    "Rut": ISSUER, "RazonSocial": "Molinos del Itata SpA",
                    "Giro": "Venta al por mayor de abarrotes", "ActividadEconomica": [463020],
                    "DireccionOrigen": "Camino a Coelemu 100", "ComunaOrigen": "Chillán", "Telefono": [],
                },
                "Receptor": {
                    "Rut": BUYER, "RazonSocial": "Panificadora La Espiga Limitada",
                    "Giro": "Elaboración de pan", "Direccion": "Av. Brasil 1207", "Comuna": "Curicó",
                },
                "Totales": {"MontoNeto": 1000, "TasaIVA": 19, "IVA": 190, "MontoTotal": 1190},
            },
            "Detalles": [
                {"IndicadorExento": 0, "Nombre": "Harina 25 kg", "Descripcion": "", "Cantidad": 2.0,
                 "UnidadMedida": "un", "Precio": 500.0, "Descuento": 0, "Recargo": 0, "MontoItem": 1000}
            ],
        },
        "Certificado": {"Rut": "9876543-3", "Password": "muy-secreta-77"},
    }  # fmt: skip
    for path, value in changes.items():
        node: Any = body["Documento"]
        *steps, last = path.split("/")
        for step in steps:
            node = node[int(step)] if step.isdigit() else node[step]
        node[last] = value
    return body


@pytest.mark.parametrize("tipo", [33, 34, 39, 41, 52, 56, 61])
def test_open_factura_is_judged_as_the_document_inside(api_client, tipo):
    plain = post(api_client, document(tipo))
    wrapped = post(api_client, open_factura(tipo))
    assert codes(wrapped) == codes(plain)
    assert wrapped["recommendation"] == plain["recommendation"]
    assert wrapped["kind"] == "DTE"
    assert wrapped["summary"]["type"] == tipo


def test_a_fault_in_open_factura_is_found(api_client):
    body = open_factura(33, {"Encabezado/Totales/IVA": "180"}, customer={"fullname": "x"})
    assert "TOT-04" in codes(post(api_client, body))


def test_the_legacy_path_takes_it_too(api_client):
    answer = post(api_client, {"dte_data": open_factura()}, "/api/ai/validate")
    assert answer["document"]["folio"] == "123"


def test_simple_api_is_judged_as_the_document_it_describes(api_client):
    answer = post(api_client, simple_api())
    assert codes(answer) == {"JSN-21"}
    assert answer["recommendation"] == "send"
    assert answer["summary"] | {"lines": 1} == answer["summary"]
    assert (answer["summary"]["folio"], answer["summary"]["total"]) == ("123", 1190)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"Encabezado/Totales/IVA": 180}, "TOT-04"),
        ({"Detalles/0/Precio": 400}, "DET-04"),
        ({"Encabezado/Receptor/Rut": "77120455-K"}, "RUT-02"),
        ({"Encabezado/IdentificacionDTE/FechaEmision": "2026-13-02"}, "FEC-01"),
        ({"Encabezado/Emisor/Inventado": "x"}, "JSN-03"),
        ({"Detalles/0/IndicadorExento": 1}, "TOT-01"),
        ({"Referencias": [{"TipoDocumento": "801", "FolioReferencia": "5"}]}, "JSN-02"),
    ],
)
def test_a_fault_in_simple_api_is_found(api_client, changes, expected):
    assert expected in codes(post(api_client, simple_api(**changes)))


def test_references_and_discounts_are_renamed():
    body = simple_api(
        Referencias=[
            {"Numero": 1, "TipoDocumento": "33", "FolioReferencia": "7", "CodigoReferencia": 1,
             "FechaDocumentoReferencia": f"{DAY}T10:00:00", "RazonReferencia": "Anula"}
        ],
        DescuentosRecargos=[
            {"TipoMovimiento": "Descuento", "TipoValor": "Pesos", "Valor": 10, "Descripcion": "Oferta"}
        ],
    )  # fmt: skip
    document = read_foreign(parse_json(json.dumps(body).encode())).document["Documento"]
    assert document["Referencia"] == [
        {
            "NroLinRef": "1",
            "TpoDocRef": "33",
            "FolioRef": "7",
            "CodRef": "1",
            "FchRef": DAY,
            "RazonRef": "Anula",
        }
    ]
    assert document["DscRcgGlobal"] == [
        {"NroLinDR": "1", "TpoMov": "D", "TpoValor": "$", "ValorDR": "10", "GlosaDR": "Oferta"}
    ]


def test_the_password_that_came_along_is_not_kept(api_client, api_key):
    KeyPolicy.objects.create(api_key=api_key[0], keep_documents=True)
    answer = post(api_client, simple_api())
    stored = Validation.objects.get(pk=answer["id"])
    assert b"Harina" in bytes(stored.document)
    assert "muy-secreta-77" not in dump()


def test_without_a_password_nothing_is_said_of_it(api_client):
    body = simple_api()
    del body["Certificado"]
    assert codes(post(api_client, body)) == set()


@pytest.mark.parametrize(
    "value",
    [{"dte": "x"}, {"dte": {}}, {"Documento": {"Encabezado": {"IdentificacionDTE": 5}, "Detalles": 7}},
     {"Documento": {"Encabezado": {"IdentificacionDTE": {}}, "Detalles": [5, None, [[]]]}}],
)  # fmt: skip
def test_nonsense_is_refused_or_rejected(api_client, value):
    answer = api_client.post(
        "/api/dte/validate?ai=never", json.dumps(value), content_type="application/json"
    )
    assert answer.status_code in {200, 400}
    assert answer.json()["recommendation"] == "reject"
