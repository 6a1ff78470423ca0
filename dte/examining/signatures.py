"""What a kind of file says of a signature in it, by its own notices."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from dte.crypto import SignatureCheck
from dte.documents.document import SANTIAGO
from dte.examining.notices import Notice
from dte.rules.findings import Finding


@dataclass(frozen=True, slots=True)
class SignatureNotices:
    """What can be said of a signature, and of its certificate on the day of signing.

    Attributes:
        defect: With ``motivo``, what is wrong, and ``parte``, of what.
        expired: With ``desde``, ``hasta`` and ``firmado``, days in Chile, and ``parte``.
    """

    defect: Notice
    expired: Notice

    def __call__(
        self, found: SignatureCheck, part: str, path: str, moment: datetime | None
    ) -> Iterator[Finding]:
        """Yield what is wrong with one signature.

        Args:
            found: Its verification.
            part: What it signs, in Spanish.
            path: Where it stands.
            moment: When it says it was made.
        """
        for reason in found.defects.values():
            yield self.defect.at(path, parte=part, motivo=reason)
        certificate = found.certificate
        if certificate is not None and moment is not None and not certificate.valid_at(moment):
            yield self.expired.at(
                path,
                parte=part,
                desde=certificate.not_before.astimezone(SANTIAGO).date(),
                hasta=certificate.not_after.astimezone(SANTIAGO).date(),
                firmado=moment.date(),
            )
