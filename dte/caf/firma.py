"""The SII's signature over a CAF, and what an editor did to it where it no longer verifies."""

from collections.abc import Callable, Iterator
from copy import deepcopy

from lxml import etree

from dte.caf import notices
from dte.caf.reading import CafFile
from dte.crypto import Status, Verification, verify_stamp
from dte.rules.findings import Finding

_FIELDS = ("RE", "RS", "TD", "D", "H", "FA", "M", "E", "IDK")


def check_signature(file: CafFile) -> tuple[Status, list[Finding]]:
    """Check FRMA; where it is wrong, say which edit of the file explains it."""
    check = _verify(file.caf)
    if check.status is Status.VALID:
        return check.status, list(_harmless(file))
    if check.status is Status.UNKNOWN_AUTHORITY:
        idk = "nada" if file.idk is None else str(file.idk)
        return check.status, [notices.UNKNOWN_AUTHORITY.at("CAF/DA/IDK", idk=idk)]
    return check.status, [_damage(file) or notices.SIGNATURE.at("CAF/FRMA", motivo=check.reason)]


def _verify(caf: etree._Element) -> Verification:
    ted = etree.Element("TED")
    etree.SubElement(ted, "DD").append(deepcopy(caf))
    return verify_stamp(ted).caf


def _harmless(file: CafFile) -> Iterator[Finding]:
    tree = file.tree
    if tree.marked:
        yield notices.RESAVED.at("/", cambio="lleva una marca de orden de bytes (BOM)")
    elif tree.encoding == "utf-8" and not tree.raw.isascii():
        yield notices.RESAVED.at("/", cambio="está en UTF-8 y el SII lo entrega en ISO-8859-1")
    elif tree.declared in {"utf-8", "utf8"} and tree.encoding != "utf-8":
        yield notices.RESAVED.at("/", cambio="declara UTF-8 y sus bytes son ISO-8859-1")


def _damage(file: CafFile) -> Finding | None:
    """Undo each edit that is seen in practice; the one that makes the signature good explains it."""
    name = file.name
    for repair in (_stripped, _decoded_twice, _both):
        mended = deepcopy(file.caf)
        changed = _apply(mended, repair)
        if not changed or _verify(mended).status is not Status.VALID:
            continue
        if repair is _stripped:
            return notices.REFORMATTED.at("CAF/DA", campos=", ".join(changed))
        return notices.REENCODED.at("CAF/DA/RS", texto=name, original=_both(name))
    if "\ufffd" in name:
        motivo = f"se perdieron letras de la razón social («{name}»)"
        return notices.SIGNATURE.at("CAF/DA/RS", motivo=motivo)
    return None


def _apply(caf: etree._Element, repair: Callable[[str], str]) -> list[str]:
    changed = []
    for node in caf.iter("{*}RE", *(f"{{*}}{name}" for name in _FIELDS[1:])):
        before = node.text or ""
        node.text = repair(before)
        if node.text != before:
            changed.append(str(etree.QName(node).localname))
    return changed


def _stripped(value: str) -> str:
    return " ".join(value.split())


def _decoded_twice(value: str) -> str:
    """Return the text whose UTF-8 bytes were read as another encoding."""
    for charset in ("latin-1", "cp1252"):
        try:
            return value.encode(charset).decode("utf-8")
        except UnicodeError:
            continue
    return value


def _both(value: str) -> str:
    return _decoded_twice(_stripped(value))
