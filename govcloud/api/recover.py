"""The ways out of what is stuck: look again, build again, give up, heal on (R8); operators only."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import Field

from govcloud.api import asking, pages, views
from govcloud.api.bodies import Body, Note, Word
from govcloud.api.kinds import canonical, kind_named
from govcloud.api.security import Acting, GuardedRoute, Tongue, Wired
from govcloud.api.services import Services
from govcloud.domain.access import Actor
from govcloud.errors import ConflictError, Diagnostic, InvalidInputError, UsageError
from govcloud.messages import render
from govcloud.plan.phases import Phase
from govcloud.policy.context import city_day
from govcloud.reconcile import brake, desired, power, recover, remake
from govcloud.reconcile.desired import World, resources_of
from govcloud.requests import fulfilment
from govcloud.store import objects
from govcloud.store.tables import ObjectRow
from govcloud.store.unit import Unit

router: Final = APIRouter(route_class=GuardedRoute, tags=["objects"])


class Grounds(Body):
    """Why an operator takes a step that cannot be taken back."""

    reason: Note = Field(description="Why; kept in the audit log.")

    def given(self) -> str:
        """Return the reason; raises InvalidInputError for an empty one."""
        reason = self.reason.strip()
        if not reason:
            raise InvalidInputError([Diagnostic("controller.no_reason", {}, field="reason")])
        return reason


@router.post("/v1/objects/{kind}/{name}/retry", summary="Look at an object again now")
def retry(
    *,
    kind: str,
    name: str,
    actor: Acting,
    services: Wired,
    tongue: Tongue,
    department: pages.Word = None,
) -> JSONResponse:
    """Forget failures and backoff, also of what has stopped for good, and look at once."""
    uid = _uid(services, actor, (kind, name, department))
    with services.store.unit(actor) as unit:
        row = recover.retry(unit, uid)
        shown = views.object_(row, actor, tongue)
    return JSONResponse(shown)


class Rebuild(Grounds):
    """What is to be built again."""

    machines: Annotated[list[int], Field(max_length=500)] = Field(
        default_factory=list,
        description="Numbers of machines that are well and are built anew; none: what has failed.",
    )
    allow_replace: list[Word] = Field(
        default_factory=list,
        max_length=100,
        description="What may be lost with machines that are well: `vm/web`, and each data disk by "
        "itself, `vm/web:data-0`.",
    )
    dry_run: bool = Field(False, description="Only say what would go.")


@router.post("/v1/objects/{kind}/{name}/rebuild", summary="Build again what has failed, or anew")
def rebuild(
    *,
    kind: str,
    name: str,
    body: Rebuild,
    actor: Acting,
    services: Wired,
    tongue: Tongue,
    department: pages.Word = None,
) -> JSONResponse:
    """Remove what failed after its delivery, or machines that are named, and build them again."""
    reason = body.given()
    uid = _uid(services, actor, (kind, name, department))
    planned = _planned(services, actor, uid, body.machines) if body.machines else None
    if planned and not body.dry_run:
        _refuse_losses(planned, {canonical(word) for word in body.allow_replace})
    if body.dry_run:
        return JSONResponse({"remake": asdict(planned) if planned else None})
    with services.store.unit(actor) as unit:
        if planned is None:
            row = recover.rebuild(unit, uid, reason)
        else:
            row = objects.locked(unit.session, uid)
            remake.remake(unit, row, planned, reason)
        shown = views.object_(row, actor, tongue)
    return JSONResponse(shown)


def _planned(
    services: Services, actor: Actor, uid: str, machines: Sequence[int]
) -> remake.Remaking:
    """Return what building machines anew comes to; their driver says it without a call."""
    with services.store.reading() as session:
        row = session.get_one(ObjectRow, uid)
        numbers = power.chosen(row, machines)
        world = World.read(session, city_day(services.store.clock.now()))
        found = desired.by_uid(session, [uid])
        world.add_systems(session, found)
    with asking.cloud(services, actor, row.cloud or "") as provisioner:
        resources = [r for one in found for r in resources_of(provisioner, world, one.approved)]
    return remake.remaking(row, numbers, resources)


def _refuse_losses(planned: remake.Remaking, allowed: Collection[str]) -> None:
    if missing := planned.missing(allowed):
        flags = " ".join(f"--allow-replace {name}" for name in missing)
        raise UsageError("controller.would_remake", objects=missing, flags=flags)


Act = Callable[[Unit, Services, str, str], ObjectRow]
"""Does something with the object of a uid, for a reason; returns its row as it is, or last was."""


def _stepping(
    verb: str,
    summary: str,
    description: str,
    act: Act,
    after: Callable[[str, str], dict[str, Any]] = lambda _reason, _tongue: {},
) -> None:
    """Make the route of one step; `after` is what its status says instead, once it is taken."""

    def step(
        *,
        kind: str,
        name: str,
        body: Grounds,
        actor: Acting,
        services: Wired,
        tongue: Tongue,
        department: pages.Word = None,
    ) -> JSONResponse:
        reason = body.given()
        uid = _uid(services, actor, (kind, name, department))
        with services.store.unit(actor) as unit:
            shown = views.object_(act(unit, services, uid, reason), actor, tongue)
        shown["status"] |= after(reason, tongue)
        return JSONResponse(shown)

    address = f"/v1/objects/{{kind}}/{{name}}/{verb}"
    router.post(address, summary=summary, description=description, name=verb)(step)


def _abandon(unit: Unit, services: Services, uid: str, reason: str) -> ObjectRow:
    row = recover.abandon(unit, services.ledger, uid, reason)
    if row.request_id:
        fulfilment.settle(unit, [row.request_id])
    return row


@router.post("/v1/clouds/{name}/resume", summary="Heal on in a cloud where much is missing")
def resume(*, name: str, body: Grounds, actor: Acting, services: Wired) -> JSONResponse:
    """Confirm that what is missing is lost; return how many objects are built again."""
    reason = body.given()
    with services.store.unit(actor) as unit:
        cloud = objects.get_object(unit.session, actor, "Cloud", name)
        count = brake.resume(unit, cloud.name, reason)
    return JSONResponse({"cloud": cloud.name, "objects": count})


def _uid(services: Services, actor: Actor, named: tuple[str, str, str | None]) -> str:
    """Return the uid of an object for which something is built, as the caller names it."""
    kind, name, department = kind_named(named[0]), named[1], named[2]
    if not kind.allocates:
        raise ConflictError("controller.not_built", kind=kind.name)
    with services.store.reading() as session:
        return objects.get_object(session, actor, kind.name, name, department).uid


def _given_up(reason: str, tongue: str) -> dict[str, Any]:
    return {
        "phase": Phase.GONE.value,
        "ready": False,
        "progressing": False,
        "reason": "Abandoned",
        "message": render("controller.abandoned", tongue, {"reason": reason}),
        "remedy": None,
    }


_stepping(
    "confirm",
    "Let an object go with what it holds",
    "Confirm that what is being given back may go with the pods and volumes that are in it.",
    lambda unit, _services, uid, reason: recover.confirm(unit, uid, reason),
)
_stepping(
    "force",
    "Go on removing an object whatever forbids it",
    "Give up the last copy that was asked for, and remove what the cloud would not let go.",
    lambda unit, _services, uid, reason: recover.force(unit, uid, reason),
)
_stepping(
    "abandon",
    "Give up an object that is stuck",
    "Free its quota and forget it; `status.resources` is what it may leave behind, unmanaged.",
    _abandon,
    _given_up,
)
