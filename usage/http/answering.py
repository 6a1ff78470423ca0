"""Asynchronous views of DRF that cross to a thread only for what has to be done in one."""

from inspect import isawaitable
from typing import Any, Final, TypeVar

from adrf.views import APIView
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

T = TypeVar("T", bound=HttpResponseBase)
# Characters of an answer up to which rendering it takes a millisecond or so.
_SMALL: Final = 100_000
_VALUE: Final = 20  # characters that a name, or a value that is no text, is counted as


class AsyncAPIView(APIView):  # type: ignore[misc]  # adrf ships no types
    """adrf's view, which checks a request and renders a small answer on the event loop."""

    async def async_dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Serve an ``async def`` handler."""
        self.args, self.kwargs = args, kwargs
        self.request = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        try:
            response = await self.begin(self.request)
            if response is None:
                answered = self.handler()(self.request, *args, **kwargs)
                # DRF's own OPTIONS is synchronous.
                response = await answered if isawaitable(answered) else answered
        except Exception as exc:  # noqa: BLE001  # DRF's handler raises what it does not know
            response = self.handle_exception(exc)
        self.response = self.finalize_response(self.request, response, *args, **kwargs)
        return rendered(self.response)

    async def begin(self, request: Request) -> HttpResponseBase | None:
        """Check the request before its handler runs; return its answer if that is known by then."""
        self.initial(request, *self.args, **self.kwargs)
        return None

    def handler(self) -> Any:
        """Return what serves the request's method."""
        name = str(self.request.method).lower()
        none = self.http_method_not_allowed
        return getattr(self, name, none) if name in self.http_method_names else none


def rendered(response: T) -> T:
    """Render an answer of DRF's here, if it is small: Django would cross to a thread for it."""
    if isinstance(response, Response) and not response.is_rendered and _is_small(response.data):
        response.render()
        response.render = None  # type: ignore[method-assign,assignment]  # nothing left for Django
    return response


def _is_small(data: object) -> bool:
    return _size(data) < _SMALL


def _size(data: object) -> int:
    """Return about how many characters an answer has; what a list holds is taken to be alike."""
    if isinstance(data, str):
        return len(data)
    if isinstance(data, dict):
        return _VALUE * (1 + len(data)) + sum(map(_size, data.values()))
    if isinstance(data, list | tuple):
        return len(data) * max(_size(data[0]), _size(data[-1])) if data else _VALUE
    return _VALUE
