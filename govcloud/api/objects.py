"""Desired state: objects, what happened to them, and where clouds differ from them."""

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from govcloud.api import pages, views
from govcloud.api.kinds import kind_named
from govcloud.api.security import Acting, GuardedRoute, Tongue, Wired
from govcloud.errors import UsageError
from govcloud.plan.phases import Phase
from govcloud.store import objects, observed
from govcloud.store.filters import choose

router: Final = APIRouter(route_class=GuardedRoute, tags=["objects"])
Labels = Annotated[str | None, Query(max_length=2_000, description="`name=value`, by commas.")]
MAX_EVENTS: Final = 100
PHASES: Final = (Phase.PENDING.value, Phase.ACTIVE.value, Phase.RELEASING.value)
"""The phases of what is there; the others are said of what is gone."""


@router.get("/v1/objects/{kind}", summary="Objects of a kind")
def list_objects(
    *,
    kind: str,
    actor: Acting,
    services: Wired,
    tongue: Tongue,
    department: pages.Word = None,
    system: pages.Word = None,
    cloud: pages.Word = None,
    zone: pages.Word = None,
    phase: pages.Word = None,
    labels: Labels = None,
    limit: pages.Limit = pages.DEFAULT_LIMIT,
    follow: pages.Continue = None,
) -> JSONResponse:
    """Return the objects that the caller may see, by department and name."""
    if phase is not None:
        choose(phase, PHASES, "phase")
    query = objects.Query(
        kind=kind_named(kind).name,
        department=department,
        system=system,
        cloud=cloud,
        zone=zone,
        phase=phase,
        labels=_labels(labels),
        limit=limit,
        token=follow,
    )
    named = {"department": department, "cloud": cloud, "zone": zone, "system": system}
    with services.store.reading() as session:
        objects.must_exist(session, actor, **named)
        found = objects.list_objects(session, actor, query)
    return JSONResponse(pages.page(found, lambda row: views.object_(row, actor, tongue)))


@router.get("/v1/objects/{kind}/{name}", summary="One object")
def get_object(
    *,
    kind: str,
    name: str,
    actor: Acting,
    services: Wired,
    tongue: Tongue,
    department: pages.Word = None,
) -> JSONResponse:
    """Return one object; without a department, the caller's own or the only one of its name."""
    with services.store.reading() as session:
        row = objects.get_object(session, actor, kind_named(kind).name, name, department)
    return JSONResponse(views.object_(row, actor, tongue))


@router.get("/v1/objects/{kind}/{name}/events", summary="What happened to an object")
def object_events(
    *,
    kind: str,
    name: str,
    actor: Acting,
    services: Wired,
    tongue: Tongue,
    department: pages.Word = None,
    limit: pages.Limit = MAX_EVENTS,
) -> JSONResponse:
    """Return the latest events of one object, newest first."""
    with services.store.reading() as session:
        row = objects.get_object(session, actor, kind_named(kind).name, name, department)
        found = objects.list_events(session, actor, uid=row.uid, limit=limit)
    key = objects.key_of(row)
    return JSONResponse(pages.whole([views.event(one, key, tongue) for one in found]))


@router.get("/v1/events", summary="What happened lately")
def events(
    *,
    actor: Acting,
    services: Wired,
    tongue: Tongue,
    department: pages.Word = None,
    limit: pages.Limit = MAX_EVENTS,
) -> JSONResponse:
    """Return the latest events of the objects that the caller may see, newest first."""
    with services.store.reading() as session:
        objects.must_exist(session, actor, department=department)
        found = objects.list_events(session, actor, department=department, limit=limit)
        # The events are the caller's already; their objects are looked up to be named.
        keys = objects.keys_of(session, {one.uid for one in found})
    items = [views.event(one, keys.get(one.uid), tongue) for one in found]
    return JSONResponse(pages.whole(items))


@router.get("/v1/drift", summary="Where clouds differ from what was approved")
def drift(
    actor: Acting,
    services: Wired,
    tongue: Tongue,
    department: pages.Word = None,
    cloud: pages.Word = None,
) -> JSONResponse:
    """Return the differences that last, and what stands behind it: how each cloud is watched.

    What is nobody's, and why a cloud could not be read, is for those who see all. `unsettled`
    counts the objects that are not as approved, or on their way.
    """
    with services.store.reading() as session:
        objects.must_exist(session, actor, department=department, cloud=cloud)
        found = observed.list_drift(session, actor, department=department, cloud=cloud)
        clouds = observed.watched(session, services.store.clock.now(), cloud)
        unsettled = observed.unsettled(session, actor, department=department, cloud=cloud)
    seen = [views.watched(one, actor, tongue) for one in clouds]
    shown = {"clouds": seen, "unsettled": unsettled}
    return JSONResponse(pages.whole([views.drift(one) for one in found]) | shown)


def _labels(text: str | None) -> Mapping[str, str]:
    pairs = [part.partition("=") for part in (text or "").split(",") if part.strip()]
    if any(not equals or not name.strip() for name, equals, _ in pairs):
        raise UsageError("errors.labels", labels=text)
    return {name.strip(): value.strip() for name, _, value in pairs}
