"""The ASGI application: HTTP, and WebSocket under /ws/."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aiservice.settings")

import django

django.setup(set_prefix=False)  # before anything that imports models

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import re_path  # noqa: E402

from aiservice.handler import Handler  # noqa: E402
from chat.routing import websocket_urlpatterns  # noqa: E402
from usage import llm  # noqa: E402
from usage.checks import require_usable_models  # noqa: E402
from usage.threads import ReusedThreads  # noqa: E402

require_usable_models()  # a server runs no system checks of its own
llm.load()


async def refuse(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Answer a WebSocket to any other path with 403; without a route, channels fails with a 500."""
    await receive()
    await send({"type": "websocket.close", "code": 1000, "reason": None})


elsewhere = re_path("", refuse)  # type: ignore[arg-type]  # an ASGI application, not a view
application = ProtocolTypeRouter(
    {
        "http": ReusedThreads(Handler()),
        "websocket": URLRouter([*websocket_urlpatterns, elsewhere]),
    }
)
