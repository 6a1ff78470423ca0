"""Stamps read from paper: rendered pages at 150 dpi, turned by up to 5 degrees, JPEG of quality 60.

    python -m tests.load.dte_stamps [--pages 140] [--dpi 150]

Also how long a page without a stamp takes.
"""

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path

from tests.corpus import configure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=140)
    parser.add_argument("--dpi", type=int, default=150)
    options = parser.parse_args()
    configure(Path(tempfile.mkdtemp()))
    from dte.impreso.hojas import read_pages
    from tests.factories import signed
    from tests.factories.impreso import SIZES, page, scan, stamp_of

    wanted = stamp_of(signed(33))
    prints = {size: page(size=size, stamp=wanted) for size in SIZES}
    chance = random.Random(13)
    right, times = 0, []
    for number in range(options.pages):
        angle = chance.uniform(-5, 5)
        raw = scan(prints[SIZES[number % len(SIZES)]], dpi=options.dpi, angle=angle)
        start = time.perf_counter()
        stamps = read_pages(raw).stamps
        times.append(time.perf_counter() - start)
        right += any(stamp.content == wanted for stamp in stamps)
    print(
        f"{right} of {options.pages} read at {options.dpi} dpi, median {statistics.median(times):.2f} s"
    )
    empty = page(stamp=b"")
    for name, raw in (("PDF", empty), ("scan", scan(empty, dpi=options.dpi, angle=3))):
        start = time.perf_counter()
        assert not read_pages(raw).stamps
        print(f"a {name} without a stamp: {time.perf_counter() - start:.2f} s")


if __name__ == "__main__":
    main()
