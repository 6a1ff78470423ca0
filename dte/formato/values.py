"""What the text of one field may be: each type of the format compiled into a function.

A check returns ``""`` when the text is right and, when it is not, the rest of a sentence that begins
with the field's name. Lexical rules are XML Schema's: numbers, dates and codes ignore surrounding
blanks, texts do not.
"""

import re
from binascii import a2b_base64
from collections.abc import Callable
from datetime import date
from decimal import Decimal

ValueCheck = Callable[[str], str]

# Codes of the taxes and retentions a document may carry: ImpAdicDTEType of SiiTypes_v10.xsd.
TAX_CODES = [
    "14",
    "15",
    "16",
    "17",
    "18",
    "19",
    "23",
    "24",
    "25",
    "26",
    "27",
    "28",
    "30",
    "31",
    "32",
    "33",
    "34",
    "35",
    "36",
    "37",
    "38",
    "39",
    "40",
    "41",
    "44",
    "45",
    "46",
    "47",
    "48",
    "49",
    "50",
    "51",
    "52",
    "53",
    "54",
    "55",
    "271",
    "301",
    "321",
    "331",
    "341",
    "361",
    "371",
    "481",
]
# Names of currencies: TipMonType of SiiTypes_v10.xsd. They are names, not ISO codes.
CURRENCIES = [
    "BOLIVAR",
    "BOLIVIANO",
    "CHELIN",
    "CORONA DIN",
    "CORONA NOR",
    "CORONA SC",
    "CRUZEIRO REAL",
    "DIRHAM",
    "DOLAR AUST",
    "DOLAR CAN",
    "DOLAR HK",
    "DOLAR NZ",
    "DOLAR SIN",
    "DOLAR TAI",
    "DOLAR USA",
    "DRACMA",
    "ESCUDO",
    "EURO",
    "FLORIN",
    "FRANCO BEL",
    "FRANCO FR",
    "FRANCO SZ",
    "GUARANI",
    "LIBRA EST",
    "LIRA",
    "MARCO AL",
    "MARCO FIN",
    "NUEVO SOL",
    "OTRAS MONEDAS",
    "PESETA",
    "PESO",
    "PESO CL",
    "PESO COL",
    "PESO MEX",
    "PESO URUG",
    "RAND",
    "RENMINBI",
    "RUPIA",
    "SUCRE",
    "YEN",
]

_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:Z|[+-]\d\d:\d\d)?", re.ASCII)
_DATE_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?", re.ASCII
)
_TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?(\d*)|\.(\d+))", re.ASCII)
_RUT = re.compile(r"\d{1,8}-[\dK]", re.ASCII)
# NCName of XML, which an xs:ID is: it does not begin with a digit and has no blanks or colons.
_NAME = re.compile(r"[^\W\d][\w.\u00b7-]*")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]\s*){2,}(?:=\s*){0,2}")
_SHOWN = 40


def compile_check(spec: str) -> ValueCheck:
    """Return the check for a type written in the outline's notation, such as ``texto 1..80``."""
    name, *arguments = spec.split()
    return _MAKERS[name](arguments)


def _show(text: str) -> str:
    return f"«{text}»" if len(text) <= _SHOWN else f"«{text[:_SHOWN]}…»"


def _text(arguments: list[str]) -> ValueCheck:
    low, _, high = (arguments or ["0.."])[0].partition("..")
    shortest, longest = int(low), int(high or 0)

    def check(text: str) -> str:
        if longest and len(text) > longest:
            return f"tiene {len(text)} caracteres y el máximo es {longest}"
        if len(text) < shortest:
            return "está vacío"
        return ""

    return check


def _code(arguments: list[str]) -> ValueCheck:
    return _one_of(arguments)


def _one_of(allowed: list[str]) -> ValueCheck:
    codes = frozenset(allowed)
    listed = ", ".join(allowed) if len(allowed) <= 12 else "los de la tabla del SII"

    def check(text: str) -> str:
        return "" if text in codes else f"vale {_show(text)} y los valores admitidos son {listed}"

    return check


def _option(arguments: list[str]) -> ValueCheck:
    in_list = _one_of(arguments)
    codes = frozenset(arguments)

    def check(text: str) -> str:
        if text in codes:
            return ""
        number = text.strip()
        if _INTEGER.fullmatch(number):  # "01" and " 1 " are the number 1 for XML Schema
            number = number.lstrip("+").lstrip("0") or "0"
        return in_list(number)

    return check


def _quick_digits(
    smallest: Decimal | int | None, largest: Decimal | int | None, digits: int
) -> int:
    """Return up to how many digits a natural number is in range for certain: nearly all are."""
    if smallest is not None and smallest > 1:
        return 0
    return digits if largest is None else min(digits, len(str(int(largest))) - 1)


def _integer(arguments: list[str]) -> ValueCheck:
    low, _, high = arguments[0].partition("..")
    shortest_digits = int(arguments[1]) if len(arguments) > 1 else 0
    smallest, largest = (int(low) if low else None), (int(high) if high else None)
    digits = shortest_digits or 40
    quick = _quick_digits(smallest, largest, digits)

    def check(text: str) -> str:
        if len(text) <= quick and text.isdigit() and text.isascii() and text[0] != "0":
            return ""
        number = text.strip()
        if not _INTEGER.fullmatch(number):
            return f"vale {_show(text)} y debe ser un número entero"
        if len(number) > 40:
            return "es un número imposible"
        value = int(number)
        if smallest is not None and value < smallest:
            return f"vale {value} y el mínimo es {smallest}"
        if largest is not None and value > largest:
            return f"vale {value} y el máximo es {largest}"
        if shortest_digits and len(str(abs(value))) > shortest_digits:
            return f"vale {value} y tiene más de {shortest_digits} dígitos"
        return ""

    return check


def _decimal(arguments: list[str]) -> ValueCheck:
    low, _, high = arguments[0].partition("..")
    total, fraction = (int(part) for part in arguments[1].split("."))
    smallest, largest = (Decimal(low) if low else None), (Decimal(high) if high else None)
    quick = _quick_digits(smallest, largest, total)

    def check(text: str) -> str:
        if len(text) <= quick and text.isdigit() and text.isascii() and text[0] != "0":
            return ""
        number = text.strip()
        match = _DECIMAL.fullmatch(number)
        if match is None:
            return f"vale {_show(text)} y debe ser un número"
        if len(number) > 60:
            return "es un número imposible"
        places = len((match[1] or match[2] or "").rstrip("0"))
        if places > fraction:
            return f"vale {number} y admite {fraction} decimales"
        value = Decimal(number)
        if smallest is not None and value < smallest:
            return f"vale {number} y el mínimo es {smallest}"
        if largest is not None and value > largest:
            return f"vale {number} y el máximo es {largest}"
        if len(str(abs(int(value)))) + places > total and value:
            return f"vale {number} y tiene más de {total} dígitos"
        return ""

    return check


def _date(arguments: list[str]) -> ValueCheck:
    low, _, high = arguments[0].partition("..")

    def check(text: str) -> str:
        day = text.strip()
        match = _DATE.fullmatch(day)
        if match is None or not _is_day(match[1], match[2], match[3]):
            return f"vale {_show(text)} y debe ser una fecha AAAA-MM-DD"
        if low and not low <= day[:10] <= high:
            return f"vale {day} y debe estar entre {low} y {high}"
        return ""

    return check


def _date_time(arguments: list[str]) -> ValueCheck:
    check_day = _date(arguments)

    def check(text: str) -> str:
        match = _DATE_TIME.fullmatch(text.strip())
        if match is None:
            return f"vale {_show(text)} y debe ser una fecha y hora AAAA-MM-DDThh:mm:ss"
        return check_day(match[1])

    return check


def _is_day(year: str, month: str, day: str) -> bool:
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return False
    return True


def _pattern(pattern: re.Pattern[str], expected: str) -> Callable[[list[str]], ValueCheck]:
    def make(_arguments: list[str]) -> ValueCheck:
        def check(text: str) -> str:
            return "" if pattern.fullmatch(text) else f"vale {_show(text)} y debe ser {expected}"

        return check

    return make


def _base64(text: str) -> str:
    try:
        if text and a2b_base64(text, strict_mode=True):  # most have no blanks, and this is quick
            return ""
    except ValueError:
        pass
    if _BASE64.fullmatch(text.strip()) and len("".join(text.split())) % 4 == 0:
        return ""
    return f"vale {_show(text)} y debe ser base64"


_MAKERS: dict[str, Callable[[list[str]], ValueCheck]] = {
    "texto": _text,
    "codigo": _code,
    "opcion": _option,
    "entero": _integer,
    "decimal": _decimal,
    "fecha": lambda arguments: _date(arguments or ["2000-01-01..2050-12-31"]),
    "fecha-libre": lambda _: _date([""]),
    "fecha-hora": lambda arguments: _date_time(arguments or ["2000-01-01..2050-12-31"]),
    "fecha-hora-libre": lambda _: _date_time([""]),
    "hora": _pattern(_TIME, "una hora hh:mm:ss"),
    "rut": _pattern(_RUT, "un RUT sin puntos, con guion y dígito verificador (K mayúscula)"),
    "identificador": _pattern(_NAME, "un nombre que no empiece con un dígito ni lleve espacios"),
    "base64": lambda _: _base64,
    "monto": lambda _: _integer(["0..", "18"]),
    "monto-positivo": lambda _: _integer(["1..", "18"]),
    "valor": lambda _: _integer(["..", "18"]),
    "folio": lambda _: _integer(["1..", "10"]),
    "impuesto": lambda _: _one_of(TAX_CODES),
    "moneda": lambda _: _one_of(CURRENCIES),
    "dinero-porcentaje": lambda _: _one_of(["%", "$"]),
}
