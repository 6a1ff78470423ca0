"""Tokens for visitors of a customer's site: short-lived, signed, for the chat alone, one end user each.

The site's server holds the key and asks for a token; the visitor's browser sends it like a key. Nothing is
stored: a token ends with its time, or with its key.
"""

import copy
import secrets
from typing import Final

from django.conf import settings
from django.core import signing

from usage.models import ApiKey
from usage.models.scope import Scope

MARK: Final = "wt_"
LONGEST: Final = 600
# What a visitor may do of what the key may.
_SCOPES: Final = (Scope.CHAT, Scope.KNOWLEDGE)
# A browser sends it as the name of a WebSocket's subprotocol, which a colon may not be in.
_SEPARATOR: Final = "."


def _signer() -> signing.TimestampSigner:
    return signing.TimestampSigner(salt="usage.access.visitors", sep=_SEPARATOR)


def issue(key: ApiKey, end_user: str) -> str:
    """Return a token for a visitor; one whom nobody names is a visitor of his own."""
    named = end_user or f"visitante-{secrets.token_hex(8)}"
    return MARK + _signer().sign_object({"key": key.pk, "end_user": named})


def key_of(token: str) -> ApiKey | None:
    """Return the key that a token is of, as its visitor may use it; None for no valid token."""
    if len(token) > LONGEST:
        return None
    try:
        said = _signer().unsign_object(
            token.removeprefix(MARK), max_age=settings.CHAT_TOKEN_SECONDS
        )
    except (signing.BadSignature, ValueError):
        return None
    key = ApiKey.objects.select_related("account").filter(pk=said["key"]).first()
    if key is None:
        return None
    visiting = copy.copy(key.acting_for(said["end_user"]))
    visiting.is_visitor = True
    visiting.scopes = [scope.value for scope in _SCOPES if key.may(scope)]
    visiting.networks = ""  # the networks are those of the site's server, which asked for the token
    return visiting
