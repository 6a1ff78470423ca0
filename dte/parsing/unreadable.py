"""The one exception of the readers: this input cannot be judged, and which rule says so."""

from typing import TypeAlias

Value: TypeAlias = str | int


class Unreadable(Exception):  # noqa: N818 - said of an input, like DRF's NotFound
    """The input is not a document the rules could be run on.

    It names a rule of level ``file`` (XML-01, JSN-05, …), the values of its message, and the remedy
    where the cause has one of its own;
    ``dte.rules.engine.finding_of`` makes the finding, so that a refusal reads like any other.
    """

    def __init__(
        self,
        code: str,
        *,
        path: str = "/",
        line: int | None = None,
        fix: str | None = None,
        **values: Value,
    ) -> None:
        self.code = code
        self.path = path
        self.line = line
        self.fix = fix
        self.values = values
        super().__init__(f"{code}: {', '.join(map(str, values.values()))}")
