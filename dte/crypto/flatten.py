"""The text that a stamp signs: ``<DD>`` or ``<DA>`` on one line, without namespaces.

The SII's rule: namespaces dropped, blanks between tags removed, ISO-8859-1, character escapes as the
emitter wrote them. A parsed element no longer knows which escapes those were (``&apos;`` or ``'``,
``<RSR/>`` or ``<RSR></RSR>``), so the readings in use are offered one after the other. All of them say
the same as the element: a signature over any of them vouches for the very values the rules read.
"""

import re
from collections.abc import Callable, Iterator

from lxml import etree

from dte.formato.elements import local, parse_or_none

# Real stamps take about 1 KB; a larger one would only serve to make the checks expensive.
MAX_FLAT_CHARS = 8_000

_BETWEEN_TAGS = re.compile(r">\s+<")
_TAG = re.compile(r"<[^<>]*>")
_TEXT = re.compile(r">([^<>]+)<")
_DECLARATION = re.compile(r"""\s+xmlns(?::[^\s=]+)?\s*=\s*(?:"[^"]*"|'[^']*')""")
_PREFIX = re.compile(r"^(</?)[^\s:/>\"']+:")
_BASE64 = re.compile(r"(<(?:M|E|FRMA)(?: [^<>]*)?>)([^<]*\s[^<]*)(?=</)")
_EMPTY = re.compile(r"<([^\s/>]+)([^<>]*)/>")


def flatten(text: str) -> str:
    """Drop namespaces and the blanks between tags from a serialised element."""
    flat = _BETWEEN_TAGS.sub("><", text.strip())
    # As a rule only the first tag declares anything; the others are looked at when they may too.
    end = flat.find(">")
    head = _DECLARATION.sub("", flat[:end])
    flat = head + flat[end:]
    if "xmlns" in flat or ":" in head:
        flat = _TAG.sub(lambda tag: _PREFIX.sub(r"\1", _DECLARATION.sub("", tag[0])), flat)
    return flat


def flat_text(element: etree._Element) -> str:
    """Return a parsed element flattened; ``""`` when it is larger than any real stamp."""
    text = etree.tostring(element, encoding="unicode", with_tail=False)
    return flatten(text) if len(text) <= MAX_FLAT_CHARS else ""


def _escape_quotes(flat: str) -> str:
    """Write quotes in texts as ``&apos;`` and ``&quot;``, as several emitters do before signing."""
    return _TEXT.sub(lambda text: text[0].replace("'", "&apos;").replace('"', "&quot;"), flat)


def readings(
    flat: str, literal: Callable[[], str] = str, charset: str = "iso-8859-1"
) -> Iterator[bytes]:
    """Yield the byte strings that a stamp over a flattened element may have signed.

    Args:
        flat: what ``flat_text`` returned.
        literal: gives the element as the file spells it, if it can be had; asked last.
        charset: of the bytes; the SII's is ISO-8859-1.
    """
    tried: set[bytes] = set()
    for text in _variants(flat, literal):
        # A character outside the charset goes as a numeric reference, as XML serialisers write it.
        candidate = text.encode(charset, errors="xmlcharrefreplace")
        if text and candidate not in tried:
            tried.add(candidate)
            yield candidate


def _variants(flat: str, literal: Callable[[], str]) -> Iterator[str]:
    yield flat
    # Base64 may be broken into lines after the stamp was made: blanks in it mean nothing.
    unbroken = _BASE64.sub(lambda found: found[1] + "".join(found[2].split()), flat)
    if unbroken != flat:
        yield unbroken
    if "/>" in flat:
        flat = _EMPTY.sub(r"<\1\2></\1>", flat)
        yield flat
    if "'" in flat or '"' in flat:
        yield _escape_quotes(flat)
    if "&gt;" in flat:
        yield flat.replace("&gt;", ">")
        yield _escape_quotes(flat).replace("&gt;", ">")
    yield literal()


def literal_text(element: etree._Element, raw: bytes, encoding: str) -> str:
    """Return the flattened text of the element in the bytes it was parsed from.

    ``""`` unless there is no doubt: the bytes hold one element of that name, and it says exactly what
    the parsed one says.
    """
    name = local(element)
    try:
        text = raw.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return ""
    if text.count(f"<{name}>") + text.count(f"<{name} ") != 1:
        return ""
    start = max(text.find(f"<{name}>"), text.find(f"<{name} "))
    end = text.find(f"</{name}>", start)
    if not 0 < end - start < MAX_FLAT_CHARS:
        return ""
    literal = flatten(text[start : end + len(name) + 3])
    read = parse_or_none(literal)
    return literal if read is not None and flat_text(read) == flat_text(element) else ""
