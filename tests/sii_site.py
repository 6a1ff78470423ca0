"""A server on this machine that plays the SII: pages, and every way in which a site can fail."""

import hashlib
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Page:
    """What one path answers.

    Attributes:
        validators: Send ETag and Last-Modified, and answer 304 to those who have it.
        drip: Seconds between the bytes of the body.
        cut: Announce more than is sent.
        endless: Never stop sending.
    """

    body: bytes = b""
    status: int = 200
    content_type: str = "text/html; charset=utf-8"
    location: str = ""
    validators: bool = False
    delay: float = 0
    held: threading.Event | None = None  # answers once it is set
    drip: float = 0
    cut: bool = False
    endless: bool = False

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.body).hexdigest()[:16]}"'


@dataclass
class Site:
    """The server; `pages` may be changed while it runs."""

    pages: dict[str, Page] = field(default_factory=dict)
    robots: str = ""
    requests: list[tuple[float, str, dict[str, str]]] = field(default_factory=list)
    posted: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    post_statuses: list[int] = field(default_factory=list)  # of the next ones; then 200
    url: str = ""

    def put(self, path: str, body: str | bytes, *, charset: str = "utf-8", **more: object) -> None:
        content = body.encode(charset) if isinstance(body, str) else body
        self.pages[path] = Page(content, **more)

    def asked(self, path: str) -> list[dict[str, str]]:
        """Return the headers of the requests for a path."""
        return [headers for _, asked, headers in self.requests if asked == path]


@contextmanager
def serve(certificate: Path | None = None) -> Iterator[Site]:
    """Run a site, with TLS if a file with certificate and key is given."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.requests.append((time.monotonic(), self.path, dict(self.headers)))
            page = site.pages.get(self.path)
            if self.path == "/robots.txt" and page is None:
                page = Page(site.robots.encode(), 200 if site.robots else 404, "text/plain")
            self._answer(page or Page(b"<h1>No existe</h1>", 404))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            site.posted.append((dict(self.headers), body))
            self._answer(Page(b"ok", site.post_statuses.pop(0) if site.post_statuses else 200))

        def _answer(self, page: Page) -> None:
            time.sleep(page.delay)
            if page.held is not None:
                page.held.wait(20)
            known = page.validators and self.headers.get("If-None-Match") == page.etag
            self.send_response(304 if known else page.status)
            if page.location:
                self.send_header("Location", page.location)
            if page.validators:
                self.send_header("ETag", page.etag)
                self.send_header("Last-Modified", "Fri, 27 Nov 2026 12:00:00 GMT")
            body = b"" if known else page.body
            if not page.endless:
                self.send_header("Content-Length", str(len(body) + (1_000 if page.cut else 0)))
            self.send_header("Content-Type", page.content_type)
            self.send_header("Connection", "close")
            self.end_headers()
            try:
                while page.endless:
                    self.wfile.write(b"<p>Circular</p>" * 1_000)
                step = 1 if page.drip else max(1, len(body))
                for start in range(0, len(body), step):
                    self.wfile.write(body[start : start + step])
                    self.wfile.flush()
                    time.sleep(page.drip)
            except OSError:
                pass  # the reader has had enough
            self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *args: object) -> None:
            pass  # handshakes that the client breaks off

    server = Server(("127.0.0.1", 0), Handler)
    scheme = "http"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    site.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()


def certificate(path: Path, *, names: tuple[str, ...] = ("127.0.0.1",)) -> Path:
    """Write a certificate that nobody has signed but itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sii de prueba")])
    alternatives: list[x509.GeneralName] = [
        x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
        for name in names
    ]
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


FRAME = """<!doctype html>
<html lang="es"><head><meta charset="utf-8"><title>SII</title><script>var hora = "{clock}";</script></head>
<body>
<header><a href="/">Servicio de Impuestos Internos</a> <span>{banner}</span></header>
<nav><ul>{menu}</ul></nav>
<div class="breadcrumbs">Inicio &gt; Normativa &gt; {banner}</div>
<div id="contenido">
<h1>{title}</h1>
<p>Última actualización: {day} a las {clock}</p>
{content}
<p>Visitas: {visits}</p>
<p><a href="/imprimir;jsessionid={session}">Imprimir</a></p>
</div>
<footer>© {year} Servicio de Impuestos Internos. Santiago, {weekday} {day}. Sesión: {session}</footer>
</body></html>"""


def page(content: str, *, title: str = "Circulares", turn: int = 0) -> str:
    """Return a page of the site.

    Args:
        content: What the page is there for.
        title: Its heading.
        turn: Makes everything else look different: menus, dates, counters, sessions.
    """
    return FRAME.format(
        title=title,
        content=content,
        clock=f"{turn % 24:02}:{turn * 7 % 60:02}",
        banner=f"Campaña número {turn}",
        menu="".join(f"<li><a href='/m{i}'>Menú {i} {turn}</a></li>" for i in range(turn % 5 + 2)),
        day=f"{turn % 28 + 1} de noviembre de 2026",
        weekday=("lunes", "martes", "miércoles", "jueves", "viernes")[turn % 5],
        visits=f"{12_345 + turn * 17:,}".replace(",", "."),
        session=hashlib.sha256(str(turn).encode()).hexdigest()[:32],
        year=2026,
    )
