"""Which resource a mark stands for where several carry it, and which of the others may go.

Two carry a mark where an answer of the cloud was lost: then the second is empty, and is removed.
Or where somebody has copied something with all that it says of itself: a backup that was restored.
What holds data is therefore left to a person, unless what it doubles is only being built.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from govcloud.domain.drift import DriftMode
from govcloud.plan.drift import Drift, Whole
from govcloud.plan.model import Situation
from govcloud.ports.cloud import Observed, State

_PREFERENCE: Final = {
    State.READY: 0,
    State.CHANGING: 1,
    State.BUILDING: 2,
    State.FAILED: 3,
    State.DELETING: 4,
}


@dataclass(slots=True)
class Sorted:
    """What carries an object's mark: of each part the one that is `kept`, and the others.

    The `spare` ones go; those that are `staying` may hold data.
    """

    kept: dict[str, Observed] = field(default_factory=dict)
    spare: list[Observed] = field(default_factory=list)
    staying: list[Observed] = field(default_factory=list)

    @property
    def drifts(self) -> list[Drift]:
        """What is said of those that stay, whatever the mode: it is for a person to act."""
        mode = DriftMode.REPORT
        return [Drift(item.id, Whole.EXTRA, None, item.type, mode) for item in self.staying]


def sort_out(seen: Sequence[Observed], situation: Situation) -> Sorted:
    """Return what is kept of each mark, and what becomes of the others.

    What was delivered and holds data is kept even where it has failed.
    """

    def preference(item: Observed) -> tuple[bool, bool, bool, int, str]:
        given = item.data and item.id in situation.delivered
        broken = item.state in (State.FAILED, State.DELETING)
        unknown = item.id not in situation.known
        return (not given, broken, unknown, _PREFERENCE[item.state], item.id)

    found = Sorted()
    for item in sorted(seen, key=preference):
        kept = found.kept.setdefault(item.part, item)
        if kept is not item:
            (found.staying if _stays(item, kept, situation) else found.spare).append(item)
    return found


def _stays(item: Observed, kept: Observed, situation: Situation) -> bool:
    """Whether a double may hold data: it does not while what it doubles is being built."""
    return item.data and (kept.id in situation.delivered or not situation.approved)
