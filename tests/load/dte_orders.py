"""Matching purchase orders by the evidence alone: time of each case, and how many are right.

python -m tests.load.dte_orders [--rounds 5]
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from tests.corpus import configure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    configure(Path(tempfile.mkdtemp()))
    from dte.ordenes.matching import SURE, match
    from dte.ordenes.reading import read_request
    from tests.factories.ordenes import cases

    times, right, sure, wrong = [], 0, 0, 0
    every = list(cases())
    for number in range(rounds + 1):  # the first fills the caches
        for case in every:
            start = time.perf_counter()
            answer = match(*read_request(case.body)).as_dict()
            if number:
                times.append(time.perf_counter() - start)
            if number == rounds:
                is_right = answer["matched_po_id"] == case.expected
                right += is_right
                sure += answer["confidence"] >= SURE
                wrong += answer["confidence"] >= SURE and not is_right
    times.sort()
    print(f"{right} of {len(every)} right; {sure} sure, of which {wrong} wrong")
    print(
        f"p50 {statistics.median(times) * 1000:.2f} ms, p99 {times[len(times) * 99 // 100] * 1000:.2f} ms"
    )


if __name__ == "__main__":
    main()
