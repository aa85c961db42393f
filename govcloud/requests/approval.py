"""Approving: whether all is still as it was, and what becomes of the request.

A request is not trusted from when it was submitted: each approval judges everything anew. What
speaks against it is kept with the request, which stays where it is; the error comes after that.
"""

import json
from collections.abc import Sequence
from typing import Any

from govcloud.errors import (
    ConflictError,
    GovcloudError,
    InvalidInputError,
    NotFoundError,
    PolicyDeniedError,
    QuotaExceededError,
)
from govcloud.policy.context import Action, city_day
from govcloud.ports.ledger import Ledger
from govcloud.requests import fulfilment
from govcloud.requests.building import build
from govcloud.requests.changes import Change, moved
from govcloud.requests.conditions import condition
from govcloud.requests.judging import Judgement, change
from govcloud.requests.life import State
from govcloud.requests.proposal import Proposal, line_plain, refusal_plain, refusal_stored
from govcloud.requests.proposing import Assessor
from govcloud.requests.records import note
from govcloud.requests.steps import begun, builds_next, marked, urgent, waiting_at
from govcloud.requests.wishes import Wish
from govcloud.requests.world import policy_in_force
from govcloud.store import requests
from govcloud.store.tables import RequestRow
from govcloud.store.unit import Unit

Refused = ConflictError | InvalidInputError | PolicyDeniedError | QuotaExceededError


def approve(
    unit: Unit, ledger: Ledger, row: RequestRow, judgement: Judgement
) -> GovcloudError | None:
    """Take the step at which a request waits; with the last one before building, build it.

    Returns what speaks against that, after keeping it with the request.
    """
    step, taken = waiting_at(row), _taken(unit, row, judgement)
    if row.state != State.REVIEW.value:
        change(unit, row, taken)
        note(unit, row, judgement, row.policy_version, step=step["name"])
        return None
    building = builds_next(row)
    stored = [Change.from_stored(each) for each in row.changes]
    try:
        proposal = _judge_anew(unit, ledger, row, stored, hold=building)
    except (ConflictError, InvalidInputError, PolicyDeniedError) as refused:
        return _block(unit, row, refused)
    if building:
        built = build(unit, ledger, row, proposal)
        if not built.granted:
            return _block(unit, row, QuotaExceededError([refusal_plain(r) for r in built.refusals]))
        state = State.PROVISIONING if built.building else State.FULFILLED
        taken |= {
            "state": state.value,
            "changes": [each.stored() for each in built.changes],
            "quota": [line_plain(line) for line in built.lines],
        }
    change(unit, row, taken)
    if building:
        requests.unclaim(unit.session, row.id)
    checks = [f"{found.rule}: {found.severity.value}" for found in proposal.findings]
    note(unit, row, judgement, proposal.policy_version, step=step["name"], checks=checks)
    if building and not built.building:
        fulfilment.record(unit, row)
    return None


def _taken(unit: Unit, row: RequestRow, judgement: Judgement) -> dict[str, Any]:
    """Return what changes of a request of which a step is taken."""
    today = city_day(unit.now)
    marks: dict[str, Any] = {"approvedBy": unit.actor.name}
    if judgement.condition is not None:
        marks["condition"] = condition(judgement, today)
    policy = policy_in_force(unit.session, today)
    steps = begun(marked(row, **marks), row.step + 1, policy, today)
    return {"step": row.step + 1, "steps": steps, "blocked": None}


def _judge_anew(
    unit: Unit, ledger: Ledger, row: RequestRow, stored: Sequence[Change], *, hold: bool
) -> Proposal:
    """Return the proposal as it comes to now; raises where it no longer is what was submitted."""
    wish = Wish(
        row.department,
        tuple(each.draft for each in stored if each.action is not Action.RELEASE),
        tuple(each.key for each in stored if each.action is Action.RELEASE),
        urgent(row),
        {each.key: each.options for each in stored if each.options},
    )
    anew = {each.key: each.anew for each in stored}
    assessor = Assessor(
        unit.session,
        ledger,
        unit.now,
        hold=hold,
        ask_ledger=False,
        anew=lambda change, _world: anew.get(change.key),
    )
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
    change(unit, row, {"blocked": json.loads(json.dumps(blocked, default=str))})
    unit.audit(
        "request.blocked",
        row.id,
        department=row.department,
        request_id=row.id,
        after=row.digest,
        outcome="refused",
        detail={"reason": refused.reason, "step": waiting_at(row)["name"]},
    )
    return refused
