"""What was handed in, before anybody knows what it is: its bytes, and cheap looks at them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from dte.examining.tree import Tree, read_tree
from dte.parsing.json import parse_json

Form = Literal["xml", "json", "text", "binary"]

_LOOK = 4096
_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_ROOT = re.compile(
    r"(?:\s|<\?.*?\?>|<!--.*?-->)*+<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)", re.DOTALL
)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


@dataclass(frozen=True)
class Given:
    """One file of a request. Its looks are computed once and never raise, but for ``json`` and ``tree``."""

    content: bytes = field(repr=False)
    media_type: str = ""
    filename: str = ""
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The other fields of the form or of the query: ``password``, ``usados``, …"""
    document: bytes | None = field(default=None, repr=False)
    """A second file, the document that the first is compared with."""

    @cached_property
    def start(self) -> str:
        """The first characters, without byte order mark and leading blanks."""
        head = self.content[:_LOOK]
        encoding = next((name for bom, name in _BOMS.items() if head.startswith(bom)), "latin-1")
        return head.decode(encoding, errors="replace").lstrip()

    @cached_property
    def root(self) -> str:
        """The local name of the XML root; ``""`` when it does not begin as XML does."""
        found = _ROOT.match(self.start)
        return found[1] if found else ""

    @property
    def form(self) -> Form:
        """What its first characters say it is."""
        if self.root:
            return "xml"
        if self.start.startswith(("{", "[")):
            return "json"
        return "binary" if _CONTROL.search(self.content[:_LOOK]) else "text"

    @cached_property
    def json(self) -> Any:
        """The parsed JSON.

        Raises:
            Unreadable: It is not strict JSON.
        """
        return parse_json(self.content)

    @cached_property
    def tree(self) -> Tree:
        """The parsed XML.

        Raises:
            Unreadable: It is not XML, or exceeds a limit.
        """
        return read_tree(self.content)

    @cached_property
    def text(self) -> str:
        """The whole content as text: UTF-8 where it is, else what Windows writes."""
        encoding = next(
            (name for bom, name in _BOMS.items() if self.content.startswith(bom)), "utf-8"
        )
        try:
            return self.content.decode(encoding)
        except UnicodeDecodeError:
            return self.content.decode("cp1252", errors="replace")
