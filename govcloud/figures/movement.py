"""Population movement: why the denominator is another one than a month ago (F3, MET-R2)."""

from dataclasses import dataclass, fields

from govcloud.figures.verdict import Judged, Verdict


@dataclass(slots=True)
class Movement:
    """How the systems that should be on the cloud became more or fewer between two cut-offs.

    `reclassified_in` and `_out` are systems that stopped or began to be classified, or to run on
    an industry cloud that is not reported here.
    """

    opening: int = 0
    new: int = 0
    retired: int = 0
    exempted: int = 0
    exemption_ended: int = 0
    reclassified_in: int = 0
    reclassified_out: int = 0
    closing: int = 0

    def add_steady(self, systems: int) -> None:
        """Count systems that should have been on the cloud then and should be now."""
        self.opening += systems
        self.closing += systems

    def add(self, then: Judged | None, now: Judged | None) -> None:
        """Count one system, judged at the opening and at the closing; None where it was not."""
        was = then is not None and then.eligible
        is_now = now is not None and now.eligible
        self.opening += was
        self.closing += is_now
        if is_now and not was:
            self._came(then)
        elif was and not is_now:
            self._left(now)

    def _came(self, then: Judged | None) -> None:
        if then is None or then.verdict is Verdict.UNREGISTERED:
            self.new += 1
        elif then.verdict is Verdict.EXEMPT:
            self.exemption_ended += 1
        else:
            self.reclassified_in += 1

    def _left(self, now: Judged | None) -> None:
        if now is None or now.verdict is Verdict.UNREGISTERED:
            self.retired += 1
        elif now.verdict is Verdict.EXEMPT:
            self.exempted += 1
        else:
            self.reclassified_out += 1

    def merge(self, other: "Movement") -> None:
        """Add another department's movement to this one."""
        for step in fields(self):
            setattr(self, step.name, getattr(self, step.name) + getattr(other, step.name))

    @property
    def unexplained(self) -> int:
        """What the steps do not explain; anything but 0 is a flaw of the program."""
        gained = self.new + self.exemption_ended + self.reclassified_in
        lost = self.retired + self.exempted + self.reclassified_out
        return self.closing - (self.opening + gained - lost)
