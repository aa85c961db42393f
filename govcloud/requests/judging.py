"""What somebody decides on a request, and whether they may."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from govcloud.domain.access import Role
from govcloud.errors import ConflictError, Diagnostic, ForbiddenError, InvalidInputError
from govcloud.policy.context import city_day
from govcloud.requests.life import (
    NEEDS_REASON,
    Verdict,
    answers_for,
    check_transition,
    may_decide,
    may_withdraw,
)
from govcloud.requests.steps import approvers, conditions
from govcloud.requests.world import policy_in_force
from govcloud.store import requests
from govcloud.store.tables import RequestRow
from govcloud.store.unit import Unit

SUBMITS: Final = ("submit", "resubmit")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What somebody decides; `version` and `digest` are of the request as they saw it.

    `user` or `role`: who is given the step, or heard before. `step`: the earlier one that is taken
    again; "" for the last one. `condition` and `by`: what is to be done after an approval, and
    until when; `number`: which of the conditions is met, where there are several.
    """

    verdict: Verdict
    note: str = ""
    version: int | None = None
    digest: str | None = None
    user: str | None = None
    role: Role | None = None
    step: str | None = None
    condition: str | None = None
    by: date | None = None
    number: int | None = None

    def said(self) -> dict[str, Any]:
        """Return what was said beside the verdict and the note, in plain form."""
        said = {
            "user": self.user,
            "role": self.role.value if self.role else None,
            "condition": self.condition,
            "by": self.by.isoformat() if self.by else None,
        }
        return {name: value for name, value in said.items() if value is not None}


def check(unit: Unit, row: RequestRow, judgement: Judgement) -> None:
    """Raise what speaks against a judgement being passed at all; nothing of that is kept."""
    _check_seen(row, judgement)
    check_transition(row, judgement.verdict)
    _check_actor(unit, row, judgement)
    if judgement.verdict in NEEDS_REASON and not judgement.note.strip():
        raise InvalidInputError([Diagnostic("requests.reason_required", {}, field="note")])


def change(unit: Unit, row: RequestRow, values: Mapping[str, Any]) -> None:
    """Change a request as it was read; ConflictError where somebody was faster."""
    before = row.state
    if not requests.move(unit.session, row, values, unit.now):
        raise ConflictError("requests.was_decided", request=row.id, state=before)


def _check_actor(unit: Unit, row: RequestRow, judgement: Judgement) -> None:
    verdict = judgement.verdict
    if verdict is Verdict.WITHDRAW:
        if not may_withdraw(unit.actor, row):
            raise ForbiddenError("requests.may_not_withdraw", request=row.id)
        return
    if not _may(unit, row, verdict):
        raise ForbiddenError("requests.may_not_decide", request=row.id, role=unit.actor.role)
    history = requests.decisions(unit.session, row.id)
    submitters = {entry.actor for entry in history if entry.verdict in SUBMITS}
    if unit.actor.name in submitters | {row.submitted_by}:
        raise ForbiddenError("requests.own_request", request=row.id)
    again = verdict is Verdict.APPROVE and unit.actor.name in approvers(row)
    if again and policy_in_force(unit.session, city_day(unit.now)).distinct_approvers:
        raise ForbiddenError("requests.approved_before", request=row.id)


def _may(unit: Unit, row: RequestRow, verdict: Verdict) -> bool:
    """Whether the step is the actor's; who may set a condition may also say that it is met."""
    if verdict is not Verdict.CONFIRM:
        return may_decide(unit.actor, row)
    steps = [step for _, step in conditions(row)]
    return not steps or any(answers_for(unit.actor, row, step) for step in steps)


def _check_seen(row: RequestRow, judgement: Judgement) -> None:
    stale = judgement.version is not None and judgement.version != row.version
    other = judgement.digest is not None and judgement.digest != row.digest
    if stale or other:
        raise ConflictError("requests.was_decided", request=row.id, state=row.state)
