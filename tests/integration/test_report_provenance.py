"""The record behind a figure: by its number, with what wrote it, for those who may see it (F2)."""

from datetime import UTC, datetime

import pytest

from govcloud.domain.access import Actor, Role
from govcloud.errors import NotFoundError
from govcloud.reports.on_cloud import explain
from govcloud.reports.provenance import provenance
from govcloud.store.unit import Store
from govcloud.testing.clock import FixedClock
from govcloud.testing.register import CLERK, Register

AUDITOR = Actor("auditor", Role.AUDITOR)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 4, 1, 1, tzinfo=UTC))


@pytest.fixture
def register(store: Store) -> Register:
    filled = Register(store)
    filled.catalogue()
    filled.department("hrss", "人社局")
    filled.department("jobs", "就业中心", parent="hrss")
    filled.system("jobs", "portal")
    return filled


def numbers(store: Store) -> dict[str, int]:
    return {r.kind: r.seq for line in explain(store).lines for r in line.records}


@pytest.mark.guarantee("F2")
def test_a_fact_tells_what_from_when_until_when_and_what_wrote_it(
    store: Store, register: Register, clock: FixedClock
) -> None:
    with store.unit(CLERK) as unit:
        unit.audit("noise", "VirtualMachine other")
    clock.advance(60)
    with store.unit(CLERK) as unit:
        spec = {"system": "portal", "zone": "extranet", "flavor": "4c8g", "image": "kylin"}
        register.put(
            "VirtualMachine", "app", spec, department="jobs", request_id="REQ-2026-0007", unit=unit
        )
        of = {"department": "jobs", "request_id": "REQ-2026-0007"}
        unit.audit("object.create", "VirtualMachine jobs/app", **of)
        unit.audit("request.approve", "REQ-2026-0007", **of)
        unit.audit("object.create", "VirtualMachine jobs/other")
    clock.advance(60)
    first = numbers(store)["VirtualMachine"]
    register.machine("jobs", "app", "portal", count=3)
    clock.advance(60)
    second = numbers(store)["VirtualMachine"]
    before, after = (provenance(store, AUDITOR, seq).plain() for seq in (first, second))
    assert (before["requestId"], before["spec"]["count"]) == ("REQ-2026-0007", 1)
    assert before["until"] == after["from"] > before["from"]
    assert (before["factBefore"], before["factAfter"]) == (None, second)
    assert [row["action"] for row in before["audit"]] == ["request.approve", "object.create"]
    assert {"field": "spec.count", "before": 1, "after": 3} in after["changes"]
    assert (after["factBefore"], after["until"]) == (first, None)


@pytest.mark.guarantee("P1")
def test_facts_of_others_are_not_found(store: Store, register: Register, clock: FixedClock) -> None:
    register.exemption("jobs", "portal")
    clock.advance(60)
    seen = numbers(store)
    for seq in (seen["System"], seen["Exemption"]):
        assert provenance(store, Actor("own", Role.APPLICANT, "jobs"), seq).fact.seq == seq
        assert provenance(store, Actor("above", Role.APPROVER, "hrss"), seq).audit == ()
        for stranger in (
            Actor("applicant above", Role.APPLICANT, "hrss"),
            Actor("beside", Role.AUDITOR, "edu"),
            Actor("nobody", Role.APPLICANT),
        ):
            with pytest.raises(NotFoundError):
                provenance(store, stranger, seq)
    for seq in (0, 10**9):
        with pytest.raises(NotFoundError):
            provenance(store, AUDITOR, seq)
