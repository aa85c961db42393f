"""What commands ask that read the workspace's files themselves instead of calling the API."""

from cli import session
from govcloud.domain.access import Permission
from govcloud.errors import ForbiddenError


def whole_city() -> None:
    """Raise ForbiddenError unless the caller may operate, and see every department.

    Files cannot be kept from whoever may read them; but who speaks as a department (`--as`) gets
    what that department gets.
    """
    _need(Permission.OPERATE, Permission.READ_ALL)


def everything() -> None:
    """Raise ForbiddenError unless the caller administers."""
    _need(Permission.APPLY, Permission.USERS)


def _need(*permissions: Permission) -> None:
    who = session.client().get("/v1/whoami")
    if not {permission.name.lower() for permission in permissions} <= set(who["permissions"]):
        raise ForbiddenError("errors.role_forbids", user=who["name"], role=who["role"])
