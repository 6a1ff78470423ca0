r"""The refusals that several parts share, and the one shape in which a caller sees any.

    APIException (DRF)
    ├── ValidationError, NotAuthenticated, NotFound, …   DRF's own
    ├── RequestRateExceeded   429, with Retry-After
    ├── BudgetExceeded        402
    ├── CallTooLarge          413
    ├── RequestTooLarge       413
    ├── MalformedRequest      400
    ├── DatabaseUnavailable   503, with Retry-After
    ├── ModelUnavailable      503
    │   └── ModelRefused      502
    ├── IdempotencyConflict   409  \ usage.http.idempotency
    ├── IdempotencyMismatch   422  /
    └── UnreadableDocument    400, 413 or 415   dte.intake

The body is always ``{"detail": text in Spanish, "code": stable name}``, with ``errors`` per field
when the input did not validate, and whatever facts the refusal carries.
"""

import math
from collections.abc import Mapping
from typing import Any

import structlog
from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.http.multipartparser import MultiPartParserError
from rest_framework import status
from rest_framework.exceptions import (
    APIException,
    ErrorDetail,
    NotFound,
    PermissionDenied,
    ValidationError,
)
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.settings import api_settings

log = structlog.get_logger(__name__)


class Refusal(APIException):
    """A refusal of ours: DRF's status, detail and code, plus facts for the body."""

    wait: float | None = None  # DRF turns it into the Retry-After header

    def __init__(self, detail: str | None = None, code: str | None = None, **facts: Any) -> None:
        super().__init__(detail, code)
        self.facts = facts


class RequestRateExceeded(Refusal):
    """Too many requests from one key and address."""

    status_code = status.HTTP_429_TOO_MANY_REQUESTS
    default_detail = "Demasiadas solicitudes: espere antes de volver a intentar."
    default_code = "rate_limited"

    def __init__(self, retry_after: float, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(retry_after=round(retry_after, 3))
        self.wait = retry_after
        self.headers = headers or {}


class BudgetExceeded(Refusal):
    """The call's upper bound does not fit in what is left of a budget."""

    status_code = status.HTTP_402_PAYMENT_REQUIRED
    default_detail = "El presupuesto disponible no alcanza para esta solicitud."
    default_code = "budget_exceeded"

    # Whether it would fit if all that other calls hold now came to nothing: then it is worth a wait,
    # and worth asking for an exact count.
    only_held = False


class CallTooLarge(Refusal):
    """The call is larger than one request may be."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "La solicitud es demasiado grande para el modelo."
    default_code = "call_too_large"


class RequestTooLarge(Refusal):
    """The body is larger than the endpoint reads."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "La solicitud es demasiado grande."
    default_code = "request_too_large"


class MalformedRequest(Refusal):
    """Django could not read the request: a broken form, too many fields, a host of somebody else."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_detail = "La solicitud no es válida."
    default_code = "bad_request"


class DatabaseUnavailable(Refusal):
    """The database is away, or too busy to be waited for; nothing is served without it."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = (
        "La base de datos no está disponible en este momento: reintente en unos segundos."
    )
    default_code = "database_unavailable"
    wait = 2.0


class ModelUnavailable(Refusal):
    """Claude cannot be asked now: no key, breaker open, or the provider failed."""

    status_code: int = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "El asistente de IA no está disponible en este momento."
    default_code = "model_unavailable"


class ModelRefused(ModelUnavailable):
    """Claude declined to answer."""

    status_code = status.HTTP_502_BAD_GATEWAY
    default_detail = "El asistente de IA no pudo responder a esta solicitud."
    default_code = "model_refused"


def error_body(exc: APIException) -> dict[str, Any]:
    """Return the one error shape for a refusal; used by REST, streams and WebSocket alike."""
    if isinstance(exc, ValidationError):
        errors = exc.detail
        if isinstance(errors, list):
            return {"detail": " ".join(str(item) for item in errors), "code": _first_code(exc)}
        return {"detail": "Hay datos que corregir.", "code": "invalid", "errors": errors}
    codes = exc.get_codes()
    code = codes if isinstance(codes, str) else exc.default_code
    return {"detail": str(exc.detail), "code": code, **getattr(exc, "facts", {})}


def _first_code(exc: ValidationError) -> str:
    codes = exc.get_codes()
    return str(codes[0]) if isinstance(codes, list) and codes else "invalid"


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's handler with our body; named by ``EXCEPTION_HANDLER`` in settings."""
    # DRF's views load our parsers, which load this module: whoever comes first must not meet itself.
    from rest_framework.views import exception_handler as drf_exception_handler

    exc = _in_our_words(exc)
    response = drf_exception_handler(exc, context)
    if response is None or not isinstance(exc, APIException):
        return response
    response.data = error_body(exc)
    if wait := getattr(
        exc, "wait", None
    ):  # DRF rounds down, to 0 at times: a caller may not wait less
        response.headers["Retry-After"] = str(math.ceil(wait))
    # Whatever the view renders its answers as: the schema is YAML, its page HTML.
    if (request := context.get("request")) is not None:
        request.accepted_renderer, request.accepted_media_type = JSONRenderer(), "application/json"
    if key := api_settings.NON_FIELD_ERRORS_KEY:
        _lift_non_field_errors(response.data, key)
    return response


def _in_our_words(exc: Exception) -> Exception:
    """Return the refusal for what Django raises; its own texts are English, or name our tables."""
    match exc:
        case Http404():
            return NotFound()
        case DjangoPermissionDenied():
            return PermissionDenied()
        case RequestDataTooBig():
            return RequestTooLarge()
        case ValidationError(detail={"non_field_errors": [ErrorDetail(code="null")]}):
            return ValidationError("El cuerpo debe ser un objeto JSON, no null.", code="null")
        case SuspiciousOperation() | MultiPartParserError() | BadRequest():
            return MalformedRequest()
        case OperationalError() | InterfaceError():
            log.warning("database_unavailable", error=str(type(exc.__cause__ or exc).__name__))
            return DatabaseUnavailable()
    return exc


def _lift_non_field_errors(body: dict[str, Any], key: str) -> None:
    """An error about the whole input is the detail itself, not a field called non_field_errors."""
    errors = body.get("errors")
    if isinstance(errors, dict) and list(errors) == [key]:
        body["detail"] = " ".join(str(item) for item in body.pop("errors")[key])
