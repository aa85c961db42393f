"""What taking something over does: what is put beside it, and what of it becomes different."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from govcloud.api import asking
from govcloud.api.services import Services
from govcloud.domain.access import Actor
from govcloud.plan.orders import Approved, MissingReferenceError
from govcloud.policy.context import Action, city_day
from govcloud.ports.abilities import Adopting, Standing
from govcloud.ports.cloud import Order, Provisioner, Resource, Value
from govcloud.reconcile.desired import World
from govcloud.requests.changes import Change
from govcloud.requests.proposal import Proposal


def differences(services: Services, actor: Actor, proposal: Proposal) -> list[dict[str, Any]]:
    """Return for each object that takes something over what becomes of each part.

    Asks the clouds; raises what they say of things that are gone or taken.
    """
    clouds = {demand.owner: demand.cloud for demand in proposal.demands}
    found = []
    for change in proposal.effective:
        adopts = change.spec.get("adopts")
        if change.action is Action.CREATE and adopts and str(change.key) in clouds:
            order = _order(services, change)
            if order is not None:
                with asking.cloud(services, actor, clouds[str(change.key)]) as provisioner:
                    told = _told(provisioner, order)
                found.append({"object": str(change.key), "there": adopts["tenant"], **told})
    return found


def _order(services: Services, change: Change) -> Order | None:
    """Return the order that it would be; None where it refers to what is only being made."""
    key, today = change.key, city_day(services.store.clock.now())
    system, zone = (str(change.spec.get(word) or "") for word in ("system", "zone"))
    text = json.dumps(dict(change.spec), ensure_ascii=False)
    approved = Approved(
        "new", key.kind, key.department, key.name, system, zone, 1, text, change.digest, ""
    )
    with services.store.reading() as session:
        world = World.read(session, today)
        world.add_systems_of(session, key.department, {system})
    try:
        return world.order(approved)
    except MissingReferenceError:
        return None


def _told(provisioner: Provisioner, order: Order) -> dict[str, Any]:
    """Return what is put beside a thing that stands, what changes of it, what stays and is used."""
    if not isinstance(provisioner, Adopting):
        return {"parts": []}
    resources = provisioner.resources(order)
    keys = [resource.adopts for resource in resources if resource.adopts]
    standing = provisioner.inspect(keys[0]) if keys else None
    told = {"parts": list(_parts(resources, standing))}
    if standing is None:
        return told
    return told | {"there": standing.name or standing.id} | inside(standing)


def inside(standing: Standing) -> dict[str, Any]:
    """Return what others have put into a thing that stands, and what is in use of it."""
    beside = [{"type": b.type, "name": b.name, "text": b.text} for b in standing.beside]
    return {"beside": beside, "used": None if standing.used is None else dict(standing.used)}


def _parts(resources: Iterable[Resource], standing: Standing | None) -> Iterator[dict[str, Any]]:
    for resource in resources:
        if resource.adopts:
            yield _part(resource, "mark", list(_fields(resource, standing)))
        else:
            yield _part(resource, "create", [])


def _part(resource: Resource, action: str, fields: list[dict[str, Value]]) -> dict[str, Any]:
    name = resource.name or resource.part
    return {"part": resource.part, "name": name, "action": action, "fields": fields}


def _fields(resource: Resource, standing: Standing | None) -> Iterator[dict[str, Value]]:
    """Yield what of a thing that stands becomes different, where its driver says how it is."""
    if standing is None:
        return
    for name, (before, after) in standing.marking.get(resource.part, {}).items():
        yield {"field": name, "before": before, "after": after}
    yield from _changed(standing.tags.get(resource.part, {}), resource.tags, "tag:")
    yield from _changed(standing.props.get(resource.part, {}), resource.props)


def _changed(
    there: Mapping[str, Value], wanted: Mapping[str, Value], prefix: str = ""
) -> Iterator[dict[str, Value]]:
    for name, before in there.items():
        if name in wanted and wanted[name] != before:
            yield {"field": f"{prefix}{name}", "before": before, "after": wanted[name]}
