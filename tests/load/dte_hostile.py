"""Time and memory that each hostile input costs, each in a process of its own.

python -m tests.load.dte_hostile
"""

import multiprocessing
import resource
import time
from pathlib import Path

from tests.corpus import configure


def judge(kind: str, body: bytes) -> str:
    """Return the code of the refusal, or ``answered``."""
    from dte.examining.examination import Case
    from dte.examining.given import Given
    from dte.judging.examined import examine
    from dte.judging.report import judge_xml
    from dte.kinds import recognise
    from dte.parsing.json import parse_json, read_json
    from dte.parsing.unreadable import Unreadable
    from dte.parsing.xml import read_xml
    from dte.rules.registry import Context
    from tests.documents import AS_OF
    from tests.hostile import XML

    given = Given(body)
    try:
        if (found := recognise(given)) is not None:
            examine(found, given, Case(AS_OF))
        elif kind == XML:
            judge_xml(read_xml(body), Context(as_of=AS_OF))
        else:
            read_json(parse_json(body))
    except Unreadable as exc:
        return exc.code
    return "answered"


def measure(kind: str, body: bytes, answers: "multiprocessing.Queue[tuple[str, float, float]]"):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    code = judge(kind, body)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answers.put((code, seconds, (after - before) / 1024))


def main() -> None:
    configure(Path())
    from tests.documents import document, to_xml
    from tests.hostile import HOSTILE, XML

    judge(XML, to_xml(document(33)))  # imports and caches are not the input's fault
    worst_time = worst_memory = 0.0
    context = multiprocessing.get_context("fork")
    for name, hostile in HOSTILE.items():
        answers = context.Queue()
        child = context.Process(target=measure, args=(hostile.kind, hostile.body, answers))
        child.start()
        code, seconds, megabytes = answers.get(timeout=60)
        child.join()
        worst_time, worst_memory = max(worst_time, seconds), max(worst_memory, megabytes)
        print(
            f"{name:45} {len(hostile.body):9} B  {code:9} {seconds * 1000:8.1f} ms {megabytes:6.1f} MB"
        )
    print(f"worst: {worst_time * 1000:.0f} ms, {worst_memory:.0f} MB")


if __name__ == "__main__":
    main()
