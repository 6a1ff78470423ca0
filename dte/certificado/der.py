"""A look at the DER of a key store before it is opened: how much work its password asks for.

Deriving a key takes as many rounds as the file says, up to two thousand million. Nothing here decrypts.
"""

from collections.abc import Iterator

MAX_ROUNDS = 300_000
_INTEGER, _OCTETS, _SEQUENCE = 0x02, 0x04, 0x30
_MOST_NODES = 20_000
_DEEPEST = 24
# scrypt (RFC 7914, 1.3.6.1.4.1.11591.4.11) takes memory by its parameters; no provider uses it.
_SCRYPT = bytes.fromhex("060b2b06010401da47040b"), bytes.fromhex("06092b06010401da47040b")


def most_rounds(der: bytes) -> int:
    """Return the highest number of rounds that a key derivation inside asks for; scrypt as too many.

    An INTEGER right after an OCTET STRING is the rounds after their salt: PBKDF2, PKCS#12 and its MAC.
    """
    if any(mark in der for mark in _SCRYPT):
        return MAX_ROUNDS + 1
    return max(_rounds(der), default=0)


def _rounds(der: bytes) -> Iterator[int]:
    stack = [(0, len(der), 0)]
    seen = 0
    while stack:
        start, end, depth = stack.pop()
        previous = 0
        while start < end and seen < _MOST_NODES:
            seen += 1
            tag, begin, stop = _header(der, start, end)
            if tag == _INTEGER and previous == _OCTETS and stop - begin <= 8:
                yield int.from_bytes(der[begin:stop], "big")
            # A salt is no structure, but parts of a key store are octets that hold DER.
            nested = bool(tag & 0x20) or (tag == _OCTETS and der[begin : begin + 1] == b"\x30")
            if nested and depth < _DEEPEST:
                stack.append((begin, stop, depth + 1))
            previous, start = tag, stop


def _header(der: bytes, start: int, end: int) -> tuple[int, int, int]:
    """Return tag, begin and end of an element's content; to the end where it makes no sense."""
    if start + 2 > end:
        return 0, end, end
    tag, size = der[start], der[start + 1]
    begin = start + 2
    if size == 0x80:  # indefinite: what it holds is walked as if it lay here
        return tag, begin, end
    if size > 0x80:
        count = size & 0x7F
        size = int.from_bytes(der[begin : begin + count], "big")
        begin += count
    return tag, begin, min(begin + size, end)
