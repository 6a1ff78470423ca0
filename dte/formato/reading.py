"""Reading a document by its format: XML or JSON in, one nested dict of texts out, with the problems.

The result never depends on the form: groups are dicts, repeated fields are lists, values are texts.
A value that does not meet its type is kept as it came, so that the rules can still judge it.
"""

from decimal import Decimal
from typing import Any, NamedTuple

from lxml import etree

from dte.formato.elements import local_name, source_line
from dte.formato.outline import XML_ONLY, Field, every_name

Node = dict[str, Any]
MAX_PROBLEMS = 100
MAX_PATH = 200  # names that do not exist can be as long as their author likes
UNKNOWN = "no existe en el formato del SII"
REQUIRED = "es obligatorio y no viene"
REPEATED = "viene repetido"
UNORDERED = "está fuera de orden"
FOREIGN = "está en otro espacio de nombres"
STRAY_TEXT = "trae texto suelto entre sus etiquetas"


class Problem(NamedTuple):
    """One deviation from the format."""

    path: str
    text: str
    line: int | None = None
    code: str = ""
    """The rule it breaches; empty for the general one of the form (XSD-01, JSN-02)."""


class JsonNumber(str):
    """A number as it was written in the JSON, so that no digit is lost on the way."""

    __slots__ = ()

    def plain(self) -> str:
        """Return it without exponent or needless decimals: ``1.5e3`` and ``1500.0`` are 1500."""
        if self.isdigit():
            return str(self)
        text = format(Decimal(self), "f")
        return text.rstrip("0").rstrip(".") if "." in text else text


class XmlReader:
    """Reads one element by a field and keeps the problems found on the way."""

    def __init__(self, first_line: int = 1, namespace: str = "") -> None:
        self.problems: list[Problem] = []
        self.attributes = 0
        """How many attributes it has read."""
        self._offset = first_line - 1
        # Every field must be in the namespace of the document: in another it is another field.
        self._space = f"{{{namespace}}}" if namespace else ""

    def _report(self, path: str, text: str, element: etree._Element) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(path[:MAX_PATH], text, self.line_of(element)))

    def line_of(self, element: etree._Element) -> int:
        """Return the line of the file an element begins at."""
        return source_line(element) + self._offset

    def read(self, element: etree._Element, field: Field, path: str = "") -> Node:
        """Return the group's fields; ``path`` is where it stands, without trailing slash."""
        node: Node = {}
        known = field.children
        prefix = f"{path}/" if path else ""
        last = -1
        if (element.text or "").strip():
            self._report(path, STRAY_TEXT, element)
        for child in element:
            if (child.tail or "").strip():
                self._report(path, STRAY_TEXT, child)
            tag = child.tag
            if not isinstance(tag, str):
                continue  # comments and processing instructions
            name = tag.removeprefix(self._space)
            spec = known.get(name)
            if spec is None:
                self._unknown(node, child, prefix)
                continue
            if spec.order < last:
                self._report(prefix + name, UNORDERED, child)
            else:
                last = spec.order
            if not spec.simple or len(child) or name in node:
                self._place(node, child, spec, prefix)
                continue
            # Nine fields in ten: one text, once.
            text = node[name] = child.text or ""
            if spec.check is not None and (problem := spec.check(text)):
                self._report(prefix + name, problem, child)
        for name in field.required:
            if name not in node:
                self._report(prefix + name, REQUIRED, element)
        if field.attributes:
            self._read_attributes(element, field, prefix)
        return node

    def _unknown(self, node: Node, child: etree._Element, prefix: str) -> None:
        name = local_name(str(child.tag))
        if child.tag != self._space + name:
            self._report(prefix + name, FOREIGN, child)
            return
        self._report(prefix + name, UNKNOWN, child)
        node.setdefault(name, child.text or "" if not len(child) else {})

    def _place(self, node: Node, child: etree._Element, spec: Field, prefix: str) -> None:
        name = spec.name
        if spec.most == 1:
            if name in node:
                self._report(prefix + name, REPEATED, child)
            else:
                node[name] = self._value(child, spec, prefix + name)
            return
        rows = node.setdefault(name, [])
        position = f"{prefix}{name}[{len(rows) + 1}]"
        rows.append(self._value(child, spec, position))
        if len(rows) == spec.most + 1:
            self._report(position, f"se repite más de {spec.most} veces", child)

    def _value(self, child: etree._Element, spec: Field, path: str) -> object:
        if spec.children:
            return self.read(child, spec, path)
        if len(child):
            text = "".join(str(part) for part in child.itertext())
            if any(isinstance(inner.tag, str) for inner in child):
                self._report(path, "contiene etiquetas y debe ser un texto", child)
        else:
            text = child.text or ""
        if spec.check is not None and (problem := spec.check(text)):
            self._report(path, problem, child)
        if spec.attributes:
            self._read_attributes(child, spec, f"{path}/")
        return text

    def _read_attributes(self, element: etree._Element, field: Field, prefix: str) -> None:
        for name, spec in field.attributes.items():
            value = element.get(name)
            if value is None:
                if spec.least:
                    self._report(f"{prefix}@{name}", REQUIRED, element)
                continue
            self.attributes += 1
            if spec.check is not None and (problem := spec.check(value)):
                self._report(f"{prefix}@{name}", problem, element)


class JsonReader:
    """The same for a JSON object; numbers are :class:`JsonNumber`, null counts as absent."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def _report(self, path: str, text: str, code: str = "") -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(path[:MAX_PATH], text, None, code))

    def read(self, obj: dict[str, object], field: Field, path: str = "") -> Node:
        """Return the group's fields."""
        node: Node = {}
        prefix = f"{path}/" if path else ""
        for name, value in obj.items():
            spec = field.children.get(name)
            if value is None:
                continue
            if spec is not None and spec.simple and isinstance(value, str):
                text = value.plain() if isinstance(value, JsonNumber) else value
                if spec.check is not None and (problem := spec.check(text)):
                    self._report(prefix + name, problem)
                node[name] = text
                continue
            if spec is None:
                self._unknown(node, name, value, prefix)
            elif spec.most > 1:
                rows = value if isinstance(value, list) else [value]
                if len(rows) > spec.most:
                    self._report(prefix + name, f"se repite más de {spec.most} veces")
                values = (
                    self._value(row, spec, f"{prefix}{name}[{number}]")
                    for number, row in enumerate(rows, 1)
                    if row is not None
                )
                node[name] = [kept for kept in values if kept is not None]
            elif (kept := self._value(value, spec, prefix + name)) is not None:
                node[name] = kept
        for name in field.required:
            # What came in the wrong shape was said already.
            if obj.get(name) is None and (path or name not in XML_ONLY):
                self._report(prefix + name, REQUIRED)
        return node

    def _unknown(self, node: Node, name: str, value: object, prefix: str) -> None:
        """A field of another type is kept, so that the rules can say it does not belong there."""
        if name.startswith(("@", "#")):
            return  # attributes and blanks, as converters from XML write them
        self._report(prefix + name, UNKNOWN, "JSN-03")
        if isinstance(value, str) and name in every_name():
            node[name] = value.plain() if isinstance(value, JsonNumber) else value

    def _value(self, value: object, spec: Field, path: str) -> object:
        if spec.children:
            if isinstance(value, dict):
                return self.read(value, spec, path)
            self._report(path, "debe ser un objeto")
            return None
        if spec.attributes and isinstance(value, dict):
            value = value.get("#text")
        if isinstance(value, bool) and not spec.spec.startswith(("texto", "codigo")):
            self._report(path, "trae verdadero o falso donde va un número", "JSN-04")
            return None
        if not isinstance(value, str):
            self._report(path, "debe ser un texto o un número")
            return None
        text = value.plain() if isinstance(value, JsonNumber) else value
        if spec.check is not None and (problem := spec.check(text)):
            self._report(path, problem)
        return text
