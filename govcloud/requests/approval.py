"""Deciding: who may, whether all is still as it was, and what becomes of the request.

A request is not trusted from when it was submitted: each approval judges everything anew. What
speaks against it is kept with the request, which stays where it is; the error comes after that.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from govcloud.errors import (
    ConflictError,
    Diagnostic,
    ForbiddenError,
    GovcloudError,
    InvalidInputError,
    NotFoundError,
    PolicyDeniedError,
    QuotaExceededError,
)
from govcloud.policy.context import Action, city_day
from govcloud.ports import Ledger
from govcloud.requests.building import build
from govcloud.requests.changes import Change, moved
from govcloud.requests.life import (
    NEEDS_REASON,
    State,
    Verdict,
    check_transition,
    may_decide,
    may_withdraw,
)
from govcloud.requests.proposal import Proposal, line_plain, refusal_plain, refusal_stored
from govcloud.requests.proposing import Assessor
from govcloud.requests.steps import begun
from govcloud.requests.submitting import note
from govcloud.requests.wishes import Wish
from govcloud.requests.world import policy_in_force
from govcloud.store import requests
from govcloud.store.tables import DecisionRow, RequestRow
from govcloud.store.unit import Unit

SUBMITS: Final = ("submit", "resubmit")
Refused = ConflictError | InvalidInputError | PolicyDeniedError | QuotaExceededError


@dataclass(frozen=True, slots=True)
class Judgement:
    """What somebody decides; `version` and `digest` are of the request as they saw it."""

    verdict: Verdict
    note: str = ""
    version: int | None = None
    digest: str | None = None


def decide(
    unit: Unit, ledger: Ledger, row: RequestRow, judgement: Judgement
) -> GovcloudError | None:
    """Carry out a decision on a request that is held.

    Returns what speaks against an approval, after keeping it with the request: the caller commits
    and raises it. Raises ForbiddenError and ConflictError where nothing is to be kept.
    """
    _check_actor(unit, row, judgement.verdict)
    _check_seen(row, judgement)
    check_transition(row, judgement.verdict)
    if judgement.verdict in NEEDS_REASON and not judgement.note.strip():
        raise InvalidInputError([Diagnostic("requests.reason_required", {}, field="note")])
    if judgement.verdict is Verdict.APPROVE:
        return _approve(unit, ledger, row, judgement)
    _close(unit, row, judgement)
    return None


def _check_actor(unit: Unit, row: RequestRow, verdict: Verdict) -> None:
    if verdict is Verdict.WITHDRAW:
        if not may_withdraw(unit.actor, row):
            raise ForbiddenError("requests.may_not_withdraw", request=row.id)
        return
    if not may_decide(unit.actor, row):
        raise ForbiddenError("requests.may_not_decide", request=row.id, role=unit.actor.role)
    history = requests.decisions(unit.session, row.id)
    submitters = {entry.actor for entry in history if entry.verdict in SUBMITS}
    if unit.actor.name in submitters | {row.submitted_by}:
        raise ForbiddenError("requests.own_request", request=row.id)
    again = verdict is Verdict.APPROVE and unit.actor.name in _approvers(history)
    if again and policy_in_force(unit.session, city_day(unit.now)).distinct_approvers:
        raise ForbiddenError("requests.approved_before", request=row.id)


def _approvers(history: Iterable[DecisionRow]) -> set[str]:
    """Return who has approved a step since the request was submitted last."""
    found: set[str] = set()
    for entry in history:
        if entry.verdict in SUBMITS:
            found.clear()
        elif entry.verdict == Verdict.APPROVE.value:
            found.add(entry.actor)
    return found


def _check_seen(row: RequestRow, judgement: Judgement) -> None:
    stale = judgement.version is not None and judgement.version != row.version
    other = judgement.digest is not None and judgement.digest != row.digest
    if stale or other:
        raise ConflictError("requests.was_decided", request=row.id, state=row.state)


def _step(row: RequestRow) -> str:
    return str(row.steps[row.step]["name"]) if row.step < len(row.steps) else ""


def _close(unit: Unit, row: RequestRow, judgement: Judgement) -> None:
    ends = {
        Verdict.REJECT: State.REJECTED,
        Verdict.RETURN: State.RETURNED,
        Verdict.WITHDRAW: State.WITHDRAWN,
    }
    step = _step(row)
    state = ends[judgement.verdict]
    _move(unit, row, {"state": state.value})
    if state is not State.RETURNED:
        requests.unclaim(unit.session, row.id)
    note(unit, row, judgement.verdict.value, judgement.note, row.policy_version, step=step)


def _approve(
    unit: Unit, ledger: Ledger, row: RequestRow, judgement: Judgement
) -> GovcloudError | None:
    last = row.step + 1 >= len(row.steps)
    stored = [Change.from_stored(change) for change in row.changes]
    try:
        proposal = _judge_anew(unit, ledger, row, stored, hold=last)
    except (ConflictError, InvalidInputError, PolicyDeniedError) as refused:
        return _block(unit, row, refused)
    step = _step(row)
    if not last:
        today, following = city_day(unit.now), row.step + 1
        steps = begun(row.steps, following, policy_in_force(unit.session, today), today)
        _move(unit, row, {"step": following, "steps": steps, "blocked": None})
    else:
        built = build(unit, ledger, row, proposal)
        if not built.granted:
            return _block(unit, row, QuotaExceededError([refusal_plain(r) for r in built.refusals]))
        state = State.PROVISIONING if built.building else State.FULFILLED
        values = {
            "state": state.value,
            "blocked": None,
            "changes": [change.stored() for change in built.changes],
            "quota": [line_plain(line) for line in built.lines],
        }
        _move(unit, row, values)
        requests.unclaim(unit.session, row.id)
    note(unit, row, "approve", judgement.note, proposal.policy_version, step=step)
    return None


def _judge_anew(
    unit: Unit, ledger: Ledger, row: RequestRow, stored: Sequence[Change], *, hold: bool
) -> Proposal:
    """Return the proposal as it comes to now; raises where it no longer is what was submitted."""
    wish = Wish(
        row.department,
        tuple(change.draft for change in stored if change.action is not Action.RELEASE),
        tuple(change.key for change in stored if change.action is Action.RELEASE),
    )
    assessor = Assessor(unit.session, ledger, unit.now, hold=hold, ask_ledger=False)
    try:
        proposal = assessor.assess(wish, row.justification)
    except NotFoundError as error:
        gone = [str(error.params.get("name"))]
        raise ConflictError("requests.has_moved", request=row.id, objects=gone) from error
    changed = moved(stored, proposal.effective)
    if changed or proposal.digest != row.digest:
        objects = [str(key) for key in changed]
        raise ConflictError("requests.has_moved", request=row.id, objects=objects)
    proposal.deny()
    return proposal


def _block(unit: Unit, row: RequestRow, refused: Refused) -> GovcloudError:
    """Keep what speaks against an approval with the request, which stays in review."""
    diagnostics = refused.diagnostics if isinstance(refused, InvalidInputError) else ()
    blocked = {
        "reason": refused.reason,
        "key": refused.key,
        "params": refused.params,
        "at": unit.now.isoformat(),
        "by": unit.actor.name,
        "diagnostics": [
            {"key": fault.key, "params": dict(fault.params), "field": fault.field}
            for fault in diagnostics
        ],
        **refused.details(),
    }
    if isinstance(refused, QuotaExceededError):
        blocked["refusals"] = [refusal_stored(refusal) for refusal in refused.refusals]
    _move(unit, row, {"blocked": json.loads(json.dumps(blocked, default=str))})
    unit.audit(
        "request.blocked",
        row.id,
        department=row.department,
        request_id=row.id,
        after=row.digest,
        outcome="refused",
        detail={"reason": refused.reason, "step": _step(row)},
    )
    return refused


def _move(unit: Unit, row: RequestRow, values: Mapping[str, Any]) -> None:
    before = row.state
    if not requests.move(unit.session, row, values, unit.now):
        raise ConflictError("requests.was_decided", request=row.id, state=before)
