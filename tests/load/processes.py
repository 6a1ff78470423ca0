"""A server under load: its address, its processor time and memory, and the cores it may use."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers import children


@dataclass(frozen=True)
class Server:
    """Who is asked for an answer.

    Attributes:
        path: Where questions are posted.
        stream_path: Where they are posted for a streamed answer, if elsewhere.
        pid: Of its first process.
    """

    url: str
    path: str
    pid: int
    headers: dict[str, str] = field(default_factory=dict)
    stream_path: str = ""

    def cpu_seconds(self) -> float:
        """Return the processor time of all its processes."""
        return sum(_ticks(pid) for pid in family(self.pid)) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """Return the resident memory of its first process."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def pin(self, cores: set[int]) -> None:
        """Let it run on these cores only."""
        for pid in family(self.pid):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(int(thread.name), cores)


def family(pid: int) -> Iterator[int]:
    """Yield a process and all that it started."""
    yield pid
    for child in children(pid):
        yield from family(child)


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0
    return int(fields[11]) + int(fields[12])
