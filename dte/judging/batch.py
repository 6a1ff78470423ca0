"""Many documents in one request: a large envelope or a ZIP, judged one by one as they are read.

Nothing here holds more than one parsed document; what is remembered of the others is a line each, to
find duplicates and to add up the summary.
"""

import io
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from dte.examining.examination import Case, Kind
from dte.examining.given import Given
from dte.examining.refused import Refused
from dte.judging.examined import Examined, examine
from dte.judging.foreign import judge_any_json
from dte.judging.report import Judged, close, judge_each
from dte.judging.verdict import RECOMMENDATIONS, worst
from dte.kinds import recognise
from dte.parsing.json import is_odd
from dte.parsing.unreadable import Unreadable
from dte.parsing.xml import MAX_BYTES, read_xml
from dte.rules import REGISTRY
from dte.rules.engine import finding_of, sort, to_finding
from dte.rules.findings import Fault, Finding
from dte.rules.registry import Context

MAX_BATCH_BYTES: Final = 32 * 1024 * 1024
MAX_BATCH_ELEMENTS: Final = 2_000_000
MAX_ENTRIES: Final = 2_000
# Of one batch, ten full envelopes: EnvioDTE holds 2,000 at most, EnvioBOLETA 500 (the SII's schemas).
MAX_DOCUMENTS: Final = 20_000
MAX_UNPACKED: Final = 64 * 1024 * 1024
# XML of the SII shrinks to a tenth; a hundredth is a bomb.
MAX_RATIO: Final = 100
# What every program writes. Python unpacks the others in one piece, however much that is.
METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
# What zipfile raises for an archive that is damaged, encrypted (RuntimeError) or of another method.
_ZIP_ERRORS: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    IndexError,
)

ZIP_MAGIC: Final = b"PK\x03\x04"


class BatchFile(NamedTuple):
    """One file of the batch."""

    name: str
    raw: bytes
    position: int = 1
    """Its place among the files of the batch, from 1."""
    files: int = 1
    """How many those are; known from the start, unlike the documents in them."""


class Answer(NamedTuple):
    """One line of the answer that is about a document, an envelope or a file of another kind."""

    type: str
    """``document``, ``envelope`` or ``file``; ``together`` for what several files of a kind show."""
    file: str
    judged: Judged | Examined
    done: int = 0
    """How many documents and files were judged by then."""
    position: int = 1
    """Which file of the batch it is from, and of how many."""
    files: int = 1


@dataclass(slots=True)
class Batch:
    """The state of one batch while it is read."""

    context: Context
    case: Case | None = None
    """What files of other kinds may know; what documents may, unless given."""
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What was said beside the files, as a form would: ``usados``, ``password``, …"""
    counts: Counter[str] = field(default_factory=Counter)
    """Verdicts of documents and files; an envelope is neither, and has a count of its own."""
    envelopes: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    documents: int = 0
    files: int = 0
    """Files of other kinds."""
    unreadable: int = 0
    """Files that could not be read at all."""
    total: int = 0
    """Documents known to come, as far as the files were opened."""
    _seen: dict[tuple[str, int, str], tuple[int, str]] = field(default_factory=dict)
    _alike: dict[str, list[Examined]] = field(default_factory=dict)

    def judge(self, entries: Iterator[BatchFile]) -> Iterator[Answer]:
        """Judge every document of every file, in order."""
        for entry in entries:
            for answer in self._judge_or_refuse(entry):
                yield answer._replace(position=entry.position, files=entry.files)

    def _judge_or_refuse(self, entry: BatchFile) -> Iterator[Answer]:
        known = self.total
        try:
            yield from self._judge_entry(entry)
        except Unreadable as exc:
            if not entry.name:  # the whole submission
                raise
            self.unreadable += 1
            self.total = max(self.total, known + 1)
            yield self._count(Answer("document", entry.name, _unreadable(exc, self.context)))

    def _judge_entry(self, entry: BatchFile) -> Iterator[Answer]:
        given = Given(entry.raw, filename=entry.name, fields=self.fields)
        if (kind := recognise(given)) is not None:
            self.total += 1
            yield self._file(entry, kind, given)
            return
        if given.form == "json":
            self.total += 1
            report = judge_any_json(
                given.json, self.context, content=entry.raw, odd_text=is_odd(entry.raw)
            )
            yield self._document(entry.name, report.documents[0], in_envelope=False)
            return
        file = read_xml(entry.raw, max_bytes=MAX_BATCH_BYTES, max_elements=MAX_BATCH_ELEMENTS)
        if self.total + len(file.fragments) > MAX_DOCUMENTS:
            raise Unreadable("XML-07", exceso=f"el lote trae más de {MAX_DOCUMENTS} documentos")
        self.total += len(file.fragments)
        for judged in judge_each(file, self.context):
            yield self._document(entry.name, judged, in_envelope=file.envelope is not None)
        if (envelope := close(file, self.context)) is not None:
            yield self._count(Answer("envelope", entry.name, envelope))

    def _file(self, entry: BatchFile, kind: Kind, given: Given) -> Answer:
        ctx = self.context
        case = self.case or Case(ctx.as_of, ctx.mode, ctx.environment, ctx.receiver)
        examined = examine(kind, given, case)
        self.files += 1
        examined.number = self.documents + self.files
        if kind.together is not None:
            self._alike.setdefault(kind.name, []).append(examined)
        return self._count(Answer("file", entry.name, examined))

    def together(self) -> list[dict[str, Any]]:
        """Return what several files of one kind show only together."""
        shown = []
        for alike in self._alike.values():
            kind = alike[0].kind
            if kind.together is not None and len(alike) > 1:
                examination = kind.together([one.examination for one in alike])
                shown.append(replace(alike[0], examination=examination, id="").as_dict())
        return shown

    def _document(self, name: str, judged: Judged, *, in_envelope: bool) -> Answer:
        self.documents += 1
        judged.dte = None
        judged.number = self.documents
        if not in_envelope and (repeated := self._repeated(judged)) is not None:
            judged.findings = sort([*judged.findings, repeated])
        return self._count(Answer("document", name, judged))

    def _repeated(self, judged: Judged) -> Finding | None:
        """Find the same document in an earlier file; inside one envelope FOL-03 itself does."""
        key = (
            judged.summary["issuer"]["rut"],
            judged.summary["type"] or 0,
            judged.summary["folio"],
        )
        first = self._seen.setdefault(key, (judged.number, judged.digest))
        if first[0] == judged.number or not all(key):
            return None
        same = first[1] == judged.digest
        fault = Fault(
            "Encabezado/IdDoc/Folio",
            severity="warn" if same else "reject",
            message="El documento {primero} del lote es el mismo."
            if same
            else "El documento {primero} del lote tiene el mismo emisor, tipo y folio, y otro contenido.",
            primero=first[0],
        )
        return to_finding(REGISTRY["FOL-03"], fault)

    def _count(self, answer: Answer) -> Answer:
        counts = self.envelopes if answer.type == "envelope" else self.counts
        counts[answer.judged.verdict.recommendation] += 1
        self.codes.update({found.code for found in answer.judged.findings})
        return answer._replace(done=self.documents + self.files + self.unreadable)

    def summary(self) -> dict[str, object]:
        """Return the last line: how it went as a whole."""
        verdicts = [name for name in RECOMMENDATIONS if self.counts[name] or self.envelopes[name]]
        together = self.together()
        verdicts += [one["recommendation"] for one in together]
        return {
            "type": "summary",
            "documents": self.documents,
            "files": self.files,
            "unreadable": self.unreadable,
            "envelopes": self.envelopes.total(),
            "recommendation": worst(verdicts),
            "counts": {name: self.counts[name] for name in RECOMMENDATIONS},
            "codes": dict(self.codes.most_common(20)),
            **({"together": together} if together else {}),
        }


def _unreadable(reason: Unreadable, ctx: Context) -> Judged:
    nothing = {"type": None, "type_name": "", "form": "xml"}
    finding = reason.finding if isinstance(reason, Refused) else finding_of(reason, ctx.mode)
    return Judged(0, "xml", nothing, [finding], "", ctx.mode)


def open_batch(raw: bytes) -> Iterator[BatchFile]:
    """Return the files of a batch, which is a ZIP or a single file.

    Raises:
        Unreadable: XML-07 when a limit is exceeded, XML-01 when the ZIP is broken; while iterating too.
    """
    if not raw.startswith(ZIP_MAGIC):
        yield BatchFile("", raw)
        return
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            yield from _entries(archive)
    except _ZIP_ERRORS as exc:
        raise Unreadable(
            "XML-01", motivo="el ZIP está dañado, cifrado o usa otra compresión"
        ) from exc


def _entries(archive: zipfile.ZipFile) -> Iterator[BatchFile]:
    infos = [info for info in archive.infolist() if not info.is_dir()]
    if len(infos) > MAX_ENTRIES:
        raise Unreadable(
            "XML-07", exceso=f"el ZIP trae {len(infos)} archivos y el máximo es {MAX_ENTRIES}"
        )
    unpacked = 0
    for position, info in enumerate(infos, 1):
        raw = _unpack(archive, info)
        unpacked += len(raw)
        if unpacked > MAX_UNPACKED:
            raise Unreadable(
                "XML-07", exceso=f"el ZIP descomprimido pesa más de {MAX_UNPACKED} bytes"
            )
        yield BatchFile(info.filename[:200], raw, position, len(infos))


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Read one entry; what its header says of its size is not believed."""
    if info.compress_type not in METHODS:
        raise NotImplementedError
    limit = min(MAX_BYTES, max(info.compress_size, 1) * MAX_RATIO)
    with archive.open(info) as stream:
        raw = stream.read(limit + 1)
    if len(raw) > limit:
        raise Unreadable(
            "XML-07", exceso=f"un archivo del ZIP pesa más de {limit} bytes al descomprimirlo"
        )
    return raw
