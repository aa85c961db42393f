"""Who decides a step: somebody else is heard before, decides instead, or decides again (APP-3)."""

from typing import Any

from govcloud.domain.access import GRANTS, Permission, Role
from govcloud.errors import ConflictError, Diagnostic, InvalidInputError
from govcloud.policy.context import city_day
from govcloud.requests.judging import Judgement, change
from govcloud.requests.records import note
from govcloud.requests.steps import anew, approvers, begun, marked, waiting_at
from govcloud.requests.world import policy_in_force
from govcloud.store import users
from govcloud.store.filters import choose
from govcloud.store.tables import RequestRow, UserRow
from govcloud.store.unit import Unit

_DECIDING = frozenset({Permission.DECIDE, Permission.OPERATE, Permission.SUBMIT})


def add_reviewer(unit: Unit, row: RequestRow, judgement: Judgement) -> None:
    """Put a step before the one at which a request waits; that one comes again after it."""
    step, today = waiting_at(row), city_day(unit.now)
    kept = ("name", "within", "afterwards")
    added = {name: step[name] for name in kept if name in step} | _taker(unit, row, judgement)
    added["addedBy"] = unit.actor.name
    steps = anew(row.steps, row.step)
    steps.insert(row.step, added)
    steps = begun(steps, row.step, policy_in_force(unit.session, today), today)
    change(unit, row, {"steps": steps, "blocked": None})
    note(unit, row, judgement, row.policy_version, step=step["name"])


def reassign(unit: Unit, row: RequestRow, judgement: Judgement) -> None:
    """Give the step at which a request waits to somebody else, with what time is left."""
    step = waiting_at(row)
    since = {"since": city_day(unit.now).isoformat()}
    change(unit, row, {"steps": marked(row, **_taker(unit, row, judgement), **since)})
    note(unit, row, judgement, row.policy_version, step=step["name"])


def send_back(unit: Unit, row: RequestRow, judgement: Judgement) -> None:
    """Have an earlier step taken again, and all that come after it."""
    step, today = waiting_at(row), city_day(unit.now)
    earlier = {str(past["name"]): index for index, past in enumerate(row.steps[: row.step])}
    if not earlier:
        raise ConflictError("requests.no_earlier_step", request=row.id)
    wanted = judgement.step
    first = earlier[choose(wanted, earlier, "step")] if wanted else row.step - 1
    policy = policy_in_force(unit.session, today)
    steps = begun(anew(row.steps, first), first, policy, today)
    change(unit, row, {"step": first, "steps": steps, "blocked": None})
    note(unit, row, judgement, row.policy_version, step=step["name"], to=steps[first]["name"])


def _taker(unit: Unit, row: RequestRow, judgement: Judgement) -> dict[str, Any]:
    """Return the marks of a step that is given to a person, or to whoever has a role."""
    user, role = judgement.user, judgement.role
    if (user is None) == (role is None):
        raise InvalidInputError([Diagnostic("requests.user_or_role", {}, field="user")])
    if user is not None:
        takers = {found.name: found for found in _takers(unit, row)}
        found = takers[choose(user, takers, "user")]
        whose = {"role": found.role, "ownDepartment": bool(found.department)}
        return {**whose, "assignee": found.name}
    assert role is not None
    if not GRANTS[role] & _DECIDING:
        raise InvalidInputError(
            [Diagnostic("requests.role_decides_nothing", {"role": role}, field="role")]
        )
    return {"role": role.value, "ownDepartment": role is Role.APPLICANT, "assignee": None}


def _takers(unit: Unit, row: RequestRow) -> list[UserRow]:
    """Return who may take a step, of those whom the actor may know of."""
    policy = policy_in_force(unit.session, city_day(unit.now))
    out = {row.submitted_by, *(approvers(row) if policy.distinct_approvers else ())}
    near = {row.department} if unit.actor.department else {row.department, ""}
    return [
        user
        for user in users.list_users(unit.session)
        if not user.disabled
        and user.name not in out
        and user.department in near
        and GRANTS[Role(user.role)] & _DECIDING
    ]
