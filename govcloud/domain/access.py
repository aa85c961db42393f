"""Who acts, in which role, and what the roles may do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from govcloud.domain.base import LabelledEnum


class Role(LabelledEnum):
    """Roles of users; one a user, so that administering, approving and auditing stay apart."""

    ADMINISTRATOR = "administrator", "管理员"
    APPROVER = "approver", "审批员"
    APPLICANT = "applicant", "部门申请人"
    OPERATOR = "operator", "运维员"
    AUDITOR = "auditor", "审计员"


class Permission(Enum):
    """What a call of the API needs."""

    READ_OWN = auto()
    READ_ALL = auto()
    SUBMIT = auto()
    DECIDE = auto()
    APPLY = auto()
    OPERATE = auto()
    AUDIT = auto()
    USERS = auto()


GRANTS: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.ADMINISTRATOR: frozenset(
        {
            Permission.READ_OWN,
            Permission.READ_ALL,
            Permission.SUBMIT,
            Permission.DECIDE,
            Permission.APPLY,
            Permission.OPERATE,
            Permission.AUDIT,
            Permission.USERS,
        }
    ),
    Role.APPROVER: frozenset({Permission.READ_OWN, Permission.READ_ALL, Permission.DECIDE}),
    Role.APPLICANT: frozenset({Permission.READ_OWN, Permission.SUBMIT}),
    Role.OPERATOR: frozenset({Permission.READ_OWN, Permission.READ_ALL, Permission.OPERATE}),
    Role.AUDITOR: frozenset({Permission.READ_OWN, Permission.READ_ALL, Permission.AUDIT}),
}


CONFINED: Final = frozenset({Role.APPROVER, Role.APPLICANT, Role.OPERATOR, Role.AUDITOR})
"""Roles that see one department only, where they are given for one."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a user in a role, of a department ("" for none), perhaps only to read.

    `source` is the address that the call came from, "" for this machine.
    """

    name: str
    role: Role
    department: str = ""
    read_only: bool = False
    source: str = field(default="", compare=False)

    def may(self, permission: Permission) -> bool:
        """Whether the role grants it and the token's scope allows it.

        Whoever belongs to a department sees that department and no other, in whatever role; but
        for administrators, who set departments up.
        """
        if permission is Permission.READ_ALL and self.department and self.role in CONFINED:
            return False
        reading = {Permission.READ_OWN, Permission.READ_ALL, Permission.AUDIT}
        return permission in GRANTS[self.role] and (not self.read_only or permission in reading)


CONTROLLER: Final = Actor("controller", Role.OPERATOR)
"""The actor of what the controller does by itself."""
