"""One accepted request: its text, its usage, its line on the bill."""

import re
import uuid
from typing import TYPE_CHECKING

from tests.fake_claude.bill import Bill
from tests.fake_claude.protocol import tokens
from tests.fake_claude.script import Script
from tests.fake_claude.wire import Wire

if TYPE_CHECKING:
    from tests.fake_claude.server import FakeClaude


class Exchange:
    """One accepted request: its text, its usage, its line on the bill."""

    def __init__(self, server: "FakeClaude", body: dict[str, object], script: Script) -> None:
        self.server = server
        self.body = body
        self.script = script
        self.id = f"msg_{uuid.uuid4().hex[:24]}"
        text = server.text_for(body) if script.text is None else script.text
        self.pieces = re.findall(r"\S+\s*|\s+", text)
        self.input, self.write_5m, self.write_1h, self.read, self.entries = server.cached_prefix(
            body
        )
        self.output = tokens(script.thinking) + 1

    def usage(self) -> dict[str, object]:
        usage: dict[str, object] = {
            "input_tokens": self.input,
            "cache_creation_input_tokens": self.write_5m + self.write_1h,
            "cache_read_input_tokens": self.read,
            "output_tokens": self.output,
            "service_tier": "standard",
            "inference_geo": self.script.geo,
        }
        if self.script.split:
            usage["cache_creation"] = {
                "ephemeral_5m_input_tokens": self.write_5m,
                "ephemeral_1h_input_tokens": self.write_1h,
            }
        return usage

    def bill(self, *, completed: bool) -> None:
        free = (
            self.script.stop_reason == "refusal"
            and not self.pieces
            and self.script.refusal_category not in {"bio", "frontier_llm", "reasoning_extraction"}
        )
        if not free:
            self.server.bills.append(
                Bill(
                    self.body["model"],
                    self.input,
                    self.write_5m,
                    self.write_1h,
                    self.read,
                    self.output,
                    completed,
                    self.script.geo,
                    self.id,
                )
            )

    def message(self, content: list[object], stop_reason: str | None) -> dict[str, object]:
        return {
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.body["model"],
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": None,
            "stop_details": None,
            "diagnostics": None,
            "usage": self.usage(),
        }

    def limited(self) -> tuple[list[str], str]:
        """Return the pieces that fit into max_tokens, and the stop reason."""
        fitting: list[str] = []
        used = tokens(self.script.thinking)
        for piece in self.pieces:
            used += tokens(piece)
            if used > self.body["max_tokens"]:
                return fitting, "max_tokens"
            fitting.append(piece)
        return fitting, self.script.stop_reason

    def stop_details(self, stop_reason: str) -> dict[str, object] | None:
        if stop_reason != "refusal":
            return None
        return {"type": "refusal", "category": self.script.refusal_category, "explanation": None}

    async def whole(self, wire: Wire) -> None:
        pieces, stop_reason = self.limited()
        self.output = tokens(self.script.thinking) + sum(map(tokens, pieces)) or 1
        self.server.store(self.entries)
        content = [{"type": "text", "text": "".join(pieces)}] if pieces else []
        message = self.message(content, stop_reason)
        message["stop_details"] = self.stop_details(stop_reason)
        self.bill(completed=True)
        await wire.json(200, message)

    async def stream(self, wire: Wire) -> None:
        while self.server.delaying:
            await wire.sleep(0.005)
        if self.script.delay:
            await wire.sleep(self.script.delay)
        self.server.open_streams += 1
        completed = False
        try:
            completed = await self._stream(wire)
        finally:
            self.bill(completed=completed)
            self.server.open_streams -= 1

    async def _stream(self, wire: Wire) -> bool:
        await wire.start_stream()
        await wire.event("message_start", message=self.message([], None))
        self.server.store(self.entries)
        self.output = 0
        index = 0
        if self.script.thinking:
            await self._thinking(wire)
            index = 1
        pieces, stop_reason = self.limited()
        if pieces or self.script.ending:
            await wire.event(
                "content_block_start", index=index, content_block={"type": "text", "text": ""}
            )
        await wire.event("ping")
        for number, piece in enumerate(pieces):
            if self.script.ending and number >= self.script.after:
                break
            await self._wait(wire)
            self.output += tokens(piece)
            await wire.event(
                "content_block_delta", index=index, delta={"type": "text_delta", "text": piece}
            )
        if self.script.ending:
            await self._break(wire)
            return False
        if pieces:
            await wire.event("content_block_stop", index=index)
        self.output = max(self.output, 1)
        usage = self.usage()
        await wire.event(
            "message_delta",
            delta={
                "stop_reason": stop_reason,
                "stop_sequence": None,
                "stop_details": self.stop_details(stop_reason),
            },
            usage={name: usage[name] for name in usage if name.endswith("_tokens")},
        )
        await wire.event("message_stop")
        await wire.end_stream()
        return True

    async def _thinking(self, wire: Wire) -> None:
        block = {"type": "thinking", "thinking": "", "signature": ""}
        await wire.event("content_block_start", index=0, content_block=block)
        for delta in (
            {"type": "thinking_delta", "thinking": self.script.thinking},
            {"type": "signature_delta", "signature": "c2lnbg=="},
        ):
            await wire.event("content_block_delta", index=0, delta=delta)
        await wire.event("content_block_stop", index=0)
        self.output += tokens(self.script.thinking)

    async def _wait(self, wire: Wire) -> None:
        if self.server.pause:
            await wire.sleep(self.server.pause)
        while self.server.is_held():
            await wire.sleep(0.005)

    async def _break(self, wire: Wire) -> None:
        match self.script.ending:
            case "error":
                error = {"type": self.script.error_type, "message": "on demand"}
                await wire.event("error", error=error)
                await wire.end_stream()
            case "truncate":
                await wire.end_stream()
            case "abort":
                wire.abort()
            case "stall":
                await wire.until_gone()
            case "pings":
                while True:
                    await wire.event("ping")
                    await wire.sleep(0.01)
