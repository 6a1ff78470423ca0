"""RUTs in a document: form and check digit, computed by python-stdnum."""

import re
from functools import lru_cache

from stdnum.cl.rut import calc_check_digit

GENERIC_BUYER = "66666666-6"
FOREIGN_BUYER = "55555555-5"

_LONGEST = len("12345678-K")
_FORM = re.compile(r"\d{1,8}-[\dK]", re.ASCII)


def rut_problem(rut: str) -> str:
    """Return what is wrong with a RUT, or ``""``; the form is the one XML requires."""
    if not rut:
        return "no viene"
    if len(rut) > _LONGEST or not _FORM.fullmatch(rut):
        return f"vale «{rut[:20]}» y debe ser números sin puntos, guion y dígito verificador"
    return _check_digit_problem(rut)


@lru_cache(maxsize=4096)
def _check_digit_problem(rut: str) -> str:
    body, _, digit = rut.partition("-")
    expected = calc_check_digit(body)
    if digit != expected:
        return f"vale {rut} y su dígito verificador debería ser {expected}"
    return ""


def tidy(rut: str) -> str:
    """Return a RUT as people write it, 76.192.083-9, the way documents carry it."""
    return rut.replace(".", "").strip().upper()


def is_well_formed(rut: str) -> bool:
    """Tell whether it has the form of a RUT, whatever its check digit."""
    return _FORM.fullmatch(rut) is not None
