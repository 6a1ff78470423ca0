"""Who changed what in the admin, with before and after, and who read a conversation (django-auditlog)."""

from contextvars import ContextVar
from typing import Any, Final

from auditlog.models import LogEntry
from auditlog.registry import auditlog
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.db.models.signals import pre_save
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

from chat.models import Conversation
from dte.models import KeyPolicy
from knowledge.models import Document, Expression, SiiSource
from usage.access.address import exact_ip
from usage.models import Account, ApiKey, Budget, Correction, ModelPrice

# By model, what is no business of the log: secrets, and what changes by itself.
_LEFT_OUT: Final[dict[type[Model], list[str]]] = {
    Account: [],
    ApiKey: ["digest", "old_digest", "last_used_at"],
    Budget: [],
    ModelPrice: [],
    Correction: [],
    KeyPolicy: [],
    Document: ["content_hash", "file_hash", "updated_at", "version"],
    Expression: [],
    SiiSource: [],
    User: ["password", "last_login"],
    Group: [],
}
_MANY: Final[dict[type[Model], set[str]]] = {
    User: {"groups", "user_permissions"},
    Group: {"permissions"},
}

ADMIN: Final = "/admin/"
_request: ContextVar[HttpRequest | None] = ContextVar("audited_request", default=None)


class AdminAuditMiddleware(MiddlewareMixin):
    """Remember the admin's request while it is served, so that the log can name who sent it."""

    sync_capable = False

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        """Handle one request."""
        if not request.path.startswith(ADMIN):
            return await self._answer(request)
        token = _request.set(request)
        try:
            return await self._answer(request)
        finally:
            _request.reset(token)

    async def _answer(self, request: HttpRequest) -> HttpResponseBase:
        get_response: Any = self.get_response  # of either kind; ours is asynchronous
        response: HttpResponseBase = await get_response(request)
        return response


def audited() -> list[type[Model]]:
    """Return the models whose changes are kept, and those whose reading is."""
    return [*_LEFT_OUT, Conversation]


def start() -> None:
    """Begin to keep the log; once, when the application starts."""
    for model, left_out in _LEFT_OUT.items():
        auditlog.register(model, exclude_fields=left_out, m2m_fields=_MANY.get(model))
    pre_save.connect(_sign, sender=LogEntry, dispatch_uid="aiservice.audit")


def _sign(sender: object, instance: LogEntry, **kwargs: object) -> None:
    """Say who it was; nobody for what the service does by itself, such as a command."""
    request = _request.get()
    user = getattr(request, "user", None)
    if request is None or user is None or not user.is_authenticated:
        return
    address = exact_ip(request)
    instance.actor = user
    instance.actor_email = user.email
    instance.remote_addr = None if address == "unknown" else address
