"""Search over HTTP while the documents are loaded again and again: errors, mixtures, response times.

    python -m tests.load.knowledge_reload --seconds 30 --rate 200

Starts a server of its own on a database of its own. Every load writes a generation: all documents say
the same new word. A result that shows words of two generations is a mixture of two indexes.
"""

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import quote

PATH = "/api/chat/knowledge/search?top_k=20&query=" + quote("palabra comun de la generacion")


def main() -> None:
    """Serve, search, load, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rate", type=int, default=200, help="searches per second")
    parser.add_argument("--clients", type=int, default=10)
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--asgi", default="aiservice.asgi:application")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        os.environ |= {
            "ENVIRONMENT": "development",
            "STATE_DIR": directory,
            "LOG_LEVEL": "ERROR",
            "KNOWLEDGE_SEMANTIC": "off",
        }
        folder = Path(directory, "documents")
        folder.mkdir()
        manage("migrate")
        generation(folder, 0, options.documents)
        key = manage("create_api_key", "load").split()[-1]
        port = free_port()
        command = ["-m", "daphne", "-p", str(port), options.asgi]
        quiet = subprocess.DEVNULL
        server = subprocess.Popen([sys.executable, *command], stdout=quiet, stderr=quiet)
        try:
            wait_for(port)
            run(options, folder, port, key)
        finally:
            server.terminate()
            server.wait()


def run(options: argparse.Namespace, folder: Path, port: int, key: str) -> None:
    """Search at the given rate while loading, and print what came of it."""
    outcomes: Counter[str] = Counter()
    generations: set[str] = set()
    times: list[float] = []
    end = time.monotonic() + options.seconds
    threads = [
        threading.Thread(
            target=client, args=(port, key, options, number, end, outcomes, generations, times)
        )
        for number in range(options.clients)
    ]
    for thread in threads:
        thread.start()
    loads = 0
    while time.monotonic() < end - 3:
        loads += 1
        generation(folder, loads, options.documents)
    for thread in threads:
        thread.join()
    cuts = statistics.quantiles(times, n=100)
    print(
        f"{len(times) / options.seconds:.0f} searches per second, {loads} loads, {dict(outcomes)}"
    )
    print(f"generations seen: {len(generations)}")
    print(f"p50 {cuts[49]:.1f} ms  p99 {cuts[98]:.1f} ms  most {max(times):.1f} ms")


def client(
    port: int,
    key: str,
    options: argparse.Namespace,
    number: int,
    end: float,
    outcomes: Counter[str],
    generations: set[str],
    times: list[float],
) -> None:
    """Search at this client's share of the rate until the end."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    pause = options.clients / options.rate
    due = time.monotonic() + pause * number / options.clients
    while due < end:
        time.sleep(max(0.0, due - time.monotonic()))
        due += pause
        started = time.perf_counter()
        try:
            connection.request("GET", PATH, headers={"Authorization": f"Bearer {key}"})
            response = connection.getresponse()
            body = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            outcomes[type(error).__name__] += 1
            connection.close()
            continue
        times.append((time.perf_counter() - started) * 1000)
        seen = {result["content"].split()[-1] for result in body.get("results", ())}
        generations |= seen
        whole = response.status == 200 and len(seen) == 1 and len(body["results"]) == 20
        outcomes["whole" if whole else "mixed" if len(seen) > 1 else "wrong"] += 1


def generation(folder: Path, number: int, documents: int) -> None:
    """Write and load documents that all say one new word."""
    for at in range(documents):
        (folder / f"d{at}.md").write_text(
            f"---\ntitle: Documento {at}\nmodule: x\n---\nPalabra comun de la generacion g{number}\n"
        )
    manage("load_knowledge", "--path", str(folder))


def manage(*arguments: str) -> str:
    """Run a command of the service in a process of its own."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Wait until the server accepts connections."""
    for _ in range(300):
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.1)
    raise SystemExit("the server did not start")


if __name__ == "__main__":
    main()
