"""Machines that are well, built anew because somebody wants it: asked, allowed, on record."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from govcloud.domain.access import Role
from govcloud.reconcile.controller import Controller
from govcloud.store.tables import AuditRow, EventRow
from govcloud.testing.lab import CLOUD, DEPARTMENT, Lab

REBUILD = "/v1/objects/vm/web/rebuild"
WHY = "compromised, ticket 88"
LOST = ["vm/web", "vm/web:data-0"]


@pytest.fixture
def lab(api: Any, tmp_path: Path) -> Lab:
    made = Lab(api.wired.store, tmp_path).found()
    api.token("operator", Role.OPERATOR)
    api.token("clerk", Role.APPLICANT, DEPARTMENT)
    return made


@pytest.fixture
def controller(lab: Lab) -> Iterator[Controller]:
    made = lab.controller()
    yield made
    made.close()


def ids(lab: Lab, uid: str) -> dict[str, str]:
    return {item.part: item.id for item in lab.there(uid)}


def ask(api: Any, who: str = "operator", **said: Any) -> Any:
    return api.post(who, REBUILD, {"reason": WHY, "machines": [1], **said})


@pytest.mark.parametrize("drift", ["heal", "report"])
def test_a_machine_is_built_anew_by_permission_that_names_its_data_disks(
    api: Any, lab: Lab, controller: Controller, drift: str
) -> None:
    uid = lab.approve("web", count=2, dataDisks=[{"size": "10Gi"}], drift=drift)
    lab.drive(controller)
    before, charged = ids(lab, uid), lab.charged()
    for allowed in ([], LOST[:1]):
        refused = ask(api, allowReplace=allowed).json()["error"]
        assert refused["key"] == "controller.would_remake"
        assert "VirtualMachine/web:data-0" in refused["message"]
    assert ask(api, "clerk", allowReplace=LOST).status_code == 403
    assert ask(api, machines=[7], allowReplace=LOST).status_code == 404
    told = ask(api, dryRun=True).json()["remake"]
    assert (told["machines"], told["parts"]) == ([1], ["server-1"])
    lab.drive(controller)
    assert ids(lab, uid) == before

    answer = ask(api, allowReplace=LOST)
    assert answer.json()["status"]["progressing"] is True, answer.text
    assert ask(api, allowReplace=LOST).json()["error"]["key"] == "controller.not_standing"
    lab.drive(controller)
    after, row = ids(lab, uid), lab.row(uid)
    assert row is not None
    assert (row.ready, row.generation, lab.charged()) == (True, 1, charged)
    assert after["server-0"] == before["server-0"]
    assert after["server-1"] != before["server-1"]
    with lab.store.reading() as session:
        [act] = session.exec(select(AuditRow).where(AuditRow.action == "object.rebuild"))
        said = session.exec(select(EventRow).where(EventRow.reason == "Rebuild")).all()
    assert (act.detail["reason"], act.detail["machines"]) == (WHY, [1])
    assert [one["id"] for one in act.detail["resources"]] == [before["server-1"]]
    assert [WHY in event.message for event in said] == [True]

    # It was asked for once: what is found from now on is compared as ever.
    found = controller.pass_once(CLOUD)
    assert found is not None
    assert (found.differing, found.enqueued) == (0, 0)
