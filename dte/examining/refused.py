"""A file whose kind is known and that cannot be examined, for a reason of that kind."""

from dte.parsing.unreadable import Unreadable
from dte.rules.findings import Finding


class Refused(Unreadable):
    """Raised by a kind that says itself why; ``Unreadable`` names a rule of documents instead."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.code, path=finding.path, line=finding.line)
        self.finding = finding
