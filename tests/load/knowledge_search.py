"""Measure loading and searching: CPU per search, load times, memory.

    python -m tests.load.knowledge_search --passages 5000 [--semantic]

Works in a database of its own in a temporary directory. Times are CPU time of this process, so that
a busy machine does not change them; elapsed time is given for loading. With ``--semantic`` every
passage gets a random vector: what is measured is the time, not the quality.
"""

import argparse
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def main() -> None:
    """Load, search, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--passages", type=int, default=5_000)
    parser.add_argument("--semantic", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        os.environ |= {
            "ENVIRONMENT": "development",
            "STATE_DIR": directory,
            "DATABASE_URL": "",
            "LOG_LEVEL": "ERROR",
            "KNOWLEDGE_SEMANTIC": "on" if options.semantic else "off",
            "DJANGO_SETTINGS_MODULE": "aiservice.settings",
        }
        del os.environ["DATABASE_URL"]
        import django

        django.setup()
        child = os.fork()  # loading leaves memory behind that a serving process never has
        if not child:
            load(options.passages, semantic=options.semantic)
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            raise SystemExit("loading failed")
        measure(semantic=options.semantic)


def load(passages: int, *, semantic: bool) -> None:
    """Load a corpus, then again with ten changed documents."""
    from dataclasses import replace

    import numpy as np
    from django.core.management import call_command

    from knowledge.loading import embedding, ingest
    from knowledge.searching.semantic import DIMENSION, STORED
    from tests.load.knowledge_corpus import documents

    call_command("migrate", verbosity=0)
    corpus = list(documents(passages))
    report("load", lambda: ingest.load(corpus))
    changed = [replace(d, body=d.body + " Cambio.") if n < 10 else d for n, d in enumerate(corpus)]
    report("reload, 10 changed", lambda: ingest.load(changed))
    if semantic:
        chance = np.random.default_rng(1)
        vectors = {}
        for key in embedding.missing():
            vector = chance.normal(size=DIMENSION)
            vectors[key] = (vector / np.linalg.norm(vector)).astype(STORED).tobytes()
        embedding.store(vectors)


def report(name: str, action: Callable[[], object]) -> None:
    """Run something and print what it took."""
    cpu, wall = time.process_time(), time.perf_counter()
    action()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(f"{name:24} {cpu:8.2f} s CPU  {wall:8.2f} s elapsed")


def measure(*, semantic: bool) -> None:
    """Search with the evaluation questions, as they are and with a slip of typing each."""
    from knowledge import scoring
    from knowledge.searching.engine import engine
    from knowledge.searching.search import search

    before = resident()
    report("read the index", engine.index.reload)
    after = resident()
    questions = [case.question for case in scoring.read([scoring.SHIPPED])]
    for question in questions[:50]:
        search(question)
    figures(f"search ({'meaning' if semantic else 'words'})", questions)
    figures("with one slip each", [slip(question) for question in questions])
    print(
        f"{'memory of the index':24} {after - before:8.0f} MB, "
        f"after {2 * len(questions)} searches {resident() - before:.0f} MB, "
        f"at most {peak() - before:.0f} MB while reading it; process {resident():.0f} MB"
    )


def figures(name: str, questions: list[str]) -> None:
    """Print the CPU time of a search per question."""
    from knowledge.searching.search import search

    times = []
    for question in questions:
        start = time.process_time()
        search(question)
        times.append((time.process_time() - start) * 1000)
    cuts = statistics.quantiles(times, n=100)
    print(f"{name:24} p50 {cuts[49]:.2f} ms  p95 {cuts[94]:.2f} ms  p99 {cuts[98]:.2f} ms CPU")


def slip(question: str) -> str:
    """Swap two letters of the longest word."""
    longest = max(question.split(), key=len)
    if len(longest) < 5:
        return question
    at = len(longest) // 2
    swapped = longest[: at - 1] + longest[at] + longest[at - 1] + longest[at + 1 :]
    return question.replace(longest, swapped, 1)


def resident() -> float:
    """Return the memory of this process now, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def peak() -> float:
    """Return the most memory this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    main()
