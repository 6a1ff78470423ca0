"""Reading the outlines of the format.

An outline line is a field: indentation is nesting, ``?`` optional, ``{0,60}`` repeated, ``@`` an
attribute (XML only), then its type in the words of ``dte.formato.values``. No mark: exactly once.
"""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from dte.formato.tipos import BOLETAS, body_of
from dte.formato.values import ValueCheck, compile_check

_FOLDER = Path(__file__).parent
_LINE = re.compile(r"( *)(@?\w+)(\?|\{(\d+),(\d+)\})?(?: +(.+))?")

_OUTLINES = ("documento", "boleta", "liquidacion", "exportaciones")

# Zones that a document has only in its XML form: they come from stamping and signing.
XML_ONLY = frozenset({"TED", "TmstFirma"})


class Field:
    """One field of the format: where it goes, how often, and what its text may be."""

    __slots__ = (
        "attributes", "check", "children", "least", "most", "name", "order", "required", "simple", "spec",
    )  # fmt: skip

    def __init__(self, name: str, least: int, most: int, spec: str, order: int) -> None:
        self.name = name
        self.least = least
        self.most = most
        self.spec = spec
        self.order = order
        self.check: ValueCheck | None = compile_check(spec) if spec else None
        self.children: dict[str, Field] = {}
        self.attributes: dict[str, Field] = {}
        self.required: tuple[str, ...] = ()
        """Names of the children that must be there."""
        self.simple = False
        """Whether it is one text, without rows or attributes."""


def parse_outline(name: str, lines: Iterable[str]) -> Field:
    """Build the tree of one outline."""
    root = Field(name, 1, 1, "", 0)
    stack = [root]
    for line in lines:
        if line.startswith("#") or not line.strip():
            continue
        match = _LINE.fullmatch(line.rstrip("\n"))
        if match is None:
            raise ValueError(f"{name}: not an outline line: {line!r}")
        indent, label, mark, least, most, spec = match.groups()
        del stack[len(indent) // 2 + 1 :]
        parent = stack[-1]
        times = (int(least), int(most)) if least is not None else (0 if mark else 1, 1)
        owner = parent.attributes if label.startswith("@") else parent.children
        field = Field(label.lstrip("@"), *times, spec or "", len(owner))
        owner[field.name] = field
        stack.append(field)
    _note_required(root)
    return root


def _note_required(field: Field) -> None:
    field.simple = field.most == 1 and not field.children and not field.attributes
    field.required = tuple(child.name for child in field.children.values() if child.least)
    for child in field.children.values():
        _note_required(child)


@cache
def outline(name: str) -> Field:
    """Return the tree of ``dte/formato/<name>.txt``."""
    with (_FOLDER / f"{name}.txt").open(encoding="utf-8") as lines:
        return parse_outline(name, lines)


def outline_for(tipo: int) -> Field:
    """Return the format of one document type."""
    return outline("boleta" if tipo in BOLETAS else body_of(tipo).lower())


@cache
def every_name() -> frozenset[str]:
    """Return the names of the fields of all types."""
    return frozenset().union(*map(_names, map(outline, _OUTLINES)))


def _names(field: Field) -> frozenset[str]:
    return frozenset(field.children).union(*map(_names, field.children.values()))
