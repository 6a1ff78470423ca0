"""Fetching a page politely and safely: robots, pace, conditions, limits, and no way off the list."""

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

import httpx2
from django.conf import settings

from knowledge.monitoring.addresses import ForbiddenAddressError, Target, resolve

if TYPE_CHECKING:
    from protego import Protego

MAX_REDIRECTS: Final = 5
MAX_ROBOTS_BYTES: Final = 500 * 1024  # RFC 9309, 2.5: at least this much is read
LONGEST_PAUSE: Final = 10.0  # of a Crawl-delay; a longer one would take a run past its lock
_MOVED: Final = frozenset({301, 302, 303, 307, 308})


class FetchError(Exception):
    """A page could not be had.

    Attributes:
        result: One of a closed set of words, for status and metrics.
    """

    def __init__(self, result: str, detail: str) -> None:
        super().__init__(detail)
        self.result = result


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a server answered."""

    url: str  # after redirects
    status: int  # 200 or 304
    body: bytes = b""
    content_type: str = ""
    etag: str = ""
    last_modified: str = ""


@dataclass
class Fetcher:
    """Fetches the pages of one run, one request at a time.

    Args:
        verify: Whom TLS trusts; the system's authorities by default.
    """

    verify: ssl.SSLContext | bool = True
    sleep: Callable[[float], None] = time.sleep
    _robots: dict[str, "Protego | None"] = field(default_factory=dict)
    _last: float = float("-inf")

    def __post_init__(self) -> None:
        seconds = settings.SII_MONITOR_TIMEOUT
        self._client = httpx2.Client(
            verify=self.verify,
            trust_env=False,  # a proxy would resolve names itself
            follow_redirects=False,
            timeout=seconds,
            headers={
                "User-Agent": settings.SII_MONITOR_USER_AGENT,
                "Accept": "text/html, application/pdf, */*;q=0.5",
                "Accept-Language": "es-CL, es",
                "Accept-Encoding": "identity",  # nothing small that unpacks to something huge
            },
            # A kept connection would be used for another name of the same address.
            limits=httpx2.Limits(max_keepalive_connections=0),
        )

    def close(self) -> None:
        """Let go of the client."""
        self._client.close()

    def fetch(
        self, url: str, *, etag: str = "", last_modified: str = "", fresh: bool = False
    ) -> Fetched:
        """Fetch a page.

        Args:
            url: Its address.
            etag: Of the version we have.
            last_modified: Of the version we have.
            fresh: Ask caches on the way for the page itself.

        Raises:
            FetchError: It cannot be had; its `result` says why.
        """
        headers = {"If-None-Match": etag} if etag else {}
        if last_modified:
            headers["If-Modified-Since"] = last_modified
        if fresh:
            headers["Cache-Control"] = "no-cache"
        for _ in range(MAX_REDIRECTS + 1):
            self._require_permission(url)
            response, body = self._ask(url, headers, settings.SII_MONITOR_MAX_BYTES)
            if response.status_code not in _MOVED:
                return self._answer(url, response, body)
            url = _target(url, response)
        raise FetchError("redirects", "La página redirige sin fin.")

    def _answer(self, url: str, response: httpx2.Response, body: bytes) -> Fetched:
        status = response.status_code
        if status == 404 or status == 410:
            raise FetchError("not_found", f"La página no existe ({status}).")
        if status not in (200, 304):
            raise FetchError("http_error", f"El servidor respondió {status}.")
        return Fetched(
            url=url,
            status=status,
            body=body,
            content_type=response.headers.get("Content-Type", "")[:200],
            etag=response.headers.get("ETag", "")[:300],
            last_modified=response.headers.get("Last-Modified", "")[:100],
        )

    def _require_permission(self, url: str) -> None:
        parts = urlsplit(url)
        root = f"{parts.scheme}://{parts.netloc}"
        if root not in self._robots:
            self._robots[root] = self._read_robots(root)
        robots = self._robots[root]
        if robots is not None and not robots.can_fetch(url, settings.SII_MONITOR_USER_AGENT):
            raise FetchError("robots", "El sitio no permite que se lea la página (robots.txt).")

    def _read_robots(self, root: str) -> "Protego | None":
        """Read a site's rules as RFC 9309, 2.3.1, says: none if there is no file, no visit if unknown."""
        from protego import Protego

        url = f"{root}/robots.txt"
        for _ in range(MAX_REDIRECTS + 1):
            response, body = self._ask(url, {}, MAX_ROBOTS_BYTES)
            if response.status_code in _MOVED:
                url = _target(url, response)
            elif response.status_code == 200:
                return Protego.parse(body.decode("utf-8", "replace"))
            elif 400 <= response.status_code < 500:
                return None
            else:
                raise FetchError("robots", "No se pudo leer el robots.txt del sitio.")
        return None

    def _ask(self, url: str, headers: dict[str, str], limit: int) -> tuple[httpx2.Response, bytes]:
        """Send one request, and read an answer of at most ``limit`` bytes."""
        try:
            target = resolve(url)
        except ForbiddenAddressError as exc:
            raise FetchError("off_list", str(exc)) from exc
        except (OSError, UnicodeError) as exc:
            raise FetchError("unreachable", "El nombre del servidor no se encuentra.") from exc
        self._wait(url)
        try:
            return self._send(target, headers, limit)
        except httpx2.TimeoutException as exc:
            raise FetchError("timeout", "El servidor no respondió a tiempo.") from exc
        except httpx2.ConnectError as exc:
            if "certificate" in str(exc).casefold():
                raise FetchError("certificate", "El certificado del sitio no es válido.") from exc
            raise FetchError("unreachable", "No se pudo conectar con el servidor.") from exc
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as exc:
            raise FetchError("unreachable", "La respuesta del servidor se cortó.") from exc

    def _send(
        self, target: Target, headers: dict[str, str], limit: int
    ) -> tuple[httpx2.Response, bytes]:
        for address in target.addresses[:-1]:
            try:
                return self._read(target, address, headers, limit)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as exc:
                if "certificate" in str(exc).casefold():
                    raise
        return self._read(target, target.addresses[-1], headers, limit)

    def _read(
        self, target: Target, address: str, headers: dict[str, str], limit: int
    ) -> tuple[httpx2.Response, bytes]:
        deadline = time.monotonic() + settings.SII_MONITOR_TIMEOUT
        named = httpx2.URL(target.url)
        self._client.cookies.clear()
        request = self._client.build_request(
            "GET",
            named.copy_with(host=address),
            headers={**headers, "Host": named.netloc.decode("ascii")},
            extensions={"sni_hostname": target.host},
        )
        response = self._client.send(request, stream=True)
        try:
            body = bytearray()
            for piece in response.iter_bytes():
                body += piece
                if len(body) > limit:
                    raise FetchError("too_large", "La página es demasiado grande.")
                if time.monotonic() > deadline:
                    raise FetchError("timeout", "La página no terminó de llegar a tiempo.")
            return response, bytes(body)
        finally:
            response.close()

    def _wait(self, url: str) -> None:
        """Keep the pace: at most one request in the time that settings and site ask for."""
        pause = settings.SII_MONITOR_PAUSE
        parts = urlsplit(url)
        robots = self._robots.get(f"{parts.scheme}://{parts.netloc}")
        if robots is not None:
            asked = robots.crawl_delay(settings.SII_MONITOR_USER_AGENT) or 0
            pause = max(pause, min(asked, LONGEST_PAUSE))
        if (left := self._last + pause - time.monotonic()) > 0:
            self.sleep(left)
        self._last = time.monotonic()


def _target(url: str, response: httpx2.Response) -> str:
    location = response.headers.get("Location", "")
    if not location:
        raise FetchError("http_error", "El servidor redirige sin decir adónde.")
    try:
        return urljoin(url, location).partition("#")[0]
    except ValueError as exc:
        raise FetchError(
            "http_error", "El servidor redirige a algo que no es una dirección."
        ) from exc
