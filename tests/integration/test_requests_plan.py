"""What a submission comes to: changes, faults at their place, findings, quota, price, digest."""

from typing import Any

import pytest
from sqlmodel import func, select

from govcloud.domain.access import Actor, Role
from govcloud.domain.keys import ObjectKey
from govcloud.errors import (
    Diagnostic,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
)
from govcloud.messages import lookup
from govcloud.requests.desk import Verdict
from govcloud.requests.proposal import Proposal
from govcloud.store.tables import AuditRow, FactRow, ObjectRow, RequestRow
from govcloud.store.unit import Store
from govcloud.testing import town as words
from govcloud.testing.town import APPROVER, HEALTH, Town, machine, namespace, read, system, volume
from quotas.store import SqlLedger


@pytest.fixture
def town(store: Store) -> Town:
    return Town(store, SqlLedger()).found()


def plan(town: Town, *documents: words.Plain, actor: Actor = HEALTH, **options: Any) -> Proposal:
    return town.desk.plan(actor, read(*documents), **options)


def faults(town: Town, *documents: words.Plain, **options: Any) -> list[Diagnostic]:
    with pytest.raises(InvalidInputError) as caught:
        plan(town, *documents, **options)
    for fault in caught.value.diagnostics:
        assert lookup(fault.key, "zh")
        assert lookup(f"{fault.key}_remedy", "zh")
    return list(caught.value.diagnostics)


def approved(town: Town, *documents: words.Plain, **options: Any) -> RequestRow:
    request = town.submit(*documents, **options)
    return town.desk.decide(APPROVER, request.id, Verdict.APPROVE)


def test_creations_come_in_the_order_they_are_built_with_demand_and_price(town: Town) -> None:
    plain = plan(town, machine(), system()).plain()
    assert [(c["action"], c["kind"], c["name"]) for c in plain["changes"]] == [
        ("create", "System", "records"),
        ("create", "VirtualMachine", "web"),
    ]
    made = plain["changes"][1]
    assert made["demand"] == {"vms": 1, "vcpu": 2, "memory": 4096, "disk.hdd": 50}
    assert made["priceDelta"] == 125.0
    assert plain["price"] == {"before": 0, "after": 125.0}
    assert plain["summary"] == {"create": 2, "change": 0, "release": 0, "unchanged": 0}
    assert plain["refusals"] == []
    line = next(
        line
        for line in plain["quota"]
        if (line["department"], line["class"], line["cloud"]) == ("health", "memory", "")
    )
    assert line["show"] == {
        "limit": "1Ti", "allocated": "0Mi", "reserved": "0Mi", "requested": "4Gi", "freed": "0Mi",
    }  # fmt: skip
    assert plain["steps"] == [{"name": "admin-review", "role": "approver", "ownDepartment": False}]


def test_a_plan_writes_nothing(town: Town) -> None:
    def counts() -> list[int]:
        with town.store.reading() as session:
            tables = (RequestRow, ObjectRow, AuditRow, FactRow)
            return [session.exec(select(func.count()).select_from(t)).one() for t in tables]

    before = counts()
    plan(town, system(), machine())
    assert counts() == before


def test_what_is_as_it_should_be_is_dropped_and_changes_are_told_field_by_field(
    town: Town,
) -> None:
    approved(town, system(), machine(dataDisks=[{"size": "10Gi"}]), volume())
    wanted = machine(flavor="large", dataDisks=[{"size": "20Gi"}, {"size": "5Gi", "type": "ssd"}])
    wanted = {**wanted, "metadata": {**wanted["metadata"], "displayName": "Front"}}
    plain = plan(town, system(), wanted, volume()).plain()
    (change,) = plain["changes"]
    assert plain["summary"] == {"create": 0, "change": 1, "release": 0, "unchanged": 2}
    assert {(f["path"], f["before"], f["after"]) for f in change["fields"]} == {
        ("spec.flavor", "small", "large"),
        ("spec.dataDisks[0].size", "10Gi", "20Gi"),
        ("spec.dataDisks[1].size", None, "5Gi"),
        ("spec.dataDisks[1].type", None, "ssd"),
        ("metadata.displayName", None, "Front"),
    }
    assert not change["replaces"]
    assert change["priceDelta"] == 307.5


def test_a_change_that_builds_anew_says_so(town: Town) -> None:
    approved(town, system(), machine())
    (change,) = plan(town, machine(zone="front")).plain()["changes"]
    assert change["replaces"]


def test_the_digest_is_of_the_content_and_of_what_it_is_based_on(town: Town) -> None:
    first = plan(town, system(), machine()).digest
    assert plan(town, machine(), system()).digest == first
    assert plan(town, system(), machine(count=2)).digest != first
    approved(town, system(), machine())
    resized = plan(town, machine(flavor="large")).digest
    approved(town, machine(count=2))
    approved(town, machine())
    assert plan(town, machine(flavor="large")).digest != resized


def test_references_that_do_not_resolve_are_all_told_with_what_was_meant(town: Town) -> None:
    found = faults(
        town, machine(zone="publik", flavor="smal", image="windows", system="record"), system()
    )
    told = {f.field: (f.params["name"], f.params["meant"]) for f in found}
    assert told == {
        "spec.zone": ("publik", "public"),
        "spec.flavor": ("smal", "small"),
        "spec.image": ("windows", None),
        "spec.system": ("record", "records"),
    }
    assert all((f.file, f.line is not None) == ("town.yaml", True) for f in found)


def test_nothing_is_built_on_clouds_that_are_observed_or_do_not_build_it(town: Town) -> None:
    town.apply(
        words.document("Cloud", "metal", {"provider": "simulated", "kinds": ["VirtualMachine"]}),
        words.zone("bare", "metal"),
    )
    (observed,) = faults(town, system(), machine(zone="seen"))
    assert observed.key == "requests.observed_cloud"
    (other,) = faults(town, system(), namespace(zone="bare"))
    assert other.key == "requests.not_built_here"
    assert other.params["zones"] == ["front", "public", "second"]
    (disks,) = faults(town, system(), machine(zone="bare", dataDisks=[{"size": "5Gi"}]))
    assert (disks.key, disks.field) == ("requests.no_volumes_here", "spec.dataDisks")
    assert "public" in disks.params["zones"]


def test_a_system_of_another_department_is_not_there(town: Town) -> None:
    approved(town, system(of="schools"), actor=words.SCHOOLS)
    (fault,) = faults(town, machine())
    assert (fault.field, fault.params["meant"]) == ("spec.system", None)


def test_a_namespace_that_would_be_called_like_another_is_refused(town: Town) -> None:
    """In a cluster `health-a` + `x` and `health` + `a-x` are called the same."""
    town.apply(
        words.department("health-a"),
        words.quota("for-health-a", "health-a", 0),
        words.document("Cloud", "second-cloud", {"provider": "simulated", "kinds": ["Namespace"]}),
        words.zone("far", "second-cloud"),
    )
    clerk = Actor("other-clerk", Role.APPLICANT, "health-a")
    of = "health-a"
    approved(
        town, system(of=of), namespace("x", of=of, access={"admin": ["other-clerk"]}), actor=clerk
    )
    (fault,) = faults(town, system(), namespace("a-x"))
    assert (fault.key, fault.field) == ("requests.called_alike", "metadata.name")
    assert plan(town, system(), namespace("a-y"), namespace("a")).effective
    assert plan(town, system(), namespace("a-x", zone="far")).effective
    assert plan(town, namespace("x", of=of, pods=7), actor=clerk).effective


def test_what_no_cloud_takes_for_good_is_refused_at_once(town: Town) -> None:
    mapped = "::ffff:10.0.0.0/104"
    network = {"fromCidrs": ["10.1.0.0/16", mapped], "toCidrs": [mapped, "fd00:1::/64"]}
    long = f"{'a' * 60}.apps"
    objects = {"requests.cpu": 1, "things.storage": 1, long: 1, "secrets": 5, "limits": 2}
    found = faults(town, system(), namespace(network=network, objects=objects))
    assert {(fault.key.partition(".")[2], fault.field) for fault in found} == {
        ("mapped_network", "spec.network.fromCidrs[1]"),
        ("mapped_network", "spec.network.toCidrs[0]"),
        ("no_object_kind", "spec.objects.requests.cpu"),
        ("no_object_kind", "spec.objects.things.storage"),
        ("long_object_kind", f"spec.objects.{long}"),
    }
    assert {f.params["meant"] for f in found if "meant" in f.params} == {"10.0.0.0/8"}
    allow = [{"ports": [80], "source": "department"}, {"ports": [80], "source": mapped}]
    (fault,) = faults(town, system(), machine(network={"allow": allow}))
    assert fault.field == "spec.network.allow[1].source"


def test_volumes_are_attached_where_they_stand(town: Town) -> None:
    approved(town, system(), machine(), system("other"))
    (nowhere,) = faults(town, volume(attachTo="webb"))
    assert nowhere.params["meant"] == "web"
    (elsewhere,) = faults(town, volume(attachTo="web", zone="front"))
    assert elsewhere.key == "requests.attached_elsewhere"
    (others,) = faults(town, volume(attachTo="web", system="other"))
    assert others.key == "requests.attached_to_other_system"
    assert plan(town, volume(attachTo="web")).effective


def test_what_cannot_change_is_refused(town: Town) -> None:
    town.apply(
        words.document("Cloud", "second-cloud", {"provider": "simulated"}),
        words.zone("far", "second-cloud"),
    )
    approved(town, system(), system("other"), machine(), volume(size="100Gi"))
    assert {f.key for f in faults(town, machine(system="other"))} == {"requests.fixed_field"}
    assert {f.key for f in faults(town, machine(zone="far"))} == {"requests.other_cloud"}
    (shrunk,) = faults(town, volume(size="50Gi"))
    assert (shrunk.key, shrunk.field) == ("requests.shrinks", "spec.size")
    (boot,) = faults(town, machine(systemDisk={"size": "20Gi"}))
    assert boot.field == "spec.systemDisk.size"


def test_several_departments_platform_kinds_and_doubles_are_refused(town: Town) -> None:
    admin = words.ADMIN
    found = faults(town, system(), system(of="schools"), actor=admin)
    assert [f.key for f in found] == ["requests.several_departments"]
    assert [f.key for f in faults(town, words.zone("z"), actor=admin)] == ["requests.use_apply"]
    approved(town, system())
    key = ObjectKey("System", "health", "records")
    assert [f.key for f in faults(town, system(), releases=[key])] == ["requests.wanted_twice"]
    with pytest.raises(NotFoundError):
        plan(town, releases=[ObjectKey("System", "health", "nothing")])
    (unknown,) = faults(town, system(of="nowhere"), actor=admin)
    assert unknown.params["kind"] == "Department"


@pytest.mark.guarantee("P1")
def test_departments_want_only_their_own(town: Town) -> None:
    with pytest.raises(ForbiddenError):
        plan(town, system(of="schools"))
    with pytest.raises(ForbiddenError):
        plan(town, releases=[ObjectKey("System", "schools", "records")])
    for actor in (words.AUDITOR, words.APPROVER, words.OPERATOR, Actor("x", Role.APPLICANT)):
        with pytest.raises(ForbiddenError):
            plan(town, system(), actor=actor)
    reader = Actor("health-clerk", Role.APPLICANT, "health", read_only=True)
    with pytest.raises(ForbiddenError):
        plan(town, system(), actor=reader)


def test_findings_and_refusals_are_in_the_plan_in_the_readers_language(town: Town) -> None:
    proposal = plan(town, system(security={"mlpsLevel": 2}), machine(zone="second", count=11))
    plain = proposal.plain("zh")
    denied = next(f for f in plain["findings"] if f["rule"] == "NET-03")
    assert denied["severity"] == "error"
    assert "等保三级" in denied["message"]
    assert denied["remedy"]
    refused = plain["refusals"][0]
    assert (refused["obstacle"], refused["department"], refused["class"]) == (
        "LimitExceeded", "health", "vms",
    )  # fmt: skip
    assert (refused["limit"], refused["requested"], refused["available"]) == (10, 11, 10)
    assert "health" in refused["message"]


def test_pools_that_are_nearly_given_away_are_guarded(town: Town) -> None:
    sim = dict(words.PLATFORM[3]["spec"]) | {"capacity": {"cores": 5, "vcpuPerCore": 2}}
    town.apply(words.document("Cloud", "sim", sim))

    def percent(count: int) -> list[tuple[str, Any]]:
        findings = plan(town, system(), machine(count=count)).findings
        return [(f.severity.value, f.params["percent"]) for f in findings if f.rule == "QUO-6"]

    assert percent(4) == []
    assert percent(5) == [("error", 100.0)]
    approved(town, system(), machine("first", count=4))
    assert percent(1) == [("error", 100.0)]
    town.apply(words.waiver("QUO-6"))
    assert percent(1) == [("info", 100.0)]


def test_the_policy_in_force_weighs_and_waives(town: Town) -> None:
    low = system(security={"mlpsLevel": 2})
    assert [f.rule for f in plan(town, low).findings if f.denies] == ["NET-03"]
    town.apply(words.policy(checks={"NET-03": "warning"}))
    assert plan(town, low).policy_version == "2026-1"
    assert not [f for f in plan(town, low).findings if f.denies]
    town.apply(words.policy("later", effectiveFrom="2026-06-01", version="2026-2"))
    assert [f.rule for f in plan(town, low).findings if f.denies] == ["NET-03"]
    town.apply(words.policy("future", effectiveFrom="2027-01-01", version="2027-1"))
    assert plan(town, low).policy_version == "2026-2"
    town.apply(words.waiver("NET-03", system="records"))
    (waived,) = (f for f in plan(town, low).findings if f.rule == "NET-03")
    assert waived.waiver is not None
    assert waived.waiver["by"] == "lead authority"


def test_a_code_that_another_system_has_is_remarked_without_naming_other_departments(
    town: Town,
) -> None:
    def remarks(*documents: words.Plain, actor: Actor = HEALTH) -> list[tuple[str, object]]:
        found = town.desk.plan(actor, read(*documents)).findings
        return [(f.key, f.params.get("systems")) for f in found if f.rule == "AUD-7"]

    approved(town, system(code="A"))
    assert remarks(system(code="A")) == []
    assert remarks(system("copy", code="A")) == [("policy.AUD-7", ["records"])]
    assert remarks(system("copy", code="X"), system("twin", code="X")) == [
        ("policy.AUD-7", ["twin"]),
        ("policy.AUD-7", ["copy"]),
    ]
    others = remarks(system(of="schools", code="A"), actor=words.ADMIN)
    assert others == [("policy.AUD-7_elsewhere", None)]
    assert remarks(system(code="B"), system("copy", code="A")) == []
