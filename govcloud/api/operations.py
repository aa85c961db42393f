"""Machines as they run: stop, start, reboot, console; by the department that has them (P1)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import Field

from govcloud.api import asking, pages, views
from govcloud.api.bodies import Body, Note
from govcloud.api.kinds import kind_named
from govcloud.api.security import Acting, GuardedRoute, Tongue, Wired
from govcloud.api.services import Services
from govcloud.domain.access import Actor
from govcloud.errors import ConflictError, NotFoundError
from govcloud.policy.context import city_day
from govcloud.ports.abilities import Operating
from govcloud.ports.cloud import Observed, Provisioner
from govcloud.reconcile import machines, power
from govcloud.reconcile.desired import World
from govcloud.reconcile.record import make_event
from govcloud.store import objects
from govcloud.store.tables import ObjectRow

router: Final = APIRouter(route_class=GuardedRoute, tags=["operations"])
MOST_LINES: Final = 10_000
Numbers = Annotated[list[int], Field(max_length=500)]


class Meant(Body):
    """Which machines of an object are meant, and why it is done."""

    machines: Numbers = Field(default_factory=list, description="Numbers; none: all of them.")
    reason: Note = Field("", description="Why; kept in the audit log.")


class Restart(Meant):
    """A reboot."""

    hard: bool = Field(False, description="Without asking the machine's system.")


def _switching(word: str, *, on: bool, summary: str) -> None:
    @router.post(f"/v1/objects/{{kind}}/{{name}}/{word}", summary=summary, name=word)
    def switch(
        *,
        kind: str,
        name: str,
        body: Meant,
        actor: Acting,
        services: Wired,
        tongue: Tongue,
        department: pages.Word = None,
    ) -> JSONResponse:
        """Note what is wanted from now on; the controller sees to it."""
        with services.store.unit(actor) as unit:
            seen = objects.get_object(unit.session, actor, kind_named(kind).name, name, department)
            row = objects.locked(unit.session, seen.uid)
            power.switch(unit, row, body.machines, on=on, reason=body.reason)
            shown = views.object_(row, actor, tongue)
        return JSONResponse(shown)


_switching("stop", on=False, summary="Let machines stand still")
_switching("start", on=True, summary="Let machines run again")


@router.post("/v1/objects/{kind}/{name}/reboot", summary="Let machines start anew")
def reboot(
    *,
    kind: str,
    name: str,
    body: Restart,
    actor: Acting,
    services: Wired,
    department: pages.Word = None,
) -> JSONResponse:
    """Ask the cloud at once; machines that stand still by wish are not started by it."""
    row = _row(services, actor, (kind, name, department))
    meant = power.chosen(row, body.machines)
    _audit(services, actor, row, "object.reboot", {"machines": list(meant), "hard": body.hard})
    with _machines(services, actor, row) as (provisioner, found):
        if not isinstance(provisioner, Operating):
            raise asking.cannot(row.cloud or "", "reboot")
        for number in meant:
            provisioner.reboot(_standing(row, found, number), hard=body.hard)
    return JSONResponse({"object": str(objects.key_of(row)), "machines": list(meant)})


@router.get("/v1/objects/{kind}/{name}/console-log", summary="What a machine said last")
def console_log(
    *,
    kind: str,
    name: str,
    actor: Acting,
    services: Wired,
    department: pages.Word = None,
    machine: Annotated[int | None, Query(ge=0, le=9_999, description="Its number.")] = None,
    lines: Annotated[int, Query(ge=1, le=MOST_LINES, description="Lines from the end.")] = 100,
) -> JSONResponse:
    """Return the last lines of one machine's console."""
    row = _row(services, actor, (kind, name, department))
    [number] = _one(row, machine)
    _audit(services, actor, row, "object.console", {"machines": [number], "lines": lines})
    with _machines(services, actor, row) as (provisioner, found):
        if not isinstance(provisioner, Operating):
            raise asking.cannot(row.cloud or "", "console-log")
        text = provisioner.console_log(_standing(row, found, number), lines)
    return JSONResponse({"object": str(objects.key_of(row)), "machine": number, "text": text})


def _row(services: Services, actor: Actor, named: tuple[str, str, str | None]) -> ObjectRow:
    kind, name, department = kind_named(named[0]).name, named[1], named[2]
    with services.store.reading() as session:
        row = objects.get_object(session, actor, kind, name, department)
    power.machines_of(row)
    return row


def _one(row: ObjectRow, number: int | None) -> tuple[int, ...]:
    """Return the one machine that is meant; ConflictError where that is not clear."""
    found = power.chosen(row, [] if number is None else [number])
    if len(found) != 1:
        raise ConflictError("controller.which_machine", name=row.name, machines=list(found))
    return found


@contextmanager
def _machines(
    services: Services, actor: Actor, row: ObjectRow
) -> Iterator[tuple[Provisioner, Any]]:
    """Give the driver and what stands of an object's machines, by number."""
    with asking.cloud(services, actor, row.cloud or "") as provisioner:
        with services.store.reading() as session:
            world = World.read(session, city_day(services.store.clock.now()))
            wanted = machines.bodies(session, provisioner, row.uid, world)
        yield provisioner, machines.standing(provisioner, row.uid, wanted)


def _standing(row: ObjectRow, found: Any, number: int) -> Observed:
    item: Observed | None = found.get(number)
    if item is None:
        raise NotFoundError("controller.machine_missing", name=row.name, machine=number)
    return item


def _audit(
    services: Services, actor: Actor, row: ObjectRow, action: str, detail: dict[str, Any]
) -> None:
    """Record an act before it is done: one that fails was tried nevertheless."""
    with services.store.unit(actor) as unit:
        unit.audit(
            action,
            str(objects.key_of(row)),
            department=row.department,
            request_id=row.request_id,
            detail=detail,
        )
        if action == "object.reboot":
            text = power.reboot_asked(actor.name, detail["machines"])
            unit.session.add(make_event(row.uid, unit.now, "Normal", "Reboot", text))
