"""Whose turn it is: which requests wait for somebody to act, and what is to be noticed of them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session

from govcloud.domain.access import Actor
from govcloud.policy.context import city_day
from govcloud.requests.deadlines import notices
from govcloud.requests.life import State, answers_for, may_decide, may_withdraw
from govcloud.requests.steps import approvers, conditions, waiting_at
from govcloud.requests.world import policy_in_force
from govcloud.store import requests
from govcloud.store.tables import RequestRow


def mine(session: Session, actor: Actor, now: datetime) -> list[str]:
    """Return the numbers of the requests on which the actor is the one to act."""
    return [row.id for row in _waiting_for(session, actor, now)]


def counts(session: Session, actor: Actor, now: datetime) -> dict[str, int]:
    """Return how many requests wait for the actor, and of these how many for what reason."""
    today = city_day(now)
    policy = policy_in_force(session, today)
    found: Counter[str] = Counter()
    for row in _waiting_for(session, actor, now):
        found["waiting"] += 1
        found["after-review"] += row.state != State.REVIEW and bool(waiting_at(row))
        found.update(notice.value for notice in notices(row, policy, today))
    return {name: number for name, number in found.items() if number}


def _waiting_for(session: Session, actor: Actor, now: datetime) -> Iterator[RequestRow]:
    if actor.read_only:
        return
    distinct = policy_in_force(session, city_day(now)).distinct_approvers
    for row in requests.unfinished(session, actor):
        if _to_decide(row, actor, distinct=distinct) or _to_mend(row, actor):
            yield row


def _to_decide(row: RequestRow, actor: Actor, *, distinct: bool) -> bool:
    """Whether the actor decides the open step, or says whether a condition is met."""
    if row.submitted_by == actor.name:
        return False
    if row.state != State.RETURNED and waiting_at(row) and may_decide(actor, row):
        return not (distinct and actor.name in approvers(row))
    return any(answers_for(actor, row, step) for step in _unmet(row))


def _to_mend(row: RequestRow, actor: Actor) -> bool:
    """Whether the actor corrects what was returned, or meets a condition."""
    todo = row.state == State.RETURNED or any(_unmet(row))
    return todo and bool(actor.department) and may_withdraw(actor, row)


def _unmet(row: RequestRow) -> list[Mapping[str, Any]]:
    if row.state == State.RETURNED:
        return []
    return [step for _, step in conditions(row) if "metBy" not in step["condition"]]
