"""Kubernetes' quantities as whole numbers of our base units, and back in their canonical form.

What is compared with what is wanted is read as it is; what is in use is rounded up, so that a part
of a unit is never taken for nothing.
"""

import math
import re
from fractions import Fraction
from functools import lru_cache
from typing import Final

_FORM: Final = re.compile(
    r"(?P<number>[+-]?(\d+\.?\d*|\.\d+))(?P<unit>[KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?"
)
_BINARY: Final = {f"{letter}i": Fraction(1024**n) for n, letter in enumerate("KMGTPE", start=1)}
_DECIMAL: Final = {letter: Fraction(1000) ** n for n, letter in enumerate("num kMGTPE", start=-3)}
_UNITS: Final = _BINARY | _DECIMAL
_MIB: Final = 1024**2
_GIB: Final = 1024**3
_OFTEN: Final = 4096
"""So many amounts are remembered: a cluster's quotas say the same few again and again."""


def base_unit(name: str) -> Fraction:
    """Return what one of our base units of a counted thing is: `limits.cpu`, `requests.storage`.

    CPU is counted in thousandths, memory in MiB, storage in GiB, all else in pieces.
    """
    last = name.rpartition("/")[2].rpartition(".")[2]
    return {"cpu": Fraction(1, 1000), "memory": Fraction(_MIB), "storage": Fraction(_GIB)}.get(
        last, Fraction(1)
    )


def read(name: str, text: object) -> int | str:
    """Return a quantity in base units, or its text where it is no whole number of them."""
    return _read(name, str(text))


@lru_cache(_OFTEN)
def _read(name: str, text: str) -> int | str:
    value = _value(name, text)
    return int(value) if value is not None and value.denominator == 1 else text


def rounded_up(name: str, text: object) -> int | None:
    """Return the least whole number of base units that it is not more than; None for nonsense."""
    return _rounded_up(name, str(text))


@lru_cache(_OFTEN)
def _rounded_up(name: str, text: str) -> int | None:
    value = _value(name, text)
    return None if value is None else math.ceil(value)


def _value(name: str, text: str) -> Fraction | None:
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    unit = found["unit"] or ""
    factor = Fraction(10) ** int(unit[1:]) if unit[:1] in ("e", "E") and unit[1:] else None
    return Fraction(found["number"]) * (factor or _UNITS.get(unit, Fraction(1))) / base_unit(name)


def show(name: str, amount: object) -> str:
    """Return an amount in base units as the API server would write it itself."""
    return _show(name, amount) if isinstance(amount, int) else str(amount)


@lru_cache(_OFTEN)
def _show(name: str, amount: int) -> str:
    value = amount * base_unit(name)
    if base_unit(name).denominator > 1:
        return str(value) if value.denominator == 1 else f"{amount}m"
    whole, unit = int(value), ""
    if base_unit(name) > 1:
        for letter, factor in _BINARY.items():
            if whole and whole % factor == 0:
                unit, divisor = letter, factor
        whole = whole // int(divisor) if unit else whole
    return f"{whole}{unit}"
