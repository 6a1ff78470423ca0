"""A site of one page with the assistant on it, whole: docs/widget.md explains it.

    python -m tests.widget_site http://127.0.0.1:8000 KEY --port 8080

The service must allow it: ``ALLOWED_ORIGINS=http://127.0.0.1:8080``.
"""

import argparse
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

PAGE: Final = """<!doctype html>
<html lang="es">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Un sitio con el asistente</title>
</head>
<body>
<h1>Un sitio con el asistente</h1>
<p>El botón está abajo a la derecha.</p>
<script src="{service}/static/chat/widget.js" data-token-url="/token" defer></script>
</body>
</html>
"""


def site(service: str, key: str, port: int = 0) -> ThreadingHTTPServer:
    """Return the site, which begins to serve with ``serve_forever``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(200, "text/html; charset=utf-8", PAGE.format(service=service).encode())

        def do_POST(self) -> None:
            asked = urllib.request.Request(  # noqa: S310 - the service's own address
                f"{service}/api/chat/widget/token",
                data=b'{"end_user": "visitante-1"}',
                headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
            )
            try:
                with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310
                    self.answer(200, "application/json", answer.read())
            except urllib.error.HTTPError as refused:
                self.answer(refused.code, "application/json", refused.read())

        def answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header(
                "Content-Security-Policy",
                f"default-src 'self'; script-src {service}; frame-src {service}; object-src 'none'",
            )
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("service")
    parser.add_argument("key")
    parser.add_argument("--port", type=int, default=8080)
    options = parser.parse_args()
    site(options.service, options.key, options.port).serve_forever()


if __name__ == "__main__":
    main()
