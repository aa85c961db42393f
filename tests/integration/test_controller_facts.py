"""What the facts say: what stood in the cloud, from when to when, and not what was approved."""

from pathlib import Path

import pytest

from govcloud.store.unit import Store
from govcloud.testing.lab import CLOUD, Lab
from provisioners.simulated import tamper


@pytest.fixture
def lab(store: Store, tmp_path: Path) -> Lab:
    return Lab(store, tmp_path).found()


def lose(lab: Lab, uid: str, part: str) -> None:
    [machine] = [item for item in lab.there(uid) if item.part == part]
    tamper.remove(lab.path(), machine.id)


def hide(lab: Lab, uid: str, part: str) -> None:
    """Let a machine be gone until its mark is put back."""
    [machine] = [item for item in lab.there(uid) if item.part == part]
    tamper.unmark(lab.path(), machine.id)


def said(lab: Lab, uid: str) -> tuple[bool, bool, str]:
    row = lab.row(uid)
    assert row is not None
    return row.ready, row.progressing, row.reason


@pytest.mark.guarantee("F1")
@pytest.mark.parametrize("grown", [{"count": 5}, {"flavor": "large"}])
def test_growth_counts_from_its_delivery(lab: Lab, grown: dict[str, object]) -> None:
    uid, controller = lab.approve("web", count=2), lab.controller()
    lab.drive(controller)
    assert lab.facts(uid) == [(1, "pending", 2), (1, "active", 2)]
    lab.change(uid, **grown)
    controller.work_once(CLOUD)
    assert lab.facts(uid)[2:] == []
    lab.drive(controller)
    assert lab.facts(uid)[2:] == [(2, "active", grown.get("count", 2))]


@pytest.mark.guarantee("F1")
def test_less_counts_from_its_delivery_too(lab: Lab) -> None:
    uid, controller = lab.approve("web", count=3), lab.controller()
    lab.drive(controller)
    lab.change(uid, count=1)
    controller.work_once(CLOUD)
    assert lab.facts(uid)[2:] == []
    lab.drive(controller)
    assert lab.facts(uid)[2:] == [(2, "active", 1)]


@pytest.mark.guarantee("R4")
@pytest.mark.guarantee("F1")
@pytest.mark.parametrize("mode", ["report", "ignore"])
def test_what_is_missing_is_said_and_does_not_count(lab: Lab, mode: str) -> None:
    uid, controller = lab.approve("web", count=2, drift=mode), lab.controller()
    lab.drive(controller)
    machines = lab.there(uid)
    hide(lab, uid, "server-0")
    controller.pass_once(CLOUD)
    lab.drive(controller)
    assert said(lab, uid) == (False, False, "Missing")
    assert lab.facts(uid)[2:] == [(1, "active", 1)]
    hide(lab, uid, "server-1")
    controller.pass_once(CLOUD)
    lab.drive(controller)
    assert said(lab, uid) == (False, False, "Missing")
    assert lab.facts(uid)[3:] == [(1, "missing", 2)]
    assert [row.field for row in lab.drift() if row.uid] == ["missing", "missing"]
    found = controller.pass_once(CLOUD)
    assert found is not None
    assert found.enqueued == 0
    for machine in machines:
        tamper.set_mark(lab.path(), machine.id, "lab", uid, machine.part)
    controller.pass_once(CLOUD)
    lab.drive(controller)
    assert said(lab, uid) == (True, False, "Ready")
    assert lab.facts(uid)[4:] == [(1, "active", 2)]
    assert lab.drift() == []


@pytest.mark.guarantee("F1")
def test_what_is_healed_did_not_count_meanwhile(lab: Lab) -> None:
    uid, controller = lab.approve("web"), lab.controller()
    lab.drive(controller)
    lose(lab, uid, "server-0")
    controller.pass_once(CLOUD)
    controller.work_once(CLOUD)
    assert lab.facts(uid)[2:] == [(1, "missing", 1)]
    lab.drive(controller)
    assert lab.facts(uid)[3:] == [(1, "active", 1)]


@pytest.mark.guarantee("F1")
def test_a_loss_while_it_grows_is_a_loss_of_what_was_delivered(lab: Lab) -> None:
    uid, controller = lab.approve("web", count=2, flavor="large"), lab.controller()
    lab.drive(controller)
    lose(lab, uid, "server-1")
    lab.change(uid, count=4)
    controller.work_once(CLOUD)
    assert lab.facts(uid)[2:] == [(1, "active", 1)]
    lab.drive(controller)
    assert lab.facts(uid)[3:] == [(1, "active", 2), (2, "active", 4)]


def test_what_cannot_be_asked_is_not_missing(lab: Lab) -> None:
    from provisioners.simulated.faults import Fault, FaultKind

    uid, controller = lab.approve("web", drift="report"), lab.controller()
    lab.drive(controller)
    tamper.set_fault(lab.path(), Fault(FaultKind.UNAVAILABLE, "find"))
    lose(lab, uid, "server-0")
    controller.pass_once(CLOUD)
    controller.work_once(CLOUD)
    assert len(lab.facts(uid)) == 2
