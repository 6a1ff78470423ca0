"""Reading one streamed answer: its text, how it ended, and its usage so far. No I/O.

What the provider sends is taken as it comes: anything may be missing, doubled, out of order or of
another type than the API promises, for there may be a gateway in between. What cannot be used is as good
as absent, and of each number the last word counts.
"""

from io import StringIO
from typing import Any, Final

from usage.llm.texts import clean, ends_half_way
from usage.tokens import TokenUsage

Event = dict[str, Any]

_MOST_TOKENS: Final = 100_000_000  # a larger number is no count of ours
_EVENTS: Final = frozenset(
    {
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    }
)
# Ends that leave nothing to be said. The others are limits, or ask for something to go on.
_COMPLETE: Final = frozenset({"end_turn", "stop_sequence"})


def is_complete(stop_reason: str) -> bool:
    """Tell whether an answer that stopped for a reason is whole."""
    return stop_reason in _COMPLETE


class Reading:
    """What has arrived of an answer."""

    def __init__(self, *, one_hour_cache: bool = False) -> None:
        self.began = False  # the provider has spoken: from here on it bills
        self.closed = False  # it said that nothing more comes
        self.stop_reason = ""
        self.refusal_category: str | None = None
        self.message_id = ""
        self.model = ""
        self.inference_geo = ""
        self.received_bytes = 0  # of any kind of content: thinking is billed like text
        self.thought = False
        self.knows_input = False
        self.knows_output = False  # from the end: the number at the beginning is a placeholder
        self._one_hour_cache = one_hour_cache
        self._text_so_far = StringIO()
        self._half = ""
        self._input = self._read = self._output = 0
        self._written: int | None = None
        self._split: tuple[int, int] | None = None

    @property
    def text(self) -> str:
        """The text so far."""
        return self._text_so_far.getvalue()

    @property
    def spoke(self) -> bool:
        """Whether there is any text."""
        return self._text_so_far.tell() > 0

    @property
    def finished(self) -> bool:
        """Whether the answer came to its end."""
        return bool(self.stop_reason)

    @property
    def usage(self) -> TokenUsage:
        """Tokens by class, as reported so far."""
        write_5m, write_1h = self._writes()
        return TokenUsage(
            input_tokens=self._input,
            cache_write_5m_tokens=write_5m,
            cache_write_1h_tokens=write_1h,
            cache_read_tokens=self._read,
            output_tokens=self._output,
        )

    def feed(self, event: Event) -> str:
        """Take in one event of the stream; return the text it brought, if any."""
        kind = event.get("type")
        if not isinstance(kind, str) or kind not in _EVENTS:
            return ""  # pings, and event types yet to be invented
        self.began = True
        match kind:
            case "content_block_delta":
                return self._delta(_dict(event.get("delta")))
            case "content_block_start":
                # Pick blocks by type: the first may be thinking.
                block = _dict(event.get("content_block"))
                return self._text(block.get("text")) if block.get("type") == "text" else ""
            case "message_start":
                self._start(_dict(event.get("message")))
            case "message_delta":
                self._end(event)
            case "message_stop":
                self.closed = True
        return ""

    def _text(self, text: object) -> str:
        if not isinstance(text, str) or not text:
            return ""
        text = self._half + text
        self._half = text[-1] if ends_half_way(text) else ""
        text = clean(text.removesuffix(self._half) if self._half else text)
        if text:
            self._text_so_far.write(text)
            self.received_bytes += len(text.encode())
        return text

    def _delta(self, delta: Event) -> str:
        if delta.get("type") == "text_delta":
            return self._text(delta.get("text"))
        for name in ("thinking", "partial_json"):
            if isinstance(content := delta.get(name), str):
                self.received_bytes += len(content.encode(errors="replace"))
        if delta.get("type") in ("thinking_delta", "signature_delta"):
            self.thought = True
        return ""

    def _start(self, message: Event) -> None:
        self.message_id = _name(message.get("id")) or self.message_id
        self.model = _name(message.get("model")) or self.model
        usage = _dict(message.get("usage"))
        self.inference_geo = _name(usage.get("inference_geo")) or self.inference_geo
        self._count(usage)

    def _end(self, event: Event) -> None:
        # Cumulative: these numbers replace those of message_start, they are not added.
        usage, delta = _dict(event.get("usage")), _dict(event.get("delta"))
        self._count(usage)
        self.knows_output |= _tokens(usage, "output_tokens") is not None
        self.stop_reason = _name(delta.get("stop_reason")) or self.stop_reason
        category = _dict(delta.get("stop_details")).get("category")
        self.refusal_category = _name(category) or self.refusal_category

    def _count(self, usage: Event) -> None:
        if (fresh := _tokens(usage, "input_tokens")) is not None:
            self._input, self.knows_input = fresh, True
        if (read := _tokens(usage, "cache_read_input_tokens")) is not None:
            self._read = read
        if (output := _tokens(usage, "output_tokens")) is not None:
            self._output = output
        split = _dict(usage.get("cache_creation"))
        write_5m = _tokens(split, "ephemeral_5m_input_tokens")
        write_1h = _tokens(split, "ephemeral_1h_input_tokens")
        total = _tokens(usage, "cache_creation_input_tokens")
        if write_5m is not None or write_1h is not None:
            self._split = (write_5m or 0, write_1h or 0)
            self._written = total
        elif total is not None:
            self._written = total

    def _writes(self) -> tuple[int, int]:
        """Return the tokens written to the cache for five minutes and for an hour."""
        write_5m, write_1h = self._split or (0, 0)
        if self._written is None:
            return write_5m, write_1h
        rest = self._written - write_5m - write_1h
        if rest < 0:  # the total was reported last, and is less than the split before it
            write_1h = min(write_1h, self._written)
            return self._written - write_1h, write_1h
        # An absent or short split: the total is what is billed, at the dearest it can be.
        if self._one_hour_cache:
            return write_5m, write_1h + rest
        return write_5m + rest, write_1h


def _dict(value: object) -> Event:
    return value if isinstance(value, dict) else {}


def _name(value: object) -> str:
    return clean(value)[:200] if isinstance(value, str) else ""


def _tokens(usage: Event, name: str) -> int | None:
    value = usage.get(name)
    usable = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS
    return value if usable else None
