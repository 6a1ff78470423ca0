"""The server as a process of its own: ``python -m tests.fake_claude [--pause SECONDS]``.

It prints its URL and serves until its input ends; then it prints its bill. Every answer repeats the
last question.
"""

import argparse
import json
import sys
from typing import Any

from tests.fake_claude.server import FakeClaude


def echo(body: dict[str, Any]) -> str:
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else str(content[-1]["text"])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between pieces")
    parser.add_argument("--answer", default="", help="the answer, instead of the question")
    arguments = parser.parse_args()
    server = FakeClaude()
    server.pause = arguments.pause
    server.say(arguments.answer or echo)
    print(server.url, flush=True)
    sys.stdin.read()
    bill = {"requests": len(server.requests), "usd": str(server.billed_usd)}
    print(json.dumps(bill), flush=True)
    server.stop()


if __name__ == "__main__":
    main()
