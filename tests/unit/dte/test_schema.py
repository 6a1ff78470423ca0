"""What the API's page says of the answers is true of those about what could not be read, too."""

import pytest

from dte.serializers import (
    ArchiveAnswerSerializer,
    SummarySerializer,
    ValidationAnswerSerializer,
)
from tests.documents import document, to_xml
from tests.unit.dte.test_batch import envelope, invoice, zipped

pytestmark = [pytest.mark.unit, pytest.mark.django_db]

PATH = "/api/dte/validate?ai=never&as_of=2026-03-02T12:00:00-03:00"


def wrong(serializer, said):
    """Return what is wrong with an answer by its description, which says of no text that it is not empty."""
    found = serializer(data=said)
    found.is_valid()
    return [one for one in flat(found.errors) if one.code != "blank"]


def flat(errors):
    if isinstance(errors, dict):
        errors = errors.values()
    elif not isinstance(errors, list):
        return [errors]
    return [one for part in errors for one in flat(part)]


def test_a_small_zip_is_answered_as_described(api_client):
    files = {"a.txt": b"a", "b.xml": to_xml(document(33)), "c.xml": envelope(invoice(1))}
    said = api_client.post(PATH, zipped(files), content_type="application/zip").json()
    assert said["unreadable"] == said["envelopes"] == 1
    assert not wrong(ArchiveAnswerSerializer, said)


def test_an_envelope_with_a_document_that_cannot_be_read_is_answered_as_described(api_client):
    broken = envelope(invoice(1), invoice(2)).replace(b"<Folio>2</Folio>", b"<Folio>2</Folo>")
    said = api_client.post(PATH, broken, content_type="application/xml").json()
    assert [one["summary"]["type"] for one in said["documents"]] == [33, None]
    assert not wrong(ValidationAnswerSerializer, said)


def test_the_list_shows_what_could_not_be_read_as_described(api_client):
    files = {"a.txt": b"a", "b.xml": to_xml(document(33))}
    api_client.post(PATH, zipped(files), content_type="application/zip")
    said = api_client.get("/api/dte/validations").json()
    assert {one["document"]["type"] for one in said["results"]} == {33, None}
    for one in said["results"]:
        assert not wrong(SummarySerializer, one["document"])
