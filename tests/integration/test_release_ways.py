"""Releases that are forced, and volumes that are wiped: what is waited for, and on whose word."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from govcloud.domain.access import Role
from govcloud.plan.asked import Asked
from govcloud.reconcile.controller import Controller
from govcloud.reconcile.recover import PATIENCE
from govcloud.store.tables import AuditRow, EventRow
from govcloud.testing.lab import DEPARTMENT, Lab
from provisioners.simulated import tamper
from provisioners.simulated.faults import Fault, FaultKind
from provisioners.simulated.operations import COPY

pytestmark = pytest.mark.guarantee("R8")
WHY = {"reason": "the host is dead, ticket 7"}
WEB = "/v1/objects/vm/web"


@pytest.fixture
def lab(api: Any, tmp_path: Path) -> Lab:
    made = Lab(api.wired.store, tmp_path).found(wipes=["hdd"])
    api.token("operator", Role.OPERATOR)
    return made


@pytest.fixture
def controller(lab: Lab) -> Iterator[Controller]:
    made = lab.controller()
    yield made
    made.close()


def standing(lab: Lab, controller: Controller) -> str:
    uid = lab.approve("web", dataDisks=[{"size": "10Gi"}])
    lab.drive(controller)
    assert lab.row(uid).ready  # type: ignore[union-attr]
    return uid


def given_back(lab: Lab, controller: Controller, uid: str, asked: Asked = Asked()) -> str:  # noqa: B008
    """Release an object and let the controller try; return why it stands still."""
    lab.release(uid, asked)
    lab.drive(controller, rounds=10, step_s=30)
    row = lab.row(uid)
    return row.reason or "" if row else ""


def force(api: Any, who: str = "admin") -> Any:
    return api.post(who, f"{WEB}/force", WHY)


def test_a_release_goes_on_by_force_and_says_by_whom_and_why(
    api: Any, lab: Lab, controller: Controller
) -> None:
    uid = standing(lab, controller)
    early = force(api)
    assert (early.status_code, early.json()["error"]["key"]) == (409, "controller.not_releasing")
    tamper.set_fault(lab.path(), Fault(FaultKind.REFUSE, "delete", reason="Locked"))
    assert given_back(lab, controller, uid) == "Locked"
    assert force(api, "operator").status_code == 403
    answer = force(api)
    assert answer.status_code == 200, answer.text
    said = answer.json()["status"]
    assert (said["forced"]["by"], said["forced"]["reason"]) == ("admin", WHY["reason"])
    assert (said["progressing"], lab.charged()["vms"]) == (True, (1, 0))
    lab.drive(controller)
    assert (lab.row(uid), lab.there(uid), lab.charged()) == (None, [], {})
    with lab.store.reading() as session:
        [act] = session.exec(select(AuditRow).where(AuditRow.action == "object.force"))
        events = session.exec(select(EventRow).where(EventRow.reason == "Forced")).all()
    assert (act.actor, act.department, act.detail["reason"]) == ("admin", DEPARTMENT, WHY["reason"])
    assert [event.type for event in events] == ["Warning"]


def test_a_last_copy_that_cannot_be_made_is_given_up_by_force_only(
    api: Any, lab: Lab, controller: Controller
) -> None:
    uid = standing(lab, controller)
    tamper.set_fault(lab.path(), Fault(FaultKind.REFUSE, "keep_copy", reason="CopyFailed"))
    assert given_back(lab, controller, uid, Asked(snapshot=True)) == "CopyFailed"
    api.post("operator", f"{WEB}/retry")
    lab.drive(controller)
    assert len(lab.there(uid)) == 1
    assert force(api).status_code == 200
    lab.drive(controller)
    assert (lab.row(uid), [one.type for one in lab.there()]) == (None, [])
    assert not [one for one in lab.there() if one.type == COPY]


def test_what_is_for_ever_being_deleted_is_forced_after_a_while(
    api: Any, lab: Lab, controller: Controller
) -> None:
    uid = standing(lab, controller)
    tamper.set_fault(lab.path(), Fault(FaultKind.SLOW, "delete", seconds=86_400))
    lab.release(uid)
    lab.drive(controller, rounds=3)
    early = force(api)
    assert (early.status_code, early.json()["error"]["key"]) == (409, "controller.not_stuck")
    lab.store.clock.advance(PATIENCE.total_seconds())  # type: ignore[attr-defined]
    assert force(api).status_code == 200
    lab.drive(controller)
    assert (lab.row(uid), lab.there(uid)) == (None, [])


def test_volumes_go_where_they_are_wiped(lab: Lab, controller: Controller) -> None:
    uid = standing(lab, controller)
    assert given_back(lab, controller, uid, Asked(wipe_volumes=True)) == ""
    assert (lab.row(uid), lab.there(uid)) == (None, [])


def test_a_volume_that_was_moved_to_where_nothing_is_wiped_waits_for_a_word(
    api: Any, lab: Lab, controller: Controller
) -> None:
    uid = standing(lab, controller)
    [machine] = lab.there(uid)
    tamper.change(lab.path(), machine.id, "disk.0", "10 ssd")
    assert given_back(lab, controller, uid, Asked(wipe_volumes=True)) == "NotWiped"
    status = api.get("admin", WEB).json()["status"]
    assert "ssd" in status["message"]
    assert "govcloud confirm" in status["remedy"]
    assert len(lab.there(uid)) == 1
    assert api.post("operator", f"{WEB}/confirm", WHY).status_code == 200
    lab.drive(controller)
    assert (lab.row(uid), lab.there(uid)) == (None, [])
