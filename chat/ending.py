"""How a reply came to its end, for who must know whether to give the same answer again."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from chat.events import OFFLINE, Done, Event


class Ending:
    """Sees the events of one reply pass."""

    def __init__(self) -> None:
        self._done: Done | None = None

    async def watch(self, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """Pass events on and note the one that ends them."""
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Done):
                    self._done = event
                yield event

    def is_complete(self) -> bool:
        """Tell whether the model answered to the end; anything else is worth asking again."""
        return self._done is not None and self._done.message.llm_used != OFFLINE
