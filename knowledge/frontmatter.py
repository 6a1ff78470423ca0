"""Reading one knowledge file: bytes in, validated document out. Touches neither disk nor database."""

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import yaml

MAX_FILE_BYTES: Final = 2_000_000
MAX_FRONT_MATTER_CHARS: Final = 16_000
MAX_TAGS: Final = 50
KNOWN_KEYS: Final = (
    "title",
    "module",
    "tags",
    "source",
    "valid_from",
    "valid_to",
    "checked_on",
    "doc_id",
)
LIMITS: Final = {"title": 300, "module": 100, "source": 1000, "doc_id": 200}

_FRONT_MATTER = re.compile(
    r"\A---[ \t]*\n(.*?)(?:^|\n)---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class InvalidFileError(ValueError):
    """A file that cannot become a document; carries the line to look at."""

    def __init__(self, reason: str, line: int = 1) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


@dataclass(frozen=True)
class ParsedDocument:
    """What a file says: its front matter and its Markdown body."""

    slug: str
    title: str
    module: str
    tags: tuple[str, ...]
    body: str
    source: str = ""
    source_path: str = ""
    valid_from: date | None = None
    valid_to: date | None = None
    checked_on: date | None = None
    warnings: tuple[str, ...] = field(default=(), compare=False)

    @property
    def content_hash(self) -> str:
        """Hash of everything a reader or the index can see; equal hashes mean nothing to do."""
        return content_hash(
            title=self.title,
            module=self.module,
            tags=self.tags,
            body=self.body,
            source=self.source,
            source_path=self.source_path,
            valid_from=self.valid_from,
            valid_to=self.valid_to,
            checked_on=self.checked_on,
        )


def content_hash(**fields: object) -> str:
    """Return the SHA-256 of a document's fields in a canonical form."""
    canonical = json.dumps(fields, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


class _PlainLoader(yaml.BaseLoader):
    """YAML in which every scalar is text and nothing is repeated by reference.

    Text only: ``no`` stays "no", ``010`` stays "010", and a date is read by us, with our message.
    No aliases: they are what a "billion laughs" document is made of. No duplicate keys: the second
    would silently win.
    """

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
            raise InvalidFileError("el encabezado no admite alias (*)", _line(event))
        node: yaml.Node | None = super().compose_node(parent, index)
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode) or key.value in seen:
                    raise InvalidFileError("el encabezado tiene una clave repetida", _line(key))
                seen.add(key.value)
        return node


def _line(item: yaml.Event | yaml.Node) -> int:
    """Return the line of the file; the front matter begins on its second line."""
    return item.start_mark.line + 2 if item.start_mark else 2


def decode(raw: bytes) -> str:
    """Return the text of a file in UTF-8 (with or without BOM) or, failing that, Windows-1252.

    Raises:
        InvalidFileError: It is too large, or it is not text.
    """
    if len(raw) > MAX_FILE_BYTES:
        raise InvalidFileError(f"el archivo supera {MAX_FILE_BYTES:,} bytes".replace(",", "."))
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InvalidFileError("está en UTF-16: guárdelo en UTF-8")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Old Chilean systems export Windows-1252, a superset of the Latin-1 the SII's files use.
        text = raw.decode("cp1252", errors="replace")
        if "\ufffd" in text:
            raise InvalidFileError("no es texto en UTF-8 ni en Latin-1") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if control := _CONTROL.search(text):
        raise InvalidFileError(
            "contiene caracteres de control", 1 + text.count("\n", 0, control.start())
        )
    return text


def parse(raw: bytes, *, source_path: str) -> ParsedDocument:
    """Return the document in a file.

    Args:
        raw: The file's bytes.
        source_path: Its path inside the folder loaded, which also names it when it has no
            ``doc_id``.

    Raises:
        InvalidFileError: With the reason in Spanish and the line.
    """
    text = decode(raw)
    match = _FRONT_MATTER.match(text)
    if not match:
        raise InvalidFileError("falta el encabezado YAML entre dos líneas '---'")
    values = _front_matter(match.group(1))
    body = text[match.end() :].strip("\n")
    if not body.strip():
        raise InvalidFileError("el documento no tiene texto", 1 + text.count("\n"))
    unknown = sorted(set(values) - set(KNOWN_KEYS))
    document = ParsedDocument(
        slug=_text(values, "doc_id") or _slug_of(source_path),
        title=_text(values, "title", required=True),
        module=_text(values, "module", required=True),
        tags=_tags(values.get("tags", "")),
        body=body,
        source=_text(values, "source"),
        source_path=source_path,
        valid_from=_date(values, "valid_from"),
        valid_to=_date(values, "valid_to"),
        checked_on=_date(values, "checked_on"),
        warnings=tuple(f"clave desconocida: {key}" for key in unknown),
    )
    if document.valid_from and document.valid_to and document.valid_to < document.valid_from:
        raise InvalidFileError("valid_to es anterior a valid_from")
    return document


def dump(document: ParsedDocument) -> str:
    """Write a document as a file that :func:`parse` reads back to the same content."""
    values: dict[str, object] = {
        "title": document.title,
        "module": document.module,
        "tags": list(document.tags),
        "source": document.source,
        "valid_from": document.valid_from and document.valid_from.isoformat(),
        "valid_to": document.valid_to and document.valid_to.isoformat(),
        "checked_on": document.checked_on and document.checked_on.isoformat(),
        "doc_id": document.slug,
    }
    head = yaml.safe_dump(
        {key: value for key, value in values.items() if value},
        allow_unicode=True,
        sort_keys=False,
        width=1000,
    )
    return f"---\n{head}---\n\n{document.body}\n"


def _front_matter(text: str) -> dict[str, object]:
    if len(text) > MAX_FRONT_MATTER_CHARS:
        raise InvalidFileError("el encabezado es demasiado largo")
    try:
        values = yaml.load(text, Loader=_PlainLoader)  # noqa: S506 - builds only text, lists, dicts
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise InvalidFileError(
            f"el encabezado no es YAML válido: {error.problem}", (mark.line if mark else 0) + 2
        ) from None
    except (yaml.YAMLError, RecursionError):
        raise InvalidFileError("el encabezado no es YAML válido", 2) from None
    if not isinstance(values, dict):
        raise InvalidFileError("el encabezado debe ser una lista de 'clave: valor'", 2)
    return values


def _text(values: dict[str, object], key: str, *, required: bool = False) -> str:
    value = values.get(key, "")
    if not isinstance(value, str):
        raise InvalidFileError(f"'{key}' debe ser un texto")
    value = " ".join(value.split())
    if value in {"~", "null"}:
        value = ""
    if required and not value:
        raise InvalidFileError(f"falta '{key}'")
    if len(value) > LIMITS[key]:
        raise InvalidFileError(f"'{key}' supera {LIMITS[key]} caracteres")
    return value


def _tags(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        raise InvalidFileError("'tags' debe ser una lista de textos")
    tags = tuple(dict.fromkeys(" ".join(tag.split()) for tag in value if tag.strip()))
    if len(tags) > MAX_TAGS or any(len(tag) > LIMITS["module"] for tag in tags):
        raise InvalidFileError("hay demasiadas etiquetas en 'tags', o son muy largas")
    return tags


def _date(values: dict[str, Any], key: str) -> date | None:
    value = values.get(key, "")
    if value in {"", "~", "null"} if isinstance(value, str) else False:
        return None
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise InvalidFileError(f"'{key}' debe ser una fecha AAAA-MM-DD") from None


def _slug_of(source_path: str) -> str:
    stem = re.sub(r"\.[^./]+\Z", "", source_path)
    return re.sub(r"[\s/\\]+", "-", stem).strip("-")[: LIMITS["doc_id"]]
