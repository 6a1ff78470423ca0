"""How one request is to be answered, faults included."""

from dataclasses import dataclass, field


@dataclass
class Script:
    """How one request is answered.

    Attributes:
        text: The answer; the server's standing answer when None.
        status: Anything but 200 is an error answer with ``error_type``.
        reset: Break the connection before any answer.
        hang: Accept the request and never answer.
        delay: Seconds before a stream begins.
        empty: Open a stream and end it without a single event.
        ending: What happens after ``after`` pieces of the text: ``error`` (an error event),
            ``truncate`` (a clean end without a stop reason), ``abort`` (the connection breaks),
            ``stall`` (silence) or ``pings`` (nothing but pings).
        raw: The bytes of the stream, instead of a proper one; ``ending`` "abort" breaks it off,
            "hold" keeps the connection.
        stop_reason: How a complete answer ends.
        refusal_category: For the stop reason ``refusal``.
        thinking: A thinking block that comes first.
        geo: Where the model ran, as the usage says.
        split: Whether the usage splits cache writes by lifetime.
    """

    text: str | None = None
    status: int = 200
    error_type: str = "api_error"
    error_code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    reset: bool = False
    hang: bool = False
    delay: float = 0.0
    empty: bool = False
    ending: str = ""
    raw: bytes | None = None
    after: int = 1
    stop_reason: str = "end_turn"
    refusal_category: str | None = None
    thinking: str = ""
    geo: str = "global"
    split: bool = True
