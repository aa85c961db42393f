"""Users and their tokens. Of a token only its SHA-256 is kept.

A token carries 256 random bits, so a plain hash of it cannot be guessed back, and finding it by
its hash tells nothing about the token by how long the look-up takes. One user has one role: who
administers does not also approve or audit (ID-4).
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, select

from govcloud.domain.access import Actor, Role
from govcloud.errors import (
    ConflictError,
    Diagnostic,
    InvalidInputError,
    NotFoundError,
    UnauthenticatedError,
)
from govcloud.store.engine import upsert
from govcloud.store.filters import choose
from govcloud.store.tables import ObjectRow, TokenRow, UserRow
from govcloud.store.unit import Unit

PREFIX: Final = "gvc_"
SCOPES: Final = ("full", "read")
MAX_DAYS: Final = 1098
"""Three years: a token without an end is one that nobody remembers."""
RESERVED: Final = frozenset({"controller", "anonymous"})
_NAME: Final = re.compile(r"[\w][\w.@-]{0,63}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a token speaks for, and the token."""

    actor: Actor
    token_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Grant:
    """A token that is wanted: whose, for what, for how many days.

    `role` and `department` make the user where there is none; for a user who exists they must say
    what is so, or nothing (None).
    """

    user: str
    role: Role | None = None
    department: str | None = None
    scope: str = "full"
    days: int = 90


def digest_of(token: str) -> str:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def authenticate(session: Session, token: str, now: datetime, source: str = "") -> Caller:
    """Return whom the token speaks for; UnauthenticatedError says why it speaks for nobody.

    The error's parameter `user` is the user of a token that was good once.
    """
    found = session.exec(
        select(TokenRow, UserRow)
        .where(TokenRow.digest == digest_of(token))
        .where(TokenRow.user == UserRow.name)
    ).first()
    if found is None:
        raise UnauthenticatedError("errors.token_unknown")
    row, user = found
    if row.revoked_at is not None:
        raise UnauthenticatedError("errors.token_revoked", user=user.name, at=row.revoked_at)
    if row.expires_at <= now:
        raise UnauthenticatedError("errors.token_expired", user=user.name, at=row.expires_at)
    if user.disabled:
        raise UnauthenticatedError("errors.user_disabled", user=user.name)
    actor = Actor(user.name, Role(user.role), user.department, row.scope == "read", source)
    return Caller(actor, row.id, row.expires_at)


def grant(unit: Unit, wanted: Grant) -> tuple[TokenRow, UserRow, str]:
    """Make a token, and its user where there is none; return them and the token itself.

    The token is shown this once. Raises InvalidInputError, or ConflictError where the user exists
    in another role or department.
    """
    _check(unit.session, wanted)
    user = unit.session.get(UserRow, wanted.user) or _new_user(unit, wanted)
    if _differs(user, wanted):
        raise ConflictError(
            "errors.user_differs", user=user.name, role=user.role, department=user.department or "-"
        )
    token = PREFIX + secrets.token_urlsafe(32)
    row = TokenRow(
        id=f"tk-{secrets.token_hex(6)}",
        user=user.name,
        digest=digest_of(token),
        scope=wanted.scope,
        created_at=unit.now,
        expires_at=unit.now + timedelta(days=wanted.days),
    )
    unit.session.add(row)
    unit.audit(
        "token.create",
        f"token/{row.id}",
        department=user.department,
        detail={"user": user.name, "scope": row.scope, "expires": row.expires_at.isoformat()},
    )
    return row, user, token


def revoke(unit: Unit, token_id: str) -> TokenRow:
    """End a token now; again is no fault. NotFoundError for an unknown id."""
    row = unit.session.get(TokenRow, token_id)
    if row is None:
        raise NotFoundError("errors.no_such_token", id=token_id)
    if row.revoked_at is None:
        row.revoked_at = unit.now
        unit.session.add(row)
        unit.audit("token.revoke", f"token/{row.id}", detail={"user": row.user})
    return row


def list_users(session: Session) -> Sequence[UserRow]:
    """Return all users by name."""
    return session.exec(select(UserRow).order_by(UserRow.name)).all()


def list_tokens(session: Session, user: str | None = None) -> Sequence[TokenRow]:
    """Return the tokens (without themselves) of one user or of all, oldest first.

    Raises UsageError for a user whom there is not.
    """
    if user:
        choose(user, (found.name for found in list_users(session)), "user")
    statement = select(TokenRow).order_by(col(TokenRow.created_at), TokenRow.id)
    return session.exec(statement.where(TokenRow.user == user) if user else statement).all()


def _new_user(unit: Unit, wanted: Grant) -> UserRow:
    """Return the new user, or the one that somebody else has made at the same moment."""
    assert wanted.role is not None
    role, department = wanted.role.value, wanted.department or ""
    values = {"name": wanted.user, "role": role, "department": department}
    statement = upsert(unit.session, UserRow).values(**values, disabled=False, created_at=unit.now)
    made = unit.session.execute(statement.on_conflict_do_nothing())
    if made.rowcount:  # type: ignore[attr-defined]
        detail = {"role": role}
        unit.audit("user.create", f"user/{wanted.user}", department=department, detail=detail)
    return unit.session.get_one(UserRow, wanted.user)


def _differs(user: UserRow, wanted: Grant) -> bool:
    role, department = wanted.role, wanted.department
    return (role is not None and role.value != user.role) or (
        department is not None and department != user.department
    )


def _check(session: Session, wanted: Grant) -> None:
    faults = []
    if not _NAME.fullmatch(wanted.user) or wanted.user in RESERVED:
        faults.append(Diagnostic("errors.user_name", {"user": wanted.user}, field="user"))
    if wanted.scope not in SCOPES:
        faults.append(Diagnostic("errors.token_scope", {"scope": wanted.scope}, field="scope"))
    if not 1 <= wanted.days <= MAX_DAYS:
        faults.append(Diagnostic("errors.token_days", {"max": MAX_DAYS}, field="expiresDays"))
    if not faults and session.get(UserRow, wanted.user) is None:
        faults += _faults_of_new_user(session, wanted)
    if faults:
        raise InvalidInputError(faults)


def _faults_of_new_user(session: Session, wanted: Grant) -> list[Diagnostic]:
    if wanted.role is None:
        return [Diagnostic("errors.user_needs_role", {"user": wanted.user}, field="role")]
    if not wanted.department:
        applicant = wanted.role is Role.APPLICANT
        fault = Diagnostic("errors.applicant_needs_department", field="department")
        return [fault] if applicant else []
    known = session.exec(
        select(ObjectRow.uid)
        .where(ObjectRow.kind == "Department")
        .where(ObjectRow.name == wanted.department)
    ).first()
    fault = Diagnostic(
        "errors.unknown_department", {"department": wanted.department}, field="department"
    )
    return [] if known else [fault]
