"""Quota: the tree with its numbers, what holds for one department, and the recount."""

from collections.abc import Iterable
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlmodel import Session

from govcloud.api import pages, views
from govcloud.api.security import Acting, GuardedRoute, Tongue, Wired
from govcloud.domain.access import Actor
from govcloud.errors import UsageError
from govcloud.ports.ledger import Difference, Leeway, QuotaLine
from govcloud.store import objects, organisation
from govcloud.store.objects import sees_all
from govcloud.store.organisation import Node

router: Final = APIRouter(route_class=GuardedRoute, tags=["quota"])


@router.get("/v1/quota/tree", summary="The organisation tree with its quota")
def tree(
    *,
    actor: Acting,
    services: Wired,
    tongue: Tongue,
    cloud: pages.Word = None,
    zone: pages.Word = None,
) -> JSONResponse:
    """Return each department that the caller may see, before those below it, with its lines.

    A charge stands in three scopes: everywhere, its cloud, its zone. One of them is shown, or the
    same machine would be counted three times.
    """
    with services.store.reading() as session:
        cloud, zone = _scope(session, actor, cloud, zone)
        nodes = organisation.tree(session, actor)
        scope = None if sees_all(actor) else [node.name for node in nodes]
        lines = services.ledger.lines(session, services.store.clock.now(), scope)
    of: dict[str, list[QuotaLine]] = {}
    for line in lines:
        if (line.cloud, line.zone) == (cloud, zone):
            of.setdefault(line.department, []).append(line)
    return JSONResponse({"nodes": [_node(node, of.get(node.name, ()), tongue) for node in nodes]})


@router.get("/v1/quota/{department}", summary="What holds for one department")
def effective(department: str, actor: Acting, services: Wired, tongue: Tongue) -> JSONResponse:
    """Return for each class what is left, and which level of the tree decides that."""
    with services.store.reading() as session:
        objects.must_exist(session, actor, department=department)
        shown = {node.name: node for node in organisation.tree(session, actor)}
        chain = organisation.chain(session, department)
        found = services.ledger.leeways(session, services.store.clock.now(), department)
    return JSONResponse(
        {
            "department": department,
            "displayName": shown[department].display_name,
            "levels": chain,
            "lines": [_leeway(one, tongue) for one in found],
        }
    )


@router.post("/v1/quota/check", summary="Recount the ledger")
def check(services: Wired) -> JSONResponse:
    """Compare the kept balances with the sum of the entries; they should never differ."""
    with services.store.reading() as session:
        found = services.ledger.recount(session, services.store.clock.now())
    return JSONResponse({"ok": not found, "differences": [_difference(one) for one in found]})


def _scope(session: Session, actor: Actor, cloud: str | None, zone: str | None) -> tuple[str, str]:
    """Return the scope that is asked for; a zone brings its cloud with it."""
    objects.must_exist(session, actor, cloud=cloud, zone=zone)
    if zone is None:
        return cloud or "", ""
    its = str(objects.get_object(session, actor, "Zone", zone).spec["cloud"])
    if cloud not in (None, its):
        raise UsageError("requests.zone_of_other_cloud", zone=zone, cloud=its, other=cloud)
    return its, zone


def _node(node: Node, lines: Iterable[QuotaLine], tongue: str) -> dict[str, Any]:
    return {
        "department": node.name,
        "displayName": node.display_name,
        "level": node.level,
        "parent": node.parent,
        "depth": node.depth,
        "lines": [_line(line, tongue) for line in lines],
    }


def _line(line: QuotaLine, tongue: str) -> dict[str, Any]:
    numbers = {
        "limit": line.limit,
        "allocated": line.allocated,
        "reserved": line.reserved,
        "available": line.available,
        "borrowed": _borrowed(line),
        "over": max(0, _beyond(line) - line.borrowable),
    }
    place = {"cloud": line.cloud, "zone": line.zone, "limited": line.limited}
    return place | views.amounts(line.resource_class, numbers, tongue)


def _beyond(line: QuotaLine) -> int:
    """Return how much more than its limit a line carries."""
    return 0 if line.limit is None else max(0, line.allocated + line.reserved - line.limit)


def _borrowed(line: QuotaLine) -> int:
    return min(_beyond(line), line.borrowable)


def _leeway(found: Leeway, tongue: str) -> dict[str, Any]:
    """Return a line with what is left of it, and the level that decides that."""
    shown, binding = _line(found.line, tongue), None
    if found.binding is not None:
        binding = {"department": found.binding.department} | _line(found.binding, tongue)
    return shown | {"left": found.left, "binding": binding}


def _difference(found: Difference) -> dict[str, Any]:
    return {
        "department": found.department,
        "cloud": found.cloud,
        "zone": found.zone,
        "class": found.resource_class,
        "kept": {"allocated": found.kept[0], "reserved": found.kept[1]},
        "counted": {"allocated": found.counted[0], "reserved": found.counted[1]},
    }
