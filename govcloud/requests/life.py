"""The states of a request and the ways between them (APP-1); pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from govcloud.domain.access import Actor, Permission, Role
from govcloud.errors import ConflictError
from govcloud.store.tables import RequestRow


class State(StrEnum):
    """Where a request stands."""

    REVIEW = "review"
    """Waits for the decision of its step."""
    RETURNED = "returned"
    """Given back to the department to be corrected; keeps its number and its claims."""
    PROVISIONING = "provisioning"
    """Approved: its objects are desired state, and the controller is at them."""
    FULFILLED = "fulfilled"
    """Everything stands as approved, or is gone as approved."""
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class Verdict(StrEnum):
    """What is done to a request."""

    APPROVE = "approve"
    REJECT = "reject"
    RETURN = "return"
    WITHDRAW = "withdraw"


TRANSITIONS: Final[Mapping[tuple[State, Verdict], frozenset[State]]] = {
    (State.REVIEW, Verdict.APPROVE): frozenset({State.REVIEW, State.PROVISIONING, State.FULFILLED}),
    (State.REVIEW, Verdict.REJECT): frozenset({State.REJECTED}),
    (State.REVIEW, Verdict.RETURN): frozenset({State.RETURNED}),
    (State.REVIEW, Verdict.WITHDRAW): frozenset({State.WITHDRAWN}),
    (State.RETURNED, Verdict.WITHDRAW): frozenset({State.WITHDRAWN}),
}
"""Where each verdict may lead from each state. Beside these, a returned request is submitted
again (to REVIEW), and the controller turns PROVISIONING into FULFILLED."""

NEEDS_REASON: Final = frozenset({Verdict.REJECT, Verdict.RETURN})


def check_transition(row: RequestRow, verdict: Verdict) -> None:
    """Raise ConflictError where the request is not in a state for this verdict."""
    if (State(row.state), verdict) not in TRANSITIONS:
        raise ConflictError(
            "requests.not_in_state", request=row.id, state=row.state, verdict=verdict
        )


def may_decide(actor: Actor, row: RequestRow) -> bool:
    """Whether the actor's role decides the request's step; administrators decide any.

    A step inside the department is decided there, every other one by somebody of no department.
    """
    if actor.read_only:
        return False
    if actor.role is Role.ADMINISTRATOR:
        return True
    step = row.steps[row.step] if row.step < len(row.steps) else {}
    where = row.department if step.get("ownDepartment") else ""
    return actor.department == where and actor.role.value == step.get("role")


def may_withdraw(actor: Actor, row: RequestRow) -> bool:
    """Whether the request is the actor's, or of the actor's department."""
    if not actor.may(Permission.SUBMIT):
        return False
    return actor.name == row.submitted_by or (
        actor.department != "" and actor.department == row.department
    )
