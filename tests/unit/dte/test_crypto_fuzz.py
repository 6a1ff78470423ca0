"""Spoiled files: whatever happens to the bytes, a check answers, and never vouches for other content."""

import random
import re

import pytest
from lxml import etree

from dte.crypto import verify_document, verify_envelope, verify_stamp
from tests.factories import envelope, signed

pytestmark = pytest.mark.unit

PIECES = [
    b"<!--x-->", b"<?y z?>", b"<![CDATA[w]]>", b"&#65;", b"&amp;", b" xmlns=''", b" xmlns:a='urn:a'",
    b" xmlns='relative'", b" ID='F123T33'", b"<a/>", b"</a>", b"<a>", b"\xff", b" ", b"\n", b"A" * 3000,
    b"=", b"<Documento>", b"</Documento>", b" xml:lang='es'", b"&quot;",
]  # fmt: skip
RECOVERING = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)


def spoil(raw, rng):
    octets = bytearray(raw)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(octets))
        match rng.randrange(4):
            case 0:
                octets[place] = rng.randrange(256)
            case 1:
                octets[place:place] = rng.choice(PIECES)
            case 2:
                del octets[place : place + rng.randint(1, 60)]
            case _:
                other = rng.randrange(len(octets))
                octets[place:place] = octets[other : other + rng.randint(1, 400)]
    return bytes(octets)


def texts(element):
    """What a rule reads of an element: names and texts, comments aside."""
    return [
        (node.tag.rpartition("}")[2], "".join(node.itertext()).strip())
        for node in element.iter("*")
    ]


@pytest.mark.parametrize("seed", range(8))
def test_a_spoiled_document_never_verifies_with_other_content(seed):
    rng = random.Random(seed)
    original = signed(33 if seed % 2 else 110, namespace=seed % 3 != 0)
    content = texts(etree.fromstring(original)[0])
    for _ in range(120):
        raw = spoil(original, rng)
        root = etree.fromstring(raw, RECOVERING)
        if root is None:
            continue
        verify_stamp(root.find(".//{*}TED"), raw)
        if verify_document(root).valid:
            body = next(iter(root.iterchildren("{*}Documento", "{*}Exportaciones")))
            assert texts(body) == content


@pytest.mark.parametrize("seed", range(4))
def test_a_spoiled_envelope_is_an_answer(seed):
    rng = random.Random(seed)
    original = envelope([signed(33), signed(61, namespace=False)])
    assert verify_envelope(original, places(original)).valid
    for _ in range(60):
        raw = spoil(original, rng)
        verify_envelope(raw, places(raw))


def places(raw):
    return [match.span() for match in re.finditer(rb"<DTE[ >].*?</DTE>", raw, re.DOTALL)]
