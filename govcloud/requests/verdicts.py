"""One mechanism for all verdicts: each is checked alike, does its own, and is kept alike."""

from collections.abc import Callable, Mapping
from typing import Final

from govcloud.errors import GovcloudError
from govcloud.ports.ledger import Ledger
from govcloud.requests.approval import approve
from govcloud.requests.conditions import confirm
from govcloud.requests.judging import Judgement, change, check
from govcloud.requests.life import State, Verdict
from govcloud.requests.records import note
from govcloud.requests.routing import add_reviewer, reassign, send_back
from govcloud.requests.steps import marked, waiting_at
from govcloud.store import requests
from govcloud.store.tables import RequestRow
from govcloud.store.unit import Unit

_ENDS: Final = {
    Verdict.REJECT: State.REJECTED,
    Verdict.RETURN: State.RETURNED,
    Verdict.WITHDRAW: State.WITHDRAWN,
}


def decide(
    unit: Unit, ledger: Ledger, row: RequestRow, judgement: Judgement
) -> GovcloudError | None:
    """Carry out a decision on a request that is held.

    Returns what speaks against an approval, after keeping it with the request: the caller commits
    and raises it. Raises ForbiddenError and ConflictError where nothing is to be kept.
    """
    check(unit, row, judgement)
    if judgement.verdict is Verdict.APPROVE:
        return approve(unit, ledger, row, judgement)
    _DOES[judgement.verdict](unit, row, judgement)
    return None


def _close(unit: Unit, row: RequestRow, judgement: Judgement) -> None:
    step = waiting_at(row).get("name", "")
    state = _ENDS[judgement.verdict]
    change(unit, row, {"state": state.value})
    if state is not State.RETURNED:
        requests.unclaim(unit.session, row.id)
    note(unit, row, judgement, row.policy_version, step=step)


def _reject(unit: Unit, row: RequestRow, judgement: Judgement) -> None:
    """Reject a request; what stands already stays until it is given back, with the objection."""
    if row.state == State.REVIEW.value:
        _close(unit, row, judgement)
        return
    step, steps = waiting_at(row), marked(row, objectedBy=unit.actor.name)
    change(unit, row, {"steps": steps, "step": len(steps)})
    note(unit, row, judgement, row.policy_version, step=step["name"])


_DOES: Final[Mapping[Verdict, Callable[[Unit, RequestRow, Judgement], None]]] = {
    Verdict.REJECT: _reject,
    Verdict.RETURN: _close,
    Verdict.WITHDRAW: _close,
    Verdict.ADD_REVIEWER: add_reviewer,
    Verdict.REASSIGN: reassign,
    Verdict.SEND_BACK: send_back,
    Verdict.CONFIRM: confirm,
}
