"""What the SII answered: understood in every form, and kept as the outcome of the documents."""

import json
import time

import pytest

from dte.examining.examination import Case
from dte.examining.given import Given
from dte.models import Validation
from dte.parsing.unreadable import Unreadable
from dte.respuesta import SII
from dte.respuesta.estados import ESTADOS, UPLOADS
from tests.documents import AS_OF, document
from tests.factories import envelope, signed
from tests.factories.respuesta import (
    TRACK,
    boleta_json,
    document_state,
    envelope_state,
    mail_message,
    mail_text,
    mail_xml,
    soap,
    upload,
)

pytestmark = pytest.mark.unit

REJECTED = [(33, "123", "RCH", ["(CAF-3-517) CAF Vencido (Firma_DTE - CAF) &gt; 6 MESES"])]
OBJECTED = [(33, "123", "RPR", ["(HED-2-260) Monto Total No Cuadra"])]
MIXED = [(33, 3, 1, 1, 1)]


def examine(content, **fields):
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    given = Given(raw, fields=fields)
    assert SII.recognise(given)
    return SII.examine(given, Case(AS_OF))


def codes(examination):
    return [found.code for found in examination.findings]


def verdict(examination):
    order = ["reject", "review", "warn"]
    severities = [found.severity for found in examination.findings]
    return min(severities, key=order.index, default="send")


UNDERSTOOD = {
    "upload received": (upload(), "REC", "review"),
    "upload without permission": (upload("1"), "STATUS 1", "reject"),
    "upload of a bad schema": (upload("7", errors=["LSX-00265: attribute"]), "STATUS 7", "reject"),
    "upload, internal error": (upload("99"), "STATUS 99", "reject"),
    "schema refused": (envelope_state("RSC"), "RSC", "reject"),
    "signature refused": (envelope_state("RFR"), "RFR", "reject"),
    "cover refused": (envelope_state("RCT"), "RCT", "reject"),
    "schema good, not yet more": (envelope_state("SOK"), "SOK", "review"),
    "signature good, not yet more": (envelope_state("FOK"), "FOK", "review"),
    "under way": (envelope_state("PDR"), "PDR", "review"),
    "all accepted": (envelope_state("EPR", [(33, 2, 2, 0, 0)]), "EPR", "send"),
    "processed with rejects inside": (envelope_state("EPR", MIXED), "EPR", "reject"),
    "processed with objections": (envelope_state("EPR", [(33, 2, 1, 0, 1)]), "EPR", "review"),
    "processed, nothing said": (envelope_state("EPR"), "EPR", "review"),
    "token": (envelope_state("002"), "002", "review"),
    "the consultation failed": (envelope_state("-11"), "-11", "review"),
    "a state nobody knows": (envelope_state("XYZ"), "XYZ", "review"),
    "document accepted": (document_state("DOK"), "DOK", "send"),
    "document that differs": (document_state("DNK"), "DNK", "review"),
    "document not received": (document_state("FAU"), "FAU", "review"),
    "document not authorised": (document_state("FNA"), "FNA", "reject"),
    "book": (envelope_state("LOK"), "LOK", "send"),
    "in SOAP": (soap(envelope_state("RSC")), "RSC", "reject"),
    "mail, file": (mail_xml("EPR", MIXED, REJECTED), "EPR", "reject"),
    "mail, text": (mail_text("EPR", MIXED, REJECTED).encode(), "EPR", "reject"),
    "mail, text of Windows": (
        mail_text("EPR", [(33, 1, 0, 0, 1)], OBJECTED).encode("cp1252"), "EPR", "review",
    ),
    "mail, message": (mail_message(mail_text("RSC", [])), "RSC", "reject"),
    "mail, message with file": (
        mail_message("Se adjunta.", mail_xml("EPR", MIXED, REJECTED)), "EPR", "reject",
    ),
    "boletas accepted": (boleta_json("EPR", accepted=3), "EPR", "send"),
    "boletas with rejects": (
        boleta_json("EPR", [(39, "5", "RCH", ["HED 3 100 Monto distinto"])]), "EPR", "reject",
    ),
    "boletas received": ({"trackid": 77, "estado": "REC", "rut_emisor": "1-9"}, "REC", "review"),
    "kept by a program": (
        {"track_id": "77", "revision_estado": "RLV - DTE Aceptado con Reparos Leves", "dte": 33,
         "folio": 9, "revision_detalle": "(HED-1-863) Nombre"}, "RLV", "warn",
    ),
    "pasted state": (b"RSC - Rechazado por Error en Schema", "RSC", "reject"),
    "pasted gloss": (b"Documento No Recibido por el SII", "FAU", "review"),
    "pasted document": (b"Tipo 33 Folio 123: RPR - DTE Aceptado con Reparos", "RPR", "review"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNDERSTOOD)
def test_an_answer_is_understood(name):
    content, state, expected = UNDERSTOOD[name]
    found = examine(content)
    assert found.state == state
    assert verdict(found) == expected
    assert found.headline
    assert found.statement
    assert all(one.fix for one in found.findings)


@pytest.mark.parametrize("code", ESTADOS)
def test_every_state_says_what_happened_and_what_to_do(code):
    found = examine(
        document_state(code) if ESTADOS[code].scope == "document" else envelope_state(code)
    )
    assert found.state == code
    assert found.summary["outcome"] == (ESTADOS[code].outcome or None)


@pytest.mark.parametrize("status", UPLOADS)
def test_every_refusal_of_an_upload_is_explained(status):
    assert codes(examine(upload(status))) == [f"SII-UP{status}"]


@pytest.mark.parametrize(
    "content",
    [
        mail_xml("EPR", MIXED, [*REJECTED, *[(33, "124", "RLV", ["(HED-1-863) Nombre"])]]),
        mail_text(
            "EPR", MIXED, [*REJECTED, *[(33, "124", "RLV", ["(HED-1-863) Nombre"])]]
        ).encode(),
    ],
    ids=["file", "text"],
)
def test_a_mail_names_each_document_and_why(content):
    found = examine(content)
    assert found.summary["track_id"] == TRACK
    assert found.summary["issuer"]["rut"] == "76192083-9"
    assert (found.summary["informed"], found.summary["rejected"]) == (3, 1)
    assert [(one["folio"], one["state"], one["codes"]) for one in found.summary["documents"]] == [
        ("123", "RCH", ["CAF-3-517"]), ("124", "RLV", ["HED-1-863"]),
    ]  # fmt: skip
    expired = next(one for one in found.findings if one.sii_code == "CAF-3-517")
    assert "CAF nuevo" in expired.fix
    assert "N° 123" in expired.message
    assert [(one.folio, one.outcome) for one in found.answered] == [
        ("", "accepted"), ("123", "rejected"), ("124", "objected"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        b"<RESPUESTA/>",
        b"<RECEPCIONDTE",
        soap(b"<otra/>"),
        b"<RESULTADO_ENVIO><IDENTIFICACION/></RESULTADO_ENVIO>",
    ],
)
def test_what_says_nothing_is_refused(content):
    with pytest.raises(Unreadable):
        SII.examine(Given(content), Case(AS_OF))


@pytest.mark.parametrize(
    "content",
    [b"hola", b"una carta cualquiera sobre otra cosa " * 50, b'{"Encabezado": {}}', b'{"estado": "RSC"}', b"[1]",
     b"\x00\x01RSC", b"Compramos tela EPR-33 y NUM 12, gracias. " * 20],
)  # fmt: skip
def test_what_is_no_answer_is_not_taken_for_one(content):
    assert not SII.recognise(Given(content))


@pytest.mark.parametrize(
    "piece",
    [
        "Estado RCH Tipo 33 Folio ",
        "33 1 RCH\n",
        "folio 1 tipo 33 ",
        "n n n n envio ",
        "rut empresa emisora ",
        "informados 1 1 1\n",
        "a: b\n",
    ],
)
def test_a_text_without_end_is_read_at_once(piece):
    content = (
        "Resultado de Revision Envio de DTE EPR\n" + piece * (900_000 // len(piece))
    ).encode()
    started = time.process_time()
    examine(content)
    assert time.process_time() - started < 2


def test_a_document_in_json_is_not_taken_for_an_answer():
    flat = {"tipo_dte": "33", "folio": 1, "rut_emisor": "76192083-9", "monto_total": 1}
    assert not SII.recognise(Given(json.dumps(flat).encode()))
    assert not SII.recognise(Given(json.dumps(document(33)).encode()))


@pytest.mark.django_db
@pytest.mark.urls("dte.urls")
class TestOverHttp:
    def post(self, client, body, content_type="application/xml", **query):
        query = {"as_of": "2026-03-02T12:00:00-03:00", "ai": "never", **query}
        answer = client.post(
            "/api/dte/validate", body, content_type=content_type, query_params=query
        )
        assert answer.status_code == 200, answer.content
        return answer.json()

    def outcomes(self):
        rows = Validation.objects.filter(kind="DTE").order_by("tipo")
        return {row.tipo: row.outcome for row in rows}

    def test_from_upload_to_outcome_without_further_word(self, api_client):
        self.post(api_client, envelope([signed(33), signed(61), signed(52)]))
        whole = Validation.objects.get(kind="EnvioDTE")
        received = self.post(api_client, upload(), validation=str(whole.pk))
        assert len(received["links"]) == 4
        assert set(self.outcomes().values()) == {""}
        self.post(api_client, envelope_state("SOK"))
        assert set(self.outcomes().values()) == {""}
        rows = [(61, "123", "RCH", ["(REF-3-415) DTE Referenciado No Recibido"])]
        mail = self.post(
            api_client,
            mail_text("EPR", [(33, 1, 1, 0, 0), (61, 1, 0, 1, 0), (52, 1, 1, 0, 0)], rows),
            "text/plain",
        )
        assert self.outcomes() == {33: "accepted", 52: "accepted", 61: "rejected"}
        assert len(mail["links"]) == 3
        refused = Validation.objects.get(tipo=61, kind="DTE")
        assert refused.outcome_codes == ["RCH", "REF-3-415"]
        assert mail["kind"] == "RespuestaSII"
        assert Validation.objects.get(pk=mail["id"]).track_id == TRACK

    def test_an_upload_that_is_refused_whole_refuses_its_documents(self, api_client):
        self.post(api_client, envelope([signed(33), signed(61)]), track_id="0250978745")
        self.post(api_client, envelope_state("RSC"))
        assert self.outcomes() == {33: "rejected", 61: "rejected"}

    def test_a_state_of_a_document_that_names_none_needs_the_validation(self, api_client):
        sent = self.post(api_client, json.dumps(document(33)), "application/json")
        self.post(api_client, document_state("DOK"))
        assert self.outcomes() == {33: ""}
        self.post(api_client, document_state("DOK"), validation=sent["id"])
        assert self.outcomes() == {33: "accepted"}

    def test_a_validation_of_another_key_is_not_found(self, api_client):
        query = {"validation": "0d8a4f5e-6b1b-4c55-9d0e-3f2a4b5c6d7e"}
        answer = api_client.post(
            "/api/dte/validate", upload(), content_type="text/xml", query_params=query
        )
        assert answer.status_code == 404
        assert not Validation.objects.exists()

    def test_a_mail_by_folio_finds_its_document(self, api_client):
        self.post(api_client, json.dumps(document(33)), "application/json")
        self.post(api_client, mail_xml("EPR", [(33, 1, 0, 0, 1)], OBJECTED), "text/xml")
        assert self.outcomes() == {33: "objected"}
