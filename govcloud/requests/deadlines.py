"""What is to be noticed of a request that waits: time limits and reminders (APP-7, APP-9); pure."""

from collections.abc import Iterator
from datetime import date
from enum import StrEnum

from govcloud.domain.kinds.governance import PolicySpec
from govcloud.policy.calendar import elapsed
from govcloud.policy.context import PARAMETERS, city_day
from govcloud.requests.life import State
from govcloud.requests.steps import conditions, waiting_at
from govcloud.store.tables import RequestRow


class Notice(StrEnum):
    """What is to be noticed."""

    OVERDUE = "overdue"
    """The time limit of its step has passed."""
    DUE_SOON = "due-soon"
    """Most of that time has passed."""
    IDLE = "idle"
    """Nobody has done anything about its step for days."""
    LONG = "long"
    """It is longer in approval than the city wants any request to be."""
    CONDITION_DUE = "condition-due"
    """What it was approved on condition of is not met, and its day has passed."""


def due(row: RequestRow) -> str | None:
    """Return the day by which the step is to be decided at which a request waits."""
    found = _open_step(row).get("due")
    return str(found) if found else None


def notices(row: RequestRow, policy: PolicySpec, today: date) -> Iterator[Notice]:
    """Yield what is to be noticed today."""
    step = _open_step(row)
    if step:
        yield from _of_step(step, policy, today)
    if row.state == State.REVIEW.value:
        spent = elapsed(city_day(row.created_at), today, policy)
        if spent > _parameter(policy, "approval-days"):
            yield Notice.LONG
    unmet = (step["condition"] for _, step in conditions(row) if "metBy" not in step["condition"])
    if any(date.fromisoformat(condition["due"]) < today for condition in unmet):
        yield Notice.CONDITION_DUE


def _open_step(row: RequestRow) -> dict[str, object]:
    waits = row.state in (State.REVIEW, State.PROVISIONING, State.FULFILLED)
    return dict(waiting_at(row)) if waits else {}


def _of_step(step: dict[str, object], policy: PolicySpec, today: date) -> Iterator[Notice]:
    if step.get("due") and step.get("within"):
        limit, last = int(str(step["within"])), date.fromisoformat(str(step["due"]))
        left = elapsed(today, last, policy)
        if last < today:
            yield Notice.OVERDUE
        elif 1 - left / limit >= _parameter(policy, "due-soon"):
            yield Notice.DUE_SOON
    if step.get("since"):
        idle = elapsed(date.fromisoformat(str(step["since"])), today, policy)
        if idle >= _parameter(policy, "idle-days"):
            yield Notice.IDLE


def _parameter(policy: PolicySpec, name: str) -> float:
    return policy.parameters.get(name, PARAMETERS[name])
