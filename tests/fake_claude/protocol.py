"""The rules of the API that need no connection: counting, blocks, what is turned down."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

MINIMUM: Final = {"claude-sonnet-5-5": 512, "claude-haiku-5-5": 512, "claude-opus-5-5": 512}
LIFETIME: Final = {"5m": 300.0, "1h": 3600.0}
LOOKBACK: Final = 20
FRAME_TOKENS: Final = 3  # what each message adds by itself


def tokens(text: str) -> int:
    """Count tokens: pieces of words and punctuation. Never more than there are bytes."""
    return len(re.findall(r"\w{1,4}|[^\w\s]", text))


def blocks(body: dict[str, Any]) -> Iterator[tuple[str, int, str]]:
    """Yield content, tokens and the lifetime of its breakpoint for every block, in prefix order."""
    schema = json.dumps(body.get("output_config", {}).get("format"))
    for place, content in [("system", body.get("system", []))] + [
        (message["role"], message["content"]) for message in body["messages"]
    ]:
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for position, block in enumerate(parts):
            mark = block.get("cache_control")
            frame = FRAME_TOKENS if position == 0 and place != "system" else 0
            yield (
                f"{schema}|{place}|{position}|{block['text']}",
                tokens(block["text"]) + frame,
                mark.get("ttl", "5m") if mark else "",
            )


def wrong_headers(headers: dict[str, str]) -> tuple[int, str, str] | None:
    if not (headers.get("authorization", "").startswith("Bearer ") or headers.get("x-api-key")):
        return 401, "authentication_error", "x-api-key header is required"
    if "anthropic-version" not in headers:
        return 400, "invalid_request_error", "anthropic-version: header is required"
    return None


def wrong_body(path: str, body: dict[str, Any]) -> tuple[int, str, str] | None:
    """Judge a request as the API does (version 2026-10-21)."""
    invalid = "invalid_request_error"
    for name in ("temperature", "top_p", "top_k"):
        if name in body:
            return 400, invalid, f"{name}: Extra inputs are not permitted"
    if body.get("model") not in MINIMUM:
        return 404, "not_found_error", f"model: {body.get('model')}"
    if path == "/v1/messages" and "max_tokens" not in body:
        return 400, invalid, "max_tokens: Field required"
    if any(not message["content"] for message in body["messages"]):
        return 400, invalid, "messages: all messages must have non-empty content"
    if body["messages"][0]["role"] != "user":
        return 400, invalid, "messages: first message must use the user role"
    if body["messages"][-1]["role"] != "user":
        return 400, invalid, "This model does not support assistant message prefill."
    lifetimes = []
    for content, _, ttl in blocks(body):
        text = content.split("|", 3)[3]
        if not text.strip():
            return 400, invalid, "messages: text content blocks must contain non-whitespace text"
        if ttl:
            lifetimes.append(ttl)
    if len(lifetimes) > 4:
        return (
            400,
            invalid,
            f"A maximum of 4 blocks with cache_control may be provided. Found {len(lifetimes)}.",
        )
    if lifetimes != sorted(lifetimes):  # "1h" sorts before "5m", as it must stand
        return 400, invalid, "a ttl='1h' cache_control block must not come after a ttl='5m' one"
    return _wrong_schema(body.get("output_config", {}).get("format", {}).get("schema"))


def _wrong_schema(schema: object) -> tuple[int, str, str] | None:
    if isinstance(schema, dict):
        if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
            return (
                400,
                "invalid_request_error",
                "output_config.format.schema: For 'object' type, 'additionalProperties' must be "
                "explicitly set to false",
            )
        for name in ("minimum", "maximum", "minLength", "maxLength"):
            if name in schema and not isinstance(schema[name], dict):
                return 400, "invalid_request_error", f"output_config.format.schema: {name}"
        return next(filter(None, map(_wrong_schema, schema.values())), None)
    if isinstance(schema, list):
        return next(filter(None, map(_wrong_schema, schema)), None)
    return None


def instance(schema: dict[str, Any]) -> Any:
    """Return the plainest value that follows a schema."""
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    if options := schema.get("anyOf"):
        return instance(options[0])
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        return {name: instance(part) for name, part in schema.get("properties", {}).items()}
    plain: dict[str | None, object] = {
        "array": [],
        "string": "texto",
        "integer": 0,
        "number": 0,
        "boolean": False,
    }
    return plain.get(kind)
