"""Inputs made to hurt: each must end in a clear 4xx that names a rule, quickly and in little memory."""

from typing import NamedTuple

from tests.documents import document, to_xml

XML, JSON = "application/xml", "application/json"
_MB = 1024 * 1024


class Hostile(NamedTuple):
    """One input and the rules that may refuse it."""

    kind: str
    body: bytes
    codes: frozenset[str]


def _laughs() -> bytes:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    return (
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ja">{entities}]><DTE>&l11;</DTE>'.encode()
    )


def _inside(text: bytes) -> bytes:
    """Put bytes where the name of the first item stands in a real document."""
    return to_xml(document(33)).replace(b"Harina 25 kg", text)


OTHER_KINDS = (
    "AUTORIZACION", "RECEPCIONDTE", "RESPUESTA", "RESULTADO_ENVIO", "RespuestaDTE", "EnvioRecibos", "AEC",
    "LibroCompraVenta", "LibroGuia", "ConsumoFolios",
)  # fmt: skip
"""Roots of files that are no documents."""


def _of_kind(root: str) -> dict[str, dict[str, bytes]]:
    """Return what every kind of XML must refuse."""
    start, end = f"<{root}>".encode(), f"</{root}>".encode()
    return {
        "XML-01": {
            "cut": start + b"<a>",
            "undefined entity": start + b"&x;" + end,
            "attribute that never ends": f"<{root} a=".encode() + b'"' * 300_000,
        },
        "XML-02": {
            "DOCTYPE": b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + start + b"&a;" + end,
            "DOCTYPE after the root": start + b"<!DOCTYPE x>" + end,
        },
        "XML-07": {
            "a hundred levels": start + b"<a>" * 100 + b"</a>" * 100 + end,
            "a million elements": start + b"<a/>" * 1_000_000 + end,
        },
    }


def _build() -> dict[str, Hostile]:
    refused = {
        "XML-01": {
            "empty": b"",
            "blank": b" \n ",
            "binary": bytes(range(256)) * 100,
            "truncated": to_xml(document(33))[:-40],
            "nul inside": _inside(b"Har\x00ina"),
            "undefined entity": _inside(b"&harina;"),
            "unbalanced documents": b"<EnvioDTE><SetDTE><DTE></SetDTE></EnvioDTE>",
            "closing tags only": b"</DTE>" * 100_000,
            "opening tags only": b"<DTE>" * 100_000,
            "comments that never end": b"<DTE>" + b"<!--" * 500_000,
            "instructions that never end": b"<DTE>" + b"<?x" * 500_000,
            "quotes that never end": b'<DTE a="' * 300_000,
            "a name of a megabyte": b"<" + b"a" * _MB,
            "repeated attribute": b'<DTE version="1.0" version="1.0"/>',
            "bytes that are not the declared UTF-8": b'<?xml version="1.0" encoding="UTF-8"?>'
            + _inside("Harína".encode("latin-1")).partition(b"?>")[2],
            "UTF-7 that hides a DOCTYPE": b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE x+AD4-',
            "an encoding nobody has": b'<?xml version="1.0" encoding="EBCDIC-CP-US"?><DTE/>',
            "broken UTF-16": b"\xff\xfe<\x00D",
        },
        "XML-02": {
            "billion laughs": _laughs(),
            "external entity": b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><DTE>&f;</DTE>',
            "parameter entity": b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://192.0.2.1/x">%p;]><DTE/>',
            "remote DTD": b'<!DOCTYPE x SYSTEM "http://192.0.2.1/x.dtd"><DTE/>',
            "DOCTYPE in UTF-16": '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x><DTE/>'.encode(
                "utf-16"
            ),
            "quadratic entity": b'<!DOCTYPE x [<!ENTITY a "'
            + b"a" * 100_000
            + b'">]><DTE>'
            + b"&a;" * 10_000
            + b"</DTE>",
        },
        "XML-05": {
            "another root": b"<LibroDeActas><Acta/></LibroDeActas>",
            "no document inside": b'<EnvioDTE><SetDTE ID="a"/></EnvioDTE>',
            "documents in the wrong place": b"<EnvioDTE><x><DTE></DTE></x></EnvioDTE>",
            "a page": b"<html><body>DTE</body></html>",
        },
        "XML-07": {
            "a million levels": b"<a>" * 1_000_000,
            "a hundred levels": b"<a>" * 100 + b"</a>" * 100,
            "levels inside a document": _inside(b"<a>" * 100 + b"</a>" * 100),
            "a million elements": b"<DTE>" + b"<a/>" * 1_000_000 + b"</DTE>",
            "a text of a megabyte": _inside(b"a" * _MB),
        },
    }
    refused_json = {
        "JSN-01": {
            "not JSON": b"{'a': 1}",
            "truncated": b'{"Encabezado": {',
            "a list": b"[]",
            "a number": b"1",
            "not UTF-8": b'{"Encabezado": "\xff"}',
            "half a surrogate": b'{"Encabezado": {"x": "\\ud800"}}',
            "NUL": b'{"Encabezado": {"x": "\\u0000"}}',
            "a header that is text": b'{"Encabezado": "x", "Detalle": []}',
            "lines that are text": b'{"Encabezado": {}, "Detalle": "x"}',
        },
        "JSN-04": {
            "NaN": b'{"Encabezado": {"Totales": {"MntTotal": NaN}}}',
            "Infinity": b'{"monto_total": -Infinity}',
            "a million digits": b'{"monto_total": ' + b"9" * 1_000_000 + b"}",
            "an absurd exponent": b'{"monto_total": 1e999999999}',
            "a sneaky exponent": b'{"monto_total": 1E+0000000000000000000000099}',
        },
        "JSN-05": {"a repeated key": b'{"folio": 1, "folio": 2}'},
        "XML-07": {
            "a text of a megabyte": b'{"Encabezado": {"x": "' + b"a" * _MB + b'"}}',
            "a key of a megabyte": b'{"' + b"a" * _MB + b'": 1}',
            "100k lists": b"[" * 100_000 + b"]" * 100_000,
            "100k objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
            "a hundred levels": b'{"a":' * 100 + b"1" + b"}" * 100,
            "a million and a half items": b'{"tipo_dte": 33, "items": ['
            + b"1," * 1_500_000
            + b"1]}",
            "a million empty lines": b'{"Encabezado": {}, "Detalle": ['
            + b"{}," * 1_200_000
            + b"{}]}",
            "a million empty texts": b'{"Encabezado": {}, "x": [' + b'"",' * 1_000_000 + b'""]}',
            "more lines than any document": b'{"Encabezado": {}, "Detalle": ['
            + b"{}," * 100_000
            + b"{}]}",
            "a million names": b'{"Encabezado": {}'
            + b"".join(b',"k%d":1' % number for number in range(300_000))
            + b"}",
        },
    }
    for root in OTHER_KINDS:
        for code, group in _of_kind(root).items():
            refused[code] |= {f"{root}, {name}": body for name, body in group.items()}
    inputs = {}
    for kind, groups in ((XML, refused), (JSON, refused_json)):
        for code, group in groups.items():
            for name, body in group.items():
                # What never ends may also be refused for its size, whichever is seen first.
                codes = {code, "XML-07"} if "never end" in name or "only" in name else {code}
                label = f"{kind.rpartition('/')[2]}: {name}"
                inputs[label] = Hostile(kind, body, frozenset(codes))
    return inputs


HOSTILE = _build()
