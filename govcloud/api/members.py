"""Namespaces as their members use them: a way in for a while, and how much is in use."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import Field
from sqlmodel import col, select

from govcloud.api import asking, pages
from govcloud.api.bodies import Body
from govcloud.api.kinds import kind_named
from govcloud.api.security import Acting, GuardedRoute, Wired
from govcloud.api.services import Services
from govcloud.domain import classes
from govcloud.domain.access import Actor
from govcloud.domain.kinds.systems import NamespaceSpec
from govcloud.domain.manifest import parse_spec
from govcloud.errors import ConflictError, ForbiddenError, GovcloudError
from govcloud.ports.abilities import Admitting, Metering
from govcloud.ports.cloud import TenantQuota
from govcloud.store import objects
from govcloud.store.tables import ObjectRow

router: Final = APIRouter(route_class=GuardedRoute, tags=["objects"])
ROLES: Final = ("admin", "edit", "view")
"""From the most to the least."""
MOST: Final = 100
HIGH_PERCENT: Final = 80
"""Above this a namespace will soon be full."""


class Wish(Body):
    """Which role is wanted."""

    role: str | None = Field(
        None, pattern="^(admin|edit|view)$", description="`view`, `edit`, `admin`; else the most."
    )


@router.post("/v1/objects/{kind}/{name}/kubeconfig", summary="A short-lived way in for a member")
def kubeconfig(
    *,
    kind: str,
    name: str,
    body: Wish,
    actor: Acting,
    services: Wired,
    department: pages.Word = None,
) -> JSONResponse:
    """Return a kubeconfig for one who is named in the namespace's `access`, and for nobody else."""
    with services.store.reading() as session:
        row = objects.get_object(session, actor, kind_named(kind).name, name, department)
    role = _role(row, actor, body.role)
    with services.store.unit(actor) as unit:
        unit.audit(
            "object.kubeconfig",
            str(objects.key_of(row)),
            department=row.department,
            request_id=row.request_id,
            detail={"role": role},
        )
    with asking.cloud(services, actor, row.cloud or "") as provisioner:
        if not isinstance(provisioner, Admitting):
            raise asking.cannot(row.cloud or "", "kubeconfig")
        given = provisioner.admit(row.uid, role)
    return JSONResponse(
        {
            "object": str(objects.key_of(row)),
            "role": role,
            "expiresAt": given["expires_at"],
            "kubeconfig": given["kubeconfig"],
        }
    )


def _role(row: ObjectRow, actor: Actor, wanted: str | None) -> str:
    """Return the role that a caller gets; raises ForbiddenError for those who are no members."""
    spec = parse_spec(row.kind, row.spec)
    if not isinstance(spec, NamespaceSpec):
        raise ConflictError("api.no_kubeconfig", kind=row.kind)
    held = [role for role in ROLES if actor.name in getattr(spec.access, role)]
    if not held or (wanted and ROLES.index(wanted) < ROLES.index(held[0])):
        raise ForbiddenError("api.no_member", user=actor.name, name=row.name, role=wanted or "view")
    return wanted or held[0]


@router.get("/v1/use", summary="How much of their limits objects use")
def use(
    *,
    actor: Acting,
    services: Wired,
    uids: Annotated[str, Query(max_length=8_000, description="Uids of objects, by commas.")],
) -> JSONResponse:
    """Return limits and use of objects as their clouds say right now.

    Objects of a cloud that cannot say it, or does not answer, are left out.
    """
    wanted = [uid for uid in uids.split(",") if uid][:MOST]
    with services.store.reading() as session:
        statement = select(ObjectRow).where(col(ObjectRow.uid).in_(wanted))
        rows = list(session.exec(statement.where(objects.visible(actor))))
    by_cloud: dict[str, list[str]] = {}
    for row in rows:
        by_cloud.setdefault(row.cloud or "", []).append(row.uid)
    found: dict[str, TenantQuota] = {}
    silent = []
    for cloud, members in sorted(by_cloud.items()):
        answer = _ask(services, actor, cloud, members) if cloud else {}
        if answer is None:
            silent.append(cloud)
        found |= answer or {}
    items = [{"uid": uid, "use": dict(_shown(quota))} for uid, quota in sorted(found.items())]
    return JSONResponse({"items": items, "silent": silent})


def _ask(
    services: Services, actor: Actor, cloud: str, uids: list[str]
) -> Mapping[str, TenantQuota] | None:
    """Return what a cloud says; None where it says nothing now."""
    try:
        with asking.cloud(services, actor, cloud) as provisioner:
            return provisioner.use(uids) if isinstance(provisioner, Metering) else {}
    except GovcloudError:
        return None


def _shown(quota: TenantQuota) -> Iterator[tuple[str, dict[str, Any]]]:
    for word, limit in sorted(quota.limits.items()):
        used = quota.used.get(word, 0)
        if not limit and not used:
            continue
        percent = round(100 * used / limit) if limit else 100
        yield (
            word,
            {
                "limit": classes.show(word, limit),
                "used": classes.show(word, used),
                "percent": percent,
                "high": 100 * used > HIGH_PERCENT * limit,  # and not what was rounded
            },
        )
