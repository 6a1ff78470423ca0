"""The knowledge base as one ZIP file: the same folder of Markdown files that is loaded from disk."""

import io
import re
import zipfile
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import IO, Final

from knowledge.frontmatter import MAX_FILE_BYTES, InvalidFileError, ParsedDocument, dump, parse
from knowledge.loading.folder import SUFFIXES, Failure
from knowledge.models import Document

MAX_FILES: Final = 20_000
MAX_TOTAL_BYTES: Final = 200_000_000


class InvalidArchiveError(ValueError):
    """A file that is not a folder of documents."""


def export(documents: Iterable[Document]) -> bytes:
    """Return a ZIP file from which :func:`read` and ``load_knowledge`` read the same documents."""
    buffer = io.BytesIO()
    used: set[str] = set()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for document in documents:
            name = _name(document, used)
            used.add(name)
            archive.writestr(name, dump(document.as_parsed(document.slug)))
    return buffer.getvalue()


def read(file: IO[bytes]) -> tuple[list[ParsedDocument], list[Failure]]:
    """Read the documents of a ZIP file; nothing is unpacked to disk.

    Raises:
        InvalidArchiveError: It is no ZIP file, or too large to be one of documents.
    """
    documents: dict[str, ParsedDocument] = {}
    failures: list[Failure] = []
    try:
        with zipfile.ZipFile(file) as archive:
            members = [info for info in archive.infolist() if _is_document(info)]
            if len(members) > MAX_FILES or sum(i.file_size for i in members) > MAX_TOTAL_BYTES:
                raise InvalidArchiveError("El ZIP contiene demasiado para ser documentos.")
            for info in members:
                path = info.filename
                try:
                    # The size in the directory may lie: read no more than a document may have.
                    with archive.open(info) as member:
                        document = parse(member.read(MAX_FILE_BYTES + 1), source_path=path)
                    if document.slug in documents:
                        raise InvalidFileError(f"doc_id '{document.slug}' repetido")
                except InvalidFileError as error:
                    failures.append(Failure(path=path, line=error.line, reason=error.reason))
                else:
                    documents[document.slug] = document
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError):
        # RuntimeError: encrypted; NotImplementedError: an unknown compression.
        raise InvalidArchiveError("No es un archivo ZIP que se pueda leer.") from None
    return list(documents.values()), failures


def _is_document(info: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(info.filename)
    hidden = any(part.startswith(".") for part in path.parts)
    return path.suffix.lower() in SUFFIXES and path.name.lower() != "readme.md" and not hidden


def _name(document: Document, used: set[str]) -> str:
    """Return the document's own file name; for one written in the admin, one made of its slug."""
    own = document.source_path
    if own and not own.startswith("/") and ".." not in own.split("/") and own not in used:
        return own
    name = re.sub(r"[^\w.-]+", "-", document.slug) + ".md"
    return name if name not in used else f"{document.pk}-{name}"
