"""Population movement: why the denominator is another one than a month ago (F3, MET-R2)."""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final, NamedTuple

from govcloud.figures.verdict import Judged, Verdict


class Step(StrEnum):
    """Why a system came into the population or left it; `reports.column.step_<value>` says it."""

    NEW = "new"
    RETIRED = "retired"
    EXEMPTED = "exempted"
    EXEMPTION_ENDED = "exemption_ended"
    RECLASSIFIED_IN = "reclassified_in"
    RECLASSIFIED_OUT = "reclassified_out"
    TRANSFERRED_IN = "transferred_in"
    TRANSFERRED_OUT = "transferred_out"


class Membership(NamedTuple):
    """Whether a department belonged to what is reported: at the closing, and at the opening."""

    now: bool
    then: bool


STAYED: Final = Membership(now=True, then=True)


@dataclass(slots=True)
class Movement:
    """How the systems that should be on the cloud became more or fewer between two cut-offs.

    `reclassified_in` and `_out` are systems that stopped or began to be classified, or to run on
    an industry cloud that is not reported here. `transferred_in` and `_out` came or went with
    their department, when it moved in the organisation tree.
    """

    opening: int = 0
    new: int = 0
    retired: int = 0
    exempted: int = 0
    exemption_ended: int = 0
    reclassified_in: int = 0
    reclassified_out: int = 0
    transferred_in: int = 0
    transferred_out: int = 0
    closing: int = 0

    def add_steady(self, systems: int, membership: Membership = STAYED) -> None:
        """Count systems that should have been on the cloud then and should be now."""
        self.opening += systems * membership.then
        self.closing += systems * membership.now
        self.transferred_in += systems * (membership.now and not membership.then)
        self.transferred_out += systems * (membership.then and not membership.now)

    def add(
        self, then: Judged | None, now: Judged | None, membership: Membership = STAYED
    ) -> Step | None:
        """Count one system, judged at the opening and at the closing; None where it was not.

        Returns the step that it took, None where it took none.
        """
        step = step_of(then, now, membership)
        was = then is not None and then.eligible and membership.then
        is_now = now is not None and now.eligible and membership.now
        self.opening += was
        self.closing += is_now
        if step is not None:
            setattr(self, step.value, getattr(self, step.value) + 1)
        return step

    def merge(self, other: "Movement") -> None:
        """Add another department's movement to this one."""
        for step in fields(self):
            setattr(self, step.name, getattr(self, step.name) + getattr(other, step.name))

    @property
    def unexplained(self) -> int:
        """What the steps do not explain; anything but 0 is a flaw of the program."""
        gained = self.new + self.exemption_ended + self.reclassified_in + self.transferred_in
        lost = self.retired + self.exempted + self.reclassified_out + self.transferred_out
        return self.closing - (self.opening + gained - lost)


def step_of(then: Judged | None, now: Judged | None, membership: Membership) -> Step | None:
    """Return why a system came into the population or left it; None where it did neither."""
    was, is_now = then is not None and then.eligible, now is not None and now.eligible
    if is_now and membership.now and not (was and membership.then):
        return Step.TRANSFERRED_IN if was else _came(then)
    if was and membership.then and not (is_now and membership.now):
        return Step.TRANSFERRED_OUT if is_now else _left(now)
    return None


def _came(then: Judged | None) -> Step:
    if then is None or then.verdict is Verdict.UNREGISTERED:
        return Step.NEW
    return Step.EXEMPTION_ENDED if then.verdict is Verdict.EXEMPT else Step.RECLASSIFIED_IN


def _left(now: Judged | None) -> Step:
    if now is None or now.verdict is Verdict.UNREGISTERED:
        return Step.RETIRED
    return Step.EXEMPTED if now.verdict is Verdict.EXEMPT else Step.RECLASSIFIED_OUT
