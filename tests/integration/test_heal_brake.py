"""The brake: much that is missing at once is not built again before it is known to be lost."""

from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from govcloud.domain.access import Role
from govcloud.store.tables import AuditRow, EventRow, ObjectRow
from govcloud.testing.lab import CLOUD, Lab
from provisioners.simulated import tamper


@pytest.fixture
def lab(api: Any, tmp_path: Path) -> Lab:
    made = Lab(api.wired.store, tmp_path).found()
    api.token("operator", Role.OPERATOR)
    return made


def hide(lab: Lab, uid: str) -> tuple[str, str, str]:
    """Let a machine not be shown, until its mark is put back; return what the mark was."""
    [machine] = lab.there(uid)
    tamper.unmark(lab.path(), machine.id)
    return machine.id, uid, machine.part


def reasons(lab: Lab) -> set[str]:
    return {row.reason for row in lab.rows()}


@pytest.mark.guarantee("R4")
def test_much_that_is_missing_at_once_is_not_healed_until_it_is_seen_again(
    api: Any, lab: Lab
) -> None:
    uids, controller = [lab.approve(f"web-{n}") for n in range(8)], lab.controller()
    lab.drive(controller)
    marks = [hide(lab, uid) for uid in uids[:6]]
    creates = lab.calls()["create"]
    found = controller.pass_once(CLOUD)
    assert found is not None
    assert found.lost == 6
    lab.drive(controller)
    assert lab.calls()["create"] == creates
    assert reasons(lab) == {"MassLoss", "Ready"}
    [cloud] = api.get("operator", "/v1/drift").json()["clouds"]
    assert (cloud["lost"], cloud["brakedAt"] is not None) == (6, True)
    checks = {c["check"]: c["status"] for c in api.get("operator", "/v1/doctor").json()["checks"]}
    assert checks[f"healing/{CLOUD}"] == "fail"
    # It stays so, without anything being written, for as long as the cloud shows no more.
    found = controller.pass_once(CLOUD)
    assert found is not None
    assert found.enqueued == 0
    for key, uid, part in marks:
        tamper.set_mark(lab.path(), key, "lab", uid, part)
    controller.pass_once(CLOUD)
    lab.drive(controller)
    assert reasons(lab) == {"Ready"}
    assert lab.calls()["create"] == creates
    [cloud] = api.get("operator", "/v1/drift").json()["clouds"]
    assert (cloud["lost"], cloud["brakedAt"]) == (0, None)
    with lab.store.reading() as session:
        uid = session.exec(select(ObjectRow.uid).where(ObjectRow.kind == "Cloud")).one()
        alarms = session.exec(select(EventRow.type).where(EventRow.uid == uid)).all()
    assert alarms == ["Warning", "Normal"]


@pytest.mark.guarantee("R4")
def test_an_operator_confirms_that_it_is_lost(api: Any, lab: Lab) -> None:
    uids, controller = [lab.approve(f"web-{n}") for n in range(6)], lab.controller()
    lab.drive(controller)
    assert api.post("operator", f"/v1/clouds/{CLOUD}/resume", {"reason": "x"}).status_code == 409
    for uid in uids:
        tamper.remove(lab.path(), lab.there(uid)[0].id)
    controller.pass_once(CLOUD)
    lab.drive(controller)
    assert reasons(lab) == {"MassLoss"}
    answer = api.post("operator", f"/v1/clouds/{CLOUD}/resume", {"reason": "array replaced"})
    assert answer.json() == {"cloud": CLOUD, "objects": 6}
    found = controller.pass_once(CLOUD)
    assert found is not None
    assert found.lost == 0
    lab.drive(controller)
    assert reasons(lab) == {"Ready"}
    with lab.store.reading() as session:
        [act] = session.exec(select(AuditRow).where(AuditRow.action == "cloud.resume"))
    assert (act.actor, act.target, act.detail["reason"]) == (
        "operator",
        f"Cloud {CLOUD}",
        "array replaced",
    )


def test_few_that_are_missing_heal_at_once(lab: Lab) -> None:
    uids, controller = [lab.approve(f"web-{n}") for n in range(6)], lab.controller()
    lab.drive(controller)
    for uid in uids[:4]:
        tamper.remove(lab.path(), lab.there(uid)[0].id)
    controller.pass_once(CLOUD)
    lab.drive(controller)
    assert reasons(lab) == {"Ready"}


def test_how_many_are_too_many_is_said_by_the_cloud(api: Any, tmp_path: Path) -> None:
    lab = Lab(api.wired.store, tmp_path).found(limits={"brakeCount": 1, "brakeShare": 0.5})
    first, _second, controller = lab.approve("web"), lab.approve("db"), lab.controller()
    lab.drive(controller)
    tamper.remove(lab.path(), lab.there(first)[0].id)
    controller.pass_once(CLOUD)
    lab.drive(controller)
    assert reasons(lab) == {"MassLoss", "Ready"}
    lab.change(first, flavor="large")  # what is approved is built nevertheless
    lab.drive(controller)
    assert reasons(lab) == {"Ready"}
