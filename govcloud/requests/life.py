"""The states of a request and the ways between them (APP-1); pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from govcloud.domain.access import Actor, Permission, Role
from govcloud.errors import ConflictError
from govcloud.requests.steps import waiting_at
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
    """Take its step, perhaps on a condition."""
    REJECT = "reject"
    RETURN = "return"
    WITHDRAW = "withdraw"
    ADD_REVIEWER = "add-reviewer"
    """Somebody else is heard before the step is decided (加办)."""
    REASSIGN = "reassign"
    """Somebody else decides the step (转发)."""
    SEND_BACK = "send-back"
    """An earlier step is taken again (回退)."""
    CONFIRM = "confirm-condition"
    """What a step was approved on condition of has been done."""


_SAME_STEP: Final = (Verdict.ADD_REVIEWER, Verdict.REASSIGN)
_BUILT: Final = (State.PROVISIONING, State.FULFILLED)
TRANSITIONS: Final[Mapping[tuple[State, Verdict], frozenset[State]]] = {
    (State.REVIEW, Verdict.APPROVE): frozenset({State.REVIEW, State.PROVISIONING, State.FULFILLED}),
    (State.REVIEW, Verdict.REJECT): frozenset({State.REJECTED}),
    (State.REVIEW, Verdict.RETURN): frozenset({State.RETURNED}),
    (State.REVIEW, Verdict.WITHDRAW): frozenset({State.WITHDRAWN}),
    (State.RETURNED, Verdict.WITHDRAW): frozenset({State.WITHDRAWN}),
    (State.REVIEW, Verdict.SEND_BACK): frozenset({State.REVIEW}),
    **{(state, Verdict.CONFIRM): frozenset({state}) for state in (State.REVIEW, *_BUILT)},
    **{(State.REVIEW, verdict): frozenset({State.REVIEW}) for verdict in _SAME_STEP},
    **{
        (state, verdict): frozenset({state})
        for state in _BUILT
        for verdict in (Verdict.APPROVE, Verdict.REJECT, *_SAME_STEP)
    },
}
"""Where each verdict may lead from each state. Beside these, a returned request is submitted
again (to REVIEW), and the controller turns PROVISIONING into FULFILLED. Once it is built, only
steps that are taken afterwards (APP-11) are left to be decided."""

NEEDS_REASON: Final = frozenset({Verdict.REJECT, Verdict.RETURN, Verdict.SEND_BACK})


def check_transition(row: RequestRow, verdict: Verdict) -> None:
    """Raise ConflictError where the request is not in a state for this verdict."""
    decided = State(row.state) in _BUILT and not waiting_at(row) and verdict is not Verdict.CONFIRM
    if decided or (State(row.state), verdict) not in TRANSITIONS:
        raise ConflictError(
            "requests.not_in_state", request=row.id, state=row.state, verdict=verdict
        )


def may_decide(actor: Actor, row: RequestRow) -> bool:
    """Whether the actor decides the request's step; administrators decide any.

    A step that was given to a person is decided by nobody else.
    """
    step = waiting_at(row)
    if actor.role is not Role.ADMINISTRATOR and step.get("assignee") not in (None, actor.name):
        return False
    return answers_for(actor, row, step)


def answers_for(actor: Actor, row: RequestRow, step: Mapping[str, Any]) -> bool:
    """Whether a step of a request is of the actor's role; administrators have them all.

    A step inside the department is decided there, every other one by somebody of no department.
    """
    if actor.read_only:
        return False
    if actor.role is Role.ADMINISTRATOR:
        return True
    where = row.department if step.get("ownDepartment") else ""
    return actor.department == where and actor.role.value == step.get("role")


def may_withdraw(actor: Actor, row: RequestRow) -> bool:
    """Whether the request is the actor's, or of the actor's department."""
    if not actor.may(Permission.SUBMIT):
        return False
    return actor.name == row.submitted_by or (
        actor.department != "" and actor.department == row.department
    )
