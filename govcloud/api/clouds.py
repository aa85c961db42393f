"""Clouds as administrators take them in: what they offer, what is nobody's, what is taken over."""

import json
from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import Field
from sqlmodel import Session

from govcloud.api import asking, pages, takeovers, views
from govcloud.api.bodies import Body, Word
from govcloud.api.kinds import kind_named
from govcloud.api.security import Acting, GuardedRoute, Tongue, Wired
from govcloud.domain.kinds.platform import CloudSpec, FlavorSpec, Management
from govcloud.domain.manifest import parse_spec
from govcloud.errors import ConflictError
from govcloud.plan.discovery import Known, proposal
from govcloud.plan.nobodys import named
from govcloud.plan.owners import guess
from govcloud.plan.takeover import Target, takeover
from govcloud.ports.abilities import Adopting, Discovering
from govcloud.store import objects, observed
from govcloud.store.tables import DriftRow, ObjectRow

router: Final = APIRouter(route_class=GuardedRoute, tags=["clouds"])


class Takeover(Body):
    """What is to be taken over, and what it is to become."""

    resource: Word = Field(description="The cloud's id of it, or its only name.")
    kind: Word = Field(description="Kind of the new object, or a word for it.")
    name: Word = Field(description="Its name.")
    department: Word = Field(description="Its department.")
    system: Word = Field(description="Its system.")
    zone: Word | None = Field(None, description="Its zone; absent: by the cloud's own zone.")


@router.get("/v1/clouds/{name}/discovery", summary="What a cloud offers, as a file to apply")
def discovery(*, name: str, actor: Acting, services: Wired, tongue: Tongue) -> JSONResponse:
    """Read a cloud and propose the documents that map it; changes nothing."""
    with asking.cloud(services, actor, name) as provisioner:
        if not isinstance(provisioner, Discovering):
            raise asking.cannot(name, "discover")
        offers = provisioner.discover()
    with services.store.reading() as session:
        row = objects.get_object(session, actor, "Cloud", name)
        text = proposal(name, row.spec, offers, known(session), tongue)
    found = [{"kind": o.kind, "name": o.name, "facts": dict(o.facts)} for o in offers]
    return JSONResponse({"cloud": name, "offers": found, "text": text})


@router.get("/v1/unmanaged", summary="What is nobody's")
def unmanaged(
    actor: Acting, services: Wired, tongue: Tongue, cloud: pages.Word = None
) -> JSONResponse:
    """Return what clouds hold that no object here stands for, as it was last seen."""
    with services.store.reading() as session:
        objects.must_exist(session, actor, cloud=cloud)
        titles = {
            row.name: row.display_name or "" for row in objects.of_kinds(session, ["Department"])
        }
        seen = {
            row.name: parse_spec("Cloud", row.spec) for row in objects.of_kinds(session, ["Cloud"])
        }
        rows = observed.list_nobodys(session, cloud)
        clouds = observed.watched(session, services.store.clock.now(), cloud)
    items = named([_nobodys(row, seen.get(row.cloud)) for row in rows])
    for item in items:
        item["owner"] = guess(item, titles) or item["owner"]
        del item["tags"]
    shown = {"clouds": [views.watched(one, actor, tongue) for one in clouds]}
    return JSONResponse(pages.whole(items) | shown)


def _nobodys(row: DriftRow, cloud: object) -> dict[str, Any]:
    detail: dict[str, Any] = json.loads(row.detail) if row.detail else {}
    owner = cloud.owner if isinstance(cloud, CloudSpec) else None
    return {
        "cloud": row.cloud,
        "id": row.resource,
        "type": detail.get("type"),
        "name": detail.get("name"),
        "tenant": detail.get("tenant"),
        "owner": owner,
        "tags": detail.get("tags"),
        "size": {word: detail.get("props", {}).get(word) for word in _SIZES} | _disks(detail),
        "addresses": [value for value in (detail.get("info") or {}).values() if value],
        "orphan": row.field == "orphan",
        "since": views.instant(row.since),
    }


_SIZES: Final = ("vcpu", "memory", "size", "storage")


def _disks(detail: Mapping[str, Any]) -> dict[str, Any]:
    props: Mapping[str, Any] = detail.get("props", {})
    return {"disks": [str(v) for n, v in sorted(props.items()) if n.startswith("disk.")]}


@router.post("/v1/clouds/{name}/adoption", summary="The document that takes something over")
def adoption(
    *, name: str, body: Takeover, actor: Acting, services: Wired, tongue: Tongue
) -> JSONResponse:
    """Look at a thing of nobody's and propose its document; changes nothing.

    The document goes the way of any other: submitted, approved, charged; then it is marked.
    """
    del tongue
    with services.store.reading() as session:
        objects.must_exist(session, actor, department=body.department)
        spec = parse_spec("Cloud", objects.get_object(session, actor, "Cloud", name).spec)
        catalogue = known(session)
    assert isinstance(spec, CloudSpec)
    if spec.management is not Management.MANAGED:
        raise ConflictError("api.adopt_observed", cloud=name)
    with asking.cloud(services, actor, name) as provisioner:
        if not isinstance(provisioner, Adopting):
            raise asking.cannot(name, "adopt")
        standing = provisioner.inspect(body.resource)
    kind = kind_named(body.kind).name
    if standing.kind != kind:
        raise ConflictError("api.adopt_kind", found=standing.kind, kind=kind, name=standing.name)
    target = Target(name, body.name, body.department, body.system, body.zone or "")
    made = takeover(standing, target, catalogue)
    there = {"id": standing.id, "name": standing.name, "tenant": standing.tenant}
    return JSONResponse(
        {
            "cloud": name,
            "found": there | {"spec": dict(standing.spec)} | takeovers.inside(standing),
            "document": made.document,
            "missing": dict(made.missing),
        }
    )


def known(session: Session) -> Known:
    """Return what of zones and the catalogue there is."""
    rows: dict[str, dict[str, ObjectRow]] = {"Zone": {}, "Flavor": {}, "Image": {}}
    for row in objects.of_kinds(session, list(rows)):
        rows[row.kind][row.name] = row
    sizes = {name: FlavorSpec.model_validate(row.spec) for name, row in rows["Flavor"].items()}
    return Known(
        zones={name: row.spec for name, row in rows["Zone"].items()},
        flavors={name: row.spec for name, row in rows["Flavor"].items()},
        sizes={name: (spec.vcpu, int(spec.memory), spec.gpu) for name, spec in sizes.items()},
        images={name: row.spec for name, row in rows["Image"].items()},
    )
