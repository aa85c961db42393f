"""Building machines anew that are well, because somebody wants them as on their first day.

Removed is what is made of the image: on OpenStack the server and the disk that it boots from, on a
cloud whose machines are one thing the whole machine. The same spec is built again, so that nothing
is approved or charged anew; ports, addresses and, where they stand by themselves, data disks stay.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from govcloud.errors import ConflictError, Text
from govcloud.plan.drift import Whole
from govcloud.plan.phases import Phase
from govcloud.ports.cloud import Resource
from govcloud.reconcile.recover import again
from govcloud.reconcile.status import Status
from govcloud.store.tables import ObjectRow
from govcloud.store.unit import Unit

_IMAGE: Final = "image"
"""The property of whatever is made of an image."""


@dataclass(frozen=True, slots=True)
class Remaking:
    """Machines that are to be built anew: which parts go, and what of it has to be allowed.

    `lost` names the object and each of its data disks, as `submit --allow-replace` does.
    """

    machines: tuple[int, ...]
    parts: tuple[str, ...]
    lost: tuple[str, ...]

    def missing(self, allowed: Collection[str]) -> list[str]:
        """Return what nobody has allowed."""
        return [name for name in self.lost if name not in allowed]


def remaking(row: ObjectRow, machines: Sequence[int], resources: Sequence[Resource]) -> Remaking:
    """Return what building machines anew comes to; `resources` are what their driver wants."""
    ends = {str(number) for number in machines}
    parts = tuple(
        resource.part
        for resource in resources
        if _IMAGE in resource.immutable and resource.part.rpartition("-")[2] in ends
    )
    name = f"{row.kind}/{row.name}"
    disks = (f"{name}:data-{n}" for n in range(len(row.spec.get("dataDisks") or ())))
    return Remaking(tuple(machines), parts, (name, *disks))


def remake(unit: Unit, row: ObjectRow, wanted: Remaking, reason: str) -> None:
    """Let the controller build machines of a locked object anew.

    Raises ConflictError for an object that does not stand, or of which something is under way.
    """
    status = Status.read(row.status)
    if row.phase != Phase.ACTIVE or row.progressing:
        raise ConflictError("controller.not_standing", kind=row.kind, name=row.name)
    gone = [dict(one) for one in status.resources if one.get("part") in wanted.parts]
    status = replace(
        status,
        remade=frozenset(str(one["id"]) for one in gone),
        asked=status.asked | {Whole.MISSING.value},
        heals={},
    )
    params = {"machines": list(wanted.machines), "by": unit.actor.name, "reason": reason}
    detail = {"reason": reason, "machines": list(wanted.machines), "resources": gone}
    text = Text("controller.remake_asked", params)
    again(unit, row, status, text, "object.rebuild", detail=detail, event=("Warning", "Rebuild"))
