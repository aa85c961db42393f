"""Beyond yes and no: reviewers added, steps reassigned and taken again, conditions, emergencies."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from govcloud.domain.access import Actor, Role
from govcloud.domain.kinds.governance import PolicySpec
from govcloud.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    PolicyDeniedError,
    UsageError,
)
from govcloud.policy.calendar import due, elapsed
from govcloud.policy.context import city_day
from govcloud.requests import inbox
from govcloud.requests.deadlines import Notice, notices
from govcloud.requests.desk import Verdict
from govcloud.requests.fulfilment import settle
from govcloud.requests.views import brief, full
from govcloud.requests.world import policy_in_force
from govcloud.store import requests
from govcloud.store.tables import AuditRow, ObjectRow, RequestRow
from govcloud.store.unit import Store
from govcloud.store.users import Grant, grant
from govcloud.testing import town as words
from govcloud.testing.clock import FixedClock
from govcloud.testing.town import (
    ADMIN,
    APPROVER,
    AUDITOR,
    HEALTH,
    OPERATOR,
    SCHOOLS,
    Town,
    leaves_nothing,
    machine,
    system,
)
from quotas.store import SqlLedger

SECOND = Actor("second", Role.APPROVER)
BOSS = Actor("health-boss", Role.APPLICANT, "health")
STEPS = [
    {"name": "desk-review", "role": "approver", "within": 5},
    {"name": "tech-review", "role": "operator"},
    {"name": "admin-review", "role": "approver"},
]
EMERGENCY = {
    "steps": [{"name": "desk-review", "role": "operator"}],
    "reviews": [{"name": "admin-review", "role": "approver"}],
}
DAY = timedelta(days=1).total_seconds()


@pytest.fixture
def town(store: Store) -> Town:
    town = Town(store, SqlLedger()).found()
    town.apply(words.policy(approval=[{"steps": STEPS}], emergency=EMERGENCY))
    with store.unit(ADMIN) as unit:
        for actor in (APPROVER, SECOND, OPERATOR, AUDITOR, HEALTH, BOSS, SCHOOLS):
            grant(unit, Grant(actor.name, actor.role, actor.department or None))
    return town


def decide(town: Town, row: RequestRow, verdict: Verdict, actor: Actor, **said: Any) -> RequestRow:
    return town.desk.decide(actor, row.id, verdict, **said)


def seen(town: Town, row: RequestRow) -> dict[str, Any]:
    with town.store.reading() as session:
        return full(session, requests.get_request(session, ADMIN, row.id), "zh")


def names(row: RequestRow) -> list[tuple[str, str]]:
    return [(step["name"], step["role"]) for step in row.steps]


def noticed(town: Town, row: RequestRow) -> set[Notice]:
    with town.store.reading() as session:
        today = city_day(town.store.clock.now())
        found = requests.get_request(session, ADMIN, row.id)
        return set(notices(found, policy_in_force(session, today), today))


def mine(town: Town, actor: Actor) -> list[str]:
    with town.store.reading() as session:
        return inbox.mine(session, actor, town.store.clock.now())


def test_somebody_else_is_heard_before_the_step_is_decided(town: Town) -> None:
    """APP-3 加办: the step comes again after the one that was added."""
    request = town.submit(system())
    request = decide(town, request, Verdict.ADD_REVIEWER, APPROVER, role=Role.OPERATOR, note="fit?")
    assert names(request) == [
        ("desk-review", "operator"), ("desk-review", "approver"),
        ("tech-review", "operator"), ("admin-review", "approver"),
    ]  # fmt: skip
    assert request.step == 0
    leaves_nothing(town, ForbiddenError, lambda: decide(town, request, Verdict.APPROVE, APPROVER))
    request = decide(town, request, Verdict.APPROVE, OPERATOR)
    assert (request.step, request.steps[1]["since"]) == (1, request.steps[0]["since"])
    request = decide(town, request, Verdict.APPROVE, APPROVER)
    assert request.step == 2
    history = seen(town, request)["decisions"]
    assert [entry["verdict"] for entry in history] == [
        "submit", "add-reviewer", "approve", "approve",
    ]  # fmt: skip
    assert (history[1]["detail"], history[1]["note"]) == ({"role": "operator"}, "fit?")


def test_a_step_is_given_to_a_person_and_to_nobody_else(town: Town) -> None:
    """APP-3 转发: only that person and administrators decide it, with the time that is left."""
    request = town.submit(system())
    before = request.steps[0]["due"]
    request = decide(town, request, Verdict.REASSIGN, APPROVER, user="second")
    assert (request.steps[0]["assignee"], request.steps[0]["due"]) == ("second", before)
    assert (mine(town, APPROVER), mine(town, SECOND)) == ([], [request.id])
    leaves_nothing(town, ForbiddenError, lambda: decide(town, request, Verdict.APPROVE, APPROVER))
    inside = decide(town, request, Verdict.REASSIGN, SECOND, user="health-boss")
    leaves_nothing(town, ForbiddenError, lambda: decide(town, request, Verdict.APPROVE, SECOND))
    assert decide(town, inside, Verdict.APPROVE, BOSS).step == 1
    with town.store.reading() as session:
        rows = session.exec(select(AuditRow).where(AuditRow.action == "request.reassign")).all()
    assert [row.detail["user"] for row in rows] == ["second", "health-boss"]


@pytest.mark.parametrize("user", ["secnd", "auditor", "health-clerk", "schools-clerk"])
def test_only_who_may_decide_is_given_a_step(town: Town, user: str) -> None:
    """Nobody unknown, no auditor, not the submitter, nobody of another department."""
    request = town.submit(system())
    error = leaves_nothing(
        town, UsageError, lambda: decide(town, request, Verdict.REASSIGN, APPROVER, user=user)
    )
    assert (error.params.get("meant") == "second") == (user == "secnd")


def test_a_step_goes_to_a_user_or_to_a_role_that_decides(town: Town) -> None:
    request = town.submit(system())
    for said in ({}, {"user": "second", "role": Role.OPERATOR}, {"role": Role.AUDITOR}):
        leaves_nothing(
            town,
            InvalidInputError,
            lambda said=said: decide(town, request, Verdict.REASSIGN, APPROVER, **said),
        )
    for actor in (OPERATOR, AUDITOR, HEALTH, SCHOOLS):
        expected = NotFoundError if actor is SCHOOLS else ForbiddenError
        leaves_nothing(
            town,
            expected,
            lambda actor=actor: decide(town, request, Verdict.REASSIGN, actor, role=Role.OPERATOR),
        )


def test_an_earlier_step_is_taken_again(town: Town) -> None:
    """APP-3 回退: approvals from there on no longer count, and may be given by the same people."""
    request = town.submit(system())
    leaves_nothing(
        town,
        ConflictError,
        lambda: decide(town, request, Verdict.SEND_BACK, APPROVER, note="unclear"),
    )
    decide(town, request, Verdict.APPROVE, APPROVER)
    decide(town, request, Verdict.APPROVE, OPERATOR)
    leaves_nothing(
        town, InvalidInputError, lambda: decide(town, request, Verdict.SEND_BACK, SECOND)
    )
    error = leaves_nothing(
        town,
        UsageError,
        lambda: decide(town, request, Verdict.SEND_BACK, SECOND, note="?", step="desk-reveiw"),
    )
    assert error.params["meant"] == "desk-review"
    back = decide(town, request, Verdict.SEND_BACK, SECOND, note="sizes?")
    assert (back.step, back.state) == (1, "review")
    assert "approvedBy" not in back.steps[1]
    back = decide(town, back, Verdict.APPROVE, OPERATOR)
    back = decide(town, back, Verdict.SEND_BACK, SECOND, note="who?", step="desk-review")
    assert (back.step, seen(town, back)["decisions"][-1]["detail"]) == (0, {"to": "desk-review"})
    for actor in (APPROVER, OPERATOR, SECOND):
        back = decide(town, back, Verdict.APPROVE, actor)
    assert back.state == "fulfilled"


def test_an_approval_on_a_condition_is_kept_until_somebody_confirms_it(
    town: Town, clock: FixedClock
) -> None:
    """APP-5 限期完善: it goes on, the condition is shown, and stays open until it is met."""
    request = town.submit(system())
    by = city_day(clock.now()) + timedelta(days=10)
    for said in ({"condition": " ", "by": by}, {"condition": "file it"},
                 {"condition": "file it", "by": by - timedelta(days=20)}):  # fmt: skip
        leaves_nothing(
            town,
            InvalidInputError,
            lambda said=said: decide(town, request, Verdict.APPROVE, APPROVER, **said),
        )
    leaves_nothing(
        town,
        ConflictError,
        lambda: decide(town, request, Verdict.CONFIRM, APPROVER),
    )
    decide(town, request, Verdict.APPROVE, APPROVER, condition="file it", by=by)
    decide(town, request, Verdict.APPROVE, OPERATOR, condition="add IPv6", by=by)
    done = decide(town, request, Verdict.APPROVE, SECOND)
    assert done.state == "fulfilled"
    assert [(c["number"], c["text"], c["due"]) for c in brief(done)["conditions"]] == [
        (1, "file it", by.isoformat()), (2, "add IPv6", by.isoformat()),
    ]  # fmt: skip
    assert mine(town, HEALTH) == [request.id]
    assert noticed(town, request) == set()
    clock.advance(11 * DAY)
    assert noticed(town, request) == {Notice.CONDITION_DUE}
    leaves_nothing(town, ForbiddenError, lambda: decide(town, request, Verdict.CONFIRM, HEALTH))
    leaves_nothing(
        town, ConflictError, lambda: decide(town, request, Verdict.CONFIRM, OPERATOR, number=1)
    )
    done = decide(town, request, Verdict.CONFIRM, OPERATOR, note="seen")
    assert [c.get("metBy") for c in brief(done)["conditions"]] == [None, "operator"]
    done = decide(town, done, Verdict.CONFIRM, ADMIN, number=1)
    assert (noticed(town, done), mine(town, HEALTH)) == (set(), [])


def test_what_is_urgent_is_built_first_and_reviewed_afterwards(
    town: Town, clock: FixedClock
) -> None:
    """APP-11: by the steps of the emergency path; what is not reviewed in time is noticed."""
    lease = {"end": (city_day(clock.now()) + timedelta(days=20)).isoformat()}
    wanted = machine(environment="emergency", lease=lease)
    request = town.submit(system(), wanted, urgent=True, justification="flood")
    assert names(request) == [("desk-review", "operator"), ("admin-review", "approver")]
    request = decide(town, request, Verdict.APPROVE, OPERATOR)
    assert (request.state, request.step) == ("provisioning", 1)
    policy = PolicySpec.model_validate({"version": "1", "effectiveFrom": "2026-01-01"})
    assert brief(request)["due"] == due(city_day(clock.now()), 2, policy).isoformat()
    assert (mine(town, APPROVER), mine(town, OPERATOR)) == ([request.id], [])
    with town.store.unit(ADMIN) as unit:
        row = unit.session.exec(select(ObjectRow).where(ObjectRow.name == "web")).one()
        row.ready, row.observed_generation = True, row.generation
        settle(unit, [request.id])
    clock.advance(7 * DAY)
    assert noticed(town, request) == {Notice.OVERDUE, Notice.IDLE}
    with town.store.reading() as session:
        counted = inbox.counts(session, APPROVER, clock.now())
        listed = requests.list_requests(session, ADMIN, states=(), unreviewed=True)
    assert counted == {"waiting": 1, "after-review": 1, "overdue": 1, "idle": 1}
    assert [row.id for row in listed.items] == [request.id]
    leaves_nothing(town, ConflictError, lambda: decide(town, request, Verdict.WITHDRAW, HEALTH))
    done = decide(town, request, Verdict.APPROVE, APPROVER, note="was needed")
    assert (done.state, done.step) == ("fulfilled", 2)
    leaves_nothing(town, ConflictError, lambda: decide(town, done, Verdict.APPROVE, SECOND))
    with town.store.reading() as session:
        assert not requests.list_requests(session, ADMIN, states=(), unreviewed=True).items


def test_an_objection_afterwards_is_kept_and_takes_nothing_away(
    town: Town, clock: FixedClock
) -> None:
    lease = {"end": (city_day(clock.now()) + timedelta(days=20)).isoformat()}
    wanted = machine(environment="emergency", lease=lease)
    request = town.submit(system(), wanted, urgent=True, justification="flood")
    decide(town, request, Verdict.APPROVE, OPERATOR)
    leaves_nothing(town, InvalidInputError, lambda: decide(town, request, Verdict.REJECT, APPROVER))
    done = decide(town, request, Verdict.REJECT, APPROVER, note="no flood")
    assert (done.state, done.step, done.steps[1]["objectedBy"]) == ("provisioning", 2, "approver")
    assert mine(town, APPROVER) == []


def test_urgent_requests_are_for_explained_emergencies_where_the_city_has_a_path(
    town: Town,
) -> None:
    error = leaves_nothing(
        town, PolicyDeniedError, lambda: town.submit(system(), machine(), urgent=True)
    )
    assert {found["key"] for found in error.findings} == {
        "policy.APP-11", "policy.APP-11_unexplained",
    }  # fmt: skip
    town.apply(words.policy(approval=[{"steps": STEPS}], emergency=None))
    error = leaves_nothing(
        town,
        PolicyDeniedError,
        lambda: town.submit(system(), urgent=True, justification="flood"),
    )
    assert [found["key"] for found in error.findings] == ["policy.APP-11_no-path"]


def test_what_waits_is_noticed_before_and_after_its_time(town: Town, clock: FixedClock) -> None:
    """APP-7, APP-9: soon due at 80 % of the limit, overdue after it, idle after two days."""
    request = town.submit(system())
    policy = PolicySpec.model_validate({"version": "1", "effectiveFrom": "2026-01-01"})
    begun = city_day(clock.now())
    found = {}
    while len(found) < 12:
        spent = elapsed(begun, city_day(clock.now()), policy)
        found.setdefault(spent, noticed(town, request))
        clock.advance(DAY)
    assert [found[spent] for spent in range(4)] == [set(), set(), {Notice.IDLE}, {Notice.IDLE}]
    assert found[4] == found[5] == {Notice.IDLE, Notice.DUE_SOON}
    assert found[6] == found[10] == {Notice.IDLE, Notice.OVERDUE}
    assert found[11] == {Notice.IDLE, Notice.OVERDUE, Notice.LONG}


def test_each_is_shown_what_waits_for_them(town: Town) -> None:
    request = town.submit(system())
    everybody = (APPROVER, SECOND, OPERATOR, AUDITOR, HEALTH, BOSS, SCHOOLS)

    def waits_for() -> list[str]:
        return [actor.name for actor in everybody if mine(town, actor)]

    assert waits_for() == ["approver", "second"]
    decide(town, request, Verdict.APPROVE, APPROVER)
    assert waits_for() == ["operator"]
    decide(town, request, Verdict.APPROVE, OPERATOR)
    assert waits_for() == ["second"]
    decide(town, request, Verdict.RETURN, SECOND, note="?")
    assert waits_for() == ["health-clerk", "health-boss"]
