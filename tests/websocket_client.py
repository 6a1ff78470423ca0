"""A client of the chat's WebSocket, whole: it asks, shows the answer as it comes, and resumes.

    python -m tests.websocket_client ws://127.0.0.1:8000/ws/chat/ KEY "¿Qué es un CAF?"

docs/websocket.md explains it. It needs nothing but the package ``websockets``.
"""

import argparse
import json
import sys
import time
import uuid
from collections.abc import Iterator
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

KEY_REFUSED = 4401


def answer(url: str, key: str, question: str, *, attempts: int = 10) -> Iterator[dict[str, Any]]:
    """Ask a question and yield the events of its answer, each once, whatever becomes of connections.

    Raises:
        RuntimeError: The key is refused, or the service could not be reached.
    """
    session, turn = uuid.uuid4().hex, uuid.uuid4().hex
    asked: dict[str, Any] = {"message": question, "session_id": session, "turn_id": turn}
    for attempt in range(attempts):
        try:
            with connect(url, additional_headers={"Authorization": f"Bearer {key}"}) as socket:
                socket.send(json.dumps(asked))
                for text in socket:
                    event = json.loads(text)
                    if event["type"] == "ping":
                        continue
                    yield event
                    if event["type"] != "text":
                        return
                    asked = {
                        "type": "resume",
                        "session_id": session,
                        "last_event_id": event["id"],
                    }
        except ConnectionClosed as closed:
            if closed.rcvd is not None and closed.rcvd.code == KEY_REFUSED:
                raise RuntimeError(closed.rcvd.reason or "the key is refused") from closed
        except OSError:
            pass  # the service restarts
        time.sleep(min(5, 0.2 * 2**attempt))
    raise RuntimeError("the service could not be reached")


def main() -> None:
    """Print an answer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    for name in ("url", "key", "question"):
        parser.add_argument(name)
    options = parser.parse_args()
    for event in answer(options.url, options.key, options.question):
        if event["type"] == "text":
            print(event["content"], end="", flush=True)
        elif event["type"] == "done":
            print("\n\n" + "; ".join(event["metadata"]["sources"]))
        else:
            sys.exit(f"\n{event.get('detail', event['type'])}")


if __name__ == "__main__":
    main()
