"""What a controller does with approved objects: build, resize, release; ledger, facts, requests."""

from pathlib import Path

import pytest
from sqlalchemy import select
from sqlmodel import col

from govcloud.ports.cloud import State
from govcloud.store import work
from govcloud.store.tables import AuditRow
from govcloud.store.unit import Store
from govcloud.testing.lab import ADMIN, CLOUD, Lab
from provisioners.simulated import tamper


@pytest.fixture
def lab(store: Store, tmp_path: Path) -> Lab:
    return Lab(store, tmp_path).found()


@pytest.mark.guarantee("R3")
def test_an_approved_machine_is_built_as_approved(lab: Lab) -> None:
    uid = lab.approve("web", count=2, dataDisks=[{"size": "100Gi", "type": "ssd"}])
    controller = lab.controller()
    assert controller.work_once(CLOUD) == 1
    row = lab.row(uid)
    assert row is not None
    assert (row.ready, row.progressing, row.reason) == (False, True, "Building")
    assert lab.charged()["vms"] == (0, 2)
    lab.drive(controller)
    row = lab.row(uid)
    assert row is not None
    assert (row.phase, row.ready, row.progressing, row.observed_generation) == (
        "active",
        True,
        False,
        1,
    )
    assert [r["part"] for r in row.status["resources"]] == ["server-0", "server-1"]
    machines = lab.there(uid)
    assert {item.state for item in machines} == {State.READY}
    assert {item.tags["digest"] for item in machines} == {row.digest}
    assert {item.tags["request"] for item in machines} == {"REQ-web"}
    assert lab.charged() == {
        "vms": (2, 0),
        "vcpu": (4, 0),
        "memory": (8192, 0),
        "disk.hdd": (100, 0),
        "disk.ssd": (200, 0),
        "volumes": (2, 0),
    }
    assert lab.phases(uid) == ["pending", "active"]
    assert lab.settled == ["REQ-web"]
    with lab.store.reading() as session:
        built = session.execute(select(AuditRow).where(col(AuditRow.action) == "object.built"))
        [record] = built.scalars()
        assert (record.after, record.request_id) == (row.digest, "REQ-web")


@pytest.mark.guarantee("Q3")
def test_a_resize_is_charged_at_the_larger_until_it_is_done(lab: Lab) -> None:
    uid, controller = lab.approve("web", flavor="large"), lab.controller()
    lab.drive(controller)
    lab.change(uid, flavor="small")
    controller.work_once(CLOUD)
    assert sum(lab.charged()["vcpu"]) == 8
    lab.drive(controller)
    assert lab.charged()["vcpu"] == (2, 0)
    assert lab.there(uid)[0].props["vcpu"] == 2
    assert len(lab.there(uid)) == 1


@pytest.mark.guarantee("Q3")
def test_fewer_machines_are_charged_less_only_when_they_are_gone(lab: Lab) -> None:
    uid, controller = lab.approve("web", count=3), lab.controller()
    lab.drive(controller)
    lab.change(uid, count=1)
    controller.work_once(CLOUD)
    assert {item.state for item in lab.there(uid)} == {State.READY, State.DELETING}
    assert sum(lab.charged()["vms"]) == 3
    lab.drive(controller)
    assert [item.part for item in lab.there(uid)] == ["server-0"]
    assert lab.charged()["vms"] == (1, 0)


@pytest.mark.guarantee("Q3")
def test_a_release_gives_quota_back_when_the_cloud_confirms(lab: Lab) -> None:
    uid, controller = lab.approve("web"), lab.controller()
    lab.drive(controller)
    lab.release(uid)
    controller.work_once(CLOUD)
    assert lab.charged()["vms"] == (1, 0)
    lab.drive(controller)
    assert (lab.row(uid), lab.there(), lab.charged(), lab.queue()) == (None, [], {}, [])
    assert lab.phases(uid) == ["pending", "active", "releasing", "gone"]
    assert lab.events(uid)[-1] == "Gone"
    assert lab.settled[-1] == "REQ-web-2"


def test_what_was_never_built_is_released_at_once(lab: Lab) -> None:
    uid = lab.approve("web")
    lab.release(uid)
    controller = lab.controller()
    controller.work_once(CLOUD)
    assert (lab.row(uid), lab.charged()) == (None, {})
    assert "create" not in lab.calls()


def test_a_change_that_comes_while_it_is_built_is_not_lost(lab: Lab) -> None:
    uid = lab.approve("web")

    def meanwhile(step: str, _about: str) -> None:
        if (
            step == "before-commit"
            and not lab.calls().get("change")
            and lab.row(uid).generation == 1
        ):  # type: ignore[union-attr]
            lab.change(uid, flavor="large")

    controller = lab.controller(on_step=meanwhile)
    controller.work_once(CLOUD)
    row = lab.row(uid)
    assert row is not None
    assert (row.generation, row.observed_generation) == (2, 0)
    assert [entry.fresh for entry in lab.queue()] == [True]
    lab.drive(controller)
    [machine] = lab.there(uid)
    assert machine.props["vcpu"] == 8
    assert lab.charged()["vcpu"] == (8, 0)


def test_an_approved_replacement_removes_before_it_creates(lab: Lab) -> None:
    with lab.store.unit(ADMIN) as unit:
        lab.put(unit, "Image", "debian", {"os": "Debian 12"})
    uid, controller = lab.approve("web"), lab.controller()
    lab.drive(controller)
    [old] = lab.there(uid)
    lab.change(uid, image="debian")
    lab.drive(controller)
    [new] = lab.there(uid)
    assert (new.props["image"], new.id != old.id) == ("debian", True)


@pytest.mark.guarantee("Q5")
def test_the_clouds_own_quota_follows_the_ledger(lab: Lab) -> None:
    first, controller = lab.approve("web", flavor="large"), lab.controller()

    def quota() -> dict[str, int]:
        [[entry]] = list(lab.open().quotas())
        assert all(amount >= entry.used.get(word, 0) for word, amount in entry.limits.items())
        return dict(entry.limits)

    lab.drive(controller)
    assert quota() == {"disk.hdd": 50, "memory": 32768, "vcpu": 8, "vms": 1}
    second = lab.approve("db", flavor="large")
    lab.drive(controller)
    assert quota()["vcpu"] == 16
    lab.change(first, flavor="small")
    controller.work_once(CLOUD)
    controller.pass_once(CLOUD)
    assert quota()["vcpu"] == 16
    lab.drive(controller)
    controller.pass_once(CLOUD)
    assert quota()["vcpu"] == 10
    lab.release(second)
    lab.drive(controller)
    controller.pass_once(CLOUD)
    assert quota() == {"disk.hdd": 50, "memory": 4096, "vcpu": 2, "vms": 1}
    found = controller.pass_once(CLOUD)
    assert found is not None
    assert found.quotas_set == 0


def test_a_clouds_quota_that_was_lowered_by_others_is_put_right(lab: Lab) -> None:
    controller = lab.controller()
    lab.approve("web")
    lab.drive(controller)
    lab.open().set_quota("hrss--portal", {"vms": 1, "vcpu": 2})
    uid = lab.approve("db")
    with lab.store.unit(ADMIN) as unit:
        work.enqueue(unit.session, [(uid, CLOUD, 1)], unit.now)
    lab.drive(controller)
    assert lab.row(uid).ready  # type: ignore[union-attr]


def test_what_failed_after_it_was_handed_over_is_left_until_an_operator_decides(lab: Lab) -> None:
    from govcloud.reconcile import recover

    uid, controller = lab.approve("web"), lab.controller()
    lab.drive(controller)
    [machine] = lab.there(uid)
    tamper.fail(lab.path(), machine.id)
    controller.pass_once(CLOUD)
    lab.drive(controller)
    row = lab.row(uid)
    assert row is not None
    assert (row.ready, row.progressing, row.reason) == (False, False, "Failed")
    assert lab.charged()["vms"] == (1, 0)
    found = controller.pass_once(CLOUD)
    assert found is not None
    assert found.enqueued == 0
    with lab.store.unit(ADMIN) as unit:
        recover.rebuild(unit, uid, "restored from a backup")
    lab.drive(controller)
    [rebuilt] = lab.there(uid)
    assert rebuilt.id != machine.id
    assert lab.row(uid).ready  # type: ignore[union-attr]


def test_namespaces_and_volumes_are_built_too(lab: Lab) -> None:
    volume = lab.approve("data", "Volume", size="100Gi")
    controller = lab.controller()
    lab.drive(controller)
    assert [item.type for item in lab.there(volume)] == ["volume"]
    assert lab.row(volume).ready  # type: ignore[union-attr]
