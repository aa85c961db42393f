"""Quantities as users write them (`16Gi`, `500m`, `4`), as whole numbers of one base unit each.

Base units, everywhere in the program: CPU of Kubernetes in millicores, memory in MiB, storage in
GiB. Whole numbers only, so that sums are exact; what does not divide is a fault, not a rounding.
"""

import re
import unicodedata
from fractions import Fraction
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

_BYTES: Final = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15} | {
    f"{letter}i": 1024**power for power, letter in enumerate("KMGTP", start=1)
}
_FORM: Final = re.compile(r"^(?P<number>\d{1,12}(?:\.\d{1,3})?)(?P<unit>[A-Za-z]{0,2})$", re.ASCII)
_BYTES_PATTERN: Final = r"^(?!0+(\.0+)?[KMGTP])\d{1,12}(\.\d{1,3})?[KMGTP]i?$"
MIB: Final = 1024**2
GIB: Final = 1024**3


class QuantityError(ValueError):
    """A quantity that cannot be read or does not divide into its base unit."""


def narrow(text: str) -> str:
    """Return a text with the half-width form of what is full-width in it (`２Ｇｉ`: `2Gi`)."""
    return unicodedata.normalize("NFKC", text)


def is_wide(value: object) -> bool:
    """Whether a value would be ASCII, were it not written full-width."""
    return isinstance(value, str) and not value.isascii() and narrow(value).isascii()


def refuse_wide(value: object) -> None:
    """Raise QuantityError for what is written full-width."""
    if is_wide(value):
        raise QuantityError("wide")


def parse_cpu(value: object) -> int:
    """Return millicores of `4`, `0.5` or `500m`."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise QuantityError("not_a_quantity")
    text = str(value)
    refuse_wide(text)
    if text.endswith("m") and text[:-1].isdecimal() and text.isascii():
        return int(text[:-1])
    return _whole(text, {"": Fraction(1000)})


def parse_memory(value: object) -> int:
    """Return MiB of `16Gi` or `512Mi`; a bare number has no unit and is refused."""
    return _bytes_in(value, MIB)


def parse_storage(value: object) -> int:
    """Return GiB of `100Gi` or `2Ti`; a bare number has no unit and is refused."""
    return _bytes_in(value, GIB)


def _bytes_in(value: object, base: int) -> int:
    refuse_wide(value)
    if not isinstance(value, str) or _numeric(value):
        raise QuantityError("quantity_without_unit" if _numeric(value) else "not_a_quantity")
    return _whole(value, {unit: Fraction(factor, base) for unit, factor in _BYTES.items()})


def _numeric(value: object) -> bool:
    return (isinstance(value, str) and value.isdecimal() and value.isascii()) or (
        isinstance(value, int | float) and not isinstance(value, bool)
    )


def _whole(text: str, units: dict[str, Fraction]) -> int:
    match = _FORM.match(text)
    if match is None or match["unit"] not in units:
        raise QuantityError("not_a_quantity")
    amount = Fraction(match["number"]) * units[match["unit"]]
    if amount.denominator != 1:
        raise QuantityError("quantity_not_whole")
    return int(amount)


def show_cpu(millicores: int) -> str:
    """Return millicores as users write them: `4` or `500m`."""
    return str(millicores // 1000) if millicores % 1000 == 0 else f"{millicores}m"


def show_memory(mib: int) -> str:
    """Return MiB in the largest binary unit that keeps it whole."""
    return _largest(mib, ("Mi", "Gi", "Ti", "Pi"))


def show_storage(gib: int) -> str:
    """Return GiB in the largest binary unit that keeps it whole."""
    return _largest(gib, ("Gi", "Ti", "Pi"))


def _largest(amount: int, units: tuple[str, ...]) -> str:
    index = 0
    while amount and amount % 1024 == 0 and index < len(units) - 1:
        amount //= 1024
        index += 1
    return f"{amount}{units[index]}"


def _above_zero(amount: int) -> int:
    if amount <= 0:
        raise QuantityError("zero_quantity")
    return amount


Cpu = Annotated[
    int,
    BeforeValidator(parse_cpu),
    AfterValidator(_above_zero),
    PlainSerializer(show_cpu, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "type": ["string", "number"],
            "exclusiveMinimum": 0,
            "pattern": r"^(?!0+(\.0+)?m?$)(\d{1,12}m|\d{1,12}(\.\d{1,3})?)$",
            "examples": ["4", "500m"],
        }
    ),
]
Memory = Annotated[
    int,
    BeforeValidator(parse_memory),
    AfterValidator(_above_zero),
    PlainSerializer(show_memory, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": _BYTES_PATTERN, "examples": ["16Gi"]}),
]
Storage = Annotated[
    int,
    BeforeValidator(parse_storage),
    AfterValidator(_above_zero),
    PlainSerializer(show_storage, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": _BYTES_PATTERN, "examples": ["100Gi"]}),
]
