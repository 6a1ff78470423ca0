"""Computing the vectors that passages lack, a few at a time, after the text is already searchable."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np

from knowledge.loading.ingest import passage_text
from knowledge.models import Embedding, Passage
from knowledge.searching import semantic
from knowledge.searching.engine import engine

BATCH: Final = 32
SHIPPED: Final = "vectors.npz"  # a folder of documents may bring its vectors along

Progress = Callable[[int, int], None]


def missing() -> dict[str, int]:
    """Return one current passage for each text without a vector, by the text's hash."""
    known = Embedding.objects.filter(model=semantic.MODEL).values("text_hash")
    return dict(
        Passage.objects.current()
        .exclude(text_hash__in=known)
        .order_by("-id")
        .values_list("text_hash", "id")
    )


def embed_missing(progress: Progress = lambda done, total: None) -> int:
    """Compute and store what is missing; every batch is kept, so it may be interrupted.

    Args:
        progress: Called with texts done and texts to do.

    Returns:
        How many vectors were computed; 0 without a model.
    """
    todo = list(missing().items()) if engine.encoder.available() else []
    done = 0
    # The engine drops the GIL, so threads use all cores that we may use.
    with ThreadPoolExecutor(max_workers=len(os.sched_getaffinity(0))) as pool:
        for first in range(0, len(todo), BATCH):
            progress(done, len(todo))
            batch = dict(todo[first : first + BATCH])
            texts = dict(_texts(list(batch.values())))
            vectors = pool.map(engine.encoder.passage_vector, texts.values())
            store({key: data for key, data in zip(texts, vectors, strict=True) if data})
            done += len(batch)
    if todo:
        progress(done, len(todo))
    return done


def store(vectors: dict[str, bytes]) -> None:
    """Keep vectors by their text's hash; those already known stay."""
    Embedding.objects.bulk_create(
        [
            Embedding(text_hash=key, model=semantic.MODEL, vector=data)
            for key, data in vectors.items()
        ],
        ignore_conflicts=True,
        batch_size=500,
    )


def import_file(path: Path) -> int:
    """Store the vectors of a file that are missing here; a file of another model is ignored.

    Returns:
        How many were taken over.
    """
    with np.load(path, allow_pickle=False) as file:
        if str(file["model"]) != semantic.MODEL:
            return 0
        hashes, vectors = file["hashes"].tolist(), file["vectors"].astype(semantic.STORED)
    wanted = missing()
    taken = {
        key.decode(): vector.tobytes()
        for key, vector in zip(hashes, vectors, strict=True)
        if key.decode() in wanted
    }
    store(taken)
    return len(taken)


def export_file(path: Path) -> int:
    """Write the vectors of all current passages to a file.

    Returns:
        How many were written.
    """
    hashes = set(Passage.objects.current().values_list("text_hash", flat=True))
    known = Embedding.objects.filter(model=semantic.MODEL).order_by("text_hash")
    chosen = [
        (key, np.frombuffer(bytes(data), semantic.STORED))
        for key, data in known.values_list("text_hash", "vector")
        if key in hashes
    ]
    vectors = [vector for _, vector in chosen]
    np.savez_compressed(
        path,
        model=np.array(semantic.MODEL),
        hashes=np.array([key.encode() for key, _ in chosen], dtype="S64"),
        vectors=np.array(vectors, semantic.STORED).reshape(-1, semantic.DIMENSION),
    )
    return len(chosen)


def _texts(ids: list[int]) -> Iterator[tuple[str, str]]:
    for passage in Passage.objects.filter(id__in=ids).select_related("version"):
        text = passage_text(passage.version.title, passage.section, passage.content)
        yield passage.text_hash, text
