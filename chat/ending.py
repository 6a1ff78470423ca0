"""How a reply came to its end, for who must know whether to give the same answer again."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from chat.events import OFFLINE, Last, Sent


class Ending:
    """Sees the events of one reply pass."""

    def __init__(self) -> None:
        self._last: Last | None = None

    async def watch(self, events: AsyncGenerator[Sent, None]) -> AsyncGenerator[Sent, None]:
        """Pass events on and note the one that ends them."""
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Last):
                    self._last = event
                yield event

    def is_complete(self) -> bool:
        """Tell whether the model answered to the end; anything else is worth asking again."""
        if self._last is None or self._last.kind != "done":
            return False
        return bool(self._last.body["metadata"]["llm_used"] != OFFLINE)
