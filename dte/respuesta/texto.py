"""Answers of the SII as text: the mail with the result, or what a person copied from a page."""

import re
import unicodedata
from email import message_from_bytes, policy
from itertools import pairwise

from dte.examining.given import Given
from dte.respuesta.answer import (
    MAX_DOCUMENTS,
    DocumentState,
    SiiAnswer,
    Totals,
    rule_codes,
    to_folio,
    to_int,
    to_rut,
    to_track,
)
from dte.respuesta.estados import ESTADOS

# A mail of the SII about 2,000 documents has some 300 KB.
MAX_CHARS = 1_000_000
_CODES = "|".join(code for code in ESTADOS if code.isalpha())
_CODE = re.compile(rf"\b({_CODES})\b")
_TRACK = re.compile(
    r"(?:track\s*-?id|identificador (?:de|del) envio|n(?:umero|ro|o|[°º])?\.? ?(?:de |del )?envio)\W{0,12}(\d{3,20})"
)
_RUT = r"\W{0,12}(\d{1,2}\.?\d{3}\.?\d{3} ?- ?[\dk])"
_ISSUER = re.compile(
    rf"rut (?:de )?(?:la )?(?:empresa )?(?:emisor|emisora|empresa)[ a-z]{{0,20}}{_RUT}"
)
_SENDER = re.compile(rf"rut (?:de )?(?:quien|que) [a-z ]{{0,20}}envi[oa]?{_RUT}|rut envia{_RUT}")
_RECEIVED = re.compile(r"fecha (?:de )?recepcion\W{0,12}(\d[\d/: -]{7,20})")
_STATE = re.compile(rf"estado(?: del?(?: envio| documento| dte)?)?\W{{0,12}}({_CODES.lower()})\b")
_PAIR = re.compile(
    r"tipo(?: de)?(?: dte| documento| doc)?\W{0,6}(\d{2,3})\D{0,25}folio\W{0,6}(\d{1,10})"
)
_REVERSED = re.compile(
    r"folio\W{0,6}(\d{1,10})\D{0,25}tipo(?: de)?(?: dte| documento| doc)?\W{0,6}(\d{2,3})\b"
)
_ROW = re.compile(
    rf"^\W{{0,8}}(\d{{2,3}})[ \t;|]+(\d{{1,10}})[ \t;|]+({_CODES.lower()})\b", re.MULTILINE
)
_COUNTS = re.compile(r"^\W{0,8}(\d{2,3})((?:[ \t;|]+\d{1,7}){2,4})\W{0,4}$", re.MULTILINE)
_HEADS = {"informad": "informed", "acepta": "accepted", "rechaz": "rejected", "reparo": "objected"}
_MAIL = re.compile(r"(?:[A-Za-z][\w-]{1,40}:[^\n]*\n(?:[ \t][^\n]*\n)*){2}")
_SII = re.compile(r"\bsii\b|impuestos internos|track\s*-?id|envio de dte|dte|folio|resultado de")


def is_answer(given: Given) -> bool:
    """Tell whether a text speaks of a state of the SII."""
    if given.form != "text" or len(given.content) > MAX_CHARS:
        return False
    plain = _plain(given.start)
    if is_mail(given):
        return "sii.cl" in plain or bool(_SII.search(plain))
    short = len(given.content) <= 400
    known = bool(_CODE.search(given.start)) or _by_gloss(plain) != ""
    return known and (short or bool(_SII.search(plain)))


def is_mail(given: Given) -> bool:
    """Tell whether it is a whole message, with its headers."""
    return _MAIL.match(given.start.replace("\r\n", "\n")) is not None


def parts_of_mail(given: Given) -> tuple[list[bytes], str]:
    """Return the XML files that a mail brings, and its text."""
    message = message_from_bytes(given.content, policy=policy.default)
    files: list[bytes] = []
    words: list[str] = []
    for part in message.walk():
        payload = part.get_payload(decode=True) if not part.is_multipart() else None
        if not isinstance(payload, bytes):
            continue
        if payload.lstrip().startswith(b"<") and b"html" not in payload[:200].lower():
            files.append(payload)
        elif part.get_content_type() == "text/plain":
            words.append(Given(payload).text)
    return files, "\n".join(words)


def read(text: str) -> SiiAnswer:
    """Read what can be found in a text."""
    text = text[:MAX_CHARS].replace("\r\n", "\n")
    plain = _plain(text)
    documents = _documents(text, plain)
    head = plain[: documents[0][0]] if documents else plain
    state = _STATE.search(head)
    first = _CODE.search(text[: len(head)])
    code = state[1].upper() if state else first[1] if first else _by_gloss(head)
    if not code:
        states = {document.state for _, document in documents}
        code = states.pop() if len(states) == 1 else _by_gloss(plain)
    track, issuer, sender = _TRACK.search(plain), _ISSUER.search(plain), _SENDER.search(plain)
    received = _RECEIVED.search(plain)
    return SiiAnswer(
        state=code,
        glosa=ESTADOS[code].glosa if code else "",
        track_id=to_track(track[1]) if track else "",
        issuer=to_rut(issuer[1].replace(" ", "")) if issuer else "",
        sender=to_rut((sender[1] or sender[2]).replace(" ", "")) if sender else "",
        received=received[1].strip() if received else "",
        totals=_totals(head, plain),
        documents=[document for _, document in documents],
    )


def _base(letter: str) -> str:
    return unicodedata.normalize("NFKD", letter)[:1].lower() or letter


# Letter by letter, so that places stay the same.
_TO_PLAIN = {code: _base(chr(code)) for code in (*range(0x41, 0x5B), *range(0xC0, 0x180))}


def _plain(text: str) -> str:
    """Return it lower-case and without accents."""
    return text.translate(_TO_PLAIN)


def _by_gloss(plain: str) -> str:
    """Return the state whose words are found first, the longest where several begin there."""
    found = [
        (place, -len(gloss), code) for code, gloss in _GLOSSES if (place := plain.find(gloss)) >= 0
    ]
    return min(found)[2] if found else ""


_GLOSSES = [(code, _plain(estado.glosa)) for code, estado in ESTADOS.items() if code.isalpha()] + [
    ("RPR", "aceptado con reparo"),
    ("RLV", "reparos leves"),
    ("RCH", "documento rechazado"),
    ("SOK", "schema validado"),
    ("DOK", "documento recibido por el sii. datos coinciden"),
    ("DNK", "datos no coinciden"),
    ("FAU", "no recibido por el sii"),
    ("RSC", "error en schema"),
    ("RFR", "error en firma"),
    ("RCT", "error en caratula"),
    ("EPR", "envio procesado"),
]


def _documents(text: str, plain: str) -> list[tuple[int, DocumentState]]:
    """Find the documents it names, each with the text up to the next."""
    places: dict[int, tuple[int, str]] = {}
    for pattern, first, second in ((_ROW, 1, 2), (_PAIR, 1, 2), (_REVERSED, 2, 1)):
        for found in pattern.finditer(plain):
            places.setdefault(found.start(), (to_int(found[first]), to_folio(found[second])))
    starts = sorted(places)[:MAX_DOCUMENTS]
    documents: list[tuple[int, DocumentState]] = []
    for place, following in pairwise([*starts, len(text)]):
        tipo, folio = places[place]
        said, said_plain = text[place:following], plain[place:following]
        code = _CODE.search(said)
        state = code[1] if code else _by_gloss(said_plain)
        head, *lines = [" ".join(line.split())[:500] for line in said.splitlines()] or [""]
        details = [head] if rule_codes(head) else []
        details += [line for line in lines if re.search(r"[A-Za-z]{3}", line)][:20]
        if state and folio:
            glosa = ESTADOS[state].glosa
            documents.append((place, DocumentState(tipo, folio, state, glosa, details)))
    return documents


def _totals(head: str, plain: str) -> list[Totals]:
    """Read the counts by type, whose columns the line above names."""
    order = sorted(
        (place, name) for word, name in _HEADS.items() if (place := _column(plain, word)) >= 0
    )
    names = [name for _, name in order]
    totals = []
    for found in _COUNTS.finditer(head if _COUNTS.search(head) else plain):
        numbers = [to_int(number) for number in re.findall(r"\d+", found[2])]
        if names and len(numbers) == len(names):
            totals.append(Totals(to_int(found[1]), **dict(zip(names, numbers, strict=True))))
    return totals[:50]


def _column(plain: str, word: str) -> int:
    """Return where the heading of a column stands: in a line that names ``informados`` too."""
    for line in re.finditer(r"^.*informad.*$", plain, re.MULTILINE):
        place = line[0].find(word)
        if place >= 0:
            return line.start() + place
    return -1
