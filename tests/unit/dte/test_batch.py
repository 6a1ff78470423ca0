"""Batches: many documents in, one line out for each, limits kept."""

import io
import json
import zipfile

import pytest
from asgiref.sync import async_to_sync

from dte.judging import batch
from dte.judging.batch import Batch, BatchFile, open_batch
from dte.models import Validation
from dte.parsing.unreadable import Unreadable
from dte.rules.registry import Context
from tests.documents import AS_OF, document, to_xml
from tests.factories.caf import caf_file

pytestmark = [pytest.mark.unit, pytest.mark.urls("dte.urls")]


def zipped(files, method=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, raw in files.items():
            archive.writestr(name, raw)
    return buffer.getvalue()


def envelope(*documents):
    parts = b"".join(to_xml(doc).partition(b"?>")[2] for doc in documents)
    return (
        b'<?xml version="1.0" encoding="ISO-8859-1"?>\n<EnvioDTE xmlns="http://www.sii.cl/SiiDte" '
        b'version="1.0"><SetDTE ID="S">\n' + parts + b"</SetDTE></EnvioDTE>"
    )


def invoice(folio, **changes):
    return document(33, {"Encabezado/IdDoc/Folio": str(folio), **changes})


def post(client, body, content_type="application/xml", mode="emission"):
    path = f"/api/dte/validate/batch?ai=never&as_of=2026-03-02T12:00:00-03:00&mode={mode}"
    answer = client.post(path, body, content_type=content_type)
    if answer.status_code != 200:
        return answer
    return [json.loads(line) for line in async_to_sync(collect)(answer.streaming_content)]


async def collect(chunks):
    return b"".join([chunk async for chunk in chunks]).splitlines()


@pytest.mark.django_db
def test_an_envelope_is_answered_line_by_line(api_client):
    lines = post(api_client, envelope(*(invoice(n) for n in range(1, 8))))
    assert [line["type"] for line in lines] == ["start", *["document"] * 7, "envelope", "summary"]
    assert [line["document"]["folio"] for line in lines[1:8]] == [str(n) for n in range(1, 8)]
    assert lines[7]["done"] == lines[7]["total"] == 7
    assert lines[-1]["documents"] == 7
    assert sum(lines[-1]["counts"].values()) == 7  # an envelope is no document
    assert lines[-1]["envelopes"] == 1
    assert Validation.objects.filter(batch=lines[0]["id"]).count() == 8


@pytest.mark.django_db
def test_a_batch_received_twice_is_not_taken_for_one_with_other_content(api_client):
    def received(body):
        lines = post(api_client, body, mode="reception")
        findings = [one for line in lines[1:3] for one in line["findings"]]
        return [one["severity"] for one in findings if one["code"] == "FOL-04"]

    assert received(envelope(invoice(1), invoice(2))) == []
    assert received(envelope(invoice(1), invoice(2))) == ["warn", "warn"]
    other = {"Encabezado/Receptor/GiroRecep": "Otro giro"}
    assert received(envelope(invoice(1), invoice(2, **other))) == ["warn", "review"]


@pytest.mark.django_db
def test_the_plain_path_streams_for_a_client_that_accepts_ndjson(api_client):
    answer = api_client.post(
        "/api/dte/validate?ai=never",
        envelope(invoice(1)),
        content_type="application/xml",
        headers={"accept": "application/x-ndjson"},
    )
    lines = async_to_sync(collect)(answer.streaming_content)
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert [json.loads(line)["type"] for line in lines] == [
        "start",
        "document",
        "envelope",
        "summary",
    ]


@pytest.mark.django_db
def test_a_zip_of_xml_and_json_names_each_file(api_client):
    body = zipped({"a.xml": to_xml(invoice(1)), "b.json": json.dumps(invoice(2)), "c.txt": b"x"})
    lines = post(api_client, body, "application/zip")
    assert [line.get("file") for line in lines[1:-1]] == ["a.xml", "b.json", "c.txt"]
    assert lines[3]["findings"][0]["code"] == "XML-01"
    assert lines[-1]["recommendation"] == "reject"


@pytest.mark.django_db
def test_the_numbers_of_a_batch_agree_with_each_other(api_client):
    body = zipped(
        {
            "mes.xml": envelope(invoice(1), invoice(2), invoice(3)),
            "suelta.xml": to_xml(invoice(4)),
            "folios.xml": caf_file(),
            "leeme.txt": b"hola",
            "rota.xml": b"<DTE><Documento>",
        }
    )
    started, *lines, summary = post(api_client, body, "application/zip")
    rows = [line for line in lines if line["type"] != "envelope"]
    assert [line["done"] for line in rows] == list(range(1, 8))
    assert rows[-1]["total"] == sum(summary["counts"].values()) == 7
    assert [line["file_number"] for line in rows] == [1, 1, 1, 2, 3, 4, 5]
    assert {line["file_count"] for line in rows} == {5}
    shown = ("documents", "files", "unreadable", "envelopes")
    assert [summary[name] for name in shown] == [4, 1, 2, 1]
    stored = api_client.get("/api/dte/validations", {"batch": started["id"]}).json()["results"]
    assert sorted(row["number"] for row in stored) == sorted(line["number"] for line in lines)


def judged(entries):
    return [answer.judged for answer in Batch(Context(as_of=AS_OF)).judge(iter(entries))]


def codes(one):
    return {found.code for found in one.findings}


@pytest.mark.parametrize(
    ("bomb", "code"),
    [
        (zipped({"a.xml": b" " * 20_000_000}), "XML-07"),
        (b"PK\x03\x04 not a zip", "XML-01"),
        # A few hundred bytes of these take any amount of memory.
        (zipped({"a.xml": b" " * 20_000_000}, zipfile.ZIP_BZIP2), "XML-01"),
        (zipped({"a.xml": b" " * 20_000_000}, zipfile.ZIP_LZMA), "XML-01"),
        (zipped({f"{n}.xml": b"<DTE/>" for n in range(2_001)}), "XML-07"),
    ],
)
def test_a_hostile_zip_stops_at_the_limit(bomb, code):
    with pytest.raises(Unreadable) as caught:
        list(open_batch(bomb))
    assert caught.value.code == code


INTACT = zipped({"a.xml": to_xml(document(33))})
CENTRAL = INTACT.index(b"PK\x01\x02")


@pytest.mark.parametrize(
    ("place", "damage"),
    [
        (35, b"\xff\xff\xff\xff"),  # the compressed bytes
        (CENTRAL + 28, b"\0\0"),  # the length of the name
        (CENTRAL + 42, b"\xff\xff\xff\x7f"),  # where the entry is
        (len(INTACT) - 6, b"\xff\xff\xff\x7f"),  # where the directory is
    ],
)
def test_a_damaged_zip_is_said_to_be_one(place, damage):
    with pytest.raises(Unreadable) as caught:
        list(open_batch(INTACT[:place] + damage + INTACT[place + len(damage) :]))
    assert caught.value.code == "XML-01"


def test_the_total_unpacked_is_bounded(monkeypatch):
    monkeypatch.setattr(batch, "MAX_UNPACKED", 1_000)
    with pytest.raises(Unreadable):
        list(open_batch(zipped({f"{n}.xml": bytes(range(256)) for n in range(5)})))


def test_the_documents_of_a_batch_are_bounded(monkeypatch):
    monkeypatch.setattr(batch, "MAX_DOCUMENTS", 5)
    files = {
        "a.xml": b"<EnvioDTE>" + b"<DTE/>" * 4 + b"</EnvioDTE>",
        "b.xml": b"<EnvioDTE>" + b"<DTE/>" * 2 + b"</EnvioDTE>",
    }
    found = Batch(Context(as_of=AS_OF))
    answers = list(found.judge(open_batch(zipped(files))))
    assert codes(answers[-1].judged) == {"XML-07"}
    assert (found.documents, found.unreadable) == (4, 1)


@pytest.mark.django_db
@pytest.mark.parametrize("body", [b"PK\x03\x04 not a zip", b"<x/>", b""])
def test_what_cannot_be_opened_is_a_plain_4xx(api_client, body):
    answer = post(api_client, body)
    assert answer.status_code == 400
    assert answer.json()["recommendation"] == "reject"


def test_one_broken_document_does_not_hide_the_others():
    raw = envelope(invoice(1), invoice(2)).replace(b"<Folio>1<", b"<Folio>1</Fol", 1)
    first, second, _ = judged([BatchFile("", raw)])
    assert "XML-01" in codes(first)
    assert second.summary["folio"] == "2"


def test_the_same_folio_in_two_files_is_found_and_a_plain_copy_is_not_rejected_for_it():
    first, copy, other = judged(
        BatchFile(name, to_xml(doc))
        for name, doc in [
            ("a.xml", invoice(1)),
            ("b.xml", invoice(1)),
            ("c.xml", invoice(1, **{"Encabezado/IdDoc/FmaPago": "2"})),
        ]
    )
    assert "FOL-03" not in codes(first)
    assert next(f for f in copy.findings if f.code == "FOL-03").severity == "warn"
    assert next(f for f in other.findings if f.code == "FOL-03").severity == "reject"
