"""The one exception of the readers: this input cannot be judged, and which rule says so."""

from typing import Any

from dte.rules import REGISTRY
from dte.rules.engine import to_finding
from dte.rules.findings import Fault, Finding


class Unreadable(Exception):  # noqa: N818 - said of an input, like DRF's NotFound
    """The input is not a document the rules could be run on.

    It carries the finding of a rule of level ``file`` (XML-01, JSN-05, …), so that a refusal reads
    like any other finding.
    """

    def __init__(
        self, rule: str, *, path: str = "/", line: int | None = None, **values: Any
    ) -> None:
        self.finding: Finding = to_finding(REGISTRY[rule], Fault(path, line=line, **values))
        super().__init__(self.finding.message)
