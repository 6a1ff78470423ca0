"""The commands for people and for CI."""

import json

import pytest
from django.core.management import CommandError, call_command

from tests.documents import DELETE, document, to_xml

pytestmark = pytest.mark.unit

AS_OF = "2026-03-02T12:00:00-03:00"


@pytest.fixture
def write(tmp_path):
    def write_file(name, doc):
        path = tmp_path / name
        path.write_text(json.dumps(doc)) if name.endswith("json") else path.write_bytes(doc)
        return str(path)

    return write_file


def test_a_good_file_passes(write, capsys):
    call_command("validate_dte", write("a.json", document(33)), as_of=AS_OF)
    assert "enviar" in capsys.readouterr().out


def test_a_bad_file_fails_with_its_finding_and_fix(write, capsys):
    path = write("a.json", document(33, {"Encabezado/Emisor/RznSoc": DELETE}))
    with pytest.raises(SystemExit) as caught:
        call_command("validate_dte", path, as_of=AS_OF)
    assert caught.value.code == 1
    out = capsys.readouterr().out
    assert "ENC-01" in out
    assert "→" in out


def test_review_fails_only_when_strict(write):
    path = write("a.json", document(33, {"Encabezado/Totales/IVA": "180"}))
    call_command("validate_dte", path, as_of=AS_OF)
    with pytest.raises(SystemExit):
        call_command("validate_dte", path, as_of=AS_OF, strict=True)


def test_json_has_one_line_per_document(write, capsys):
    good = write("a.json", document(33))
    xml = write("b.xml", to_xml(document(34)))
    with pytest.raises(SystemExit):
        call_command("validate_dte", good, xml, as_of=AS_OF, format="json")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["document"]["type"] for line in lines] == [33, 34]
    assert lines[1]["file"] == xml


def test_what_cannot_be_read_is_said(write, capsys):
    with pytest.raises(SystemExit):
        call_command("validate_dte", write("a.xml", b"<x/>"))
    assert "XML-05" in capsys.readouterr().out
    with pytest.raises(CommandError, match="dañado"):
        call_command("validate_dte", write("a.zip", b"PK\x03\x04"))
    with pytest.raises(CommandError, match=r"nowhere\.xml"):
        call_command("validate_dte", "nowhere.xml")


def test_the_page_of_rules_is_up_to_date():
    call_command("document_rules", check=True)
