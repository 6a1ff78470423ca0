"""The search index as data: which term stands how often in which passage. Knows nothing of ranking.

Arrays only, so that 100,000 passages fit in memory many times over, are written to and read from
one database field in a moment, and a change of ten passages does not analyse the others again.
"""

import io
import json
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from knowledge.searching import analysis

# How many times a title's words count; measured, hit@1 on tax questions: 0 -> .32, 1 -> .48, 3 -> .58.
TITLE_WEIGHT: Final = 3
MAX_FREQUENCY: Final = 255
BATCH: Final = 2_000
# Passages are counted anew after so many, so that a posting names its passage in two bytes.
BLOCK: Final = 2**16
ALWAYS: Final = (0, 2**31 - 1)  # days of a passage without a period of validity

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Entry:
    """One passage to be indexed."""

    id: int
    title: str
    section: str
    content: str
    module: str
    tags: Sequence[str] = ()
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True)
class Postings:
    """Postings of all passages, ordered by block of passages, then by term."""

    terms: Array  # S32, sorted; words as written, which begin with "=", stand together
    starts: Array  # int64 [blocks, terms + 1], where a term's postings start; the last: they end
    rows: Array  # uint16, the passage of each posting, as a position in its block of ``ids``
    counts: Array  # uint8, weighted frequency of the term in that passage
    ids: Array  # int64, primary key of each passage
    lengths: Array  # float32, weighted number of terms
    modules: Array  # int16, index into names
    tag_rows: Array  # int32
    tag_names: Array  # int32, index into names
    days: Array  # int32 [2, n], first and last day of validity
    names: tuple[str, ...]  # modules and tags

    @classmethod
    def empty(cls) -> Self:
        """Return postings of no passage at all."""
        return cls(
            terms=np.empty(0, "S32"),
            starts=np.zeros((0, 1), np.int64),
            rows=np.empty(0, np.uint16),
            counts=np.empty(0, np.uint8),
            ids=np.empty(0, np.int64),
            lengths=np.empty(0, np.float32),
            modules=np.empty(0, np.int16),
            tag_rows=np.empty(0, np.int32),
            tag_names=np.empty(0, np.int32),
            days=np.empty((2, 0), np.int32),
            names=(),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def changed(self, *, keep: Iterable[int], add: Iterable[Entry]) -> "Postings":
        """Return new postings: of the passages ``keep`` that are here already, and of ``add``."""
        kept = np.isin(self.ids, np.fromiter(keep, np.int64))
        added = _analyse(add, self.names)
        new_row = np.cumsum(kept, dtype=np.int32) - 1
        term_of, passage_of = self.places(slice(None))
        staying = kept[passage_of]
        tags_staying = kept[self.tag_rows]
        offset = int(kept.sum())
        rows = np.concatenate([new_row[passage_of[staying]], added.rows + offset])
        terms, starts, order = _merge_terms(
            self.terms, term_of[staying], added.vocabulary, added.terms, rows // BLOCK
        )
        return Postings(
            terms=terms,
            starts=starts,
            rows=(rows % BLOCK).astype(np.uint16)[order],
            counts=np.concatenate([self.counts[staying], added.counts])[order],
            ids=np.concatenate([self.ids[kept], added.ids]),
            lengths=np.concatenate([self.lengths[kept], added.lengths]),
            modules=np.concatenate([self.modules[kept], added.modules]),
            tag_rows=np.concatenate(
                [new_row[self.tag_rows[tags_staying]], added.tag_rows + offset]
            ),
            tag_names=np.concatenate([self.tag_names[tags_staying], added.tag_names]),
            days=np.concatenate([self.days[:, kept], added.days], axis=1),
            names=added.names,
        )

    def places(self, part: slice) -> tuple[Array, Array]:
        """Return the term and the passage of some postings, as positions in ``terms`` and ``ids``."""
        first, last, _ = part.indices(len(self.rows))
        columns = self.starts.shape[1]
        slots = np.searchsorted(self.starts.ravel(), np.arange(first, last), side="right") - 1
        block_of, term_of = np.divmod(slots.astype(np.int32), np.int32(columns))
        return term_of, block_of * np.int32(BLOCK) + self.rows[first:last]

    def to_bytes(self) -> bytes:
        """Serialise for one database field."""
        buffer = io.BytesIO()
        arrays = {name: value for name, value in vars(self).items() if name != "names"}
        names = np.frombuffer(json.dumps(self.names).encode(), np.uint8)
        np.savez(buffer, **arrays, names=names)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what :meth:`to_bytes` wrote."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            fields = dict(arrays)
        names = tuple(json.loads(fields.pop("names").tobytes()))
        return cls(**fields, names=names)


@dataclass(frozen=True)
class _Analysed:
    """Postings of new passages, terms still numbered in order of appearance."""

    vocabulary: Array
    terms: Array
    rows: Array
    counts: Array
    ids: Array
    lengths: Array
    modules: Array
    tag_rows: Array
    tag_names: Array
    days: Array
    names: tuple[str, ...]


def _merge_terms(
    old: Array, old_of: Array, new: Array, new_of: Array, blocks: Array
) -> tuple[Array, Array, Array]:
    """Number the postings of both sides by one sorted vocabulary.

    Args:
        old: Terms that the postings had so far.
        old_of: Which of them each posting that stays is of.
        new: Terms of the postings that are added.
        new_of: Which of them each one is of.
        blocks: The block of passages of each posting, those that stay first.

    Returns:
        The terms that still have postings, where each one's postings start in each block, and the
        order that brings the concatenated postings together by block and term.
    """
    terms = np.union1d(old, new)
    numbers = np.concatenate(
        [np.searchsorted(terms, old)[old_of], np.searchsorted(terms, new)[new_of]]
    ).astype(np.int32)
    used = np.bincount(numbers, minlength=len(terms)) > 0
    terms, numbers = terms[used], (np.cumsum(used) - 1)[numbers]
    count = int(blocks.max(initial=-1)) + 1
    slots = blocks * np.int64(len(terms)) + numbers
    sizes = np.bincount(slots, minlength=count * len(terms))
    ends = np.cumsum(sizes).reshape(count, len(terms))
    starts = np.insert(ends, 0, np.append(0, ends[:-1, -1:]), axis=1)
    return terms, starts.astype(np.int64), np.argsort(slots, kind="stable")


class _Numbering:
    """Numbers terms in order of appearance, each word analysed once."""

    def __init__(self) -> None:
        self.number: dict[str, int] = {}
        self._of_word: dict[str, tuple[int, int]] = {}

    def extend(self, target: "array[int]", text: str, times: int = 1) -> None:
        """Append the numbers of a text's terms to ``target``."""
        numbers: list[int] = []
        for word in analysis.words(text):
            if analysis.is_content(word):
                pair = self._of_word.get(word)
                if pair is None:
                    stem, surface = analysis.terms_of(word)
                    pair = self._of_word[word] = (
                        self.number.setdefault(stem, len(self.number)),
                        self.number.setdefault(surface, len(self.number)),
                    )
                numbers += pair
        target.extend(numbers * times)

    def vocabulary(self) -> Array:
        return np.array([term.encode() for term in self.number], dtype="S32")


def _analyse(entries: Iterable[Entry], names: Sequence[str]) -> _Analysed:
    numbering = _Numbering()
    number_of_name = {name: number for number, name in enumerate(names)}
    stream, ends = array("i"), array("q")
    parts: list[tuple[Array, Array, Array]] = []
    ids, modules, tag_rows, tag_names = array("q"), array("h"), array("i"), array("i")
    days: list[tuple[int, int]] = []
    for row, entry in enumerate(entries):
        numbering.extend(stream, f"{entry.title}\n{entry.section}", TITLE_WEIGHT)
        numbering.extend(stream, " ".join(entry.tags))
        numbering.extend(stream, entry.content)
        ends.append(len(stream))
        ids.append(entry.id)
        modules.append(number_of_name.setdefault(entry.module, len(number_of_name)))
        for tag in entry.tags:
            tag_rows.append(row)
            tag_names.append(number_of_name.setdefault(tag, len(number_of_name)))
        days.append(_period(entry))
        if len(ends) == BATCH:
            parts.append(_count(stream, ends, row + 1 - len(ends)))
            stream, ends = array("i"), array("q")
    parts.append(_count(stream, ends, len(ids) - len(ends)))
    terms, rows, counts = (np.concatenate(part) for part in zip(*parts, strict=True))
    return _Analysed(
        vocabulary=numbering.vocabulary(),
        terms=terms,
        rows=rows,
        counts=np.minimum(counts, MAX_FREQUENCY).astype(np.uint8),
        ids=np.array(ids, np.int64),
        lengths=np.bincount(rows, weights=counts, minlength=len(ids)).astype(np.float32),
        modules=np.array(modules, np.int16),
        tag_rows=np.array(tag_rows, np.int32),
        tag_names=np.array(tag_names, np.int32),
        days=np.array(days, np.int32).reshape(-1, 2).T,
        names=tuple(number_of_name),
    )


def _count(stream: "array[int]", ends: "array[int]", first_row: int) -> tuple[Array, Array, Array]:
    """Count equal terms of each passage in a stream of term numbers."""
    numbers = np.array(stream, np.int64)
    sizes: Array = np.diff(np.array(ends, np.int64), prepend=0)
    rows = np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)
    pairs, counts = np.unique(rows << 32 | numbers, return_counts=True)
    return (
        (pairs & 0xFFFFFFFF).astype(np.int32),
        (pairs >> 32).astype(np.int32) + np.int32(first_row),
        counts,
    )


def _period(entry: Entry) -> tuple[int, int]:
    first = entry.valid_from.toordinal() if entry.valid_from else ALWAYS[0]
    last = entry.valid_to.toordinal() if entry.valid_to else ALWAYS[1]
    return first, last
