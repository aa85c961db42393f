"""Stopping and starting machines: desired state beside the spec, audited, no request.

A stop that was asked for is no drift and is not healed; one by hand in the cloud is. The
controller does the switching, so that whatever happens meanwhile, it comes about once.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from govcloud.domain.kinds.systems import Power, VirtualMachineSpec
from govcloud.domain.machines import numbers
from govcloud.domain.manifest import parse_spec
from govcloud.errors import ConflictError, NotFoundError, Text
from govcloud.plan.asked import POWER, Asked, read_asked
from govcloud.plan.phases import Phase
from govcloud.policy.context import city_day
from govcloud.reconcile import desired
from govcloud.reconcile.record import make_event
from govcloud.reconcile.status import Status
from govcloud.store import objects, work
from govcloud.store.tables import ObjectRow
from govcloud.store.unit import Unit

_SAID: Final = {True: "controller.start_asked", False: "controller.stop_asked"}


def machines_of(row: ObjectRow) -> tuple[int, ...]:
    """Return the numbers of an object's machines; ConflictError where it has none."""
    spec = parse_spec(row.kind, row.spec)
    if not isinstance(spec, VirtualMachineSpec):
        raise ConflictError("controller.no_machines", kind=row.kind, name=row.name)
    return numbers(spec.count, spec.without)


def chosen(row: ObjectRow, wanted: Sequence[int]) -> tuple[int, ...]:
    """Return which of an object's machines are meant: those, or all; NotFoundError for others."""
    there = machines_of(row)
    for number in wanted:
        if number not in there:
            raise NotFoundError(
                "controller.no_such_machine", name=row.name, machine=number, machines=list(there)
            )
    return tuple(wanted) or there


def reboot_asked(by: str, machines: Sequence[int]) -> Text:
    """Return what is said of an object of which machines are started anew."""
    return Text("controller.reboot_asked", {"by": by, "machines": list(machines)})


def switch(unit: Unit, row: ObjectRow, wanted: Sequence[int], *, on: bool, reason: str) -> None:
    """Ask that machines of a locked object run or stand still; asking twice is asking once.

    Raises NotFoundError for machines that there are not, and ConflictError for what is not built
    yet or is being given back, and where the spec itself or a lease that is over keeps them still.
    """
    meant = frozenset(chosen(row, wanted))
    if row.phase != Phase.ACTIVE:
        raise ConflictError("controller.not_standing", kind=row.kind, name=row.name)
    spec = parse_spec(row.kind, row.spec)
    if isinstance(spec, VirtualMachineSpec) and spec.power is Power.OFF:
        raise ConflictError("controller.off_by_spec", name=row.name)
    if on and (end := _lease_over(unit, row)):
        raise ConflictError("controller.off_by_lease", name=row.name, end=end)
    asked = read_asked(row.asked)
    new = _switched(asked, row, wanted, on=on)
    if new == asked:
        return
    text = Text(_SAID[on], {"machines": sorted(meant), "by": unit.actor.name, "reason": reason})
    status = replace(Status.read(row.status), asked=frozenset({POWER}), heals={})
    row.asked, row.status = new.text, status.written(text)
    row.progressing, row.updated_at = True, unit.now
    row.version += 1
    unit.session.add(row)
    work.enqueue(unit.session, [(row.uid, row.cloud or "", row.generation)], unit.now)
    word = "Start" if on else "Stop"
    unit.session.add(make_event(row.uid, unit.now, "Normal", word, text))
    unit.audit(
        f"object.{word.lower()}",
        str(objects.key_of(row)),
        department=row.department,
        request_id=row.request_id,
        detail={"machines": sorted(meant), "reason": reason},
    )


def _switched(asked: Asked, row: ObjectRow, wanted: Sequence[int], *, on: bool) -> Asked:
    """Return what is asked for then; where no machine is named, later ones are meant as well."""
    if not wanted:
        return replace(asked, off=frozenset(), all_off=not on)
    if not on:
        return asked if asked.all_off else replace(asked, off=asked.off.union(wanted))
    still = frozenset(machines_of(row)) if asked.all_off else asked.off
    return replace(asked, off=still.difference(wanted), all_off=False)


def _lease_over(unit: Unit, row: ObjectRow) -> str:
    world = desired.World.read(unit.session, city_day(unit.now))
    return "".join(world.lease_over(w.approved) for w in desired.by_uid(unit.session, [row.uid]))
