"""Signed test documents: the plain ones of ``tests.documents``, stamped and signed by keys of the run.

signed(33)                                             # a valid factura, as bytes
signed(33, {"Encabezado/Totales/IVA": "1"})            # changed, then stamped and signed
signed(33, stamp={"MNT": "5"}, caf={"granted": "…"})   # a stamp or CAF that says otherwise
signed(33).replace(b"Curic", b"Talc")                  # changed after signing
envelope([signed(33), signed(61)])                     # an EnvioDTE, signed
"""

import copy
import re
from collections.abc import Sequence
from typing import Any

from lxml import etree

from tests.documents import DAY, ISSUER, Document, document, to_xml
from tests.factories.keys import Signer, signer
from tests.factories.signature import SII, XSI, signature
from tests.factories.stamp import Caf, ted

DECLARATION = '<?xml version="1.0" encoding="ISO-8859-1"?>\n'
STAMPED = f"{DAY}T10:15:00"
SIGNED = f"{DAY}T10:15:02"

__all__ = ["Caf", "envelope", "signed", "signer"]


def signed(
    tipo: int = 33,
    changes: dict[str, object] | None = None,
    *,
    doc: Document | None = None,
    caf: dict[str, object] | None = None,
    stamp: dict[str, str] | None = None,
    stamped: str = STAMPED,
    tmst: str = SIGNED,
    by: Signer | None = None,
    namespace: bool = True,
    signed_namespace: bool | None = None,
    signed_declared: str = "",
    uri: str | None = None,
    identifier: str = "",
    indented: bool = True,
    stamping: dict[str, object] | None = None,
    signing: dict[str, object] | None = None,
) -> bytes:
    """Return a stamped and signed DTE as a file.

    Args:
        tipo: document type.
        changes: paths set or deleted before stamping, as ``tests.documents.document`` takes them.
        doc: a whole document instead of the type's.
        caf: fields of the Caf that differ.
        stamp: texts of the stamp that differ from the document's.
        stamped: TSTED.
        tmst: TmstFirma.
        by: who signs.
        namespace: whether the DTE declares the SII's namespace.
        signed_namespace: whether it did when it was signed.
        signed_declared: more declarations the Documento had in scope when it was signed.
        uri: what Reference/@URI names instead of the document's ID.
        identifier: another ID of the document.
        indented: put each field on a line of its own.
        stamping: keyword arguments of ``stamp.ted``.
        signing: keyword arguments of ``signature.signature``.
    """
    content = copy.deepcopy(doc) if doc is not None else document(tipo, changes)
    body = _body(content)
    identifier = (
        identifier or f"F{_text(content, 'IdDoc', 'Folio')}T{_text(content, 'IdDoc', 'TipoDTE')}"
    )
    body.set("ID", identifier)
    text = etree.tostring(body, encoding="unicode").replace(f' xmlns="{SII}"', "", 1).strip()
    if not indented:
        text = re.sub(r">\s+<", "><", text)
    closing = f"</{etree.QName(body).localname}>"
    mark = ted(
        _caf(content, caf or {}),
        _stamp_data(content) | (stamp or {}),
        moment=stamped,
        **(stamping or {}),
    )
    text = f"{text.removesuffix(closing)}{mark}<TmstFirma>{tmst}</TmstFirma>{closing}"
    own = f' xmlns="{SII}"'
    in_scope = own if (namespace if signed_namespace is None else signed_namespace) else ""
    scoped = text.replace(" ID=", f"{in_scope}{signed_declared} ID=", 1)
    mark = signature(scoped, uri or identifier, by or signer(), **(signing or {}))
    root = f'<DTE{own if namespace else ""} version="1.0">\n{text}\n{mark}\n</DTE>'
    return (DECLARATION + root).encode("iso-8859-1", errors="xmlcharrefreplace")


def _body(content: Document) -> etree._Element:
    return etree.fromstring(to_xml(content))[0]


def _text(content: Document, *path: str) -> str:
    node: Any = content["Encabezado"]
    for name in path:
        node = node.get(name, "")
    return str(node)


def _caf(content: Document, changes: dict[str, object]) -> Caf:
    name = _text(content, "Emisor", "RznSoc") or _text(content, "Emisor", "RznSocEmisor")
    usual = {
        "issuer": _text(content, "Emisor", "RUTEmisor"),
        "name": name,
        "tipo": _text(content, "IdDoc", "TipoDTE"),
    }
    return Caf(**(usual | changes))


def _stamp_data(content: Document) -> dict[str, str]:
    lines = content.get("Detalle") or [{}]
    return {
        "RE": _text(content, "Emisor", "RUTEmisor"),
        "TD": _text(content, "IdDoc", "TipoDTE"),
        "F": _text(content, "IdDoc", "Folio"),
        "FE": _text(content, "IdDoc", "FchEmis"),
        "RR": _text(content, "Receptor", "RUTRecep"),
        "RSR": (_text(content, "Receptor", "RznSocRecep") or "Sin identificar")[:40],
        "MNT": _text(content, "Totales", "MntTotal"),
        "IT1": str(lines[0].get("NmbItem", "-"))[:40],
    }


def envelope(
    documents: Sequence[bytes],
    *,
    kind: str = "EnvioDTE",
    schema: str | None = "",
    declaration: str = DECLARATION,
    caratula: dict[str, str] | None = None,
    totals: dict[str, int] | None = None,
    by: Signer | None = None,
    unsigned: bool = False,
    in_context: bool = True,
    signing: dict[str, object] | None = None,
) -> bytes:
    """Return documents in a signed EnvioDTE or EnvioBOLETA.

    Args:
        documents: files as ``signed`` makes them.
        kind: name of the root.
        schema: what xsi:schemaLocation says; None for no such attribute, empty for what it should.
        declaration: the first line.
        caratula: texts of the Caratula that differ.
        totals: SubTotDTE by type, instead of what is in the envelope.
        by: who signs the envelope.
        unsigned: leave the signature out.
        in_context: sign SetDTE with the root's xmlns:xsi in scope, as the standard says.
        signing: keyword arguments of ``signature.signature``.
    """
    texts = [raw.decode("iso-8859-1").removeprefix(DECLARATION) for raw in documents]
    cover = {
        "RutEmisor": ISSUER,
        "RutEnvia": "9876543-3",
        "RutReceptor": "60803000-K",
        "FchResol": "2014-08-22",
        "NroResol": "80",
        "TmstFirmaEnv": f"{DAY}T11:00:00",
    } | (caratula or {})
    rows = "".join(f"<{name}>{text}</{name}>" for name, text in cover.items())
    for tipo, count in (_count(texts) if totals is None else totals).items():
        rows += f"<SubTotDTE><TpoDTE>{tipo}</TpoDTE><NroDTE>{count}</NroDTE></SubTotDTE>"
    inside = f'<Caratula version="1.0">{rows}</Caratula>\n' + "\n".join(texts) + "\n"
    xsi = f' xmlns:xsi="{XSI}"'
    scope = f' xmlns="{SII}"' + (xsi if in_context else "")
    mark = signature(
        f'<SetDTE{scope} ID="SetDoc">{inside}</SetDTE>',
        "SetDoc",
        by or signer(),
        **{"declared": xsi if in_context else "", **(signing or {})},
    )
    if schema == "":
        schema = f"{SII} {kind}_v{'11' if kind == 'EnvioBOLETA' else '10'}.xsd"
    location = "" if schema is None else f' xsi:schemaLocation="{schema}"'
    return (
        f'{declaration}<{kind} xmlns="{SII}"{xsi}{location} version="1.0">\n<SetDTE ID="SetDoc">{inside}</SetDTE>\n{"" if unsigned else mark}\n'
        f"</{kind}>"
    ).encode("iso-8859-1")


def _count(texts: Sequence[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for text in texts:
        tipo = text.partition("<TipoDTE>")[2].partition("<")[0]
        counts[tipo] = counts.get(tipo, 0) + 1
    return counts
