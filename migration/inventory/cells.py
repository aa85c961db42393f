"""One cell of a spreadsheet, as people fill it in, to a value: `2路8核`, `4*600GB`, `2015年6月`.

A parser takes the cell's text (never empty, width-folded) and raises `CellError` where it cannot
say what is meant; nothing is guessed silently.
"""

import math
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Final
from unicodedata import normalize

from govcloud.domain.base import LabelledEnum
from govcloud.domain.kinds.systems import Category, Environment, Users

Value = str | int | float | bool | date | None
"""What a cell of a file may hold."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The cells of a file's sheet that has the headings; `rows[0]` is its row 1."""

    file: str
    rows: Sequence[Sequence[Value]]
    unstored: Set[tuple[int, int]] = frozenset()
    """Row and column, both from 1, of formulas whose value the file does not hold."""
    name: str = ""
    hidden: Set[int] = frozenset()
    """Rows that the spreadsheet program does not show, as those that a filter leaves out."""
    others: Sequence[str] = ()
    """Sheets of the file that hold something and are not read."""


class CellError(ValueError):
    """A cell that cannot be understood; `key` is of the catalogue `migrate`."""

    def __init__(self, key: str, **params: object) -> None:
        super().__init__(key)
        self.key, self.params = key, params


def folded(value: Value) -> str:
    """Return a cell's text: full-width signs as plain ones, blanks at the ends taken away."""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else normalize("NFKC", str(value)).strip()


def line(text: str) -> str:
    """Return text on one line."""
    return " ".join(text.split())[:200]


NAME_LENGTH: Final = 63


def slug(text: str) -> str:
    """Return text as a name where it is one in Latin letters, or nothing."""
    plain = normalize("NFKC", text).lower()
    if not plain.isascii():
        return ""
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:NAME_LENGTH].strip("-")


_COUNT: Final = re.compile(r"(\d{1,6})\s*(?:核心?|c|cores?|vcpus?|线程|个|台)?", re.IGNORECASE)
_TIMES: Final = re.compile(r"\s*[*x×X路颗]\s*")


def count(text: str) -> int:
    """Return a whole number above 0: `16`, `16核`, `2*8`, `2路8核`."""
    product = 1
    for part in _TIMES.split(text):
        match = _COUNT.fullmatch(part.strip())
        if match is None:
            raise CellError("migrate.cell_count", value=text)
        product *= int(match[1])
    if not product:
        raise CellError("migrate.cell_count", value=text)
    return product


_UNITS: Final = {
    letter: Fraction(1024) ** power
    for letter, power in (("", 1), ("K", -1), ("M", 0), ("G", 1), ("T", 2), ("P", 3))
}
"""MiB. Departments write GB and mean what their machines show, which is GiB."""
_SIZE: Final = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*([KMGTP]?)(?:i?B)?", re.IGNORECASE)
_FACTOR: Final = re.compile(r"(\d{1,4})\s*(?:块|个|条)?")


def mebibytes(text: str) -> Fraction:
    """Return MiB of `64`, `64G`, `1.5TB`, `4*600GB`, `500G+2T`; a bare number counts GiB."""
    try:
        total = sum((_product(part) for part in text.split("+")), Fraction(0))
    except ValueError:
        raise CellError("migrate.cell_size", value=text) from None
    if total <= 0:
        raise CellError("migrate.cell_size", value=text)
    return total


def _product(part: str) -> Fraction:
    # Of the factors the one with a unit is the size, whatever the order; else the last.
    *factors, size = sorted(_TIMES.split(part.strip()), key=lambda piece: piece[-1:].isalpha())
    match = _SIZE.fullmatch(size)
    counts = [_FACTOR.fullmatch(factor) for factor in factors]
    if match is None or not all(counts):
        raise ValueError(part)
    amount = Fraction(match[1]) * _UNITS[match[2].upper()]
    for found in counts:
        amount *= int(found[1]) if found else 1
    return amount


def memory(text: str) -> str:
    """Return a size in whole MiB, as YAML writes it."""
    whole = math.ceil(mebibytes(text))
    return f"{whole // 1024}Gi" if whole % 1024 == 0 else f"{whole}Mi"


def storage(text: str) -> str:
    """Return a size in whole GiB, rounded up, as YAML writes it."""
    return f"{math.ceil(mebibytes(text) / 1024)}Gi"


_PERCENT: Final = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*(%?)")


def percent(text: str) -> int:
    """Return a percentage, rounded up: `35`, `35%`, and `0.35` as spreadsheets store it.

    What a workbook shows with a percent sign comes as `35%` already: see `sheet`.
    """
    match = _PERCENT.fullmatch(text)
    number = Fraction(match[1]) if match else Fraction(-1)
    if match and not match[2] and 0 < number < 1:
        number *= 100
    if not 0 <= number <= 100:
        raise CellError("migrate.cell_percent", value=text)
    return math.ceil(number)


_DAY: Final = re.compile(r"(\d{4})(?:[-/.年](\d{1,2})(?:[-/.月](\d{1,2})日?|月?)|年)?")
_DIGITS: Final = re.compile(r"(\d{4})(\d{2})(\d{2})")


def day(text: str) -> str:
    """Return a date: `2015-06-01`, `2015/6/1`, `2015年6月` (its first day), `2015`, `20150601`."""
    match = _DAY.fullmatch(text.split(" ", maxsplit=1)[0]) or _DIGITS.fullmatch(text)
    year, month, of_month = (int(part or 1) for part in match.groups()) if match else (0, 0, 0)
    try:
        return date(year, month, of_month).isoformat()
    except ValueError:
        raise CellError("migrate.cell_day", value=text) from None


_YES: Final = frozenset({"是", "有", "已", "y", "yes", "true", "1", "√", "✓", "已申请"})
_NO: Final = frozenset({"否", "无", "未", "n", "no", "false", "0", "×", "x", "✗", "没有", "不是"})


def flag(text: str) -> bool:
    """Return yes or no."""
    word = text.lower()
    if word in _YES | _NO:
        return word in _YES
    raise CellError("migrate.cell_flag", value=text)


def classified(text: str) -> bool:
    """Return whether a system is classified, by its class (涉密分类)."""
    if text in {"非涉密", "不涉密", "未涉密", "公开", "内部", "工作秘密"} or text.lower() in _NO:
        return False
    if text in {"涉密", "秘密", "机密", "绝密"} or text.lower() in _YES:
        return True
    raise CellError("migrate.cell_classified", value=text)


_LEVEL: Final = re.compile(
    r"(?:等保|第)*([1-5一二三四五])(?:级.*)?|S\d\s*A\d\s*G(\d)", re.IGNORECASE
)
_NUMERALS: Final = {word: number for number, word in enumerate("一二三四五", start=1)}


_LEVELS: Final = re.compile(r"([1-5一二三四五])级|S\d\s*A\d\s*G(\d)", re.IGNORECASE)


def mlps_level(text: str) -> int:
    """Return an MLPS level: `3`, `三级`, `等保三级`, `第三级`, `S3A3G3`; not one of several."""
    match = _LEVEL.fullmatch(text)
    if match is None:
        raise CellError("migrate.cell_level", value=text)
    level = _number(match[1] or match[2])
    if any(_number(one[1] or one[2]) != level for one in _LEVELS.finditer(text)):
        raise CellError("migrate.cell_level", value=text)
    return level


def _number(word: str) -> int:
    return _NUMERALS.get(word) or int(word)


def _choice(text: str, known: type[LabelledEnum], more: Mapping[str, str]) -> str:
    word = more.get(text, text)
    try:
        return known(word).value
    except ValueError:
        words = [f"{member.label}" for member in known]
        raise CellError("migrate.cell_choice", value=text, known=words) from None


def environment(text: str) -> str:
    """Return what a host is used for."""
    return _choice(text.removesuffix("环境"), Environment, {"正式": "生产", "开发测试": "测试"})


def category(text: str) -> str:
    """Return the layer of a system."""
    more = {
        "应用": "应用层",
        "业务应用": "应用层",
        "应用支撑": "应用支撑层",
        "基础设施": "基础设施层",
    }
    return _choice(text, Category, more)


def users(text: str) -> str:
    """Return who uses a system."""
    more = {"公众": "社会公众", "企业和群众": "社会公众", "内部": "本部门", "本单位": "本部门"}
    return _choice(text, Users, more)


def several(text: str) -> list[str]:
    """Return the words of a list as people write it."""
    words = (word.strip() for word in re.split(r"[、,;/\n]+", text))
    return [line(word) for word in words if word and word not in {"无", "否", "-", "没有"}]


_NOT: Final = re.compile(r"[不未否没]|无(?!线)|非(?=互联网|政务|电子政务|外网)")
_NETWORKS: Final = {"internet": re.compile("互联网"), "extranet": re.compile("外网")}


def networks(text: str) -> dict[str, bool]:
    """Return which networks a system is connected to (已接入网络类型).

    `政务外网(不通互联网)` names one that it is not connected to.
    """
    said: dict[str, set[bool]] = {name: set() for name in _NETWORKS}
    for clause in re.split(r"[\s、,;。()/]+|但是?|而", text):
        named = {
            name: match.start()
            for name, word in _NETWORKS.items()
            if (match := word.search(clause))
        }
        refusal = _NOT.search(clause)
        for name in named:
            said[name].add(refusal is None)
        mixed = refusal and min(named.values(), default=0) < refusal.start() < max(
            named.values(), default=0
        )
        # `互联网(否)` refuses what stands before it.
        bare = refusal and not named and "网" not in clause and "网" in text
        if mixed or bare:
            raise CellError("migrate.cell_networks", value=text)
    if any(len(answers) > 1 for answers in said.values()):
        raise CellError("migrate.cell_networks", value=text)
    return {name: True in said[name] for name in ("extranet", "internet")}


_ERROR: Final = re.compile(r"#(?:N/A|[A-Z_/0]+[!?])", re.IGNORECASE)
_ROUNDED: Final = re.compile(r"\d(?:\.\d+)?E\+\d+", re.IGNORECASE)
_DIGITS_KEPT: Final = 10**15
"""Spreadsheets keep 15 digits of a number."""


def stated(value: Value, parse: object) -> None:
    """Refuse what a spreadsheet has made of a cell that was meant otherwise."""
    if isinstance(value, str):
        if _ERROR.fullmatch(value.strip()):
            raise CellError("migrate.cell_error", value=value.strip())
        if _ROUNDED.fullmatch(value.strip()):
            raise CellError("migrate.cell_rounded", value=value.strip())
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) >= _DIGITS_KEPT:
            raise CellError("migrate.cell_rounded", value=folded(value))
        # Of 2015.10 a number keeps 2015.1.
        if parse is day and isinstance(value, float) and not value.is_integer():
            raise CellError("migrate.cell_day", value=folded(value))
