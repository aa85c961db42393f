"""The life of a request: who may do what, one open request an object, what is kept."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlmodel import select

from govcloud.domain.access import Actor, Role
from govcloud.domain.keys import ObjectKey
from govcloud.domain.kinds.governance import PolicySpec
from govcloud.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    PolicyDeniedError,
    QuotaExceededError,
    UsageError,
)
from govcloud.policy.calendar import due
from govcloud.policy.context import city_day
from govcloud.requests.desk import Desk, Verdict
from govcloud.requests.life import TRANSITIONS, State
from govcloud.requests.views import brief, full
from govcloud.store import requests
from govcloud.store.tables import (
    AuditRow,
    ClaimRow,
    FactRow,
    ObjectRow,
    RequestRow,
    WorkRow,
)
from govcloud.store.unit import Store
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
    counts,
    leaves_nothing,
    machine,
    read,
    system,
)
from quotas.store import SqlLedger
from quotas.tables import HoldRow

POLICY = {"version": "1", "effectiveFrom": "2026-01-01"}


@pytest.fixture
def town(store: Store) -> Town:
    return Town(store, SqlLedger()).found()


def decide(town: Town, request: RequestRow, verdict: Verdict, actor: Actor = APPROVER, **more: Any):
    return town.desk.decide(actor, request.id, verdict, **more)


def current(town: Town, request: RequestRow) -> RequestRow:
    with town.store.reading() as session:
        return requests.get_request(session, ADMIN, request.id)


def history(town: Town, request: RequestRow) -> list[tuple[str, str, str]]:
    with town.store.reading() as session:
        found = requests.decisions(session, request.id)
        return [(entry.verdict, entry.actor, entry.note) for entry in found]


def audited(town: Town, request_id: str) -> list[str]:
    with town.store.reading() as session:
        rows = session.exec(select(AuditRow).where(AuditRow.request_id == request_id))
        return [row.action for row in rows]


def test_a_submission_is_numbered_holds_its_objects_and_is_audited(town: Town) -> None:
    first = town.submit(system(), title="Records", justification="new law")
    second = town.submit(system(of="schools"), actor=SCHOOLS)
    assert (first.id, second.id) == ("REQ-2026-0001", "REQ-2026-0002")
    assert (first.state, first.step, first.policy_version) == ("review", 0, "builtin")
    assert history(town, first) == [("submit", "health-clerk", "new law")]
    assert audited(town, first.id) == ["request.submit"]


def test_numbers_begin_anew_with_the_year_on_the_wall(town: Town, clock: FixedClock) -> None:
    clock.set(datetime(2026, 12, 31, 18, 30, tzinfo=UTC))  # 02:30 in the city
    assert town.submit(system()).id == "REQ-2027-0001"


@pytest.mark.guarantee("R3")
def test_what_is_approved_becomes_desired_state_with_its_digest(town: Town) -> None:
    request = town.submit(system(), machine(count=3))
    done = decide(town, request, Verdict.APPROVE, note="agreed")
    assert (done.state, done.version) == ("provisioning", 2)
    digests = {m.key.name: m.digest for m in read(system(), machine(count=3))}
    with town.store.reading() as session:
        rows = {r.name: r for r in session.exec(select(ObjectRow).where(ObjectRow.kind != "Zone"))}
        web, records = rows["web"], rows["records"]
        work = session.exec(select(WorkRow)).all()
        hold = session.exec(select(HoldRow)).one()
        fact = session.exec(select(FactRow).where(FactRow.uid == web.uid)).one()
    assert {name: rows[name].digest for name in digests} == digests
    assert (web.phase, web.generation, web.ready, web.progressing) == ("pending", 1, False, True)
    assert (web.cloud, web.zone, web.system, web.request_id) == (
        "sim", "public", "records", request.id,
    )  # fmt: skip
    assert (records.phase, records.ready, records.observed_generation) == ("active", True, 1)
    assert [(w.uid, w.cloud, w.fresh, w.generation) for w in work] == [(web.uid, "sim", True, 1)]
    assert (hold.key, hold.owner, hold.phase) == (f"{web.uid}@1", web.uid, "reserved")
    assert hold.expires_at is not None
    assert (hold.expires_at - request.created_at).days == 7
    assert (fact.phase, fact.request_id, fact.spec["count"]) == ("pending", request.id, 3)
    assert audited(town, request.id) == [
        "request.submit", "object.create", "object.create", "request.approve",
    ]  # fmt: skip
    assert counts(town)["ClaimRow"] == 0


def test_what_is_not_built_is_fulfilled_at_once(town: Town) -> None:
    request = town.submit(
        system(), words.document("ServerRoom", "basement", {"onlyNetworkGear": True}, "health")
    )
    assert decide(town, request, Verdict.APPROVE).state == "fulfilled"


def test_a_change_is_a_new_generation_also_while_it_is_still_pending(town: Town) -> None:
    decide(town, town.submit(system(), machine()), Verdict.APPROVE)
    request = town.submit(machine(flavor="large"), justification="slow")
    decide(town, request, Verdict.APPROVE)
    with town.store.reading() as session:
        web = session.exec(select(ObjectRow).where(ObjectRow.name == "web")).one()
        keys = session.exec(select(HoldRow.key)).all()
        facts = session.exec(select(FactRow.generation).where(FactRow.uid == web.uid)).all()
    assert (web.generation, web.version, web.phase) == (2, 2, "pending")
    assert sorted(keys) == [f"{web.uid}@1", f"{web.uid}@2"]
    assert sorted(facts) == [1, 2]


@pytest.mark.guarantee("P1")
def test_nobody_decides_on_their_own_request(town: Town) -> None:
    request = town.submit(system(), actor=ADMIN)
    for verdict in (Verdict.APPROVE, Verdict.REJECT, Verdict.RETURN):
        leaves_nothing(
            town, ForbiddenError, lambda v=verdict: decide(town, request, v, ADMIN, note="x")
        )
    assert decide(town, request, Verdict.APPROVE).state == "fulfilled"


@pytest.mark.guarantee("P1")
def test_who_submitted_an_earlier_version_does_not_decide_either(town: Town) -> None:
    request = town.submit(system(), actor=ADMIN)
    decide(town, request, Verdict.RETURN, note="why?")
    again = town.submit(system(), replaces=request.id)
    leaves_nothing(town, ForbiddenError, lambda: decide(town, again, Verdict.APPROVE, ADMIN))


@pytest.mark.guarantee("P1")
def test_only_the_role_of_the_step_decides(town: Town) -> None:
    request = town.submit(system())
    reader = Actor("approver", Role.APPROVER, read_only=True)
    for actor in (OPERATOR, AUDITOR, reader, Actor("boss", Role.APPLICANT, "health")):
        leaves_nothing(
            town, ForbiddenError, lambda a=actor: decide(town, request, Verdict.APPROVE, a)
        )
    leaves_nothing(town, NotFoundError, lambda: decide(town, request, Verdict.APPROVE, SCHOOLS))


def test_rejecting_and_returning_need_a_reason_and_withdrawing_the_department(town: Town) -> None:
    request = town.submit(system())
    for verdict in (Verdict.REJECT, Verdict.RETURN):
        error = leaves_nothing(
            town, InvalidInputError, lambda v=verdict: decide(town, request, v, note=" ")
        )
        assert error.diagnostics[0].field == "note"
    for actor in (APPROVER, ADMIN):
        leaves_nothing(
            town, ForbiddenError, lambda a=actor: decide(town, request, Verdict.WITHDRAW, a)
        )
    colleague = Actor("health-boss", Role.APPLICANT, "health")
    assert decide(town, request, Verdict.WITHDRAW, colleague).state == "withdrawn"
    assert town.submit(system()).id != request.id


def test_a_rejected_request_gives_its_objects_free_and_is_closed(town: Town) -> None:
    request = town.submit(system())
    done = decide(town, request, Verdict.REJECT, note="not needed")
    assert done.state == "rejected"
    assert history(town, request)[-1] == ("reject", "approver", "not needed")
    for verdict in Verdict:
        actor = HEALTH if verdict is Verdict.WITHDRAW else APPROVER
        leaves_nothing(
            town,
            ConflictError,
            lambda v=verdict, a=actor: decide(town, request, v, a, note="x"),
        )
    town.submit(system())


def test_a_returned_request_is_corrected_under_its_number_with_its_history(town: Town) -> None:
    request = town.submit(system(), machine(), justification="first")
    decide(town, request, Verdict.RETURN, note="too small")
    held = leaves_nothing(town, ConflictError, lambda: town.submit(system()))
    assert held.params["request"] == request.id
    again = town.submit(system(), machine("app"), replaces=request.id, justification="second")
    assert (again.id, again.state, again.step) == (request.id, "review", 0)
    assert again.digest != request.digest
    assert [verdict for verdict, *_ in history(town, request)] == ["submit", "return", "resubmit"]
    with town.store.reading() as session:
        assert {c.name for c in session.exec(select(ClaimRow))} == {"records", "app"}
    assert decide(town, again, Verdict.APPROVE).state == "provisioning"


def test_only_a_returned_request_of_the_same_department_is_corrected(town: Town) -> None:
    request = town.submit(system())
    leaves_nothing(town, ConflictError, lambda: town.submit(system(), replaces=request.id))
    decide(town, request, Verdict.RETURN, note="?")
    leaves_nothing(
        town,
        NotFoundError,
        lambda: town.submit(system(of="schools"), actor=SCHOOLS, replaces=request.id),
    )
    leaves_nothing(
        town,
        ConflictError,
        lambda: town.submit(system(of="schools"), actor=ADMIN, replaces=request.id),
    )
    assert decide(town, request, Verdict.WITHDRAW, HEALTH).state == "withdrawn"


def test_one_open_request_holds_an_object(town: Town) -> None:
    request = town.submit(system(), machine())
    error = leaves_nothing(town, ConflictError, lambda: town.submit(system(), machine("app")))
    assert error.params["request"] == request.id
    assert error.params["object"] == "System health/records"


def test_the_same_key_is_the_same_request(town: Town) -> None:
    request = town.submit(system(), idempotency_key="k-1")
    before = counts(town)
    assert town.submit(system(), idempotency_key="k-1").id == request.id
    assert counts(town) == before
    for other in ((machine(), system()), (system(users="public"),), (machine(),)):
        leaves_nothing(town, ConflictError, lambda o=other: town.submit(*o, idempotency_key="k-1"))
    town.desk.decide(APPROVER, request.id, Verdict.APPROVE)
    both = town.submit(system(), machine(), idempotency_key="k-2")
    assert [change["key"][0] for change in both.changes] == ["VirtualMachine"]
    assert town.submit(system(), machine(), idempotency_key="k-2").id == both.id
    theirs = town.submit(system(of="schools"), actor=SCHOOLS, idempotency_key="k-1")
    assert theirs.id not in (request.id, both.id), "a key is a department's own"


def test_refused_submissions_leave_nothing_behind(town: Town) -> None:
    secret = system(security={"classified": True})
    denied = leaves_nothing(town, PolicyDeniedError, lambda: town.submit(secret))
    assert [f["rule"] for f in denied.findings] == ["NET-01"]
    over = leaves_nothing(
        town, QuotaExceededError, lambda: town.submit(system(), machine(count=11))
    )
    assert over.refusals[0]["department"] == "health"
    leaves_nothing(town, InvalidInputError, lambda: town.submit(machine()))
    leaves_nothing(town, ForbiddenError, lambda: town.submit(system(), actor=SCHOOLS))
    plan = town.desk.plan(HEALTH, read(system()))
    leaves_nothing(
        town, ConflictError, lambda: town.submit(system(), machine(), digest=plan.digest)
    )
    decide(town, town.submit(system(), digest=plan.digest), Verdict.APPROVE)
    leaves_nothing(town, UsageError, lambda: town.submit(system()))


def test_a_request_takes_the_steps_that_the_policy_names(town: Town) -> None:
    steps = [
        {"name": "dept-review", "role": "applicant", "ownDepartment": True},
        {"name": "tech-review", "role": "operator"},
        {"name": "admin-review", "role": "approver"},
    ]
    town.apply(
        words.policy(
            approval=[
                {"environments": ["production"], "mlpsLevels": [3], "steps": steps},
                {"kinds": ["System"], "steps": steps[2:]},
            ]
        )
    )
    simple = town.submit(system("other"))
    assert [step["name"] for step in simple.steps] == ["admin-review"]
    request = town.submit(system(), machine())
    assert request.policy_version == "2026-1"
    boss = Actor("health-boss", Role.APPLICANT, "health")
    leaves_nothing(town, ForbiddenError, lambda: decide(town, request, Verdict.APPROVE))
    leaves_nothing(town, ForbiddenError, lambda: decide(town, request, Verdict.APPROVE, HEALTH))
    request = decide(town, request, Verdict.APPROVE, boss)
    assert (request.state, request.step) == ("review", 1)
    request = decide(town, request, Verdict.APPROVE, OPERATOR)
    assert counts(town)["HoldRow"] == 0
    request = decide(town, request, Verdict.APPROVE, ADMIN)
    assert request.state == "provisioning"
    with town.store.reading() as session:
        steps_taken = [d.step for d in requests.decisions(session, request.id)]
    assert steps_taken == ["", "dept-review", "tech-review", "admin-review"]


def test_no_person_approves_two_steps_unless_the_policy_says_so(town: Town) -> None:
    """ID-4: whoever has approved a step leaves the next one to somebody else."""
    steps = [
        {"name": "desk-review", "role": "approver"},
        {"name": "admin-review", "role": "approver"},
    ]
    rules = [{"kinds": ["System"], "steps": steps}]
    town.apply(words.policy(approval=rules))
    request = decide(town, town.submit(system()), Verdict.APPROVE)
    error = leaves_nothing(town, ForbiddenError, lambda: decide(town, request, Verdict.APPROVE))
    assert error.key == "requests.approved_before"
    decide(town, request, Verdict.RETURN, note="?")
    town.submit(system(), replaces=request.id)
    assert decide(town, request, Verdict.APPROVE).step == 1  # corrected, it begins anew
    assert decide(town, request, Verdict.APPROVE, ADMIN).state == "fulfilled"
    town.apply(words.policy(approval=rules, distinctApprovers=False))
    second = decide(town, town.submit(system("other")), Verdict.APPROVE)
    assert decide(town, second, Verdict.APPROVE).state == "fulfilled"


def test_each_step_has_its_time_limit_in_working_days(town: Town) -> None:
    """APP-7, APP-8: it begins with the step, and is told until the step is decided."""
    steps = [
        {"name": "desk-review", "role": "approver", "within": 1},
        {"name": "admin-review", "role": "approver", "within": 3},
        {"name": "tech-review", "role": "operator"},
    ]
    town.apply(words.policy(approval=[{"kinds": ["System"], "steps": steps}]))
    today = city_day(town.store.clock.now())
    request = town.submit(system())
    first = brief(request)["due"]
    assert first == due(today, 1, PolicySpec.model_validate(POLICY)).isoformat()
    request = decide(town, request, Verdict.APPROVE)
    assert brief(request)["due"] == due(today, 3, PolicySpec.model_validate(POLICY)).isoformat()
    request = decide(town, request, Verdict.APPROVE, ADMIN)
    assert brief(request)["due"] is None
    assert brief(decide(town, request, Verdict.REJECT, OPERATOR, note="no"))["due"] is None


def test_a_decision_is_on_what_was_seen(town: Town) -> None:
    request = town.submit(system(), machine())
    leaves_nothing(
        town, ConflictError, lambda: decide(town, request, Verdict.APPROVE, digest="0" * 64)
    )
    leaves_nothing(town, ConflictError, lambda: decide(town, request, Verdict.APPROVE, version=7))
    decide(town, request, Verdict.RETURN, note="?", version=1, digest=request.digest)
    leaves_nothing(
        town, ConflictError, lambda: decide(town, request, Verdict.WITHDRAW, HEALTH, version=1)
    )


def test_approval_judges_anew_and_keeps_what_speaks_against_it(town: Town) -> None:
    town.apply(words.waiver("NET-03"))
    request = town.submit(system(security={"mlpsLevel": 2}))
    town.apply(words.waiver("NET-03", validUntil="2026-06-30"))
    before = counts(town)
    with pytest.raises(PolicyDeniedError):
        decide(town, request, Verdict.APPROVE)
    assert {k: v - before[k] for k, v in counts(town).items() if v != before[k]} == {"AuditRow": 1}
    row = current(town, request)
    assert (row.state, row.step) == ("review", 0)
    shown = brief(row, "zh")["blocked"]
    assert shown["reason"] == "policy-denied"
    assert "等保三级" in shown["findings"][0]["message"]
    town.apply(words.waiver("NET-03", validUntil="2026-12-31"))
    assert decide(town, request, Verdict.APPROVE).blocked is None


@pytest.mark.guarantee("Q4")
def test_quota_that_is_gone_by_the_time_of_approval_blocks(town: Town) -> None:
    first = town.submit(system(), machine(count=6))
    second = town.submit(system("other"), machine("app", system="other", count=6))
    decide(town, first, Verdict.APPROVE)
    with pytest.raises(QuotaExceededError) as caught:
        decide(town, second, Verdict.APPROVE)
    refusal = caught.value.refusals[0]
    assert (refusal["level"], refusal["limit"], refusal["reserved"], refusal["available"]) == (
        "department", 10, 6, 4,
    )  # fmt: skip
    with town.store.reading() as session:
        assert not session.exec(select(ObjectRow).where(ObjectRow.name == "app")).all()
        seen = full(session, requests.get_request(session, ADMIN, second.id), "en")
    assert seen["blocked"]["refusals"][0]["message"].startswith("health (department)")
    town.apply(words.quota("health", "health", 20), force=True)
    town.apply(words.quota("town", "town", 20, overcommit=3))
    assert decide(town, second, Verdict.APPROVE).state == "provisioning"


def test_references_that_are_gone_by_the_time_of_approval_block(town: Town) -> None:
    request = town.submit(system(), machine())
    town.desk.delete_platform(ADMIN, [ObjectKey("Flavor", "", "small")])
    with pytest.raises(InvalidInputError):
        decide(town, request, Verdict.APPROVE)
    (told,) = brief(current(town, request), "en")["blocked"]["diagnostics"]
    assert told["message"].startswith("There is no Flavor `small`")


def test_objects_that_have_moved_make_a_request_stale(town: Town) -> None:
    decide(town, town.submit(system(), machine()), Verdict.APPROVE)
    request = town.submit(machine(flavor="large"))
    with town.store.unit(ADMIN) as unit:  # as no way through the desk would do it
        web = unit.session.exec(select(ObjectRow).where(ObjectRow.name == "web")).one()
        web.generation += 1
    with pytest.raises(ConflictError) as caught:
        decide(town, request, Verdict.APPROVE)
    assert caught.value.params["objects"] == ["VirtualMachine health/web"]
    assert current(town, request).blocked["reason"] == "conflict"
    with town.store.unit(ADMIN) as unit:
        web = unit.session.exec(select(ObjectRow).where(ObjectRow.name == "web")).one()
        unit.session.delete(web)
    with pytest.raises(ConflictError):
        decide(town, request, Verdict.APPROVE)


def test_everything_about_a_request_is_shown(town: Town, clock: FixedClock) -> None:
    request = town.submit(system(security={"cryptoAssessmentDate": None}), machine(), title="T")
    clock.advance(60)
    decide(town, request, Verdict.APPROVE, note="agreed")
    with town.store.reading() as session:
        seen = full(session, requests.get_request(session, HEALTH, request.id), "zh")
    assert seen["summary"] == {"create": 2, "change": 0, "release": 0, "unchanged": 0}
    assert seen["progress"] == {"ready": 1, "total": 2}
    assert seen["price"] == {"before": 0, "after": 125.0}
    assert [d["verdict"] for d in seen["decisions"]] == ["submit", "approve"]
    assert "密评" in seen["findings"][0]["message"]
    assert [c["kind"] for c in seen["changes"]] == ["System", "VirtualMachine"]
    assert seen["updatedAt"] > seen["createdAt"]


def test_every_state_is_left_or_is_an_end() -> None:
    left = {state for (state, _), targets in TRANSITIONS.items() if targets - {state}}
    left |= {State.PROVISIONING}
    assert set(State) - left == {State.FULFILLED, State.REJECTED, State.WITHDRAWN}
    reached = {target for targets in TRANSITIONS.values() for target in targets}
    assert reached == set(State)


def test_a_desk_is_only_its_store_and_ledger(town: Town) -> None:
    other = Desk(town.store, SqlLedger())
    request = town.submit(system(), machine())
    assert other.decide(APPROVER, request.id, Verdict.APPROVE).state == "provisioning"
