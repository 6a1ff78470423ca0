"""What a caller sees when a request fails outside a DRF view: the same envelope, never a trace."""

import math

from django.conf import settings
from django.http import HttpRequest, JsonResponse

from usage.errors import DatabaseUnavailable


def _envelope(request: HttpRequest, status: int, code: str, detail: str) -> JsonResponse:
    body = {"detail": detail, "code": code, "request_id": getattr(request, "request_id", None)}
    return JsonResponse(body, status=status, json_dumps_params={"ensure_ascii": False})


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    """400: a malformed request, or a host this service does not serve."""
    return _envelope(request, 400, "bad_request", "La solicitud no es válida.")


def permission_denied(request: HttpRequest, exception: Exception) -> JsonResponse:
    """403: not allowed, for instance a form without its CSRF token."""
    return _envelope(request, 403, "permission_denied", "No tiene permiso para hacer esto.")


def csrf_failure(request: HttpRequest, reason: str = "") -> JsonResponse:
    """403: a form that did not come from our own page; named by ``CSRF_FAILURE_VIEW``."""
    detail = "El formulario no viene de esta página o venció: vuelva a cargarla."
    return _envelope(request, 403, "csrf_failed", detail)


def not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    """404: no such path."""
    return _envelope(request, 404, "not_found", "No existe esta ruta.")


def server_error(request: HttpRequest) -> JsonResponse:
    """500: a fault of ours; the request id finds it in the logs."""
    detail = "Ocurrió un error interno. Si persiste, indique el identificador de la solicitud."
    return _envelope(request, 500, "internal_error", detail)


def database_unavailable(request: HttpRequest) -> JsonResponse:
    """503: the database is away, outside a DRF view."""
    refusal = DatabaseUnavailable()
    response = _envelope(request, 503, refusal.default_code, str(refusal.detail))
    response.headers["Retry-After"] = str(math.ceil(refusal.wait))
    return response


def unsupported_coding(request: HttpRequest) -> JsonResponse:
    """415: a body that is packed; what is accepted is named as RFC 9110 §15.5.16 wants it."""
    detail = "El cuerpo viene comprimido (Content-Encoding): envíelo sin comprimir."
    response = _envelope(request, 415, "unsupported_content_encoding", detail)
    response.headers["Accept-Encoding"] = "identity"
    return response


def too_many_passwords(request: HttpRequest) -> JsonResponse:
    """429: an address that has tried too many passwords."""
    detail = "Demasiados intentos de ingreso desde esta dirección: espere unos minutos."
    response = _envelope(request, 429, "too_many_logins", detail)
    response.headers["Retry-After"] = str(math.ceil(settings.AXES_COOLOFF_TIME.total_seconds()))
    return response


def method_not_allowed(request: HttpRequest, allowed: str) -> JsonResponse:
    """405: for views that are not DRF's, which refuse with an empty body."""
    response = _envelope(
        request, 405, "method_not_allowed", f'Método "{request.method}" no permitido.'
    )
    response.headers["Allow"] = allowed
    return response
