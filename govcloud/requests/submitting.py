"""Handing in: a proposal becomes a request with a number, holding its objects."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, col, select

from govcloud.domain.access import Actor
from govcloud.domain.keys import ObjectKey
from govcloud.errors import ConflictError, Text, UsageError
from govcloud.policy.context import city_day
from govcloud.ports.ledger import Ledger
from govcloud.requests.changes import Change
from govcloud.requests.life import State
from govcloud.requests.metering import Used
from govcloud.requests.proposal import Proposal, findings_plain, line_plain
from govcloud.requests.proposing import Assessor
from govcloud.requests.rebuilding import Anew, unknown
from govcloud.requests.records import keep
from govcloud.requests.steps import begun
from govcloud.requests.wishes import Wish
from govcloud.requests.world import policy_in_force
from govcloud.store import requests
from govcloud.store.tables import ObjectRow, RequestRow
from govcloud.store.unit import Unit


class NothingToDoError(UsageError):
    """Everything is already as it is wanted: no request is made of that, and nothing is wrong."""

    reason = "nothing-to-do"


@dataclass(frozen=True, slots=True)
class Submission:
    """What is handed in beside the wish.

    `digest` is of the plan that the user saw: the change set must still be that. `replaces` names
    the returned request that this one corrects. `allow_replace` names what may be built anew, with
    the loss of what is on it (`Change.replaced`). `used` is what is in use of what becomes smaller,
    `anew` says what a change builds anew.
    """

    wish: Wish
    title: str = ""
    justification: str = ""
    idempotency_key: str | None = None
    replaces: str | None = None
    digest: str | None = None
    allow_replace: frozenset[str] = frozenset()
    used: Used = field(default_factory=dict)
    anew: Anew = unknown


def submit(unit: Unit, ledger: Ledger, submission: Submission) -> RequestRow:
    """Write a request, or return the one that the same idempotency key has made already.

    Raises PolicyDeniedError, QuotaExceededError, InvalidInputError, and ConflictError where
    another open request holds one of the objects. Nothing is left behind then.
    """
    known = _already(unit, submission)
    if known is not None:
        return known
    session = unit.session
    returned = None
    if submission.replaces:
        department = submission.wish.department
        returned = to_be_replaced(session, unit.actor, submission.replaces, department, lock=True)
    assessor = Assessor(session, ledger, unit.now, used=submission.used, anew=submission.anew)
    proposal = assessor.assess(submission.wish, submission.justification)
    if not proposal.effective:
        raise NothingToDoError("requests.nothing_to_do", count=len(proposal.changes))
    if submission.digest is not None and submission.digest != proposal.digest:
        raise ConflictError("requests.plan_is_stale")
    proposal.deny()
    _refuse_losses(proposal, submission.allow_replace)
    if returned is not None:
        return _again(unit, returned, submission, proposal)
    return _first(unit, submission, proposal)


def _refuse_losses(proposal: Proposal, allowed: frozenset[str]) -> None:
    """Raise UsageError for what would be built anew although nobody has said that it may be."""
    missing = proposal.lost(allowed)
    if missing:
        flags = " ".join(f"--allow-replace {name}" for name in sorted({*missing, *allowed}))
        raise UsageError("requests.would_replace", objects=missing, flags=flags)


def _already(unit: Unit, submission: Submission) -> RequestRow | None:
    key = submission.idempotency_key
    if not key:
        return None
    row = requests.by_idempotency_key(unit.session, submission.wish.department, key)
    if row is None:
        return None
    if not _same(unit, row, submission.wish):
        raise ConflictError("requests.key_is_used", idempotency_key=key)
    return row


def _same(unit: Unit, row: RequestRow, wish: Wish) -> bool:
    """Whether a request asks for what is wished: what it does not ask for must be as wished."""
    asked = {change.key: change for change in map(Change.from_stored, row.changes)}
    wanted = {draft.key: draft.digest for draft in wish.drafts}
    if not asked.keys() <= wanted.keys() | set(wish.releases):
        return False
    return all(
        asked[key].digest == digest if key in asked else _stands(unit, key, digest)
        for key, digest in wanted.items()
    ) and all(key in asked for key in wish.releases)


def _stands(unit: Unit, key: ObjectKey, digest: str) -> bool:
    statement = select(ObjectRow.digest).where(
        col(ObjectRow.kind) == key.kind,
        col(ObjectRow.department) == key.department,
        col(ObjectRow.name) == key.name,
    )
    return unit.session.exec(statement).first() == digest


def to_be_replaced(
    session: Session, actor: Actor, request: str, department: str, *, lock: bool = False
) -> RequestRow:
    """Return the request that a department is to hand in again; ConflictError where it cannot."""
    row = requests.get_request(session, actor, request, lock=lock)
    if row.department != department:
        params = {"department": department, "other": row.department}
        raise ConflictError("requests.of_another_department", request=row.id, **params)
    if State(row.state) is not State.RETURNED:
        raise ConflictError("requests.not_returned", request=row.id, state=row.state)
    return row


def _first(unit: Unit, submission: Submission, proposal: Proposal) -> RequestRow:
    year = city_day(unit.now).year
    session, counter = unit.session, f"requests-{year}"
    number = requests.hold_counter(session, counter) + 1
    known = _already(unit, submission)  # somebody may have come first while we waited
    if known is not None:
        return known
    row = RequestRow(
        id=f"REQ-{year}-{number:04d}",
        seq=year * 10_000_000 + number,
        department=submission.wish.department,
        state=State.REVIEW.value,
        submitted_by=unit.actor.name,
        created_at=unit.now,
        updated_at=unit.now,
        **_contents(unit, submission, proposal),
    )
    session.add(row)
    session.flush()
    requests.set_counter(session, counter, number)
    _claim(unit, row, proposal)
    keep(unit, row, "submit", submission.justification, proposal.policy_version)
    return row


def _again(unit: Unit, row: RequestRow, submission: Submission, proposal: Proposal) -> RequestRow:
    """Put a corrected request back on its way, under its old number."""
    values = _contents(unit, submission, proposal)
    if submission.idempotency_key is None:
        del values["idempotency_key"]
    before = row.digest
    values |= {
        "state": State.REVIEW.value,
        "step": 0,
        "blocked": None,
        "submitted_by": unit.actor.name,
    }
    requests.move(unit.session, row, values, unit.now)
    requests.unclaim(unit.session, row.id)
    _claim(unit, row, proposal)
    keep(unit, row, "resubmit", submission.justification, proposal.policy_version, before=before)
    return row


def _contents(unit: Unit, submission: Submission, proposal: Proposal) -> dict[str, Any]:
    before, after = proposal.price
    today, key = city_day(unit.now), submission.idempotency_key
    policy = policy_in_force(unit.session, today)
    return {
        "title": submission.title,
        "justification": submission.justification,
        "idempotency_key": requests.own_key(submission.wish.department, key) if key else None,
        "steps": begun(proposal.steps, 0, policy, today),
        "policy_version": proposal.policy_version,
        "changes": [change.stored() for change in proposal.effective],
        "digest": proposal.digest,
        "findings": findings_plain(proposal.findings),
        "quota": [line_plain(line) for line in proposal.lines],
        "price": round(after - before, 2),
    }


def _claim(unit: Unit, row: RequestRow, proposal: Proposal) -> None:
    keys = [change.key for change in proposal.effective]
    taken = _held(unit.session, requests.claim(unit.session, row.id, keys))
    if taken:
        raise ConflictError(taken[0].key, **taken[0].params, count=len(taken))


def held(session: Session, proposal: Proposal, replaces: str | None = None) -> tuple[Text, ...]:
    """Return which objects of a proposal other open requests hold than the one it corrects."""
    keys = [change.key for change in proposal.effective]
    found = requests.holders(session, keys).items()
    return _held(session, {key: holder for key, holder in found if holder != replaces})


def _held(session: Session, taken: Mapping[ObjectKey, str]) -> tuple[Text, ...]:
    statement = select(RequestRow.id).where(
        col(RequestRow.id).in_(set(taken.values())),
        col(RequestRow.state) == State.RETURNED.value,
    )
    returned = set(session.exec(statement)) if taken else set()
    return tuple(
        Text(
            "requests.object_is_returned" if holder in returned else "requests.object_is_held",
            {"object": str(key), "request": holder},
        )
        for key, holder in sorted(taken.items())
    )
