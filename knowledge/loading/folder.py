"""Finding and reading knowledge files on disk, refusing what is not safe to read."""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from knowledge.frontmatter import MAX_FILE_BYTES, InvalidFileError, ParsedDocument, parse

SUFFIXES: Final = frozenset({".md", ".markdown"})


@dataclass(frozen=True)
class Failure:
    """A file that was not loaded, and why."""

    path: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}"


@dataclass(frozen=True)
class Found:
    """A knowledge file: where it is and what it is called inside its folder."""

    path: Path
    root: Path

    @property
    def source_path(self) -> str:
        """The path inside the folder, with forward slashes on every system."""
        return self.path.relative_to(self.root).as_posix()


def find(paths: Iterable[Path]) -> list[Found]:
    """Return the Markdown files of files and folders, in a stable order.

    Hidden files and folders and a README are passed over; folders behind a symbolic link are not entered, but
    are reported, so that nobody wonders where their documents went.

    Raises:
        FileNotFoundError: A path does not exist.
    """
    found: list[Found] = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(path)
        if path.is_dir():
            found += sorted(_walk(path), key=lambda item: item.source_path)
        else:
            found.append(Found(path=path, root=path.parent))
    return found


def _walk(root: Path) -> Iterator[Found]:
    for folder, folders, files in os.walk(root):
        linked = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        folders[:] = [name for name in folders if not name.startswith(".")]
        markdown = [name for name in files if Path(name).suffix.lower() in SUFFIXES]
        for name in [*markdown, *linked]:
            if not name.startswith(".") and name.lower() != "readme.md":
                yield Found(path=Path(folder, name), root=root)


def read(found: Found) -> ParsedDocument:
    """Read and validate one file.

    Raises:
        InvalidFileError: With the reason and the line.
    """
    try:
        resolved = found.path.resolve(strict=True)
        inside = resolved.is_relative_to(found.root.resolve())
        status = resolved.stat()
        found.source_path.encode()
    except (OSError, RuntimeError):
        raise InvalidFileError("no se puede abrir (¿enlace roto?)") from None
    except UnicodeEncodeError:
        raise InvalidFileError("el nombre del archivo no es texto válido") from None
    if not inside:
        raise InvalidFileError("es un enlace que sale de la carpeta")
    if not stat.S_ISREG(status.st_mode):
        raise InvalidFileError("no es un archivo")
    if status.st_size > MAX_FILE_BYTES:
        raise InvalidFileError(f"el archivo supera {MAX_FILE_BYTES:,} bytes".replace(",", "."))
    try:
        raw = resolved.read_bytes()
    except OSError as error:
        raise InvalidFileError(f"no se puede leer: {error.strerror}") from None
    return parse(raw, source_path=found.source_path)


def read_all(files: Iterable[Found]) -> tuple[list[ParsedDocument], list[Failure]]:
    """Read many files; the second file with a ``doc_id`` already seen fails, the first stands."""
    documents: dict[str, ParsedDocument] = {}
    failures: list[Failure] = []
    for found in files:
        try:
            document = read(found)
            if other := documents.get(document.slug):
                raise InvalidFileError(
                    f"doc_id '{document.slug}' repetido: ya está en {other.source_path}"
                )
        except InvalidFileError as invalid:
            path = found.source_path.encode(errors="replace").decode()
            failures.append(Failure(path=path, line=invalid.line, reason=invalid.reason))
        else:
            documents[document.slug] = document
    return list(documents.values()), failures
