"""Machines that are stopped and started by wish: desired state, and no drift."""

from datetime import timedelta
from pathlib import Path

import pytest

from govcloud.domain.access import Actor, Role
from govcloud.errors import ConflictError, NotFoundError
from govcloud.plan.asked import Asked, read_asked
from govcloud.policy.context import city_day
from govcloud.reconcile import power
from govcloud.store import objects
from govcloud.store.unit import Store
from govcloud.testing.lab import ADMIN, CLOUD, DEPARTMENT, Lab
from provisioners.simulated import tamper

CLERK = Actor("applicant", Role.APPLICANT, DEPARTMENT)


@pytest.fixture
def lab(store: Store, tmp_path: Path) -> Lab:
    return Lab(store, tmp_path).found()


def switch(lab: Lab, uid: str, *machines: int, on: bool) -> None:
    with lab.store.unit(CLERK) as unit:
        row = objects.locked(unit.session, uid)
        power.switch(unit, row, machines, on=on, reason="maintenance")


def powers(lab: Lab, uid: str) -> dict[str, object]:
    return {item.part: item.props["power"] for item in lab.there(uid)}


@pytest.mark.guarantee("R4")
def test_a_stop_that_was_asked_for_is_no_drift_and_is_kept(lab: Lab) -> None:
    uid, controller = lab.approve("web", count=3), lab.controller()
    lab.drive(controller)
    switch(lab, uid, 1, on=False)
    lab.drive(controller)
    assert powers(lab, uid) == {"server-0": "on", "server-1": "off", "server-2": "on"}
    row = lab.row(uid)
    assert row is not None
    assert (row.ready, row.reason, row.generation) == (True, "Ready", 1)
    for _ in range(3):
        controller.pass_once(CLOUD)
        lab.drive(controller)
    assert powers(lab, uid)["server-1"] == "off"
    assert lab.drift() == []
    assert "Stop" in lab.events(uid)
    switch(lab, uid, on=True)
    lab.drive(controller)
    assert set(powers(lab, uid).values()) == {"on"}
    assert lab.charged()["vms"] == (3, 0)


@pytest.mark.guarantee("R4")
def test_a_stop_by_hand_is_drift_and_one_that_was_undone_by_hand_too(lab: Lab) -> None:
    uid, controller = lab.approve("web", count=2, drift="report"), lab.controller()
    lab.drive(controller)
    switch(lab, uid, 0, on=False)
    lab.drive(controller)
    machines = {item.part: item.id for item in lab.there(uid)}
    # Though differences are only reported here, what was asked for came about.
    assert powers(lab, uid) == {"server-0": "off", "server-1": "on"}
    tamper.change(lab.path(), machines["server-0"], "power", "on")
    tamper.change(lab.path(), machines["server-1"], "power", "off")
    controller.pass_once(CLOUD)
    lab.drive(controller)
    said = {(row.resource, row.field, row.wanted, row.found) for row in lab.drift()}
    assert said == {
        (machines["server-0"], "power", "off", "on"),
        (machines["server-1"], "power", "on", "off"),
    }


def test_what_stands_still_by_wish_stays_so_when_the_object_changes(lab: Lab) -> None:
    uid, controller = lab.approve("web", count=2), lab.controller()
    lab.drive(controller)
    switch(lab, uid, 1, on=False)
    lab.drive(controller)
    lab.change(uid, flavor="large")
    lab.drive(controller)
    assert {(item.part, item.props["vcpu"], item.props["power"]) for item in lab.there(uid)} == {
        ("server-0", 8, "on"),
        ("server-1", 8, "off"),
    }


@pytest.mark.guarantee("R4")
def test_an_object_that_was_stopped_stays_so_with_machines_that_come_later(lab: Lab) -> None:
    uid, controller = lab.approve("web", count=1), lab.controller()
    lab.drive(controller)
    switch(lab, uid, on=False)
    lab.change(uid, count=3)
    lab.drive(controller)
    assert powers(lab, uid) == {"server-0": "off", "server-1": "off", "server-2": "off"}
    switch(lab, uid, 1, on=True)
    lab.drive(controller)
    assert powers(lab, uid) == {"server-0": "off", "server-1": "on", "server-2": "off"}
    switch(lab, uid, on=True)
    lab.change(uid, count=4)
    lab.drive(controller)
    assert set(powers(lab, uid).values()) == {"on"}


def test_stops_that_were_stored_by_number_go_on(lab: Lab) -> None:
    assert read_asked('{"off":[1]}') == Asked(off=frozenset({1}))
    assert read_asked(Asked(all_off=True).text).stops


def test_asking_twice_is_asking_once_and_only_of_what_there_is(lab: Lab) -> None:
    uid, controller = lab.approve("web", count=2), lab.controller()
    with pytest.raises(ConflictError):
        switch(lab, uid, on=False)  # it is not built yet
    lab.drive(controller)
    switch(lab, uid, on=False)
    lab.drive(controller)
    switch(lab, uid, on=False)
    assert lab.queue() == []
    with pytest.raises(NotFoundError):
        switch(lab, uid, 7, on=False)
    still = lab.approve("still", power="off")
    lab.drive(controller)
    with pytest.raises(ConflictError):
        switch(lab, still, on=True)
    volume = lab.approve("data", "Volume", size="10Gi")
    lab.drive(controller)
    with pytest.raises(ConflictError):
        switch(lab, volume, on=False)


@pytest.mark.guarantee("R8")
def test_a_stop_comes_about_although_the_cloud_was_away(lab: Lab) -> None:
    uid, controller = lab.approve("web"), lab.controller()
    lab.drive(controller)
    tamper.set_fault(lab.path(), tamper.Fault(tamper.FaultKind.LOSE, "change", count=1))
    switch(lab, uid, on=False)
    lab.drive(controller)
    assert powers(lab, uid) == {"server-0": "off"}
    with lab.store.reading() as session:
        assert objects.get_object(session, ADMIN, "VirtualMachine", "web").ready


def test_machines_keep_their_numbers_when_some_are_left_out(lab: Lab) -> None:
    uid, controller = lab.approve("web", count=4), lab.controller()
    lab.drive(controller)
    before = {item.part: item.id for item in lab.there(uid)}
    lab.change(uid, count=3, without=[1])
    lab.drive(controller)
    left = {item.part: item.id for item in lab.there(uid)}
    assert left == {part: before[part] for part in ("server-0", "server-2", "server-3")}
    assert lab.charged()["vms"] == (3, 0)
    lab.change(uid, count=4, without=[])
    lab.drive(controller)
    again = {item.part: item.id for item in lab.there(uid)}
    assert again.keys() == before.keys()
    assert {part: again[part] for part in left} == left


@pytest.mark.parametrize("drift", ["heal", "report"])
def test_machines_stand_still_after_their_lease_where_the_policy_says_so(
    lab: Lab, drift: str
) -> None:
    clock, controller = lab.store.clock, lab.controller()
    today = city_day(clock.now())

    def day_later() -> None:
        clock.advance(86_400)  # type: ignore[attr-defined]
        for _ in range(2):
            controller.pass_once(CLOUD)
            lab.drive(controller)

    lease = {"end": (today + timedelta(days=1)).isoformat()}
    uid = lab.approve("web", count=2, lease=lease, drift=drift)
    other = lab.approve("other")
    lab.drive(controller)
    for _ in range(3):
        day_later()
    assert set(powers(lab, uid).values()) == {"on"}, "by default a lease stops nothing"

    with lab.store.unit(ADMIN) as unit:
        spared = {"lease-stop-days": 3}
        said = {"version": "1", "effectiveFrom": "2020-01-01", "parameters": spared}
        lab.put(unit, "Policy", "city", said)
    day_later()
    assert set(powers(lab, uid).values()) == {"on"}, "three days are spared"
    day_later()
    row = lab.row(uid)
    assert row is not None
    assert (row.ready, row.reason, lab.drift()) == (True, "LeaseOver", [])
    assert lease["end"] in row.message
    assert (set(powers(lab, uid).values()), powers(lab, other)) == ({"off"}, {"server-0": "on"})
    assert lab.charged()["vms"] == (3, 0)
    with pytest.raises(ConflictError) as caught:
        switch(lab, uid, on=True)
    assert caught.value.key == "controller.off_by_lease"
    tamper.change(lab.path(), lab.there(uid)[0].id, "power", "on")
    day_later()
    assert set(powers(lab, uid).values()) == {"off"}, "whoever started it by hand"

    lab.change(uid, lease={"end": (today + timedelta(days=99)).isoformat()})
    lab.drive(controller)
    assert set(powers(lab, uid).values()) == {"on"}
    assert lab.row(uid).reason == "Ready"  # type: ignore[union-attr]
