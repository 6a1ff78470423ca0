"""The SII's restricted profile of XML signatures: xmldsignature_v10.xsd, nothing more and nothing less.

Every part stands exactly once and in this order (only Transforms may be left out), with no attribute but
those named here. Algorithms are judged where they matter, in ``dte.crypto.signature``.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from lxml import etree

from dte.formato.elements import children, local, local_name, namespace_of
from dte.formato.namespaces import XMLDSIG, XSI

MAX_NAME = 40


class Part(NamedTuple):
    """An element of the profile."""

    name: str
    children: tuple["Part", ...] = ()
    attributes: frozenset[str] = frozenset()
    optional: bool = False
    instead: frozenset[str] = frozenset()
    """Names that the schema allows in its place, whose inside is not looked at."""


_ALGORITHM: Final = frozenset({"Algorithm"})
PROFILE: Final = Part(
    "Signature",
    (
        Part(
            "SignedInfo",
            (
                Part("CanonicalizationMethod", attributes=_ALGORITHM),
                Part("SignatureMethod", attributes=_ALGORITHM),
                Part(
                    "Reference",
                    (
                        Part(
                            "Transforms", (Part("Transform", attributes=_ALGORITHM),), optional=True
                        ),
                        Part("DigestMethod", attributes=_ALGORITHM),
                        Part("DigestValue"),
                    ),
                    attributes=frozenset({"URI"}),
                ),
            ),
        ),
        Part("SignatureValue"),
        Part(
            "KeyInfo",
            (
                Part(
                    "KeyValue",
                    (
                        Part(
                            "RSAKeyValue",
                            (Part("Modulus"), Part("Exponent")),
                            instead=frozenset({"DSAKeyValue"}),
                        ),
                    ),
                ),
                Part("X509Data", (Part("X509Certificate"),)),
            ),
        ),
    ),
)


class Deviation(NamedTuple):
    """One place where a signature leaves the profile."""

    path: str
    reason: str


def deviations(signature: etree._Element | None) -> Iterator[Deviation]:
    """Yield what the SII's schema does not admit inside a Signature."""
    if signature is not None:
        yield from _look(signature, PROFILE, PROFILE.name)


def _look(element: etree._Element, part: Part, path: str) -> Iterator[Deviation]:
    for name in map(str, element.attrib):
        if name not in part.attributes and not name.startswith(f"{{{XSI}}}"):
            shown = local_name(name)[:MAX_NAME]
            yield Deviation(
                path, f"{part.name} lleva el atributo {shown}, que el esquema no admite"
            )
    found = children(element)
    if found and not part.children:
        yield Deviation(path, f"{part.name} trae elementos y debe ser un texto o estar vacío")
        return
    loose = [element.text, *(node.tail for node in element)]
    if part.children and any((text or "").strip() for text in loose):
        yield Deviation(path, f"{part.name} trae texto suelto entre sus etiquetas")
    yield from _sequence(found, part, path)


def _sequence(found: list[etree._Element], part: Part, path: str) -> Iterator[Deviation]:
    expected = {name: inner for inner in part.children for name in (inner.name, *inner.instead)}
    order = [inner.name for inner in part.children]
    seen: list[str] = []
    for node in found:
        inner = expected.get(local(node))
        shown = local(node)[:MAX_NAME]
        if inner is None or namespace_of(node) != XMLDSIG:
            yield Deviation(path, f"{part.name} trae {shown}, que el esquema no admite")
            continue
        if inner.name in seen:
            times = sum(local(other) == local(node) for other in found)
            if seen.count(inner.name) == 1:
                yield Deviation(path, f"{part.name} trae {times} {shown} y el esquema admite uno")
        elif seen and order.index(inner.name) < order.index(seen[-1]):
            yield Deviation(path, f"en {part.name}, {shown} va antes de {seen[-1]}")
        seen.append(inner.name)
        if local(node) == inner.name:
            yield from _look(node, inner, f"{path}/{inner.name}")
    for inner in part.children:
        if inner.name not in seen and not inner.optional:
            yield Deviation(path, f"a {part.name} le falta {inner.name}")
