"""Apply: all or nothing, twice is once, a tree that is one, quotas in step with the ledger."""

from datetime import UTC, datetime

import pytest
from sqlmodel import select

from govcloud.domain.keys import ObjectKey
from govcloud.errors import (
    ConflictError,
    Diagnostic,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    QuotaExceededError,
    UsageError,
)
from govcloud.requests.desk import Verdict
from govcloud.store.tables import AuditRow, FactRow, ObjectRow
from govcloud.store.unit import Store
from govcloud.testing import town as words
from govcloud.testing.town import (
    ADMIN,
    APPROVER,
    Town,
    counts,
    leaves_nothing,
    machine,
    read,
    system,
)
from quotas.store import SqlLedger
from quotas.tables import LimitRow, NodeRow


@pytest.fixture
def empty(store: Store) -> Town:
    return Town(store, SqlLedger())


@pytest.fixture
def town(empty: Town) -> Town:
    return empty.found()


def faults(town: Town, *documents: words.Plain) -> list[Diagnostic]:
    error = leaves_nothing(town, InvalidInputError, lambda: town.apply(*documents))
    return list(error.diagnostics)


def key(kind: str, name: str) -> ObjectKey:
    return ObjectKey(kind, "", name)


def limits(town: Town, *departments: str) -> dict[tuple[str, str], int | None]:
    with town.store.reading() as session:
        lines = town.ledger.lines(session, town.store.clock.now(), list(departments) or None)
        return {
            (line.department, line.resource_class): line.limit for line in lines if not line.cloud
        }


def test_the_platform_is_laid_in_one_go_whatever_the_order(empty: Town) -> None:
    proposal = empty.desk.apply(ADMIN, read(*reversed(words.PLATFORM)))
    assert proposal.plain()["summary"]["create"] == len(words.PLATFORM)
    kinds = [change.key.kind for change in proposal.changes]
    assert kinds.index("Department") < kinds.index("Cloud") < kinds.index("Zone")
    assert kinds.index("Zone") < kinds.index("Quota")
    written = counts(empty)
    assert written["FactRow"] == written["AuditRow"] == written["ObjectRow"]
    assert limits(empty, "health")["health", "vms"] == 10


def test_applying_the_same_again_writes_nothing(town: Town) -> None:
    before = counts(town)
    with town.store.reading() as session:
        rows = {row.uid: row.model_dump() for row in session.exec(select(ObjectRow))}
    proposal = town.desk.apply(ADMIN, read(*words.PLATFORM))
    assert not proposal.effective
    assert counts(town) == before
    with town.store.reading() as session:
        assert {row.uid: row.model_dump() for row in session.exec(select(ObjectRow))} == rows


def test_a_change_is_a_new_generation_told_by_field_and_audited(town: Town) -> None:
    before = counts(town)
    proposal = town.desk.apply(ADMIN, read(words.document("Flavor", "small", {
        "vcpu": 2, "memory": "4Gi", "price": 120,
    })))  # fmt: skip
    (change,) = proposal.plain()["changes"]
    assert change["fields"] == [{"path": "spec.price", "before": 100.0, "after": 120.0}]
    grown = {name: n - before[name] for name, n in counts(town).items() if n != before[name]}
    assert grown == {"AuditRow": 1, "FactRow": 1}
    with town.store.reading() as session:
        row = session.exec(select(ObjectRow).where(ObjectRow.name == "small")).one()
        audit = session.exec(select(AuditRow).order_by(AuditRow.seq.desc())).first()  # type: ignore[attr-defined]
    assert (row.generation, row.version, row.observed_generation) == (2, 2, 2)
    assert audit is not None
    assert (audit.action, audit.after) == ("apply.change", row.digest)
    assert audit.before not in (None, audit.after)


def test_a_dry_run_says_it_all_and_writes_nothing(town: Town) -> None:
    before = counts(town)
    proposal = town.desk.apply(
        ADMIN, read(words.zone("new"), words.quota("town", "town", 1, overcommit=3)), dry_run=True
    )
    assert [c.key.name for c in proposal.effective] == ["new", "town"]
    assert counts(town) == before
    assert {(r.department, r.resource_class) for r in proposal.refusals} == {("town", "vms")}


def test_all_or_nothing(town: Town) -> None:
    leaves_nothing(
        town,
        QuotaExceededError,
        lambda: town.apply(words.zone("new"), words.quota("health", "health", 100)),
    )
    assert [f.params["name"] for f in faults(town, words.zone("new"), words.zone("far", "nimbus"))]


def test_only_administrators_apply_and_only_platform_kinds(town: Town) -> None:
    for actor in (APPROVER, words.OPERATOR, words.AUDITOR, words.HEALTH):
        leaves_nothing(
            town, ForbiddenError, lambda a=actor: town.desk.apply(a, read(words.zone("new")))
        )
    (fault,) = faults(town, system())
    assert (fault.key, fault.line is not None) == ("requests.use_submit", True)
    leaves_nothing(
        town,
        InvalidInputError,
        lambda: town.desk.delete_platform(ADMIN, [ObjectKey("System", "health", "records")]),
    )


def test_references_are_checked_with_what_was_meant(town: Town) -> None:
    found = faults(
        town,
        words.department("clinic", "helth"),
        words.zone("new", "sym"),
        words.document("Cloud", "new", {"provider": "x", "kinds": ["VirtualMachin"]}),
        words.quota("q", "school", 1, cloud="sim", zone="seen", lend={"vcpu": 1}),
        words.waiver("NETT-03", of="health"),
        words.document("Waiver", "w2", {**words.waiver("NET-01")["spec"]}),
        words.policy(
            checks={"NET-99": "error"},
            parameters={"pool-limits": 1},
            approval=[{"kinds": ["VM"], "steps": [{"name": "s", "role": "approvr"}]}],
        ),
    )
    told = {(f.field, f.params.get("meant")) for f in found}
    assert told == {
        ("spec.parent", "health"),
        ("spec.cloud", "sim"),
        ("spec.kinds[0]", "VirtualMachine"),
        ("spec.department", "schools"),
        ("spec.zone", None),
        ("spec.rule", "NET-03"),
        ("spec.rule", None),
        ("spec.checks", "NET-19"),
        ("spec.parameters", "pool-limit"),
        ("spec.approval[0].kinds", None),
        ("spec.approval[0].steps[0].role", "approver"),
    }


def test_departments_are_one_tree(town: Town) -> None:
    def keys(*documents: words.Plain) -> list[tuple[str, str | None]]:
        return [(f.key.partition(".")[2], f.field) for f in faults(town, *documents)]

    assert keys(words.department("other", None, "city")) == [("second_root", "spec.parent")]
    assert keys(words.department("clinic", "health", "town")) == [("level_ascends", "spec.level")]
    assert keys(words.department("a", "b", "office"), words.department("b", "a", "office")) == [
        ("circle", "spec.parent"),
        ("circle", "spec.parent"),
    ]
    (circle, *rest) = keys(words.department("town", "health", "county"))
    assert circle == ("circle", "Department health spec.parent")
    assert rest


def test_the_ledger_knows_the_tree(town: Town) -> None:
    town.apply(words.department("clinic", "health", "office"))
    with town.store.reading() as session:
        parents = {node.department: node.parent for node in session.exec(select(NodeRow))}
    assert parents == {"town": None, "health": "town", "schools": "town", "clinic": "health"}
    town.desk.delete_platform(ADMIN, [key("Department", "clinic")])
    with town.store.reading() as session:
        assert "clinic" not in set(session.exec(select(NodeRow.department)))


@pytest.mark.guarantee("Q5")
def test_a_limit_below_use_is_refused_or_forced(town: Town) -> None:
    request = town.submit(system(), machine(count=8))
    town.desk.decide(APPROVER, request.id, Verdict.APPROVE)
    low = words.quota("health", "health", 5)
    error = leaves_nothing(town, QuotaExceededError, lambda: town.apply(low))
    (refusal,) = error.refusals
    assert (refusal["department"], refusal["class"], refusal["limit"], refusal["reserved"]) == (
        "health", "vms", 5, 8,
    )  # fmt: skip
    town.apply(low, force=True)
    assert limits(town, "health")["health", "vms"] == 5


@pytest.mark.guarantee("Q5")
def test_a_limit_in_use_is_not_deleted_unless_forced(town: Town) -> None:
    request = town.submit(system(), machine(count=8))
    town.desk.decide(APPROVER, request.id, Verdict.APPROVE)
    gone = [key("Quota", "health")]
    error = leaves_nothing(town, QuotaExceededError, lambda: town.desk.delete_platform(ADMIN, gone))
    (refusal,) = [one for one in error.refusals if one["class"] == "vms" and not one["cloud"]]
    assert (refusal["department"], refusal["limit"], refusal["reserved"]) == ("health", 0, 8)
    assert town.desk.delete_platform(ADMIN, gone, dry_run=True).refusals
    town.desk.delete_platform(ADMIN, gone, force=True)
    assert limits(town, "health")["health", "vms"] is None


@pytest.mark.guarantee("Q5")
def test_childrens_limits_beyond_the_parents_are_refused_with_the_numbers(town: Town) -> None:
    error = leaves_nothing(
        town, QuotaExceededError, lambda: town.apply(words.quota("health", "health", 60))
    )
    assert {r["class"] for r in error.refusals} == {"vms"}
    numbers = {(r["limit"], r["requested"]) for r in error.refusals}
    assert all(isinstance(n, int) for pair in numbers for n in pair)


def test_limits_are_moved_between_levels_in_one_go(town: Town) -> None:
    town.apply(words.quota("town", "town", 100), words.quota("health", "health", 90),
               words.quota("schools", "schools", 10), force=True)  # fmt: skip
    town.apply(words.quota("town", "town", 20, overcommit=3), words.quota("health", "health", 5))
    assert limits(town)["town", "vms"] == 20
    town.apply(words.quota("health", "health", 50), words.quota("town", "town", 80, overcommit=3))
    assert limits(town)["health", "vms"] == 50


def test_a_second_limit_for_what_is_limited_is_refused(town: Town) -> None:
    """Of two the tighter would hold, and whoever raised the other would wonder."""

    def second(name: str, vms: int, **spec: object) -> words.Plain:
        told = {"department": "health", "limits": {"vms": vms}, **spec}
        return words.document("Quota", name, told)

    (fault,) = faults(town, second("more", 20))
    assert (fault.key, fault.field) == ("requests.limited_twice", "spec.limits")
    assert (fault.params["other"], fault.params["classes"]) == ("health", ["vms"])
    here = {"cloud": "sim"}
    told = faults(town, second("one", 2, **here), second("two", 2, **here))
    assert {fault.params["other"] for fault in told} == {"one", "two"}
    town.apply(second("here", 9, **here), second("tighter", 9, validUntil="2099-12-31"))
    town.apply(words.quota("anew", "health", 10), prune=[key("Quota", "health")])
    assert limits(town, "health")["health", "vms"] == 9


def test_a_system_has_one_plan(town: Town) -> None:
    """Of two, which one runs would be anybody's guess."""
    plan = {"department": "health", "system": "portal"}
    town.apply(words.document("MigrationPlan", "one", plan))
    (fault,) = faults(town, words.document("MigrationPlan", "two", plan))
    assert (fault.key, fault.params["other"]) == ("requests.planned_twice", "one")
    told = faults(
        town,
        words.document("MigrationPlan", "three", {**plan, "system": "till"}),
        words.document("MigrationPlan", "four", {**plan, "system": "till"}),
    )
    assert {fault.params["other"] for fault in told} == {"three", "four"}
    town.apply(words.document("MigrationPlan", "two", plan), prune=[key("MigrationPlan", "one")])


def test_quotas_hold_from_their_first_to_the_end_of_their_last_day(town: Town) -> None:
    town.apply(
        words.document(
            "Quota",
            "summer",
            {
                "department": "health",
                "type": "grant",
                "limits": {"vms": 1},
                "validFrom": "2026-07-01",
                "validUntil": "2026-07-31",
            },
        )
    )
    with town.store.reading() as session:
        grant = session.exec(select(LimitRow).where(LimitRow.temporary)).one()
    assert grant.valid_from == datetime(2026, 6, 30, 16, tzinfo=UTC)
    assert grant.valid_until == datetime(2026, 7, 31, 16, tzinfo=UTC)
    assert limits(town, "health")["health", "vms"] == 11
    town.desk.delete_platform(ADMIN, [key("Quota", "summer")])
    assert limits(town, "health")["health", "vms"] == 10


def test_what_is_referred_to_is_not_deleted_and_the_refusal_names_by_whom(town: Town) -> None:
    request = town.submit(system(), machine())
    town.desk.decide(APPROVER, request.id, Verdict.APPROVE)
    for kind, name, user in (
        ("Department", "health", "Quota health"),
        ("Cloud", "sim", "Zone front"),
        ("Zone", "public", "VirtualMachine health/web"),
        ("Flavor", "small", "VirtualMachine health/web"),
        ("Image", "kylin", "VirtualMachine health/web"),
    ):
        error = leaves_nothing(
            town,
            ConflictError,
            lambda k=kind, n=name: town.desk.delete_platform(ADMIN, [key(k, n)]),
        )
        assert user in error.params["users"]
    leaves_nothing(
        town, NotFoundError, lambda: town.desk.delete_platform(ADMIN, [key("Zone", "nowhere")])
    )


def test_what_is_deleted_together_does_not_hold_itself(town: Town) -> None:
    gone = [key("Quota", "schools"), key("Department", "schools")]
    rehearsed = town.desk.delete_platform(ADMIN, gone, dry_run=True)
    assert rehearsed.plain()["summary"]["release"] == 2
    town.desk.delete_platform(ADMIN, gone)
    assert ("schools", "vms") not in limits(town)
    with town.store.reading() as session:
        last = session.exec(select(FactRow.name, FactRow.phase).where(FactRow.phase == "gone"))
        assert sorted(last) == [("schools", "gone"), ("schools", "gone")]


def test_what_is_built_with_does_not_change_under_it(town: Town) -> None:
    request = town.submit(system(), machine())
    town.desk.decide(APPROVER, request.id, Verdict.APPROVE)
    (flavor,) = faults(town, words.document("Flavor", "small", {"vcpu": 4, "memory": "4Gi"}))
    assert (flavor.key, flavor.field) == ("requests.in_use", "spec.vcpu")
    (zone,) = faults(town, words.zone("public", "outside"))
    assert zone.field == "spec.cloud"
    town.apply(words.document("Flavor", "large", {"vcpu": 16, "memory": "64Gi"}))


def test_nothing_is_applied_and_deleted_at_once(town: Town) -> None:
    leaves_nothing(
        town, UsageError, lambda: town.apply(words.zone("front"), prune=[key("Zone", "front")])
    )
    town.apply(words.zone("new"), prune=[key("Zone", "second")])
    with town.store.reading() as session:
        zones = set(session.exec(select(ObjectRow.name).where(ObjectRow.kind == "Zone")))
    assert zones == {"front", "public", "seen", "new"}


@pytest.mark.guarantee("Q1")
@pytest.mark.guarantee("Q5")
def test_a_department_does_not_move_beyond_the_new_parents_limit(town: Town) -> None:
    town.apply(words.department("county", level="county"), words.quota("county-quota", "county", 1))
    row = town.submit(system(), machine("a"), machine("b"))
    town.desk.decide(APPROVER, row.id, Verdict.APPROVE)
    moved = words.department("health", parent="county")
    error = leaves_nothing(town, QuotaExceededError, lambda: town.apply(moved))
    found = {refusal["obstacle"]: refusal for refusal in error.refusals}
    exceeded = found["ParentExceeded"]
    assert (exceeded["department"], exceeded["level"], exceeded["class"]) == (
        "county", "county", "vms",
    )  # fmt: skip
    assert (exceeded["limit"], exceeded["requested"], exceeded["available"]) == (1, 2, 1)
    proposal = town.desk.apply(ADMIN, read(moved), force=True).plain("en")
    assert {each["obstacle"] for each in proposal["forced"]} >= {"ParentExceeded"}
    assert proposal["refusals"] == []
    with town.store.reading() as session:
        lines = town.ledger.lines(session, town.store.clock.now(), ["county"])
    over = {line.resource_class: line.reserved for line in lines if not line.cloud}
    assert over["vms"] == 2


def test_two_storage_classes_are_not_called_the_same_in_a_cloud(town: Town) -> None:
    spec = {"provider": "simulated", "storage": {"hdd": "ceph", "ssd": "fast", "sata": "ceph"}}
    (fault,) = faults(town, words.document("Cloud", "twice", spec))
    assert (fault.key, fault.field) == ("requests.storage_twice", "spec.storage.sata")
    assert (fault.params["other"], fault.params["there"]) == ("hdd", "ceph")


def test_limits_name_storage_classes_that_the_clouds_have(town: Town) -> None:
    cloud = dict(next(each for each in words.PLATFORM if each["metadata"]["name"] == "sim"))
    cloud["spec"] = {**cloud["spec"], "storage": {"hdd": "bulk", "ssd": "fast"}}
    here = {"department": "health", "cloud": "sim"}
    good = words.document("Quota", "disks", {**here, "limits": {"disk.ssd": "1Gi"}})
    bad = words.document("Quota", "disks", {**here, "limits": {"disk.sdd": "1Gi"}})
    town.apply(bad)  # the cloud names none yet: it has whatever it is asked for
    (fault,) = faults(town, cloud, bad)
    assert (fault.params["name"], fault.params["meant"]) == ("sdd", "ssd")
    town.apply(cloud, good)
    wanted = words.volume(type="sdd")
    with pytest.raises(InvalidInputError) as caught:
        town.submit(system(), wanted)
    assert [f.field for f in caught.value.diagnostics] == ["spec.type"]
