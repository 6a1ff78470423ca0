"""From a prompt to the parameters of a request, with its cache breakpoints.

Anthropic caches a prefix up to each breakpoint, and only an exact repetition reads it
(https://platform.claude.com/docs/en/build-with-claude/prompt-caching): stable blocks come first and
end in a breakpoint, the conversation follows and its last turn carries another. Everything that
changes from call to call, retrieved passages included, stands after the stable prefix. The same
prompt always gives the same bytes.

Whatever was stored of a conversation, the request is valid: texts are clean, empty ones are left out, two
turns of one side become one, the first and the last turn are the user's.
"""

from typing import Any

from django.conf import settings

from usage.errors import ModelUnavailable
from usage.llm import capabilities
from usage.llm.texts import clean
from usage.llm.values import Prompt, Turn

Block = dict[str, object]


def parameters(prompt: Prompt, model: str) -> dict[str, Any]:
    """Return the arguments of the SDK's ``messages.create``, ``stream`` aside.

    Raises:
        ModelUnavailable: The user said nothing.
    """
    accepted = capabilities.of(model)
    arguments: dict[str, Any] = {
        "model": model,
        "max_tokens": prompt.max_tokens,
        "messages": _messages(prompt.turns),
    }
    if prompt.continues:
        _mark(arguments["messages"][-1]["content"][-1], "5m")
    if blocks := _blocks(prompt.system):
        # The first one too: it is common to prompts whose later blocks differ, and costs nothing more.
        for block in (blocks[0], blocks[-1]):
            _mark(block, settings.PROMPT_CACHE_TTL)
        arguments["system"] = blocks
    if output := _output_config(prompt, effort=accepted.effort):
        arguments["output_config"] = output
    if settings.ANTHROPIC_INFERENCE_GEO:
        arguments["inference_geo"] = settings.ANTHROPIC_INFERENCE_GEO
    return arguments


def countable(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return those of the arguments that ``messages.count_tokens`` takes."""
    return {name: value for name, value in arguments.items() if name in _COUNTED}


_COUNTED = frozenset({"model", "messages", "system", "output_config"})


def _messages(turns: tuple[Turn, ...]) -> list[dict[str, object]]:
    messages: list[dict[str, Any]] = []
    for turn in turns:
        content = _blocks((*turn.passages, turn.text))
        if not content or (not messages and turn.role != "user"):
            continue
        if messages and messages[-1]["role"] == turn.role:
            messages[-1]["content"] += content
        else:
            messages.append({"role": turn.role, "content": content})
    while messages and messages[-1]["role"] != "user":
        messages.pop()
    if not messages:
        raise ModelUnavailable(code="nothing_asked")
    return messages


def _blocks(texts: tuple[str, ...]) -> list[Block]:
    cleaned = (clean(text) for text in texts)
    return [{"type": "text", "text": text} for text in cleaned if text.strip()]


def _mark(block: dict[str, object], ttl: str) -> None:
    # "5m" is the provider's default; saying it would be as good as not.
    block["cache_control"] = {"type": "ephemeral"} | ({"ttl": "1h"} if ttl == "1h" else {})


def _output_config(prompt: Prompt, *, effort: bool) -> dict[str, object]:
    output: dict[str, object] = {}
    if prompt.effort and effort:
        output["effort"] = prompt.effort
    if prompt.schema is not None:
        output["format"] = {"type": "json_schema", "schema": prompt.schema}
    return output
