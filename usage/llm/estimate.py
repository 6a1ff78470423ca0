"""How many tokens a request may have, known without asking anybody.

Claude's tokenizer is not public. It works on bytes, so a text never has more tokens than UTF-8 bytes:
that bound is safe for every language and costs nothing. Where it is too coarse to decide, the
provider's own count is asked for (usage.llm.counting).
"""

import json
import math
from collections import deque
from typing import Any, Final

# What the provider adds by itself: frames of the messages, and the instructions that make an answer
# follow a schema, counted generously after the published hidden tokens of tool use (at most 804).
_FRAME: Final = 16
_SCHEMA: Final = 900

_TELLING_BYTES: Final = 150
_SAMPLES: Final = 50
_ENOUGH: Final = 5
_FEW: Final = 1.1  # a margin while fewer answers than that were seen, and for any input
_UNDERWAY: Final = 1  # tokens that were sent and had not arrived when the connection ended


def input_bound(arguments: dict[str, Any]) -> int:
    """Return a number of tokens that the input of a request cannot exceed."""
    blocks = [*arguments.get("system", ())]
    for message in arguments["messages"]:
        blocks += message["content"]
    bound = sum(len(block["text"].encode()) + _FRAME for block in blocks)
    if format_ := arguments.get("output_config", {}).get("format"):
        bound += len(json.dumps(format_, ensure_ascii=False).encode()) + _SCHEMA
    return bound + _FRAME


class Density:
    """Tokens per byte and lengths, learnt from the answers whose usage is known."""

    def __init__(self) -> None:
        self._samples: dict[str, deque[float]] = {}
        self._inputs: dict[str, deque[float]] = {}
        self._lengths: dict[tuple[str, str], deque[int]] = {}

    def learn(self, model: str, received_bytes: int, output_tokens: int) -> None:
        """Take note of a complete answer; short ones say too little."""
        if received_bytes >= _TELLING_BYTES:
            samples = self._samples.setdefault(model, deque(maxlen=_SAMPLES))
            samples.append(output_tokens / received_bytes)

    def learn_input(self, model: str, sent_bytes: int, input_tokens: int) -> None:
        """Take note of what the input of a request was billed at."""
        if sent_bytes >= _TELLING_BYTES:
            samples = self._inputs.setdefault(model, deque(maxlen=_SAMPLES))
            samples.append(input_tokens / sent_bytes)

    def learn_length(self, model: str, operation: str, output_tokens: int) -> None:
        """Take note of how long a complete answer was."""
        samples = self._lengths.setdefault((model, operation), deque(maxlen=_SAMPLES))
        samples.append(output_tokens)

    def length(self, model: str, operation: str, limit: int) -> int:
        """Return the tokens of an answer of which nothing is known: the longest of the latest."""
        samples = self._lengths.get((model, operation), ())
        return min(limit, max(samples)) if len(samples) >= _ENOUGH else limit

    def input_tokens(self, model: str, sent_bytes: int) -> int:
        """Return what a request of some size is billed for, on the safe side."""
        samples = self._inputs.get(model)
        return math.ceil(sent_bytes * (max(samples) * _FEW if samples else 0.5))

    def tokens(self, model: str, received_bytes: float) -> int:
        """Return what a number of bytes was billed for, on the safe side."""
        samples = self._samples.get(model)
        if not samples:
            # Two bytes a token is denser than prose ever is.
            return math.ceil(received_bytes / 2) + _UNDERWAY
        margin = 1.0 if len(samples) >= _ENOUGH else _FEW
        return math.ceil(received_bytes * max(samples) * margin) + _UNDERWAY
