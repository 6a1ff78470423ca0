"""The stamp and the folio authorisation: what verifies, what does not, and what must not crash."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.exceptions import ImproperlyConfigured
from lxml import etree

from dte.crypto import Status
from dte.crypto import verify_stamp as verify
from dte.crypto.authorities import CERTIFICATION_IDK, PRODUCTION_IDK, caf_authority_keys, read_keys
from dte.crypto.flatten import flat_text, flatten, readings
from tests.documents import TYPES
from tests.factories import signed
from tests.factories.keys import b64, new_small_key, small_key

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("caf_authority")]

NAME = "Encabezado/Receptor/RznSocRecep"
ITEM = "Detalle[1]/NmbItem"


def stamp_of(raw):
    return etree.fromstring(raw).find(".//{*}TED")


def verify_stamp(ted, raw=b"", encoding="ISO-8859-1"):
    return verify(ted, raw, encoding).stamp


def verify_caf(ted):
    return verify(ted).caf


@pytest.mark.parametrize("tipo", TYPES)
def test_a_stamp_and_its_caf_verify(tipo):
    raw = signed(tipo)
    assert verify_stamp(stamp_of(raw)).valid
    assert verify_caf(stamp_of(raw)).valid


@pytest.mark.parametrize("exponent", [3, 65537])
def test_small_keys_of_both_usual_exponents_verify(exponent):
    key = new_small_key(exponent)
    assert verify_stamp(stamp_of(signed(33, caf={"key": key}))).valid


@pytest.mark.parametrize(
    "text", ["Ñandú & Cía. <Sur>", 'O\'Higgins "Norte"', "Área > 5 m", "   dos   blancos   "]
)
def test_special_characters_verify(text):
    assert verify_stamp(stamp_of(signed(33, {NAME: text[:40], ITEM: text}))).valid


def test_quotes_that_were_escaped_before_stamping_verify():
    raw = signed(33, {NAME: "O'Higgins", ITEM: 'Tubo 1/2"'}, stamping={"quotes": True})
    assert b"O&apos;Higgins" in raw
    assert verify_stamp(stamp_of(raw)).valid


def test_unusual_escapes_verify_against_the_text_of_the_file():
    raw = signed(33, {ITEM: "ab"}, stamp={"IT1": "cd"})
    key = small_key("caf")
    start, end = raw.index(b"<DD>"), raw.index(b"</DD>") + 5
    dd = raw[start:end].replace(b"<IT1>cd</IT1>", b"<IT1>c&#100;</IT1>")
    frmt = raw[raw.index(b'SHA1withRSA">', end) + 13 : raw.index(b"</FRMT>")]
    changed = raw.replace(raw[start:end], dd).replace(frmt, key.sign(dd).encode())
    assert verify_stamp(stamp_of(changed), changed, "ISO-8859-1").valid
    assert not verify_stamp(stamp_of(changed)).valid


def test_the_text_of_another_stamp_in_the_file_does_not_count():
    raw = signed(33)
    stamp = stamp_of(raw.replace(b"<MNT>1190</MNT>", b"<MNT>9990</MNT>"))
    assert not verify_stamp(stamp, raw).valid


def test_a_stamp_inside_an_envelope_verifies():
    raw = signed(33, namespace=False)
    text = raw.decode("iso-8859-1").partition("?>")[2]
    root = etree.fromstring(
        f'<E xmlns="http://www.sii.cl/SiiDte" xmlns:xsi="urn:x" xsi:a="1">{text}</E>'
    )
    assert verify_stamp(root.find(".//{*}TED")).valid
    assert verify_caf(root.find(".//{*}TED")).valid


def test_a_changed_stamp_does_not_verify():
    raw = signed(33).replace(b"<MNT>1190</MNT>", b"<MNT>1191</MNT>")
    check = verify_stamp(stamp_of(raw), raw)
    assert check.status is Status.INVALID
    assert "FRMT" in check.reason


def test_a_stamp_made_with_another_key_does_not_verify():
    raw = signed(33, stamping={"key": small_key("stolen")})
    assert verify_stamp(stamp_of(raw)).status is Status.INVALID


def test_a_stamp_over_utf_8_is_recognised():
    raw = signed(33, {NAME: "Señora Ñuñoa"}, stamping={"charset": "utf-8"})
    check = verify_stamp(stamp_of(raw))
    assert check.status is Status.INVALID
    assert "UTF-8" in check.reason


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"<E>Aw==</E>", b"<E>AQ==</E>", Status.UNREADABLE),  # exponent 1: anyone could sign
        (b"<E>Aw==</E>", b"<E>not base64!</E>", Status.UNREADABLE),
        (b"<E>Aw==</E>", b"<E></E>", Status.UNREADABLE),
        (b"<E>Aw==</E>", b"<E>" + b"A" * 100_000 + b"</E>", Status.MISSING),
        (b"<M>", b"<M>" + b"AQAB" * 300, Status.UNREADABLE),
        (b"</FRMT>", b"%%%</FRMT>", Status.UNREADABLE),
        (b"</FRMT>", b"AAAA</FRMT>", Status.UNREADABLE),
        (b"FRMT", b"OTRO", Status.UNREADABLE),
        (b"FRMA", b"OTRO", Status.MISSING),
        (b"DD>", b"OTRO>", Status.MISSING),
        (b"RSAPK", b"OTRO", Status.UNREADABLE),
    ],
)
def test_a_hostile_stamp_is_an_answer(old, new, status):
    raw = signed(33).replace(old, new)
    assert verify_stamp(stamp_of(raw), raw).status is status


@pytest.mark.parametrize(
    ("raw", "encoding"),
    [
        (b"<DD>", "ISO-8859-1"),
        (b"<DD>x</DD>", "no-such-encoding"),
        (b"<DD>\xff</DD>", "utf-8"),
        (b"<DD><x></DD>", "ISO-8859-1"),
        (b"<DD/>", "ISO-8859-1"),
    ],
)
def test_bytes_that_are_not_the_stamps_do_not_count(raw, encoding):
    ted = stamp_of(signed(33, stamping={"key": small_key("stolen")}))
    assert verify_stamp(ted, raw, encoding).status is Status.INVALID


def test_a_signature_larger_than_the_key_does_not_verify():
    raw = signed(33)
    start, end = raw.index(b'SHA1withRSA">', raw.index(b"<FRMT")) + 13, raw.index(b"</FRMT>")
    ted = stamp_of(raw[:start] + b64(b"\xff" * 64).encode() + raw[end:])
    assert verify_stamp(ted).status is Status.INVALID


def test_a_caf_signature_that_is_not_base64_is_an_answer():
    raw = signed(33).replace(b"</FRMA>", b"%</FRMA>")
    assert verify_caf(stamp_of(raw)).status is Status.UNREADABLE


def test_a_missing_stamp_is_an_answer():
    assert verify_stamp(None).status is Status.MISSING
    assert verify_caf(None).status is Status.MISSING


def test_a_huge_stamp_costs_nothing():
    raw = signed(33, stamp={"IT1": "x" * 50_000})
    assert verify_stamp(stamp_of(raw), raw).status is Status.MISSING


def test_a_caf_changed_after_the_sii_signed_it_does_not_verify():
    raw = signed(33, caf={"changes": (("H", "9000"),)})
    assert verify_caf(stamp_of(raw)).status is Status.INVALID


def test_a_caf_of_another_authority_does_not_verify():
    raw = signed(33, caf={"authority": small_key("impostor", 65537)})
    assert verify_caf(stamp_of(raw)).status is Status.INVALID


@pytest.mark.parametrize("idk", [777, 10**12])
def test_an_unknown_authority_is_named(idk):
    check = verify_caf(stamp_of(signed(33, caf={"idk": idk})))
    assert check.status is Status.UNKNOWN_AUTHORITY


@pytest.mark.parametrize("idk", [b"abc", b"-1", "٣".encode(), b""])
def test_an_idk_that_is_no_number_is_an_unknown_authority(idk):
    raw = signed(33).replace(b"<IDK>999</IDK>", b"<IDK>" + idk + b"</IDK>")
    ted = etree.fromstring(raw.partition(b"?>")[2].decode("utf-8", "replace")).find(".//{*}TED")
    assert verify_caf(ted).status is Status.UNKNOWN_AUTHORITY


def test_the_sii_keys_are_built_in_beside_the_configured_one():
    assert set(caf_authority_keys()) == {PRODUCTION_IDK, CERTIFICATION_IDK, 999}
    assert {caf_authority_keys()[idk].bits for idk in (100, 300)} == {512}


@pytest.mark.parametrize("entry", ["999", "x:/tmp/key.pem", "999:", "999:/does/not/exist.pem"])
def test_a_wrong_authority_setting_is_refused(entry):
    with pytest.raises(ImproperlyConfigured, match="DTE_CAF_AUTHORITY_KEYS"):
        read_keys((entry,))


def elliptic_pem():
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@pytest.mark.parametrize("content", [b"nothing", elliptic_pem()], ids=["no key", "not RSA"])
def test_a_file_without_a_key_is_refused(tmp_path, content):
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    with pytest.raises(ImproperlyConfigured, match="no RSA public key"):
        read_keys((f"5:{path}",))


@pytest.mark.parametrize(
    ("text", "flat"),
    [
        ('<DD xmlns="urn:a">\n <A>1</A>\n</DD>', "<DD><A>1</A></DD>"),
        ('<s:DD xmlns:s="urn:a"><s:A b="1">1</s:A></s:DD>', '<DD><A b="1">1</A></DD>'),
        ('<DD><A xmlns="urn:b">1</A></DD>', "<DD><A>1</A></DD>"),
        ("<DD><A>xmlns=\"urn:a\" 'q'</A></DD>", "<DD><A>xmlns=\"urn:a\" 'q'</A></DD>"),
    ],
)
def test_flattening_drops_namespaces_and_blanks_between_tags_only(text, flat):
    assert flatten(text) == flat


def test_an_empty_element_is_tried_in_both_spellings():
    element = etree.fromstring("<DD><A/><B>1</B></DD>")
    assert {b"<DD><A/><B>1</B></DD>", b"<DD><A></A><B>1</B></DD>"} == set(
        readings(flat_text(element))
    )
