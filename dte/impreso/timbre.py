"""What a stamp read from paper says, and whether it is genuine."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from lxml import etree

from dte.crypto import StampCheck, Status, verify_stamp
from dte.crypto.authorities import CERTIFICATION_IDK
from dte.documents.document import Values, day_in_chile, to_amount, to_date
from dte.examining.examination import Case
from dte.formato.elements import local, parse_or_none, text
from dte.impreso import notices
from dte.rules.caf import EXPIRING_TYPES, expiry
from dte.rules.findings import Finding

MAX_STAMP = 8_000
# What every stamp carries (SiiTypes_v10.xsd, DD), by the name people know it by.
NAMES = {
    "RE": "RUT del emisor",
    "TD": "tipo de documento",
    "F": "folio",
    "FE": "fecha de emisión",
    "RR": "RUT del receptor",
    "RSR": "nombre del receptor",
    "MNT": "monto total",
    "IT1": "primer ítem",
    "TSTED": "fecha y hora del timbre",
}


@dataclass(frozen=True, slots=True)
class Ted:
    """A stamp, its fields by the SII's names."""

    element: etree._Element
    fields: Values
    check: StampCheck

    def text(self, name: str) -> str:
        """Return a field of DD."""
        return self.fields.text(name)

    def caf(self, *path: str) -> str:
        """Return a text of the CAF's DA."""
        return text(self.element, "DD", "CAF", "DA", *path)

    @property
    def tipo(self) -> int:
        """TD; 0 when it is no number."""
        return int(self.text("TD")) if self.text("TD").isdigit() and len(self.text("TD")) < 4 else 0

    @property
    def issued(self) -> date | None:
        """FE."""
        return self.fields.date("FE")

    @property
    def total(self) -> Decimal | None:
        """MNT."""
        return self.fields.amount("MNT")

    @property
    def identity(self) -> tuple[str, str, str]:
        """Whose document it is, of which type and number."""
        return self.text("RE"), self.text("TD"), self.text("F")


def read_stamp(content: bytes) -> Ted | None:
    """Return the stamp in the bytes of a PDF417, None when there is none.

    The SII has them in ISO-8859-1; some emitters print UTF-8, which is told by its bytes.
    """
    start, end = content.find(b"<TED"), content.rfind(b"</TED>")
    if not 0 <= start < end or end - start > MAX_STAMP:
        return None
    raw = content[start : end + len(b"</TED>")]
    encoding = "ISO-8859-1"
    if not raw.isascii():
        try:
            raw.decode("utf-8")
            encoding = "UTF-8"
        except UnicodeDecodeError:
            pass
    if b"<!" in raw:  # neither entities nor CDATA belong in a stamp
        return None
    element = parse_or_none(raw, encoding)
    if element is None or local(element) != "TED":
        return None
    fields = Values({name: text(element, "DD", name) for name in NAMES})
    return Ted(element, fields, verify_stamp(element, raw, encoding))


def check_stamp(ted: Ted, case: Case) -> Iterator[Finding]:
    """Yield what is wrong with a stamp by itself."""
    for name, meaning in NAMES.items():
        if not ted.text(name) and name not in {"RSR", "IT1"}:
            yield notices.INCOMPLETE.at(f"TED/DD/{name}", falta=f"{name} ({meaning})")
    if not ted.check.stamp.valid:
        yield notices.STAMP.at("TED/FRMT", motivo=ted.check.stamp.reason)
    if ted.check.caf.status is Status.UNKNOWN_AUTHORITY:
        yield notices.UNKNOWN_CAF.at("TED/DD/CAF/DA/IDK", idk=ted.caf("IDK"))
    elif not ted.check.caf.valid:
        yield notices.CAF.at("TED/DD/CAF/FRMA", motivo=ted.check.caf.reason)
    if ted.caf("IDK") == str(CERTIFICATION_IDK) and case.environment != "certificacion":
        yield notices.TEST_CAF.at("TED/DD/CAF/DA/IDK")
    yield from _against_caf(ted)
    if ted.issued is not None and ted.issued > day_in_chile(case.as_of):
        yield notices.FUTURE.at("TED/DD/FE", emitido=ted.issued)


def _against_caf(ted: Ted) -> Iterator[Finding]:
    for name, other in (("RE", "RE"), ("TD", "TD")):
        said, in_caf = ted.text(name), ted.caf(other)
        if said and in_caf and said != in_caf:
            yield notices.OTHER_CAF.at(f"TED/DD/{name}", dato=NAMES[name], timbre=said, caf=in_caf)
    folio = ted.fields.amount("F")
    first, last = (to_amount(ted.caf("RNG", edge)) for edge in ("D", "H"))
    if None not in {folio, first, last} and not first <= folio <= last:  # type: ignore[operator]
        yield notices.FOLIO.at("TED/DD/F", folio=folio, desde=first, hasta=last)
    granted, stamped = to_date(ted.caf("FA")), ted.fields.date("TSTED")
    if ted.tipo in EXPIRING_TYPES and granted and stamped and stamped > expiry(granted):
        yield notices.EXPIRED.at("TED/DD/CAF/DA/FA", vence=expiry(granted), timbrado=stamped)
