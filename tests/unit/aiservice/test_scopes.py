"""Every route of the API names what a key must be allowed to do, and refuses one that is not."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from usage.http.metered import MeteredAPIView
from usage.models import ApiKey
from usage.models.scope import Scope

pytestmark = pytest.mark.unit

# Open to everybody, or to those who log in.
WITHOUT_A_KEY = {"health", "ready", "live", "metrics", "schema", "docs", "chat-page"}
CONVERTERS = {
    "<uuid:pk>": "00000000-0000-0000-0000-000000000000",
    "<int:message_id>": "1",
    "<path:session_id>": "s",
    "<str:session_id>": "s",
    "<path:slug>": "folios/caf",
    "<str:anchor>": "a",
    "<uuid:record_id>": "00000000-0000-0000-0000-000000000000",
}


def routes(patterns: Any, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if not route.startswith("admin/"):
                yield from routes(pattern.url_patterns, route)
        else:
            yield route, pattern


def of_keys() -> list[tuple[str, Any]]:
    found = []
    for route, pattern in routes(get_resolver().url_patterns):
        view = getattr(pattern.callback, "view_class", None) or getattr(
            pattern.callback, "cls", None
        )
        if view is not None and issubclass(view, MeteredAPIView):
            found.append((route, view))
    return found


def test_every_view_that_takes_a_key_declares_a_scope():
    undeclared = [
        f"{route} ({view.__name__})"
        for route, view in of_keys()
        if not isinstance(getattr(view, "scope", None), Scope)
    ]
    assert not undeclared, f"say `scope = Scope.…` in: {undeclared}"


def test_whatever_takes_no_key_is_meant_to():
    taking = {route for route, _ in of_keys()}
    api = [
        (route, pattern.name)
        for route, pattern in routes(get_resolver().url_patterns)
        if route.startswith("api/") and route not in taking
    ]
    assert {name for _, name in api if name} <= WITHOUT_A_KEY


@pytest.mark.django_db
def test_a_key_without_the_scope_is_refused_on_every_route(client: Client, settings):
    settings.RATE_LIMIT_PER_MINUTE = 0
    routes_of = of_keys()
    assert len(routes_of) >= 20
    for scope in Scope:
        others = [other.value for other in Scope if not other.value.startswith(scope.value)]
        others = [name for name in others if name != Scope.USAGE_ALL or scope != Scope.USAGE]
        _, secret = ApiKey.objects.issue(name=f"sin {scope.value}", scopes=others)
        for route, view in routes_of:
            if view.scope is not scope:
                continue
            path = "/" + route
            for converter, value in CONVERTERS.items():
                path = path.replace(converter, value)
            assert "<" not in path, f"say a value for the converter of {route}"
            for method in ("get", "post", "patch", "put", "delete"):
                if not hasattr(view, method):
                    continue
                answer = getattr(client, method)(
                    path,
                    data="{}" if method != "get" else None,
                    content_type="application/json",
                    headers={"Authorization": f"Bearer {secret}"},
                )
                assert answer.status_code == 403, (method, path, answer.content)
                assert answer.json()["code"] == "missing_scope"
