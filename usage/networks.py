"""Networks that a key may be used from."""

import ipaddress
import re
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@lru_cache(maxsize=1024)
def read(text: str) -> tuple[Network, ...]:
    """Read networks or single addresses, separated by blanks, commas or lines.

    Raises:
        ValueError: With the word that is neither.
    """
    found = []
    for word in re.split(r"[\s,;]+", text.strip()):
        if word:
            try:
                found.append(ipaddress.ip_network(word, strict=False))
            except ValueError:
                raise ValueError(word) from None
    return tuple(found)


def contain(text: str, address: str) -> bool:
    """Tell whether an address lies in one of the networks; without any, everything does."""
    networks = read(text)
    if not networks:
        return True
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(ip in network for network in networks)
