"""From an HTTP request to what it asks: which bytes to judge, of which kind, and how."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast, get_args
from uuid import UUID

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.utils import timezone
from rest_framework import status
from rest_framework.exceptions import UnsupportedMediaType, ValidationError

from dte.documents.document import to_moment
from dte.documents.rut import rut_problem, tidy
from dte.examining.examination import Case, Records
from dte.examining.given import Given
from dte.examining.refused import Refused
from dte.judging.verdict import decide
from dte.parsing.json import is_odd, parse_json
from dte.parsing.unreadable import Unreadable
from dte.parsing.xml import MAX_BYTES
from dte.rules.engine import finding_of
from dte.rules.registry import Context, Environment, History, Mode
from usage.errors import Refusal, error_body
from usage.hops import apart
from usage.models.end_user import LONGEST

UseOfAI = Literal["auto", "always", "never"]

_XML_TYPES = frozenset({"application/xml", "text/xml"})
_TAKEN = _XML_TYPES | {
    "", "application/octet-stream", "text/plain", "text/html", "message/rfc822", "application/json",
    "application/pdf", "application/zip", "application/x-zip-compressed", "application/x-pkcs12",
    "application/x-pem-file", "application/x-x509-ca-cert", "application/pkix-cert",
}  # fmt: skip
# Fields that are taken from a form alone: addresses end up in logs.
SECRET_FIELDS = frozenset({"password", "clave", "contrasena", "contraseña"})
MAX_FIELD = 20_000


class UnreadableDocument(Refusal):
    """The document cannot be judged at all; the body reads like a verdict that rejects it."""

    status_code: int = status.HTTP_400_BAD_REQUEST

    def __init__(self, reason: Unreadable, mode: Mode = "emission") -> None:
        finding = reason.finding if isinstance(reason, Refused) else finding_of(reason, mode)
        super().__init__(
            finding.message,
            finding.code,
            **decide([finding], "json").as_dict(),
            findings=[finding.as_dict()],
        )

    def body(self) -> dict[str, object]:
        """Return the body, for a refusal inside a stream that has begun."""
        return error_body(self)


class DocumentTooLarge(UnreadableDocument):
    """The same, for a body over the limit."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE

    def __init__(self, size: int | None, limit: int = MAX_BYTES, what: str = "") -> None:
        if not what:
            more = f"pesa más de {limit} bytes"
            what = f"pesa {size} bytes y el máximo es {limit}" if size else more
        super().__init__(Unreadable("XML-07", exceso=what))


@dataclass(frozen=True, slots=True)
class Options:
    """How the caller wants the document judged."""

    mode: Mode = "emission"
    ai: UseOfAI = "auto"
    as_of: datetime | None = None
    receiver: str = ""
    environment: Environment = ""
    track_id: str = ""
    """Number that the SII gave the upload in which the document goes, or went."""
    validation: UUID | None = None
    """The validation that the given answer of the SII is about."""
    end_user: str = ""
    """For whom of the account's own users."""

    def case(self, records: Records) -> Case:
        """Return what a kind may know."""
        return Case(
            as_of=self.as_of or timezone.now(),
            mode=self.mode,
            environment=self.environment,
            receiver=self.receiver,
            records=records,
        )

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
    json: object = None
    content: bytes | None = None
    """The bytes of the JSON, where they are the document and nothing else."""
    history: tuple[object, ...] = ()
    """What the caller told of the sender's earlier rejections, for the review."""
    odd_text: bool = True


def read_options(given: Mapping[str, object]) -> Options:
    """Check the parameters that say how to judge: ``mode``, ``ai``, ``as_of``, ``receptor``, ….

    Raises:
        ValidationError: With the parameter at fault.
    """
    mode = str(_given(given, "mode", "emission"))
    ai = str(_given(given, "ai", "auto"))
    environment = str(given.get("ambiente") or settings.DTE_ENVIRONMENT)
    errors = {}
    if mode not in get_args(Mode):
        errors["mode"] = ["Use emission o reception."]
    if ai not in get_args(UseOfAI):
        errors["ai"] = ["Use auto, always o never."]
    if environment not in get_args(Environment):
        errors["ambiente"] = ["Use produccion o certificacion."]
    moment = _given(given, "as_of", None)
    as_of = None if moment is None else _moment(str(moment))
    if as_of is None and moment is not None:
        errors["as_of"] = ["Use una fecha y hora ISO, por ejemplo 2026-03-02T12:00:00-03:00."]
    receiver = tidy(str(given.get("receptor") or ""))
    if receiver and (problem := rut_problem(receiver)):
        errors["receptor"] = [f"El RUT {problem}."]
    track_id = str(given.get("track_id") or "").strip()
    if track_id and not (track_id.isascii() and track_id.isdecimal() and len(track_id) <= 20):
        errors["track_id"] = ["Use el número de envío que dio el SII, por ejemplo 250978745."]
    validation = _uuid(str(given.get("validation") or ""))
    if validation is None and given.get("validation"):
        errors["validation"] = ["Use el identificador de una validación."]
    end_user = str(given.get("end_user") or "").strip()
    if len(end_user) > LONGEST or "\x00" in end_user:
        errors["end_user"] = [f"Use un texto de hasta {LONGEST} caracteres."]
    if errors:
        raise ValidationError(errors)
    return Options(
        mode=cast(Mode, mode),
        ai=cast(UseOfAI, ai),
        as_of=as_of,
        receiver=receiver,
        environment=cast(Environment, environment),
        track_id=track_id.lstrip("0"),
        validation=validation,
        end_user=end_user,
    )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _given(given: Mapping[str, object], name: str, default: object) -> object:
    """Return a parameter; null, and what Odoo sends for nothing, are as if it were not there."""
    value = given.get(name)
    return default if value is None or value is False else value


def _moment(text: str) -> datetime | None:
    # In a query string '+' is a blank, and clients forget to escape the one of the offset.
    moment = to_moment(text) or to_moment("+".join(text.strip().rsplit(" ", 1)))
    return moment if moment is not None and 1990 <= moment.year < 2200 else None


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
        return _read(_uploads(request)[0], limit)
    body: bytes = request.read(limit + 1)  # the stream itself: `body` has the limit of a document
    if len(body) > limit:
        raise DocumentTooLarge(None, limit)
    return body


def take_given(request: HttpRequest) -> Given:
    """Return the file of a request, whose body it is or which it uploads, with what came beside it.

    Raises:
        UnsupportedMediaType, ValidationError, UnreadableDocument: As the request deserves.
    """
    media = (request.content_type or "").lower()
    query = {name: str(value) for name, value in request.GET.items() if name not in SECRET_FIELDS}
    if media == "multipart/form-data":
        file, document = _uploads(request)
        fields = {name: str(value)[:MAX_FIELD] for name, value in request.POST.items()}
        content, name, declared = _read(file), file.name or "", file.content_type or ""
        beside = None if document is None else _read(document)
        return Given(content, declared, name[:200], {**query, **fields}, beside)
    if media not in _TAKEN and not media.startswith("image/"):
        raise UnsupportedMediaType(media)
    return Given(take_body(request), media, fields=query)


def submission_of(given: Given) -> Submission:
    """Return a file that no kind knows as the document that it should be.

    Raises:
        UnreadableDocument: It says to be JSON and is not.
    """
    is_json = given.media_type == "application/json" or given.form == "json"
    if is_json and given.media_type not in _XML_TYPES:
        return parse_submission(given.content, given)
    return Submission(xml=given.content)


def _uploads(request: HttpRequest) -> "tuple[UploadedFile[bytes], UploadedFile[bytes] | None]":
    """Return the one file to examine, and the document it is to be compared with, if one came."""
    files = dict(request.FILES.lists())
    beside = files.pop("document", []) if len(files) > 1 else []
    main = [file for listed in files.values() for file in listed]
    if len(main) != 1 or len(beside) > 1:
        raise ValidationError(
            {"file": ["Suba un archivo, y uno solo; para compararlo con su documento, «document»."]}
        )
    return main[0], beside[0] if beside else None


def _read(file: "UploadedFile[bytes]", limit: int = MAX_BYTES) -> bytes:
    if (file.size or 0) > limit:
        raise DocumentTooLarge(file.size, limit)
    return cast(bytes, file.read())


def parse_submission(body: bytes, given: Given | None = None) -> Submission:
    """Parse a body that is JSON; what was given already knows how it reads.

    Raises:
        UnreadableDocument: It is not strict JSON.
    """
    try:
        value = parse_json(body) if given is None else given.json
        return Submission(json=value, content=body, odd_text=is_odd(body))
    except Unreadable as exc:
        raise UnreadableDocument(exc) from exc


async def parsed(request: HttpRequest) -> Submission:
    """Take a request's body and parse it, beside the event loop if it is large.

    Raises:
        DocumentTooLarge, UnreadableDocument: As the request deserves.
    """
    body = take_body(request)
    return await apart(len(body), parse_submission, body)
