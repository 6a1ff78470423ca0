"""Time to the first result and growth of memory for an envelope of 2,000 signed documents.

python -m tests.load.dte_envelope [DOCUMENTS]
"""

import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.corpus import configure


def main(count: int) -> None:
    configure(Path())
    raw = make(count)
    print(f"{count} documents, {len(raw) / 1e6:.1f} MB")
    with tempfile.NamedTemporaryFile(suffix=".xml") as file:
        file.write(raw)
        file.flush()
        # A fresh process: this one's memory has already grown by making the envelope.
        subprocess.run([sys.executable, "-m", "tests.load.dte_envelope", file.name], check=True)


def make(count: int) -> bytes:
    from tests.factories import envelope, signed

    caf = {"last": count}
    return envelope(
        [
            signed(33, {"Encabezado/IdDoc/Folio": str(folio)}, caf=caf)
            for folio in range(1, count + 1)
        ]
    )


def judge(path: Path) -> None:
    configure(Path())
    from dte.judging.batch import Batch, open_batch
    from dte.rules.registry import Context
    from tests.documents import AS_OF
    from tests.factories import signed

    list(Batch(Context(as_of=AS_OF)).judge(open_batch(signed(33))))  # imports, caches
    forget_highest()
    before = highest()
    start = time.perf_counter()
    batch = Batch(Context(as_of=AS_OF))
    first = 0.0
    for answer in batch.judge(open_batch(path.read_bytes())):
        answer.judged.as_dict()
        first = first or time.perf_counter() - start
    total = time.perf_counter() - start
    growth = highest() - before
    print(f"first result {first * 1000:.0f} ms, all {total:.2f} s, memory +{growth:.0f} MB")
    print(f"{batch.documents / total:.0f} docs/s, verdicts {dict(Counter(batch.counts))}")
    print(f"codes {dict(batch.codes.most_common(5))}")


def forget_highest() -> None:
    """Let the kernel count the most memory anew (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def highest() -> float:
    """Return the most memory this process has had since, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    argument = sys.argv[1] if len(sys.argv) > 1 else "2000"
    main(int(argument)) if argument.isdigit() else judge(Path(argument))
