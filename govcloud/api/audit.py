"""The audit log: reading it, and proving that nobody has touched it."""

from typing import Annotated, Any, Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import Field

from govcloud.api import pages, views
from govcloud.api.bodies import Body
from govcloud.api.security import GuardedRoute, Tongue, Wired
from govcloud.messages import render
from govcloud.store import audit

router: Final = APIRouter(route_class=GuardedRoute, tags=["audit"])


class KnownHead(Body):
    """The head of the chain as an earlier verification printed it."""

    seq: Annotated[int, Field(ge=0, lt=2**63)] = Field(description="Number of the record.")
    hash: Annotated[str, Field(pattern="^[0-9a-f]{8,64}$")] = Field(
        description="Its hash, or at least the first eight digits of it."
    )


class Verify(Body):
    """What to compare with, beyond the chain itself."""

    known: KnownHead | None = Field(None, description="A head that was noted earlier.")


@router.get("/v1/audit", summary="The audit log, newest first")
def log(
    *,
    services: Wired,
    actor: pages.Word = None,
    action: pages.Word = None,
    target: pages.Word = None,
    limit: pages.Limit = pages.DEFAULT_LIMIT,
    follow: pages.Continue = None,
) -> JSONResponse:
    """Return records; `action` and `target` may end in `*`."""
    with services.store.reading() as session:
        found = audit.list_records(
            session, actor=actor, action=action, target=target, limit=limit, token=follow
        )
    return JSONResponse(pages.page(found, views.audit))


@router.post("/v1/audit/verify", summary="Walk the chain and find what was touched")
def verify(services: Wired, tongue: Tongue, body: Verify | None = None) -> JSONResponse:
    """Return whether the chain is whole, its head, and each fault with its place."""
    known = body.known if body else None
    with services.store.reading() as session:
        found = audit.verify(session, audit.Head(known.seq, known.hash) if known else None)
    return JSONResponse(
        {
            "ok": found.ok,
            "checked": found.checked,
            "head": {"seq": found.head.seq, "hash": found.head.hash} if found.head else None,
            "faults": [_fault(fault, tongue) for fault in found.faults],
            "more": found.more,
        }
    )


def _fault(fault: audit.Fault, tongue: str) -> dict[str, Any]:
    params = {"seq": fault.seq, "last": fault.seq + fault.count - 1, "count": fault.count}
    message = render(f"api.chain_{fault.what.value}", tongue, params)
    return {"seq": fault.seq, "what": fault.what.value, "count": fault.count, "message": message}
