"""From an HTTP request to what it asks: which bytes to judge, of which kind, and how."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast, get_args

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from django.utils import timezone
from rest_framework import status
from rest_framework.exceptions import UnsupportedMediaType, ValidationError

from dte.documents.document import to_moment
from dte.documents.rut import rut_problem, tidy
from dte.judging.verdict import decide
from dte.parsing.json import is_odd, parse_json
from dte.parsing.unreadable import Unreadable
from dte.parsing.xml import MAX_BYTES
from dte.rules.engine import finding_of
from dte.rules.registry import Context, Environment, History, Mode
from usage.errors import Refusal, error_body

UseOfAI = Literal["auto", "always", "never"]

_XML_TYPES = frozenset({"application/xml", "text/xml"})
_UNSPECIFIC = frozenset({"", "application/octet-stream", "text/plain"})


class UnreadableDocument(Refusal):
    """The document cannot be judged at all; the body reads like a verdict that rejects it."""

    status_code: int = status.HTTP_400_BAD_REQUEST

    def __init__(self, reason: Unreadable) -> None:
        finding = finding_of(reason)
        super().__init__(
            finding.message,
            finding.code,
            **decide([finding], "json").as_dict(),
            findings=[finding.as_dict()],
        )

    def body(self) -> dict[str, Any]:
        """Return the body, for a refusal inside a stream that has begun."""
        return error_body(self)


class DocumentTooLarge(UnreadableDocument):
    """The same, for a body over the limit."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE

    def __init__(self, size: int | None, limit: int = MAX_BYTES) -> None:
        what = f"pesa {size} bytes y el máximo es {limit}" if size else f"pesa más de {limit} bytes"
        super().__init__(Unreadable("XML-07", exceso=what))


@dataclass(frozen=True, slots=True)
class Options:
    """How the caller wants the document judged."""

    mode: Mode = "emission"
    ai: UseOfAI = "auto"
    as_of: datetime | None = None
    receiver: str = ""
    environment: Environment = ""

    def context(self, history: History | None) -> Context:
        """Return what the rules may know."""
        return Context(
            as_of=self.as_of or timezone.now(),
            mode=self.mode,
            history=history,
            receiver=self.receiver,
            environment=self.environment,
        )


@dataclass(frozen=True, slots=True)
class Submission:
    """A document still unread: XML as bytes, JSON already parsed."""

    xml: bytes | None = None
    json: Any = None
    content: bytes | None = None
    """The bytes of the JSON, where they are the document and nothing else."""
    history: tuple[Any, ...] = ()
    """What the caller told of the sender's earlier rejections, for the review."""
    odd_text: bool = True


def read_options(given: Mapping[str, Any]) -> Options:
    """Check the parameters ``mode``, ``ai``, ``as_of``, ``receptor`` and ``ambiente``.

    Raises:
        ValidationError: With the parameter at fault.
    """
    mode = str(given.get("mode") or "emission")
    ai = str(given.get("ai") or "auto")
    environment = str(given.get("ambiente") or settings.DTE_ENVIRONMENT)
    errors = {}
    if mode not in get_args(Mode):
        errors["mode"] = ["Use emission o reception."]
    if ai not in get_args(UseOfAI):
        errors["ai"] = ["Use auto, always o never."]
    if environment not in get_args(Environment):
        errors["ambiente"] = ["Use produccion o certificacion."]
    as_of = _moment(given.get("as_of"))
    if as_of is None and given.get("as_of"):
        errors["as_of"] = ["Use una fecha y hora ISO, por ejemplo 2026-03-02T12:00:00-03:00."]
    receiver = tidy(str(given.get("receptor") or ""))
    if receiver and (problem := rut_problem(receiver)):
        errors["receptor"] = [f"El RUT {problem}."]
    if errors:
        raise ValidationError(errors)
    return Options(
        mode=cast(Mode, mode),
        ai=cast(UseOfAI, ai),
        as_of=as_of,
        receiver=receiver,
        environment=cast(Environment, environment),
    )


def _moment(value: Any) -> datetime | None:
    text = str(value or "").strip()
    # In a query string '+' is a blank, and clients forget to escape the one of the offset.
    moment = to_moment(text) or to_moment("+".join(text.rsplit(" ", 1)))
    return moment if moment is not None and 1990 < moment.year < 2200 else None


def take_body(request: HttpRequest, limit: int = MAX_BYTES) -> bytes:
    """Return the request's body.

    Raises:
        DocumentTooLarge: It is larger than the limit.
    """
    try:
        body = request.body
    except RequestDataTooBig as exc:
        raise DocumentTooLarge(None) from exc
    if len(body) > limit:
        raise DocumentTooLarge(len(body), limit)
    return body


def take_batch(request: HttpRequest, limit: int) -> bytes:
    """Return the body, or the one uploaded file, of a request that may be larger than a document.

    Raises:
        DocumentTooLarge, ValidationError: As the request deserves.
    """
    if (request.content_type or "").lower() == "multipart/form-data":
        return _uploaded(request, limit)
    body: bytes = request.read(limit + 1)  # the stream itself: `body` has the limit of a document
    if len(body) > limit:
        raise DocumentTooLarge(None, limit)
    return body


def take_document(request: HttpRequest) -> Submission:
    """Return the document of a request whose body, or uploaded file, is the document itself.

    Raises:
        UnsupportedMediaType, ValidationError, UnreadableDocument: As the request deserves.
    """
    media = (request.content_type or "").lower()
    if media == "multipart/form-data":
        return _recognise(_uploaded(request))
    body = take_body(request)
    if media in _XML_TYPES:
        return Submission(xml=body)
    if media == "application/json":
        return parse_submission(body)
    if media in _UNSPECIFIC:
        return _recognise(body)
    raise UnsupportedMediaType(media)


def _uploaded(request: HttpRequest, limit: int = MAX_BYTES) -> bytes:
    files = [file for _, listed in request.FILES.lists() for file in listed]
    if len(files) != 1:
        raise ValidationError({"file": ["Suba un archivo, y uno solo."]})
    if (files[0].size or 0) > limit:
        raise DocumentTooLarge(files[0].size, limit)
    return cast(bytes, files[0].read())


def _recognise(body: bytes) -> Submission:
    start = body[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    return parse_submission(body) if start.startswith((b"{", b"[")) else Submission(xml=body)


def parse_submission(body: bytes) -> Submission:
    """Parse a body that is JSON.

    Raises:
        UnreadableDocument: It is not strict JSON.
    """
    try:
        return Submission(json=parse_json(body), content=body, odd_text=is_odd(body))
    except Unreadable as exc:
        raise UnreadableDocument(exc) from exc
