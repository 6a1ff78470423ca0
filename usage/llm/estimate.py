"""How many tokens a request may have, known without asking anybody.

Claude's tokenizer is not public. It works on bytes, so a text never has more tokens than UTF-8 bytes:
that bound is safe for every language and costs nothing. Where it is too coarse to decide, the
provider's own count is asked for (usage.llm.gateway).
"""

import json
from dataclasses import replace
from typing import Any, Final

from usage.tokens import TokenUsage

# What the provider adds by itself: frames of the messages, and the instructions that make an answer
# follow a schema, counted generously after the published hidden tokens of tool use (at most 804).
_FRAME: Final = 16
_SCHEMA: Final = 900


def input_bound(arguments: dict[str, Any]) -> int:
    """Return a number of tokens that the input of a request cannot exceed."""
    blocks = [*arguments.get("system", ())]
    for message in arguments["messages"]:
        blocks += message["content"]
    bound = sum(len(block["text"].encode()) + _FRAME for block in blocks)
    if format_ := arguments.get("output_config", {}).get("format"):
        bound += len(json.dumps(format_, ensure_ascii=False).encode()) + _SCHEMA
    return bound + _FRAME


def cut_short(usage: TokenUsage, received_bytes: int) -> TokenUsage:
    """Return the usage of an answer that was cut, from the last report and from what arrived.

    Two bytes a token is denser than prose ever is, so the estimate is on the safe side.
    """
    received = -(-received_bytes // 2)
    return replace(usage, output_tokens=max(usage.output_tokens, received))
