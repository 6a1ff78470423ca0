"""Server-Sent Events, as the provider streams them.

The SDK's own decoder takes each line through five generators and makes an object of each event, which is
half of what reading an answer costs.
"""

from collections.abc import Iterator

Event = tuple[str | None, str]


class Events:
    """Takes bytes as they come, and gives the events that are complete."""

    def __init__(self) -> None:
        self._rest = b""
        self._name: str | None = None
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yield the name and the data of each event that a piece of the stream completes.

        Raises:
            UnicodeDecodeError: It is not UTF-8.
        """
        for line in self._lines(self._rest + chunk):
            if not line:
                if self._name is not None or self._data:
                    yield self._name, "\n".join(self._data)
                self._name, self._data = None, []
            elif line.startswith(b"data:"):
                self._data.append(_value(line, 5))
            elif line.startswith(b"event:"):
                self._name = _value(line, 6)

    def end(self) -> Iterator[Event]:
        """Yield the event that was complete but for half of a line's end, if there is one."""
        if self._rest == b"\r":
            yield from self.feed(b"\n")

    def _lines(self, data: bytes) -> list[bytes]:
        """Return the lines that are complete; they end as the standard allows."""
        half = b""
        if b"\r" in data:
            if data.endswith(b"\r"):  # the other half of this end may be under way
                data, half = data[:-1], b"\r"
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = data.split(b"\n")
        self._rest = lines.pop() + half
        return lines


def _value(line: bytes, start: int) -> str:
    text = line[start:].decode()
    return text[1:] if text.startswith(" ") else text
