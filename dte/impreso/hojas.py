"""The pages of a printed document: their stamps and their text, read by a process that is bounded."""

import base64
import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dte.parsing.unreadable import Unreadable

READER: Final = Path(__file__).with_name("lector.py")
# It limits its own processor time; this is for a machine that gives it none.
SECONDS: Final = 15
# At a time: each takes up to 100 MB for a second, and a burst of them would take the machine.
_places = threading.BoundedSemaphore(2)

_REASONS: Final = {
    "damaged": "está dañado o no es lo que dice ser",
    "encrypted": "está protegido con contraseña",
    "empty": "no tiene páginas",
    "too_large": "es demasiado grande para leerlo",
    "complex": "toma más tiempo o memoria que lo permitido",
}


@dataclass(frozen=True, slots=True)
class Stamp:
    """A PDF417 on a page."""

    page: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Pages:
    """What was read of a PDF or an image."""

    count: int
    looked: int
    """How many of them were looked at."""
    text: str
    """Of the PDF's own; an image has none."""
    stamps: tuple[Stamp, ...]


def read_pages(content: bytes) -> Pages:
    """Read the pages of a PDF, PNG or JPEG.

    Raises:
        Unreadable: IMG-01, with what is wrong with the file.
    """
    with _places:
        try:
            done = subprocess.run(  # noqa: S603  # nothing in the command is the caller's
                [sys.executable, "-I", str(READER)],
                input=content,
                capture_output=True,
                timeout=SECONDS,
                env={},
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            raise Unreadable("IMG-01", motivo=_REASONS["complex"]) from exc
    found: dict[str, Any] = {"error": "complex"}
    if done.returncode == 0 and done.stdout:
        found = json.loads(done.stdout)
    if "error" in found:
        raise Unreadable("IMG-01", motivo=_REASONS[found["error"]])
    stamps = (Stamp(one["page"], base64.b64decode(one["content"])) for one in found["stamps"])
    return Pages(found["pages"], found["looked"], found["text"], tuple(stamps))
