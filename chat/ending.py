"""How a reply came to its end, for who must know whether to give the same answer again."""

from dataclasses import dataclass

from chat.events import OFFLINE, Last


@dataclass
class Ending:
    """The event that ended a reply, once it has been sent."""

    last: Last | None = None

    def is_complete(self) -> bool:
        """Tell whether the model answered to the end; anything else is worth asking again."""
        if self.last is None or self.last.kind != "done":
            return False
        return bool(self.last.body["metadata"]["llm_used"] != OFFLINE)
