"""Reading one streamed answer: its text, how it ended, and its usage so far. No I/O."""

from typing import Any

from usage.tokens import TokenUsage


class Reading:
    """What has arrived of an answer."""

    def __init__(self, *, one_hour_cache: bool = False) -> None:
        self.began = False  # message_start arrived: from here on the provider bills
        self.stop_reason = ""
        self.refusal_category: str | None = None
        self.message_id = ""
        self.model = ""
        self.inference_geo = ""
        self.received_bytes = 0  # of any kind of content: thinking is billed like text
        self._one_hour_cache = one_hour_cache
        self._texts: list[str] = []
        self._input = self._read = self._write_5m = self._write_1h = self._output = 0

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._texts)

    @property
    def finished(self) -> bool:
        """Whether the answer came to its end: only then is its usage the provider's last word."""
        return bool(self.stop_reason)

    @property
    def usage(self) -> TokenUsage:
        """Tokens by class, as reported so far."""
        return TokenUsage(
            input_tokens=self._input,
            cache_write_5m_tokens=self._write_5m,
            cache_write_1h_tokens=self._write_1h,
            cache_read_tokens=self._read,
            output_tokens=self._output,
        )

    def feed(self, event: Any) -> str:
        """Take in one event of the stream; return the text it brought, if any."""
        match event.type:
            case "content_block_delta":
                return self._delta(event.delta)
            case "content_block_start":
                # Pick blocks by type: the first may be thinking.
                return self._text(event.content_block.text) if _is_text(event) else ""
            case "message_start":
                self._start(event.message)
            case "message_delta":
                self._end(event)
        return ""  # message_stop, pings, and event types yet to be invented

    def _text(self, text: str) -> str:
        if text:
            self._texts.append(text)
            self.received_bytes += len(text.encode())
        return text

    def _delta(self, delta: Any) -> str:
        if delta.type == "text_delta":
            return self._text(delta.text)
        content = getattr(delta, "thinking", None) or getattr(delta, "partial_json", None) or ""
        self.received_bytes += len(content.encode())
        return ""

    def _start(self, message: Any) -> None:
        self.began = True
        self.message_id = message.id or ""
        self.model = message.model or ""
        usage = message.usage
        self.inference_geo = usage.inference_geo or ""
        self._input = usage.input_tokens or 0
        self._read = usage.cache_read_input_tokens or 0
        self._output = usage.output_tokens or 0
        self._split_writes(usage)

    def _split_writes(self, usage: Any) -> None:
        total = usage.cache_creation_input_tokens or 0
        split = usage.cache_creation
        if split is not None:
            self._write_5m = split.ephemeral_5m_input_tokens or 0
            self._write_1h = split.ephemeral_1h_input_tokens or 0
        rest = total - self._write_5m - self._write_1h
        if (
            rest > 0
        ):  # an absent or short split: the total is what is billed, at the dearest it can be
            if self._one_hour_cache:
                self._write_1h += rest
            else:
                self._write_5m += rest

    def _end(self, event: Any) -> None:
        # Cumulative: these numbers replace those of message_start, they are not added.
        usage = event.usage
        self._output = usage.output_tokens
        if usage.input_tokens is not None:
            self._input = usage.input_tokens
        if usage.cache_read_input_tokens is not None:
            self._read = usage.cache_read_input_tokens
        self.stop_reason = event.delta.stop_reason or ""
        details = getattr(event.delta, "stop_details", None)
        if details is not None:
            self.refusal_category = getattr(details, "category", None)


def _is_text(event: Any) -> bool:
    return bool(event.content_block.type == "text")
