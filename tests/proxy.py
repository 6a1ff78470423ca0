"""The proxy of deploy/ before services of this machine: the same Caddyfile, a certificate of its own."""

import os
import shutil
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx2

from tests import servers

CADDYFILE: Final = Path(__file__).parent.parent / "deploy" / "proxy" / "Caddyfile"
INSTALLED: Final = shutil.which("caddy") is not None


class Proxy:
    """A running Caddy.

    Attributes:
        url: Where it serves, over TLS.
        trust: What a client needs to trust it.
    """

    def __init__(self, home: Path, port: int) -> None:
        self.url = f"https://localhost:{port}"
        self.certificate = home / "caddy" / "pki" / "authorities" / "local" / "root.crt"

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))


@contextmanager
def proxying(home: Path, upstreams: list[str], *, tls: str = "") -> Iterator[Proxy]:
    """Start the proxy before services, given as host:port."""
    port, plain, admin = (servers.free_port() for _ in range(3))
    process = servers.start(
        ["caddy", "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"],
        log=home / "caddy.log",
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_DATA_HOME": str(home),
            "XDG_CONFIG_HOME": str(home),
            "SERVER_NAME": f"localhost:{port}",
            "HTTP_PORT": str(plain),
            "HTTPS_PORT": str(port),
            "ADMIN": f"localhost:{admin}",
            "GLOBAL": "skip_install_trust\n\tlocal_certs",
            "TLS": tls,
            "UPSTREAMS": " ".join(upstreams),
        },
    )
    proxy = Proxy(home, port)
    try:
        servers.wait_until(lambda: proxy.certificate.exists() and _greets(proxy), process)
        yield proxy
    finally:
        process.kill()
        process.wait()


def _greets(proxy: Proxy) -> bool:
    """Whether it has a certificate to show by now: it makes one in the background."""
    try:
        httpx2.get(f"{proxy.url}/metrics", verify=proxy.trust)
    except httpx2.TransportError:
        return False
    return True
