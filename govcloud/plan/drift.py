"""What to do about a difference: the policy's rules, or what the object itself says (R4)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from govcloud.domain.drift import DriftMode
from govcloud.domain.kinds.governance import DriftRule

ModeOf = Callable[[str], DriftMode]
"""From a field (a property, `tag:<name>`, or a `Whole`) to what a difference in it leads to."""


class Whole(StrEnum):
    """The differences of a whole resource; rules name them as they name fields."""

    MISSING = "missing"
    EXTRA = "extra"
    UNMANAGED = "unmanaged"
    """It carries no mark of ours."""
    ORPHAN = "orphan"
    """It carries a mark of ours, and there is no such object (any more)."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference between what was approved and what was seen.

    `resource` is the cloud's id, or the mark (`uid/part`) where nothing stands there. `by` is who
    else has changed the resource, where the cloud keeps account of that.
    """

    resource: str
    field: str
    wanted: str | None
    found: str | None
    mode: DriftMode
    by: str = ""


DEFAULT: Final = DriftMode.HEAL


def modes(kind: str, override: DriftMode | None, rules: Sequence[DriftRule]) -> ModeOf:
    """Return the mode of each field of a kind: the object's own word, else the first rule's.

    A rule for `tag` is one for every `tag:<name>`. Without either, differences are healed: that is
    what desired state means.
    """
    if override is not None:
        return lambda _field: override
    relevant = [rule for rule in rules if rule.kind in (None, kind)]
    if not relevant:
        return lambda _field: DEFAULT

    def mode(field: str) -> DriftMode:
        names = (None, field, field.partition(":")[0])
        matching = (rule.mode for rule in relevant if rule.field in names)
        return next(matching, DEFAULT)

    return mode
