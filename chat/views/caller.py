"""What the endpoints of the chat have in common."""

import uuid
from typing import Final, cast

from rest_framework.request import Request

from usage.models import ApiKey

TAGS: Final = ["Asistente"]


def caller_of(request: Request) -> ApiKey:
    """Return the key that a request came with."""
    return cast(ApiKey, request.auth)


def new_session_id() -> str:
    """Return an id that nobody can guess."""
    return uuid.uuid4().hex
