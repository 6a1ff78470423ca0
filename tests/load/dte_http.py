"""A validation over HTTP, one worker, rules only: time seen by the client and processor time of the server.

    python -m tests.load.dte_http [--database postgres|sqlite] [--requests 300]

The documents are signed invoices of five lines, each with a folio of its own, sent one after another over
one kept-alive connection. The first ones of each kind are not counted: imports, caches, connections.
"""

import argparse
import http.client
import json
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from tests.corpus import configure
from tests.load.stack import Stack, percentile, running
from tests.load.upstream import Pace

WARM_UP = 30
LINES = 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--database", choices=["postgres", "sqlite"], default="postgres")
    parser.add_argument("--requests", type=int, default=300)
    options = parser.parse_args()
    bodies = make(WARM_UP + options.requests)
    with running(Pace(), database=options.database) as stack:
        for media, documents in bodies.items():
            measure(stack, media, documents[:WARM_UP])
            cpu = stack.cpu_seconds()
            times = measure(stack, media, documents[WARM_UP:])
            cpu = (stack.cpu_seconds() - cpu) / options.requests * 1000
            print(
                f"{options.database:8} {media:16} p50 {percentile(times, 0.5):5.1f} ms, "
                f"p95 {percentile(times, 0.95):5.1f}, p99 {percentile(times, 0.99):5.1f}; "
                f"server CPU {cpu:4.1f} ms a request"
            )


def make(count: int) -> dict[str, list[bytes]]:
    """Return as many documents of each kind, by media type."""
    configure(Path())
    from tests.factories import signed
    from tests.load.invoices import invoice

    invoices = [invoice(LINES, folio) for folio in range(1, 2 * count + 1)]
    caf = {"last": len(invoices)}
    return {
        "application/xml": [signed(doc=each, caf=caf) for each in invoices[:count]],
        "application/json": [json.dumps(each).encode() for each in invoices[count:]],
    }


def measure(stack: Stack, media: str, documents: Sequence[bytes]) -> list[float]:
    """Send the documents and return the milliseconds that each answer took."""
    from tests.documents import AS_OF

    path = "/api/dte/validate?" + urlencode({"ai": "never", "as_of": AS_OF.isoformat()})
    connection = http.client.HTTPConnection(urlsplit(stack.url).netloc)
    times = []
    for body in documents:
        started = time.perf_counter()
        connection.request("POST", path, body, {"Content-Type": media, **stack.headers})
        response = connection.getresponse()
        answer = response.read()
        times.append((time.perf_counter() - started) * 1000)
        if response.status != 200:
            raise RuntimeError(answer.decode())
    connection.close()
    return times


if __name__ == "__main__":
    main()
