"""Resource classes: what quota counts, and in which unit.

A class is a word: `vms`, or `disk.ssd` for the classes that exist once per storage class. Amounts
are whole numbers of the class's base unit (see `quantity`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from govcloud.domain import quantity
from govcloud.domain.quantity import QuantityError

Amounts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ResourceClass:
    """One class: its word, Chinese word, base unit, and how amounts are read and shown.

    `split` classes are written with a storage class behind a dot.
    """

    word: str
    label: str
    unit: str
    parse: Callable[[object], int]
    show: Callable[[int], str]
    split: bool = False


def _count(value: object) -> int:
    quantity.refuse_wide(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise QuantityError("not_a_count")
    return value


CLASSES: Final[Mapping[str, ResourceClass]] = {
    entry.word: entry
    for entry in (
        ResourceClass("vms", "云主机", "台", _count, str),
        ResourceClass("vcpu", "vCPU", "核", _count, str),
        ResourceClass("memory", "内存", "MiB", quantity.parse_memory, quantity.show_memory),
        ResourceClass("disk", "磁盘", "GiB", quantity.parse_storage, quantity.show_storage, True),
        ResourceClass("volumes", "云硬盘", "块", _count, str),
        ResourceClass("floating-ips", "浮动IP", "个", _count, str),
        ResourceClass("gpu", "GPU", "块", _count, str),
        ResourceClass("namespaces", "命名空间", "个", _count, str),
        ResourceClass("k8s-cpu", "容器CPU", "m", quantity.parse_cpu, quantity.show_cpu),
        ResourceClass("k8s-memory", "容器内存", "MiB", quantity.parse_memory, quantity.show_memory),
        ResourceClass(
            "k8s-storage", "容器存储", "GiB", quantity.parse_storage, quantity.show_storage, True
        ),
        ResourceClass("k8s-pods", "容器组", "个", _count, str),
    )
}


OBJECTS: Final = "objects."
"""How words begin for what a namespace counts beside the classes: objects of a kind."""


def class_of(word: str) -> ResourceClass:
    """Return the class of `vms` or `disk.ssd`; raises KeyError for an unknown or misplaced word."""
    base, _, storage_class = word.partition(".")
    entry = CLASSES[base]
    if entry.split != bool(storage_class):
        raise KeyError(word)
    return entry


def show(word: str, amount: int) -> str:
    """Return an amount of a class as users write it; negative amounts keep their sign.

    What a namespace counts beside the classes (`objects.secrets`) is shown as a plain number.
    """
    if word.startswith(OBJECTS):
        return str(amount)
    shown = class_of(word).show(abs(amount))
    return f"-{shown}" if amount < 0 else shown


def add(left: Amounts, right: Amounts) -> dict[str, int]:
    """Return the sum of two amounts, class by class, without zeros."""
    words = sorted(set(left) | set(right))
    total = {word: left.get(word, 0) + right.get(word, 0) for word in words}
    return {word: amount for word, amount in total.items() if amount}


def most(left: Amounts, right: Amounts) -> dict[str, int]:
    """Return the larger of two amounts, class by class."""
    return {word: max(left.get(word, 0), right.get(word, 0)) for word in {*left, *right}}


def growth(old: Amounts, new: Amounts) -> dict[str, int]:
    """Return what `new` needs beyond `old`: the part of a change that must be reserved (Q3)."""
    return {word: new[word] - old.get(word, 0) for word in new if new[word] > old.get(word, 0)}
