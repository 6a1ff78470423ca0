"""CAF files: what they are worth, what damaged them, and that their secret stays in memory."""

import io
import json
import logging
import zipfile
from datetime import datetime

import pytest
from django.core.management import call_command

from dte.caf import KIND
from dte.caf.folios import count_folios, read_ranges
from dte.examining.examination import Case
from dte.examining.given import Given
from dte.models import KeyPolicy, Validation
from dte.parsing.unreadable import Unreadable
from tests.documents import AS_OF, ISSUER, document
from tests.dump import dump
from tests.factories.caf import caf, caf_file, caf_text, private_pem
from tests.factories.keys import small_key

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("caf_authority")]

PATH = "/api/dte/validate"
WHEN = "2026-03-02T12:00:00-03:00"


def examine(raw, day="2026-03-02", environment="", **fields):
    when = datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=AS_OF.tzinfo)
    return KIND.examine(Given(raw, fields=fields), Case(when, environment=environment))


def codes(examination):
    return {found.code for found in examination.findings}


def test_the_file_the_sii_delivers_is_good():
    found = examine(caf_file())
    assert codes(found) == set()
    assert found.state == "vigente"
    assert found.summary | {"gaps": []} == {
        "type": 33, "type_name": "Factura electrónica",
        "issuer": {"rut": ISSUER, "name": "Viñedos y Molinos del Ñuble Limitada"},
        "first": 1, "last": 50, "granted": "2026-01-10", "expires": "2026-07-10", "idk": 999,
        "environment": "", "signature": "valid", "private_key": "corresponde", "folios": 50,
        "used": 0, "left": 50, "next": 1, "gaps": [],
    }  # fmt: skip


GOOD = {
    "utf-8 with declaration": lambda: caf_text().replace("?>", ' encoding="UTF-8"?>').encode(),
    "utf-8 without": lambda: caf_text().encode(),
    "latin-1 that says so": lambda: (
        caf_text().replace("?>", ' encoding="ISO-8859-1"?>').encode("latin-1")
    ),
    "byte order mark": lambda: b"\xef\xbb\xbf" + caf_text().encode(),
    "windows line ends": lambda: caf_file().replace(b"\n", b"\r\n"),
    "one line": lambda: caf_text().replace(">\n<", "><").encode("latin-1"),
    "indented": lambda: caf_text().replace(">\n<", ">\n    <").encode("latin-1"),
    "utf-16": lambda: caf_text().encode("utf-16"),
    "blank line before": lambda: b"\n\n" + caf_file(),
}


@pytest.mark.parametrize("change", GOOD)
def test_what_does_not_touch_the_signed_part_does_no_harm(change):
    found = examine(GOOD[change]())
    assert found.summary["signature"] == "valid"
    assert found.summary["private_key"] == "corresponde"
    assert {one.severity for one in found.findings} <= {"warn"}


def edited(old, new):
    return caf_text().replace(old, new).encode("latin-1")


FAULTS = {
    "range widened": (lambda: caf_file(caf(changes=(("H", "5000"),))), "CAF-21", "dañado"),
    "other issuer written in": (lambda: caf_file(caf(changes=(("RE", "77120455-4"),))), "CAF-21", "dañado"),
    "other type": (lambda: caf_file(caf(changes=(("TD", "34"),))), "CAF-21", "dañado"),
    "FRMA of another": (lambda: edited("</FRMA>", "AA</FRMA>"), "CAF-21", "dañado"),
    "no FRMA": (lambda: edited("FRMA", "FIRMA"), "CAF-24", "dañado"),
    "letters lost": (lambda: edited("Viñedos", "Vi?edos"), "CAF-21", "dañado"),
    "encoded twice": (
        lambda: caf_text().encode().decode("latin-1").encode(), "CAF-22", "dañado",
    ),
    "utf-8 labelled latin-1": (
        lambda: caf_text().replace("?>", ' encoding="ISO-8859-1"?>').encode(), "CAF-22", "dañado",
    ),
    "blanks inside": (
        lambda: edited("<RS>Viñedos y", "<RS>\n  Viñedos\n  y"), "CAF-23", "dañado",
    ),
    "no private key": (lambda: caf_file(private=""), "CAF-31", "incompleto"),
    "private key of another CAF": (
        lambda: caf_file(private=private_pem(small_key("otro caf"))), "CAF-30", "dañado",
    ),
    "private key cut": (lambda: edited("-----END RSA PRIVATE", "-----END"), "CAF-32", "dañado"),
    "private key without its middle": (
        lambda: caf_file(private=private_pem(small_key("caf"))[:120] + "\n-----END RSA PRIVATE KEY-----"),
        "CAF-32", "dañado",
    ),
    "public key of another": (
        lambda: caf_file(public=small_key("otro caf").pem().decode()), "CAF-43", "vigente",
    ),
    "private key on one line": (
        lambda: caf_file(private=private_pem(small_key("caf")).replace("\n", "")), "CAF-33", "vigente",
    ),
    "unknown authority": (lambda: caf_file(caf(idk=998)), "CAF-34", "vigente"),
    "a RUT that is none": (lambda: caf_file(caf(issuer="76192083-1")), "CAF-25", "dañado"),
    "a type that is none": (lambda: caf_file(caf(tipo="35")), "CAF-26", "dañado"),
    "inverted": (lambda: caf_file(caf(first=60, last=50)), "CAF-27", "dañado"),
    "granted tomorrow": (lambda: caf_file(caf(granted="2026-03-03")), "CAF-42", "vigente"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named(name):
    make, code, state = FAULTS[name]
    found = examine(make())
    assert code in codes(found)
    assert found.state == state


@pytest.mark.parametrize(
    ("tipo", "day", "state", "code"),
    [
        ("33", "2026-06-01", "vigente", None),
        ("33", "2026-06-20", "por vencer", "CAF-29"),
        ("33", "2026-07-10", "por vencer", "CAF-29"),
        ("33", "2026-07-11", "vencido", "CAF-28"),
        ("61", "2026-07-11", "vencido", "CAF-28"),
        ("34", "2029-01-01", "vigente", None),
        ("39", "2029-01-01", "vigente", None),
        ("52", "2029-01-01", "vigente", None),
    ],
)
def test_it_expires_by_its_type(tipo, day, state, code):
    found = examine(caf_file(caf(tipo=tipo)), day=day)
    assert found.state == state
    assert codes(found) == ({code} if code else set())


def test_it_must_be_of_the_environment_and_of_the_issuer():
    production = caf(idk=300)
    assert "CAF-35" in codes(examine(caf_file(production), environment="certificacion"))
    assert "CAF-35" not in codes(examine(caf_file(production), environment="produccion"))
    assert "CAF-36" in codes(examine(caf_file(), emisor="77.120.455-4"))
    assert "CAF-36" not in codes(examine(caf_file(), emisor="76.192.083-9"))


def test_folios_that_are_left_and_gaps():
    found = examine(caf_file(), usados="1-20, 25 26;90")
    assert codes(found) == {"CAF-38"}
    assert (found.summary["used"], found.summary["left"], found.summary["next"]) == (22, 28, 27)
    assert found.summary["gaps"] == [[21, 24]]
    assert found.asks == ()
    assert examine(caf_file(), usados="1-50").state == "agotado"
    assert "CAF-37" in codes(examine(caf_file(), usados="1-45"))
    assert "CAF-41" in codes(examine(caf_file(), usados="uno a diez"))


def test_ranges_are_read_as_people_write_them():
    assert read_ranges("1-40, 45\n50 a 60; 70 71") == (
        [(1, 40), (45, 45), (50, 60), (70, 70), (71, 71)], "",
    )  # fmt: skip
    assert read_ranges("1-x")[1] == "1-x"
    folios = count_folios(1, 10**10, [(5, 5), (3, 4), (4, 6), (10**9, 10**9)])
    assert folios.used_count == 5
    assert folios.gaps == [(1, 2), (7, 10**9 - 1)]


@pytest.mark.parametrize(
    "raw", [b"<AUTORIZACION/>", caf_file()[:300], b"<CAF><DA>", b"<AUTORIZACION>&x;</AUTORIZACION>"]
)
def test_what_is_no_caf_is_refused(raw):
    with pytest.raises(Unreadable):
        examine(raw)


@pytest.mark.django_db
@pytest.mark.urls("dte.urls")
class TestOverHttp:
    def post(self, client, body, content_type="application/xml", **query):
        query = {"as_of": WHEN, "ai": "never", **query}
        return client.post(PATH, body, content_type=content_type, query_params=query)

    def test_used_folios_are_known_from_the_history(self, api_client):
        for folio in ("1", "2", "5"):
            changed = document(33, {"Encabezado/IdDoc/Folio": folio})
            self.post(api_client, json.dumps(changed), "application/json")
        refused = Validation.objects.get(folio="5")
        refused.outcome = "rejected"
        refused.save()
        body = self.post(api_client, caf_file()).json()
        assert (body["kind"], body["summary"]["used"], body["summary"]["next"]) == ("CAF", 2, 3)

    def test_the_private_key_is_neither_stored_nor_logged(self, api_client, api_key, caplog, capfd):
        KeyPolicy.objects.create(api_key=api_key[0], keep_documents=True)
        pem = private_pem(small_key("caf"))
        raw = caf_file()
        bad = caf_file(private=pem[:150])
        with caplog.at_level(logging.DEBUG):
            for body in (raw, bad, raw[:-40], raw.replace(b"<DA>", b"<DB>")):
                self.post(api_client, body)
            self.post(api_client, zipped({"a.xml": raw, "b.xml": bad}), "application/zip")
        written = caplog.text + "".join(capfd.readouterr()) + dump()
        assert '"kind"' in dump() or "CAF" in dump()
        for secret in (*pem.split("\n")[1:-2], "PRIVATE KEY", "RSASK>"):
            assert secret not in written
        assert set(Validation.objects.filter(kind="CAF").values_list("digest", flat=True)) == {""}

    def test_many_in_a_zip_show_what_they_have_together(self, api_client):
        files = {
            "a.xml": caf_file(),
            "b.xml": caf_file(caf(first=40, last=90)),
            "c.xml": caf_file(caf(tipo="39", first=1, last=1000)),
        }
        body = self.post(api_client, zipped(files), "application/zip").json()
        assert [one["kind"] for one in body["documents"]] == ["CAF"] * 3
        (whole,) = body["together"]
        assert [found["code"] for found in whole["findings"]] == ["CAF-40"]
        assert whole["summary"] == {"files": 3, "left": 1101}
        assert len(whole["tables"][0]["rows"]) == 2

    def test_the_command_judges_a_caf(self, tmp_path, capsys):
        path = tmp_path / "F33.xml"
        path.write_bytes(caf_file())
        call_command("validate_dte", str(path), as_of=WHEN, used="1-3")
        assert "CAF vigente" in capsys.readouterr().out


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, raw in files.items():
            archive.writestr(name, raw)
    return buffer.getvalue()
