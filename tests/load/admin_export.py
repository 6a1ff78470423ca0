"""A file of a million calls: how fast, how much the server grows, and whether it is right to the last digit.

    DATABASE_URL=postgres://… python -m tests.load.admin_export [--rows 1000000]

The rows are those of as many latest days as it takes.
"""

import argparse
import csv
import io
import os
import subprocess
import tempfile
import threading
import time
from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.load.admin_pages import USAGE, serving


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    with ExitStack() as stack:
        browser, process = stack.enter_context(serving(timeout=600))
        from usage.accounting import reports

        today = reports.today()
        last = today - timedelta(days=1)
        first = last
        wanted: dict[str, Any] = {"calls": 0}
        while wanted["calls"] < options.rows and today - first < timedelta(days=390):
            first -= timedelta(days=1)
            wanted = reports.total(reports.rows(first, last))
        browser.get(USAGE)  # what a first page costs is no part of it
        path = f"{USAGE}export/csv/?started_at_from={first:%d-%m-%Y}&started_at_to={last:%d-%m-%Y}"
        growth = Growth(process)
        file = stack.enter_context(tempfile.TemporaryFile())
        first_byte = 0.0
        used = growth.seconds()
        began = time.perf_counter()
        with browser.stream("GET", path) as answer, growth:
            for part in answer.iter_raw(1 << 16):
                first_byte = first_byte or time.perf_counter() - began
                file.write(part)
        took = time.perf_counter() - began
        used = growth.seconds() - used
        size = file.tell()
        # Read afterwards: what this program takes for it is no part of how fast the file comes.
        file.seek(0)
        rows, cost, tokens, newest = 0, Decimal(0), 0, ""
        for row in csv.DictReader(io.TextIOWrapper(file, "utf-8-sig", newline="")):
            rows += 1
            cost += Decimal(row["costo_usd"])
            tokens += int(row["total_tokens"])
            newest = newest or row["inicio"]
    all_tokens = sum(wanted[name] for name in wanted if name.endswith("_tokens"))
    right = (rows, cost, tokens) == (wanted["calls"], wanted["cost_usd"], all_tokens)
    print(f"rows                {rows:,}, from {first} to {last}, the newest {newest}")
    print(f"first byte          {1000 * first_byte:.0f} ms")
    print(
        f"rate                {rows / took:,.0f} rows/s, {size / took / 1e6:.1f} MB/s, in {took:.1f} s"
    )
    print(f"processor time      {1e6 * used / rows:.1f} µs of the service a row")
    print(f"growth of memory    {growth.megabytes:.1f} MB")
    print(f"cost                {cost} USD, {'equal to the ledger' if right else 'WRONG'}")
    assert right, wanted


class Growth:
    """How much a process and its children grow while something happens."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.megabytes = 0.0
        self._process = process
        self._over = threading.Event()

    def __enter__(self) -> None:
        self._before = self._resident()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.2):
            self.megabytes = max(self.megabytes, self._resident() - self._before)

    def seconds(self) -> float:
        """Return the processor time that the process has used."""
        with open(f"/proc/{self._process.pid}/stat") as stat:
            user, system = stat.read().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def _resident(self) -> float:
        with open(f"/proc/{self._process.pid}/status") as status:
            line = next(line for line in status if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
