"""What the proxy adds: to a short call, and to the pieces of a stream.

python -m tests.load.proxy
"""

import itertools
import statistics
import tempfile
import time
from pathlib import Path

import httpx2

from tests.load.service import ANSWER, QUESTIONS, serving
from tests.load.stage import report
from tests.proxy import proxying

CALLS = 400
STREAMS = 6
PAUSE_SECONDS = 0.05


def short(client: httpx2.Client) -> float:
    """Return how long one short call takes, in milliseconds."""
    started = time.perf_counter()
    client.get("/live").raise_for_status()
    return (time.perf_counter() - started) * 1000


def pieces(client: httpx2.Client, session: str) -> list[float]:
    """Return the gaps between the pieces of one answer, in milliseconds."""
    body = {"session_id": session, "message": QUESTIONS[0]}
    with client.stream("POST", "/api/chat/message/stream", json=body) as answer:
        answer.raise_for_status()
        lines = answer.iter_lines()
        times = [time.perf_counter() * 1000 for line in lines if line.startswith("data:")]
    return [after - before for before, after in itertools.pairwise(times)]


def main() -> None:
    with serving(PROCESSES="1") as (claude, service, direct):
        home = Path(tempfile.mkdtemp())
        with (
            proxying(home, [f"127.0.0.1:{service.port}"]) as proxy,
            httpx2.Client(
                base_url=proxy.url, headers=direct.headers, verify=proxy.trust, timeout=60
            ) as behind,
        ):
            while behind.get("/live").status_code != 200:
                time.sleep(0.1)
            # In turn, so that whatever else the machine does meets both.
            calls = [(short(direct), short(behind)) for _ in range(CALLS)]
            claude.say(ANSWER)
            claude.pause = PAUSE_SECONDS
            gaps: tuple[list[float], list[float]] = ([], [])
            for number in range(STREAMS):
                gaps[0].extend(pieces(direct, f"d{number}"))
                gaps[1].extend(pieces(behind, f"p{number}"))
        report(
            "a short call, in milliseconds",
            direct=f"{statistics.median(call[0] for call in calls):.2f}",
            behind_the_proxy=f"{statistics.median(call[1] for call in calls):.2f}",
        )
        for name, found in (("direct", gaps[0]), ("behind the proxy", gaps[1])):
            found.sort()
            report(
                f"gaps between pieces sent {PAUSE_SECONDS * 1000:.0f} ms apart, {name}",
                pieces=len(found),
                median=f"{statistics.median(found):.2f} ms",
                p95=f"{found[int(0.95 * len(found))]:.2f} ms",
            )


if __name__ == "__main__":
    main()
