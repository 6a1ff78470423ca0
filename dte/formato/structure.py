"""How the elements of a file are put together, for files whose parts are not all read by an outline."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from lxml import etree

from dte.formato.elements import local, source_line
from dte.formato.outline import outline
from dte.formato.reading import (
    MAX_PATH,
    MAX_PROBLEMS,
    REQUIRED,
    STRAY_TEXT,
    UNKNOWN,
    UNORDERED,
    Node,
    Problem,
    XmlReader,
)
from dte.formato.values import compile_check

_identifier = compile_check("identificador")
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"


class Times(NamedTuple):
    """How often an element may stand in its place."""

    least: int = 1
    most: int = 1


ONCE = Times()
MAYBE = Times(0, 1)


def frame(
    element: etree._Element,
    path: str,
    parts: Mapping[str, Times],
    attributes: tuple[str, ...] = (),
) -> Iterator[Problem]:
    """Yield what is wrong with the children of an element and with its attributes.

    Args:
        element: the element.
        path: where it stands, ending in its own name.
        parts: its children by local name, in their order.
        attributes: those it must have; no others, but for the schema's location.
    """
    names, last = list(parts), 0
    line = source_line(element)
    found = dict.fromkeys(names, 0)
    if (element.text or "").strip() or any((child.tail or "").strip() for child in element):
        yield Problem(path, STRAY_TEXT, line)
    for child in element.iterchildren("*"):
        name = local(child)
        where = f"{path}/{name}"[:MAX_PATH]
        if name not in parts:
            yield Problem(where, UNKNOWN, source_line(child))
            continue
        if names.index(name) < last:
            yield Problem(where, UNORDERED, source_line(child))
        last = names.index(name)
        found[name] += 1
    for name, times in parts.items():
        if found[name] < times.least:
            yield Problem(f"{path}/{name}", REQUIRED, line)
        elif found[name] > times.most:
            yield Problem(
                f"{path}/{name}", f"viene {found[name]} veces y el máximo es {times.most}", line
            )
    yield from _attributes(element, path, attributes)


def _attributes(element: etree._Element, path: str, names: tuple[str, ...]) -> Iterator[Problem]:
    line = source_line(element)
    for name in map(str, element.attrib):
        if name not in names and not name.startswith(_XSI):
            yield Problem(f"{path}/@{name}"[:MAX_PATH], UNKNOWN, line)
    for name in names:
        value = element.get(name)
        if value is None:
            yield Problem(f"{path}/@{name}", REQUIRED, line)
        elif name == "ID" and (problem := _identifier(value)):
            yield Problem(f"{path}/@ID", problem, line)
        elif name == "version" and value.strip() not in {"1.0", "1", "1.00"}:
            yield Problem(f"{path}/@version", f"vale «{value[:40]}» y debe ser 1.0", line)


def read_part(element: etree._Element, name: str, path: str, problems: list[Problem]) -> Node:
    """Read an element by its outline, and note what does not fit."""
    namespace = etree.QName(element).namespace or ""
    reader = XmlReader(namespace=namespace)
    node = reader.read(element, outline(name), path)
    problems += reader.problems[: MAX_PROBLEMS - len(problems)]
    return node
