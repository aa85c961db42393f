"""Machines of a migration come by the ordinary way: a request, an approval, the controller."""

import threading
from pathlib import Path
from typing import Any

import pytest

from govcloud.requests.life import Verdict
from govcloud.store import objects, requests
from govcloud.store.tables import ObjectRow
from govcloud.store.unit import Store
from govcloud.testing.clock import FixedClock
from govcloud.testing.lab import ADMIN, CLOUD, DEPARTMENT, Lab
from govcloud.testing.yard import APPROVER, CLERK, Yard


def machine(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "govcloud.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name},
        "spec": {"system": "case", "zone": "public", "flavor": "small", "image": "kylin"},
    }


@pytest.fixture
def yard(store: Store, tmp_path: Path) -> Yard:
    (tmp_path / "hosts").mkdir()
    yard = Yard(Lab(store, tmp_path).found(), tmp_path / "hosts")
    yard.system(
        "case",
        {"file-1": b"1"},
        targets=[{"machine": "case-new"}],
        machines=[machine("case-new")],
    )
    _register(yard)
    return yard


def _register(yard: Yard) -> None:
    """Let the system be one for which machines may be asked."""
    filed = {"filingNo": "32010000001", "assessmentDate": "2026-05-01"}
    with yard.store.unit(ADMIN) as unit:
        [row] = objects.of_department(unit.session, DEPARTMENT, ["System"], ["case"])
        security = row.spec["security"] | filed | {"cryptoAssessmentDate": "2026-05-01"}
        project = {"id": "XM-1", "phase": "implementing"}
        row.spec = row.spec | {"security": security, "project": project}
        unit.session.add(row)


def work(yard: Yard) -> None:
    yard.lane().run_once(threading.Event())


def step(yard: Yard, name: str) -> dict[str, Any]:
    [found] = [one for one in yard.shown("case")["steps"] if one["step"] == name]
    return found


def test_machines_are_requested_approved_and_built(yard: Yard, clock: FixedClock) -> None:
    yard.wish("case", "run", CLERK)
    work(yard)
    shown = yard.shown("case")
    assert "waits for approval" in shown["message"]
    with yard.store.reading() as session:
        request = requests.get_request(session, APPROVER, shown["request"])
    assert (request.submitted_by, request.department) == (CLERK.name, DEPARTMENT)
    assert yard.player.log() == []
    # Asked again and again, it is the same request and the same attempt.
    for _ in range(3):
        clock.advance(2)
        work(yard)
    assert yard.shown("case")["request"] == request.id
    assert step(yard, "provision")["attempts"] == 1

    yard.desk.decide(APPROVER, request.id, Verdict.APPROVE)
    clock.advance(2)
    work(yard)
    assert "being built" in yard.shown("case")["message"]
    yard.lab.drive(yard.lab.controller(), CLOUD)
    clock.advance(2)
    work(yard)
    assert yard.state("case") == "syncing", yard.shown("case")
    assert yard.read("case-new") == ["file-1"]
    [built] = yard.lab.there()
    assert built.tags["request"] == request.id


def test_machines_are_requested_also_where_the_plan_says_how_they_are_reached(
    yard: Yard, clock: FixedClock
) -> None:
    """An address handed over by hand is no reason to go without the machine itself."""
    with yard.store.unit(ADMIN) as unit:
        plan = unit.session.get(ObjectRow, yard.plan("case").uid)
        assert plan is not None
        targets = [{"machine": "case-new", "address": "10.9.1.1"}]
        plan.spec = plan.spec | {"move": plan.spec["move"] | {"targets": targets}}
        unit.session.add(plan)
    yard.wish("case", "run", CLERK)
    work(yard)
    request = yard.shown("case")["request"]
    assert request, yard.shown("case")["message"]
    yard.desk.decide(APPROVER, request, Verdict.APPROVE)
    yard.lab.drive(yard.lab.controller(), CLOUD)
    clock.advance(2)
    work(yard)
    assert yard.state("case") == "syncing", yard.shown("case")
    assert len(yard.lab.there()) == 1


@pytest.mark.parametrize("verdict", [None, Verdict.RETURN, Verdict.APPROVE])
def test_a_rollback_takes_the_request_back_unless_it_was_granted(
    yard: Yard, clock: FixedClock, verdict: Verdict | None
) -> None:
    """Else somebody approves months later what nobody waits for."""
    yard.wish("case", "run", CLERK)
    work(yard)
    first = yard.shown("case")["request"]
    if verdict is not None:
        yard.desk.decide(APPROVER, first, verdict, note="see the notes")
    yard.wish("case", "rollback", CLERK)
    clock.advance(2)
    work(yard)
    assert yard.state("case") == "rolled-back", yard.shown("case")
    with yard.store.reading() as session:
        found = requests.get_request(session, APPROVER, first)
        said = requests.decisions(session, first)[-1]
    granted = verdict is Verdict.APPROVE
    assert found.state == ("provisioning" if granted else "withdrawn")
    assert granted or said.actor == CLERK.name

    yard.wish("case", "run", CLERK)
    clock.advance(2)
    work(yard)
    assert (yard.shown("case")["request"] == first) == granted


def test_a_rollback_takes_back_also_what_was_asked_for_later(yard: Yard, clock: FixedClock) -> None:
    """The plan names a further machine once the first one stands."""
    yard.wish("case", "run", CLERK)
    work(yard)
    first = yard.shown("case")["request"]
    yard.desk.decide(APPROVER, first, Verdict.APPROVE)
    yard.lab.drive(yard.lab.controller(), CLOUD)
    clock.advance(2)
    work(yard)
    assert yard.state("case") == "syncing", yard.shown("case")
    with yard.store.unit(ADMIN) as unit:
        plan = unit.session.get(ObjectRow, yard.plan("case").uid)
        assert plan is not None
        more = {
            "machines": [machine("case-new"), machine("case-more")],
            "targets": [*plan.spec["move"]["targets"], {"machine": "case-more"}],
        }
        plan.spec = plan.spec | {"move": plan.spec["move"] | more}
        unit.session.add(plan)
    yard.wish("case", "verify", CLERK)  # Whatever is wished has the plan looked at again.
    work(yard)
    clock.advance(2)
    work(yard)
    second = yard.shown("case")["request"]
    assert second != first
    yard.wish("case", "rollback", CLERK)
    clock.advance(2)
    work(yard)
    assert yard.state("case") == "rolled-back", yard.shown("case")
    with yard.store.reading() as session:
        assert requests.get_request(session, APPROVER, second).state == "withdrawn"


def test_a_request_that_is_rejected_stops_it_and_a_resume_asks_again(
    yard: Yard, clock: FixedClock
) -> None:
    yard.wish("case", "run", CLERK)
    work(yard)
    first = yard.shown("case")["request"]
    yard.desk.decide(APPROVER, first, Verdict.REJECT, note="too large")
    clock.advance(2)
    work(yard)
    assert yard.state("case") == "stopped"
    assert first in yard.shown("case")["message"]
    yard.wish("case", "resume", CLERK)
    work(yard)
    second = yard.shown("case")["request"]
    assert second != first
    assert "waits for approval" in yard.shown("case")["message"]
