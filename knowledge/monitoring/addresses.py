"""Which addresses the monitor may ask, so that no source or redirect reaches anything else.

A host must be on the list of the settings, and every address that its name resolves to must be public.
The connection is then made to the address that was looked at, not to the name once more: a name that
resolves differently the second time gains nothing.
"""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings


class ForbiddenAddressError(Exception):
    """The monitor may not ask this address."""


@dataclass(frozen=True, slots=True)
class Target:
    """An address that may be asked."""

    url: str
    host: str
    port: int
    addresses: tuple[str, ...]


def problem(url: str) -> str:
    """Say why a URL may not be asked, without resolving its name; empty if it may."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "No es una dirección."
    if parts.scheme != "https" and not (settings.SII_MONITOR_LOCAL and parts.scheme == "http"):
        return "La dirección debe comenzar con https://."
    if parts.username or parts.password:
        return "La dirección no puede llevar usuario ni contraseña."
    if (parts.hostname or "") not in settings.SII_MONITOR_HOSTS:
        return f"«{parts.hostname or ''}» no está entre los servidores permitidos."
    if port not in (None, 443) and not settings.SII_MONITOR_LOCAL:
        return "La dirección no puede llevar otro puerto."
    return ""


def resolve(url: str) -> Target:
    """Return where to connect for a URL.

    Raises:
        ForbiddenAddressError: It is off the list, or its name leads into a private network.
        OSError: The name cannot be resolved.
    """
    if reason := problem(url):
        raise ForbiddenAddressError(reason)
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not settings.SII_MONITOR_LOCAL:
        for address in addresses:
            if not _is_public(address):
                raise ForbiddenAddressError(f"«{host}» lleva a una red privada.")
    return Target(url, host, port, addresses)


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    ip = mapped or ip
    return ip.is_global and not ip.is_multicast
