"""Users and their tokens; administrators only."""

from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import Field

from govcloud.api import pages
from govcloud.api.bodies import Body, Word
from govcloud.api.security import Acting, GuardedRoute, Wired
from govcloud.domain.access import Role
from govcloud.store import users
from govcloud.store.tables import TokenRow, UserRow

router: Final = APIRouter(route_class=GuardedRoute, tags=["users"])


class NewToken(Body):
    """A token that is wanted, and its user where there is none yet."""

    user: Word = Field(description="User name.")
    role: Role | None = Field(None, description="Role of a new user.")
    department: Word | None = Field(None, description="Department of a new user.")
    scope: Word = Field("full", description="`full`, or `read` for a token that changes nothing.")
    expires_days: int = Field(90, description="Days until it ends.")


@router.get("/v1/users", summary="Users and their roles")
def list_users(services: Wired) -> JSONResponse:
    """Return all users by name."""
    with services.store.reading() as session:
        rows = users.list_users(session)
    return JSONResponse(pages.whole([_user(row) for row in rows]))


@router.get("/v1/tokens", summary="Tokens, without themselves")
def list_tokens(services: Wired, user: str | None = None) -> JSONResponse:
    """Return what is known of the tokens of one user or of all."""
    with services.store.reading() as session:
        rows = users.list_tokens(session, user)
        owners = {row.name: row for row in users.list_users(session)}
    return JSONResponse(pages.whole([_token(row) | _role(owners[row.user]) for row in rows]))


@router.post("/v1/tokens", summary="Make a token; it is shown this once", status_code=201)
def create_token(body: NewToken, actor: Acting, services: Wired) -> JSONResponse:
    """Make a token, and its user where there is none."""
    wanted = users.Grant(body.user, body.role, body.department, body.scope, body.expires_days)
    with services.store.unit(actor) as unit:
        row, user, token = users.grant(unit, wanted)
    return JSONResponse(_token(row) | _role(user) | {"token": token}, status_code=201)


@router.delete("/v1/tokens/{token_id}", summary="End a token")
def revoke_token(token_id: str, actor: Acting, services: Wired) -> JSONResponse:
    """End a token now."""
    with services.store.unit(actor) as unit:
        row = users.revoke(unit, token_id)
    return JSONResponse(_token(row))


def _user(row: UserRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "role": row.role,
        "department": row.department or None,
        "disabled": row.disabled,
        "createdAt": row.created_at.isoformat(),
    }


def _role(row: UserRow) -> dict[str, Any]:
    return {"role": row.role, "department": row.department or None}


def _token(row: TokenRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "user": row.user,
        "scope": row.scope,
        "createdAt": row.created_at.isoformat(),
        "expiresAt": row.expires_at.isoformat(),
        "revokedAt": row.revoked_at.isoformat() if row.revoked_at else None,
    }
