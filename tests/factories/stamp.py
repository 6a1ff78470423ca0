"""Stamps (TED) and folio authorisations (CAF) signed by an authority of the run, IDK 999."""

import re
from dataclasses import dataclass, field
from html import escape

from tests.factories.keys import SmallKey, number, small_key

AUTHORITY_IDK = 999


def authority_key() -> SmallKey:
    """The key that plays the SII's part: it signs every CAF of the run."""
    return small_key("caf authority", 65537)


@dataclass(frozen=True)
class Caf:
    """A folio authorisation for one issuer and type."""

    issuer: str
    name: str
    tipo: str
    first: int = 1
    last: int = 500
    granted: str = "2026-01-10"
    idk: int = AUTHORITY_IDK
    key: SmallKey = field(default_factory=lambda: small_key("caf"))
    authority: SmallKey = field(default_factory=authority_key)
    changes: tuple[tuple[str, str], ...] = ()
    """Texts of DA replaced after the authority signed it, as (name, text)."""

    def da(self) -> str:
        """The part that the authority signs."""
        return (
            f"<DA><RE>{self.issuer}</RE><RS>{escape(self.name[:40], quote=False)}</RS>"
            f"<TD>{self.tipo}</TD><RNG><D>{self.first}</D><H>{self.last}</H></RNG>"
            f"<FA>{self.granted}</FA><RSAPK><M>{number(self.key.modulus)}</M>"
            f"<E>{number(self.key.exponent)}</E></RSAPK><IDK>{self.idk}</IDK></DA>"
        )

    def xml(self) -> str:
        """The whole CAF element."""
        frma = self.authority.sign(self.da().encode("iso-8859-1"))
        da = self.da()
        for name, text in self.changes:
            da = set_text(da, name, text)
        return f'<CAF version="1.0">{da}<FRMA algoritmo="SHA1withRSA">{frma}</FRMA></CAF>'


def set_text(xml: str, name: str, text: str) -> str:
    """Replace the text of the first element of that name."""
    return re.sub(rf"<{name}>[^<]*</{name}>", lambda _: f"<{name}>{text}</{name}>", xml, count=1)


def ted(
    caf: Caf,
    data: dict[str, str],
    *,
    moment: str,
    charset: str = "iso-8859-1",
    key: SmallKey | None = None,
    quotes: bool = False,
) -> str:
    """Return a stamp over ``data`` (RE, TD, F, FE, RR, RSR, MNT, IT1).

    Args:
        caf: the folio authorisation.
        data: the texts of the stamp.
        moment: TSTED.
        charset: of the bytes that are signed; the SII's rule is ISO-8859-1.
        key: another key than the CAF's.
        quotes: write quotes as ``&apos;`` and ``&quot;`` before signing, as some emitters do.
    """
    fields = "".join(
        f"<{name}>{escape(text, quote=quotes).replace('&#x27;', '&apos;')}</{name}>"
        for name, text in data.items()
    )
    dd = f"<DD>{fields}{caf.xml()}<TSTED>{moment}</TSTED></DD>"
    frmt = (key or caf.key).sign(dd.encode(charset, errors="xmlcharrefreplace"))
    return f'<TED version="1.0">{dd}<FRMT algoritmo="SHA1withRSA">{frmt}</FRMT></TED>'
