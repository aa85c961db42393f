"""What the server is, who is calling, and what the kinds and their fields mean."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from govcloud import __version__
from govcloud.api.kinds import kind_named
from govcloud.api.security import GuardedRoute, Tongue, WhoCalls, Wired
from govcloud.domain.access import GRANTS
from govcloud.domain.kinds.registry import described
from govcloud.messages import render

router = APIRouter(route_class=GuardedRoute, tags=["meta"])


@router.get("/v1/version", summary="Version of the server")
def version(services: Wired) -> JSONResponse:
    """Return the program's version and the database's schema."""
    from govcloud.store.schema import HEAD, current

    database = services.store.database
    return JSONResponse(
        {
            "version": __version__,
            "api": "v1",
            "database": database.engine.dialect.name,
            "schema": {"found": current(database), "needed": HEAD},
        }
    )


@router.get("/v1/whoami", summary="Who the token speaks for")
def whoami(who: WhoCalls, services: Wired, tongue: Tongue) -> JSONResponse:
    """Return the user, role, department, scope, what they allow, and how many requests wait."""
    from govcloud.requests import inbox

    actor = who.actor
    allowed = sorted(p.name.lower() for p in GRANTS[actor.role] if actor.may(p))
    with services.store.reading() as session:
        waiting = inbox.counts(session, actor, services.store.clock.now())
    return JSONResponse(
        {
            "name": actor.name,
            "role": actor.role.value,
            "roleLabel": render(f"labels.role.{actor.role.value}", tongue),
            "department": actor.department or None,
            "scope": "read" if actor.read_only else "full",
            "token": {"id": who.token_id, "expiresAt": who.expires_at.isoformat()},
            "permissions": allowed,
            "requests": waiting,
        }
    )


@router.get("/v1/kinds", summary="The kinds of objects")
def kinds(tongue: Tongue) -> JSONResponse:
    """Return the kinds in the order in which they are applied."""
    return JSONResponse(described(tongue))


@router.get("/v1/schema", summary="JSON Schema of all kinds, for editors")
def schema_of_all(tongue: Tongue) -> JSONResponse:
    """Return one schema for documents of any kind."""
    from govcloud.domain.schema import combined_schema

    return JSONResponse(combined_schema(tongue))


@router.get("/v1/schema/{kind}", summary="JSON Schema of one kind")
def schema_of_one(kind: str, tongue: Tongue) -> JSONResponse:
    """Return the schema of a kind's documents."""
    from govcloud.domain.schema import kind_schema

    return JSONResponse(kind_schema(kind_named(kind).name, tongue))


@router.get("/v1/explain", summary="What a kind or a field means")
def explain(path: Annotated[str, Query(min_length=1, max_length=300)], tongue: Tongue) -> Any:
    """Return the documentation of `VirtualMachine.spec.network` and of what is below it."""
    from govcloud.domain.explain import explain as explanation

    return JSONResponse(explanation(path, tongue).plain())
