"""How far `drift` and a single run can be believed: what was looked at, when, and what is left."""

from pathlib import Path
from typing import Any

import pytest

from govcloud.domain.access import Role
from govcloud.store.tables import CloudRow
from govcloud.testing.lab import ADMIN, CLOUD, DEPARTMENT, Lab
from provisioners.simulated import tamper
from provisioners.simulated.faults import Fault, FaultKind


@pytest.fixture
def lab(api: Any, tmp_path: Path) -> Lab:
    """A city on the API's database, with its people."""
    made = Lab(api.wired.store, tmp_path).found()
    api.token("operator", Role.OPERATOR)
    api.token("clerk", Role.APPLICANT, DEPARTMENT)
    return made


def sights(api: Any, who: str = "operator") -> dict[str, str]:
    return {one["cloud"]: one["sight"] for one in api.get(who, "/v1/drift").json()["clouds"]}


@pytest.mark.guarantee("R4")
def test_drift_says_when_each_cloud_was_looked_at(api: Any, lab: Lab) -> None:
    assert sights(api) == {CLOUD: "never"}
    controller = lab.controller()
    began = lab.store.clock.now()
    controller.pass_once(CLOUD)
    [one] = api.get("clerk", "/v1/drift").json()["clouds"]
    assert (one["sight"], one["lookedAt"], one["error"]) == ("current", began.isoformat(), None)
    lab.store.clock.advance(181)  # type: ignore[attr-defined]
    assert sights(api) == {CLOUD: "late"}


@pytest.mark.guarantee("R4")
def test_drift_names_the_clouds_that_could_not_be_read_and_why(api: Any, lab: Lab) -> None:
    controller = lab.controller()
    controller.pass_once(CLOUD)
    tamper.set_fault(lab.path(), Fault(FaultKind.DOWN, "observe"))
    assert controller.pass_once(CLOUD) is None
    [one] = api.get("operator", "/v1/drift").json()["clouds"]
    assert one["sight"] == "unreadable"
    assert one["error"]
    [one] = api.get("clerk", "/v1/drift").json()["clouds"]
    assert (one["sight"], one["error"]) == ("unreadable", None)


def test_a_cloud_that_cannot_be_opened_could_not_be_read(api: Any, lab: Lab) -> None:
    def broken(_inner: Any) -> Any:
        raise ValueError("no such region")

    lab.wrap = broken
    came = lab.controller().run_once()
    assert not came.complete
    assert [one.cloud for one in came.unread] == [CLOUD]
    assert sights(api) == {CLOUD: "unreadable"}


@pytest.mark.parametrize("where", ["open", "observe"])
def test_what_a_driver_stumbles_over_is_said_without_its_text(
    api: Any, lab: Lab, where: str
) -> None:
    """What others throw may hold what they were about to send."""

    def stumble(*_: Any) -> Any:
        raise ValueError("Invalid header value b'Bearer SECRET'")

    def broken(inner: Any) -> Any:
        if where == "open":
            stumble()
        inner.observe = stumble
        return inner

    lab.wrap = broken
    lab.controller().run_once()
    for tongue in ("en", "zh"):
        said = failing(api, tongue)
        assert "ValueError" in said
        assert "SECRET" not in said
    with lab.store.reading() as session:
        assert "SECRET" not in session.get_one(CloudRow, CLOUD).error


def test_why_a_cloud_could_not_be_read_is_said_in_the_readers_language(api: Any, lab: Lab) -> None:
    tamper.set_fault(lab.path(), Fault(FaultKind.DOWN, "observe"))
    lab.controller().pass_once(CLOUD)
    english, chinese = failing(api, "en"), failing(api, "zh")
    assert (english, chinese) == ("Unreachable", "无法访问")
    [check] = checks(api, f"controller/{CLOUD}", "zh")
    assert chinese in check["message"]


def failing(api: Any, tongue: str) -> str:
    """Return why the cloud could not be read, as an operator is told."""
    answer = api.get("operator", "/v1/drift", headers={"Accept-Language": tongue})
    [one] = answer.json()["clouds"]
    return str(one["error"])


def checks(api: Any, name: str, tongue: str) -> list[Any]:
    answer = api.get("admin", "/v1/doctor", headers={"Accept-Language": tongue})
    return [check for check in answer.json()["checks"] if check["check"] == name]


def test_drift_counts_what_is_not_as_approved(api: Any, lab: Lab) -> None:
    lab.approve("web")
    controller = lab.controller()
    assert api.get("clerk", "/v1/drift").json()["unsettled"] == 1
    lab.drive(controller)
    assert api.get("clerk", "/v1/drift").json()["unsettled"] == 0


def test_a_removed_clouds_state_is_not_shown(api: Any, lab: Lab) -> None:
    with lab.store.unit(ADMIN) as unit:
        lab.add_cloud(unit, "second", limits={"resyncSeconds": 60})
    answer = api.get("operator", "/v1/drift?cloud=second").json()
    assert [one["cloud"] for one in answer["clouds"]] == ["second"]


def test_events_of_what_is_gone_name_it_as_it_was_called(api: Any, lab: Lab) -> None:
    api.department("elsewhere")
    api.token("stranger", Role.APPLICANT, "elsewhere")
    uid, controller = lab.approve("web"), lab.controller()
    lab.drive(controller)
    lab.release(uid)
    lab.drive(controller)
    assert lab.row(uid) is None
    for who in ("operator", "clerk"):
        items = api.get(who, "/v1/events").json()["items"]
        assert {(one["department"], one["object"]) for one in items} == {
            (DEPARTMENT, "VirtualMachine/web")
        }
        assert items[0]["reason"] == "Gone"
    assert api.get("stranger", "/v1/events").json()["items"] == []
