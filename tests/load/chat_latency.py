"""What the service adds to the model's own time, for ``/api/chat/message``.

    python -m tests.load.chat_latency --requests 200 --delay 0.2

Asks the stand-in directly and through the service, in turns so that both meet the same machine.
"""

import argparse
import statistics
import time
from typing import Any

import httpx2

from tests.load.stack import percentile, running
from tests.load.upstream import Pace

QUESTION = {"message": "¿Cuánto duran los folios de un CAF?"}
DIRECT = {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "x"}]}


def timed(client: httpx2.Client, path: str, body: dict[str, Any]) -> float:
    """Return the milliseconds that a request takes."""
    started = time.perf_counter()
    response = client.post(path, json=body)
    elapsed = (time.perf_counter() - started) * 1000
    response.raise_for_status()
    if response.json().get("llm_used") == "offline":
        raise RuntimeError("the service answered without the model")
    return elapsed


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--delay", type=float, default=0.2)
    parser.add_argument("--same-session", action="store_true", help="a conversation that grows")
    options = parser.parse_args()
    body = QUESTION | ({"session_id": "una"} if options.same_session else {})
    with (
        running(Pace(delay=options.delay)) as stack,
        httpx2.Client(base_url=stack.url, headers=stack.headers, timeout=60) as service,
        httpx2.Client(base_url=stack.upstream, timeout=60) as upstream,
    ):
        for _ in range(10):  # imports, index, connections
            timed(service, "/api/chat/message", body)
        before = stack.cpu_seconds()
        pairs = [
            (
                timed(upstream, "/v1/messages", DIRECT),
                timed(service, "/api/chat/message", body),
            )
            for _ in range(options.requests)
        ]
        cpu = (stack.cpu_seconds() - before) / options.requests * 1000
    added = [through - direct for direct, through in pairs]
    print(
        f"upstream alone: median {statistics.median(d for d, _ in pairs):.1f} ms\n"
        f"through the service: median {statistics.median(t for _, t in pairs):.1f} ms\n"
        f"added: median {statistics.median(added):.1f} ms, p95 {percentile(added, 0.95):.1f} ms\n"
        f"server CPU per message: {cpu:.1f} ms"
    )


if __name__ == "__main__":
    main()
