"""Filters of lists: a name that is not there is an error, not an empty list.

What is there is what the asker may see (P1): nobody learns the names of others by asking.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlmodel import col

from govcloud.domain.kinds.registry import KINDS
from govcloud.domain.suggest import nearest
from govcloud.errors import UsageError
from govcloud.store.tables import ObjectRow

KIND_OF: Final[Mapping[str, str]] = {
    "department": "Department",
    "cloud": "Cloud",
    "zone": "Zone",
    "system": "System",
}
"""The kind of what each filter names."""


def column(kind: str, name: str) -> Any:
    """Return what a filter of a kind compares, or None where it says nothing of that kind.

    Like a namespace, a department does not narrow what belongs to nobody. Raises UsageError where
    a kind has no such property at all.
    """
    found, fields = KINDS[kind], KINDS[kind].spec.model_fields
    if name == "department":
        if found.owned:
            return col(ObjectRow.department)
        return ObjectRow.spec["department"].as_string() if name in fields else None
    if name == "phase":
        return col(ObjectRow.phase)
    if name in fields or (name == "cloud" and found.allocates):
        return getattr(ObjectRow, name) if found.owned else ObjectRow.spec[name].as_string()
    known = [each for each in KIND_OF if each in fields]
    raise UsageError("errors.no_such_filter", kind=kind, filter=name, known=known or ["-"])


def choose(word: str, known: Iterable[str], name: str) -> str:
    """Return a word of those known; UsageError says which there are and what was meant."""
    known = tuple(known)
    if word in known:
        return word
    meant, params = nearest(word, known), {"word": word[:60], "name": name, "known": known}
    if meant:
        raise UsageError("errors.unknown_word_meant", **params, meant=meant)
    raise UsageError("errors.unknown_word", **params)
