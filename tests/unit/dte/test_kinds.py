"""The door for files that are no documents, with a kind made for the purpose."""

import io
import json
import logging
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command

from dte import kinds
from dte.examining.examination import Answered, Examination, Kind, Table
from dte.examining.given import Given
from dte.examining.notices import Notice
from dte.models import KeyPolicy, RaisedCode, Validation
from dte.parsing.unreadable import Unreadable
from tests.documents import document, to_xml
from tests.factories import envelope, signed

pytestmark = [pytest.mark.unit, pytest.mark.django_db, pytest.mark.urls("dte.urls")]

AS_OF = "2026-03-02T12:00:00-03:00"
PATH = "/api/dte/validate"
BROKEN = Notice(
    "ENS-01", "reject", "El ensayo «{name}» está roto.", fix="Repárelo.", source="Ensayo"
)
SHAPE = {
    "id", "kind", "recommendation", "confidence", "errors", "warnings", "findings", "summary",
    "not_checked", "valid_for_sii",
}  # fmt: skip


def examine(given, case):
    root = given.tree.root
    name = root.get("nombre", "")
    if name == "estalla":
        raise ValueError(f"secreto {given.content!r}")
    broken = [BROKEN.at("Ensayo/@nombre", name=name)] if name == "roto" else []
    said = [Answered("accepted", ("DOK",), "Aceptado", tipo=33, folio=root.get("folio", ""))]
    return Examination(
        state="roto" if broken else "sano",
        headline="Ensayo",
        statement="Es un ensayo.",
        findings=broken,
        summary={"issuer": {"rut": "76192083-9", "name": ""}, "track_id": root.get("envio", "")},
        facts=[("Nombre", name), ("Vacío", "")],
        tables=[Table("Partes", ("Parte", "Valor"), [("a", "1")])],
        checked=["el nombre"],
        not_checked=["lo demás"],
        answered=said if root.get("folio") else [],
    )


def together(examinations):
    return Examination("juntos", f"{len(examinations)} ensayos", "Son varios.")


@pytest.fixture
def kind(monkeypatch):
    """Make the service take files whose root is Ensayo."""

    def take(**options):
        def recognise(given):
            return given.root == "Ensayo"

        made = Kind("Ensayo", "Ensayo de clase", recognise, examine, **options)
        monkeypatch.setattr(kinds, "KINDS", (made,))

    return take


def post(client, body, content_type="application/xml", **query):
    query = {"as_of": AS_OF, "ai": "never", **query}
    return client.post(PATH, body, content_type=content_type, query_params=query)


@pytest.mark.parametrize("content_type", ["application/xml", "text/plain", "application/pdf"])
def test_a_file_is_known_by_its_content(api_client, kind, content_type):
    kind()
    body = post(api_client, b'\xef\xbb\xbf <!-- x --><Ensayo nombre="a"/>', content_type).json()
    assert body["kind"] == "Ensayo"
    assert body["recommendation"] == "send"
    assert body["state"] == "sano"
    assert body["facts"] == [{"label": "Nombre", "value": "a"}]
    assert body["not_checked"] == ["lo demás"]


def test_a_document_and_another_file_are_answered_in_one_shape(api_client, kind):
    kind()
    bodies = [
        post(api_client, b"<Ensayo/>").json(),
        post(api_client, signed(33)).json(),
        post(api_client, envelope([signed(33)])).json(),
        post(api_client, json.dumps(document(33)), "application/json").json(),
    ]
    assert [body["kind"] for body in bodies] == ["Ensayo", "DTE", "EnvioDTE", "DTE"]
    for body in bodies:
        assert body.keys() >= SHAPE
        assert body["valid_for_sii"]["not_checked"] == body["not_checked"]


def test_the_history_has_a_row_that_no_document_is_compared_with(api_client, kind):
    kind()
    answer = post(api_client, b'<Ensayo nombre="roto" envio="77"/>').json()
    row = Validation.objects.get(pk=answer["id"])
    assert (row.kind, row.state, row.track_id, row.recommendation) == (
        "Ensayo",
        "roto",
        "77",
        "reject",
    )
    assert row.issuer == "76192083-9"
    assert list(RaisedCode.objects.values_list("code", flat=True)) == ["ENS-01"]
    stored = api_client.get(f"/api/dte/validations/{row.pk}").json()
    assert stored["kind"] == "Ensayo"
    assert stored["findings"] == answer["findings"]
    listed = api_client.get("/api/dte/validations", {"kind": "Ensayo"}).json()["results"]
    assert [one["id"] for one in listed] == [answer["id"]]
    assert api_client.get("/api/dte/validations", {"kind": "DTE"}).json()["results"] == []


def test_of_a_secret_file_nothing_is_kept(api_client, api_key, kind):
    KeyPolicy.objects.create(api_key=api_key[0], keep_documents=True)
    kind(keeps_content=False, keeps_answer=False)
    answer = post(api_client, b'<Ensayo nombre="roto"/>').json()
    assert "«roto»" in answer["findings"][0]["message"]
    row = Validation.objects.get(pk=answer["id"])
    assert (row.document, row.digest, row.issuer) == (None, "", "")
    assert "«roto»" not in json.dumps([row.findings, row.summary], ensure_ascii=False)


def test_a_key_that_keeps_documents_keeps_other_files_too(api_client, api_key, kind):
    KeyPolicy.objects.create(api_key=api_key[0], keep_documents=True)
    kind()
    answer = post(api_client, b"<Ensayo/>").json()
    assert bytes(Validation.objects.get(pk=answer["id"]).document) == b"<Ensayo/>"


def test_a_kind_that_breaks_asks_for_a_person_and_logs_nothing_of_the_file(
    api_client, kind, caplog
):
    kind()
    with caplog.at_level(logging.DEBUG):
        body = post(api_client, b'<Ensayo nombre="estalla"/>').json()
    assert body["recommendation"] == "review"
    assert [found["code"] for found in body["findings"]] == ["KND-01"]
    assert "secreto" not in caplog.text


@pytest.mark.parametrize(
    "body",
    [b"<Ensayo", b"<Ensayo><a></Ensayo>", b"<Ensayo>" + b"<a>" * 70 + b"</a>" * 70 + b"</Ensayo>"],
)
def test_what_cannot_be_read_is_refused(api_client, kind, body):
    kind()
    answer = post(api_client, body)
    assert answer.status_code == 400
    assert answer.json()["recommendation"] == "reject"


def test_what_the_sii_said_becomes_the_outcome_of_the_document(api_client, kind):
    kind()
    sent = post(api_client, json.dumps(document(33)), "application/json").json()
    answer = post(api_client, b'<Ensayo folio="123"/>').json()
    assert [link["id"] for link in answer["links"]] == [sent["id"]]
    row = Validation.objects.get(pk=sent["id"])
    assert (row.outcome, row.outcome_codes, row.outcome_detail) == ("accepted", ["DOK"], "Aceptado")


def test_an_upload_is_linked_to_the_envelope_it_was(api_client, kind):
    kind()
    post(api_client, envelope([signed(33), signed(61)]))
    whole = Validation.objects.get(kind="EnvioDTE")
    answer = post(api_client, b'<Ensayo envio="250978745"/>', validation=str(whole.pk)).json()
    assert len(answer["links"]) == 3
    assert Validation.objects.filter(track_id="250978745").count() == 4


def test_a_zip_is_answered_at_once_with_each_of_its_files(api_client, kind):
    kind(together=together)
    files = {
        "a.xml": b"<Ensayo/>",
        "b.xml": b'<Ensayo nombre="roto"/>',
        "c.xml": to_xml(document(33)),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, raw in files.items():
            archive.writestr(name, raw)
    body = post(api_client, buffer.getvalue(), "application/zip").json()
    assert body["kind"] == "ZIP"
    assert body["recommendation"] == "reject"
    assert [(one["file"], one["kind"]) for one in body["documents"]] == [
        ("a.xml", "Ensayo"), ("b.xml", "Ensayo"), ("c.xml", "DTE"),
    ]  # fmt: skip
    assert body["summary"] == {"documents": 1, "files": 2}
    assert [one["headline"] for one in body["together"]] == ["2 ensayos"]
    assert Validation.objects.count() == 3


def test_a_form_brings_fields_and_a_document_to_compare_with(api_client, kind, monkeypatch):
    seen: dict[str, Given] = {}
    monkeypatch.setattr(kinds, "recognise", lambda given: None)
    monkeypatch.setattr("dte.desk.recognise", lambda given: seen.update(given=given))
    form = {
        "file": SimpleUploadedFile("a.xml", to_xml(document(33)), "text/xml"),
        "document": SimpleUploadedFile("b.xml", b"<x/>", "text/xml"),
        "password": "clave del ensayo",
    }
    assert api_client.post(f"{PATH}?password=de-la-direccion", form).status_code == 200
    given = seen["given"]
    assert (given.filename, given.document, given.fields["password"]) == (
        "a.xml", b"<x/>", "clave del ensayo",
    )  # fmt: skip
    assert "clave" not in repr(given)


def test_the_command_knows_the_kinds(kind, tmp_path, capsys):
    kind()
    path = tmp_path / "ensayo.xml"
    path.write_bytes(b'<Ensayo nombre="roto"/>')
    with pytest.raises(SystemExit):
        call_command("validate_dte", str(path), as_of=AS_OF)
    out = capsys.readouterr().out
    assert "Ensayo de clase: Ensayo" in out
    assert "ENS-01" in out


def test_the_root_is_found_behind_what_may_stand_before_it():
    declared = b'<?xml version="1.0"?>\n<!-- <no/> -->\n<a:Raiz xmlns:a="x">'
    assert Given(declared).root == "Raiz"
    assert Given("<Raiz/>".encode("utf-16")).root == "Raiz"
    assert Given(b"<!DOCTYPE a><a/>").root == ""
    assert Given(b"\x89PNG\r\n\x1a\n\x00").form == "binary"
    assert Given("Señor: hola".encode("latin-1")).form == "text"


def test_a_file_in_latin_1_that_says_nothing_is_read():
    tree = Given("<a>Ñuñoa</a>".encode("latin-1")).tree
    assert (tree.root.text, tree.encoding, tree.declared) == ("Ñuñoa", "iso-8859-1", "")


def test_a_doctype_is_refused():
    with pytest.raises(Unreadable) as caught:
        _ = Given(b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>").tree
    assert caught.value.code == "XML-02"
