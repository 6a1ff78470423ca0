"""The address that a caller is limited and remembered by."""

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request


def client_ip(source: HttpRequest | Request | Mapping[str, Any]) -> str:
    """Return the caller's address, counting ``X-Forwarded-For`` from the right.

    Every trusted proxy appends the address it saw, so only the last ``TRUSTED_PROXIES`` entries are
    not the caller's own invention. A request that came through fewer proxies than that is judged by
    its peer. IPv6 addresses are cut to their /64, which is what one subscriber holds.

    Args:
        source: A Django or DRF request, or an ASGI scope.
    """
    address, peer = _seen(source)
    return _network(_canonical(address) or _canonical(peer)) or "unknown"


def exact_ip(source: HttpRequest | Request | Mapping[str, Any]) -> str:
    """Return the same whole: the address itself, for what is allowed to single ones."""
    address, peer = _seen(source)
    return _canonical(address) or _canonical(peer) or "unknown"


def _seen(source: HttpRequest | Request | Mapping[str, Any]) -> tuple[str, str]:
    """Return the caller's address as the outermost trusted proxy saw it, and the peer's."""
    peer, forwarded = _addresses(source)
    chain = [*(part.strip() for part in forwarded.split(",") if part.strip()), peer]
    proxies = settings.TRUSTED_PROXIES
    return (chain[-(proxies + 1)] if len(chain) > proxies else peer), peer


def _addresses(source: HttpRequest | Request | Mapping[str, Any]) -> tuple[str, str]:
    if isinstance(source, Mapping):
        headers = [v.decode("latin-1") for k, v in source["headers"] if k == b"x-forwarded-for"]
        client = source.get("client") or ("", 0)
        return str(client[0]), ",".join(headers)
    meta = source.META
    return str(meta.get("REMOTE_ADDR") or ""), str(meta.get("HTTP_X_FORWARDED_FOR", ""))


@lru_cache(maxsize=4096)  # tens of microseconds each, several times a request
def _canonical(address: str) -> str | None:
    if address.startswith("["):  # [2001:db8::1]:443
        address = address[1:].partition("]")[0]
    elif address.count(":") == 1:  # 192.0.2.1:443
        address = address.partition(":")[0]
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ip)


@lru_cache(maxsize=4096)
def _network(address: str | None) -> str | None:
    if address is None or ":" not in address:
        return address
    ip = ipaddress.IPv6Address(address)
    return str(ipaddress.ip_network((ip.packed, 64), strict=False))
