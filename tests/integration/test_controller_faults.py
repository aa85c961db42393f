"""What goes wrong, and that it stays where it went wrong."""

import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from govcloud.errors import ConflictError, TerminalCloudError
from govcloud.ports.cloud import Observed, Order, Provisioner, Resource, State
from govcloud.reconcile import recover
from govcloud.store import clouds
from govcloud.store.tables import CloudRow, DriftRow, WorkRow
from govcloud.store.unit import Store
from govcloud.testing.clock import FixedClock
from govcloud.testing.faults import InterceptedProvisioner, raising
from govcloud.testing.lab import ADMIN, CLOUD, Lab
from provisioners.simulated import tamper
from provisioners.simulated.faults import Fault, FaultKind


@pytest.fixture
def lab(store: Store, tmp_path: Path) -> Lab:
    return Lab(store, tmp_path).found()


def fault(lab: Lab, kind: FaultKind, method: str = "*", cloud: str = CLOUD, **more: object) -> None:
    tamper.set_fault(lab.path(cloud), Fault(kind, method, **more))  # type: ignore[arg-type]


@pytest.mark.guarantee("R1")
@pytest.mark.parametrize("kind", [FaultKind.LOSE, FaultKind.CUT])
@pytest.mark.parametrize("method", ["create", "change", "delete", "set_quota"])
def test_answers_that_get_lost(lab: Lab, kind: FaultKind, method: str) -> None:
    uid, controller = lab.approve("web"), lab.controller()
    fault(lab, kind, method, count=2)
    lab.drive(controller)
    assert len(lab.there(uid)) == 1
    lab.change(uid, flavor="large")
    lab.drive(controller)
    [machine] = lab.there(uid)
    assert (machine.state, machine.props["vcpu"]) == (State.READY, 8)
    assert lab.charged()["vcpu"] == (8, 0)
    lab.release(uid)
    lab.drive(controller)
    assert (lab.there(), lab.row(uid), lab.charged()) == ([], None, {})


@pytest.mark.guarantee("R6")
@pytest.mark.parametrize("kind", [FaultKind.THROTTLE, FaultKind.UNAVAILABLE])
def test_retry_after_is_honoured_by_the_whole_cloud(
    lab: Lab, clock: FixedClock, kind: FaultKind
) -> None:
    first, second, controller = lab.approve("web"), lab.approve("db"), lab.controller()
    fault(lab, kind, "create", count=1, seconds=30)
    controller.work_once(CLOUD)
    calls = lab.calls()
    assert calls["create"] <= 2
    for _ in range(29):
        clock.advance(1)
        controller.work_once(CLOUD)
        controller.pass_once(CLOUD)
    assert lab.calls() == calls
    clock.advance(5)
    lab.drive(controller)
    assert all(lab.row(uid).ready for uid in (first, second))  # type: ignore[union-attr]


@pytest.mark.guarantee("R7")
def test_a_restarted_controller_still_honours_it(lab: Lab, clock: FixedClock) -> None:
    lab.approve("web")
    controller = lab.controller()
    fault(lab, FaultKind.THROTTLE, "create", count=1, seconds=30)
    controller.work_once(CLOUD)
    controller.renew()
    controller.close()
    calls = lab.calls()
    clock.advance(10)
    again = lab.controller("two")
    assert again.work_once(CLOUD) == 0
    assert lab.calls() == calls
    clock.advance(25)
    lab.drive(again)
    assert lab.queue() == []


@pytest.mark.guarantee("R6")
def test_a_cloud_that_is_down_holds_up_no_other(store: Store, tmp_path: Path) -> None:
    lab = Lab(store, tmp_path).found(clouds=(CLOUD, "east"))
    stuck, fine = lab.approve("web"), lab.approve("db", cloud="east")
    fault(lab, FaultKind.DOWN)
    controller = lab.controller()
    for _ in range(20):
        controller.work_once(CLOUD)
        controller.work_once("east")
        controller.pass_once(CLOUD)
        controller.pass_once("east")
        lab.store.clock.advance(1)  # type: ignore[attr-defined]
    assert lab.row(fine).ready  # type: ignore[union-attr]
    row = lab.row(stuck)
    assert row is not None
    assert (row.ready, row.progressing, row.reason) == (False, True, "Unreachable")
    assert lab.calls()["find"] < 15
    tamper.clear_faults(lab.path())
    lab.drive(controller, rounds=100)
    assert lab.row(stuck).ready  # type: ignore[union-attr]


@pytest.mark.guarantee("R6")
def test_an_object_that_the_cloud_refuses_holds_up_no_other(lab: Lab) -> None:
    def refuse(inner: Provisioner) -> Provisioner:
        return Picky(inner)

    lab.wrap = refuse
    poison = lab.approve("poison")
    fine = [lab.approve(f"web-{number}") for number in range(5)]
    controller = lab.controller()
    lab.drive(controller)
    assert all(lab.row(uid).ready for uid in fine)  # type: ignore[union-attr]
    row = lab.row(poison)
    assert row is not None
    assert (row.ready, row.progressing, row.reason) == (False, False, "InvalidImage")
    assert lab.queue() == []
    # Refused for good is not tried again until the spec changes.
    controller.pass_once(CLOUD)
    lab.drive(controller)
    assert lab.events(poison).count("InvalidImage") == 1
    lab.change(poison, flavor="large")
    assert lab.row(poison).progressing  # type: ignore[union-attr]


class Picky(InterceptedProvisioner):
    """Refuses to create what is named poison."""

    def create(self, resource: Resource) -> Observed:
        if "poison" in resource.name:
            raise TerminalCloudError("InvalidImage", "no such image")
        return super().create(resource)


class Brittle(InterceptedProvisioner):
    """Breaks in every way that a driver may break over one object."""

    poison: Sequence[str] = ()

    def resources(self, order: Order) -> tuple[Resource, ...]:
        if order.name == "unreadable":
            raise KeyError("vcpu")
        return super().resources(order)

    def find(self, uids: Sequence[str]) -> Sequence[Observed]:
        if set(uids) & set(self.poison):
            raise ZeroDivisionError
        return super().find(uids)


@pytest.mark.guarantee("R6")
def test_an_object_that_breaks_the_driver_holds_up_no_other(lab: Lab) -> None:
    lab.wrap = Brittle
    unreadable, unfindable = lab.approve("unreadable"), lab.approve("unfindable")
    Brittle.poison = (unfindable,)
    fine = [lab.approve(f"web-{number}") for number in range(6)]
    controller = lab.controller()
    lab.drive(controller, rounds=10)
    assert all(lab.row(uid).ready for uid in fine)  # type: ignore[union-attr]
    for uid in (unreadable, unfindable):
        row = lab.row(uid)
        assert row is not None
        assert (row.ready, row.progressing, row.reason) == (False, True, "InternalError")
    assert {entry.uid for entry in lab.queue()} == {unreadable, unfindable}
    found = controller.pass_once(CLOUD)
    assert found is not None
    assert (found.objects, found.differing) == (8, 0)


@pytest.mark.guarantee("R6")
def test_backoff_grows_and_is_reset_by_success_and_by_a_new_generation(
    lab: Lab, clock: FixedClock
) -> None:
    uid, controller = lab.approve("web"), lab.controller()
    fault(lab, FaultKind.NO_CAPACITY, "create")
    delays = []
    for _ in range(11):
        controller.work_once(CLOUD)
        [entry] = lab.queue()
        delays.append((entry.due_at - clock.now()).total_seconds())
        clock.advance(delays[-1])
    assert delays == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert lab.row(uid).reason == "NoCapacity"  # type: ignore[union-attr]
    lab.change(uid, flavor="large")
    [entry] = lab.queue()
    assert (entry.attempts, entry.fresh, entry.due_at) == (0, True, clock.now())
    tamper.clear_faults(lab.path())
    lab.drive(controller)
    assert lab.row(uid).ready  # type: ignore[union-attr]


def test_what_fails_late_is_removed_and_built_again(lab: Lab) -> None:
    uid, controller = lab.approve("web"), lab.controller()
    fault(lab, FaultKind.FAIL, "create", count=2)
    lab.drive(controller)
    [machine] = lab.there(uid)
    assert machine.state is State.READY
    assert "Rebuilding" in lab.events(uid)
    assert lab.charged()["vms"] == (1, 0)


def test_a_change_that_fails_late_is_tried_again_and_never_rebuilt(lab: Lab) -> None:
    uid, controller = lab.approve("web"), lab.controller()
    lab.drive(controller)
    [before] = lab.there(uid)
    fault(lab, FaultKind.FAIL, "change", count=2)
    lab.change(uid, flavor="large")
    lab.drive(controller)
    [after] = lab.there(uid)
    assert (after.id, after.props["vcpu"]) == (before.id, 8)


@pytest.mark.guarantee("R8")
def test_a_failing_removal_keeps_the_record_and_says_why(lab: Lab, clock: FixedClock) -> None:
    uid, controller = lab.approve("web"), lab.controller()
    lab.drive(controller)
    fault(lab, FaultKind.FAIL, "delete", reason="DiskBusy")
    lab.release(uid)
    for _ in range(30):
        controller.work_once(CLOUD)
        clock.advance(5)
    row = lab.row(uid)
    assert row is not None
    assert (row.phase, row.reason) == ("releasing", "Releasing")
    assert "DiskBusy" in row.message
    assert lab.charged()["vms"] == (1, 0)
    assert lab.calls()["delete"] < 12
    tamper.clear_faults(lab.path())
    with lab.store.unit(ADMIN) as unit:
        recover.retry(unit, uid)
    lab.drive(controller)
    assert (lab.row(uid), lab.charged()) == (None, {})


@pytest.mark.guarantee("R8")
def test_a_refused_removal_stops_and_an_operator_can_abandon_it(lab: Lab) -> None:
    uid, controller = lab.approve("web"), lab.controller()
    lab.drive(controller)
    [machine] = lab.there(uid)
    with pytest.raises(ConflictError), lab.store.unit(ADMIN) as unit:
        recover.abandon(unit, lab.ledger, uid, "x")
    fault(lab, FaultKind.REFUSE, "delete", reason="Locked")
    lab.release(uid)
    lab.drive(controller)
    row = lab.row(uid)
    assert row is not None
    assert (row.phase, row.progressing, row.reason) == ("releasing", False, "Locked")
    assert row.status["text"]["params"]["told_by"] == "simulated"
    assert lab.charged()["vms"] == (1, 0)
    with lab.store.unit(ADMIN) as unit:
        recover.abandon(unit, lab.ledger, uid, "the cloud is being scrapped")
    assert (lab.row(uid), lab.charged()) == (None, {})
    controller.pass_once(CLOUD)
    assert [(drift.resource, drift.field) for drift in lab.drift()] == [(machine.id, "orphan")]


@pytest.mark.guarantee("Q3")
def test_a_reservation_lives_as_long_as_it_is_worked_on(lab: Lab, clock: FixedClock) -> None:
    uid, controller = lab.approve("web"), lab.controller()
    fault(lab, FaultKind.NO_CAPACITY, "create")
    for _ in range(72):
        controller.work_once(CLOUD)
        clock.advance(3600)
        assert lab.charged()["vms"] == (0, 1)
    tamper.clear_faults(lab.path())
    lab.drive(controller)
    assert lab.charged()["vms"] == (1, 0)
    assert lab.row(uid).ready  # type: ignore[union-attr]


@pytest.mark.guarantee("Q3")
def test_an_expired_reservation_is_charged_when_the_thing_stands(
    lab: Lab, clock: FixedClock
) -> None:
    uid, controller = lab.approve("web"), lab.controller()
    clock.advance(timedelta(days=2).total_seconds())
    assert lab.charged() == {}
    lab.drive(controller)
    assert lab.charged()["vms"] == (1, 0)
    assert lab.row(uid).ready  # type: ignore[union-attr]


@pytest.mark.guarantee("Q1")
def test_a_lapsed_reservation_is_built_only_where_it_fits_still(
    lab: Lab, clock: FixedClock
) -> None:
    """Nobody could work on it for days, and others have the quota: it waits, and says why."""
    lab.limit("vms", 1)
    first, controller = lab.approve("web"), lab.controller()
    clock.advance(timedelta(days=2).total_seconds())
    second = lab.approve("db")
    lab.drive(controller, rounds=3)
    assert [item.uid for item in lab.there()] == [second]
    row = lab.row(first)
    assert row is not None
    assert (row.reason, row.progressing) == ("OverQuota", True)
    assert "vms: limit 1, allocated 0, reserved 1, needed 1, available 0" in row.message
    assert lab.charged()["vms"] == (1, 0)
    lab.release(second)
    lab.drive(controller, step_s=60)
    assert [item.uid for item in lab.there()] == [first]
    assert lab.charged()["vms"] == (1, 0)


@pytest.mark.guarantee("Q1")
def test_a_resize_whose_reservation_has_lapsed_waits_too(lab: Lab, clock: FixedClock) -> None:
    uid, controller = lab.approve("web"), lab.controller()
    lab.drive(controller)
    lab.limit("vcpu", 8)
    lab.change(uid, flavor="large")
    clock.advance(timedelta(days=2).total_seconds())
    lab.approve("db")
    lab.drive(controller, rounds=3)
    assert lab.row(uid).reason == "OverQuota"  # type: ignore[union-attr]
    assert lab.charged()["vcpu"] == (4, 0)


@pytest.mark.guarantee("R6")
def test_what_the_database_does_not_take_holds_up_nobody(lab: Lab, clock: FixedClock) -> None:
    """One answer of the cloud is a character that PostgreSQL has no place for."""
    uid, controller = lab.approve("web"), lab.controller()
    lab.drive(controller)
    tamper.change(lab.path(), lab.there(uid)[0].name, "vcpu", "odd\0size")
    controller.pass_once(CLOUD)
    other = lab.approve("db")
    lab.drive(controller, rounds=5)
    assert lab.row(other).ready  # type: ignore[union-attr]
    assert lab.row(uid).reason == "Ready"  # type: ignore[union-attr]
    told = "InternalError" in lab.events(uid)
    assert told is not lab.store.database.is_sqlite, "where it is not taken, that is said"


def test_a_difference_may_be_in_a_field_of_any_name(lab: Lab) -> None:
    uid, controller = lab.approve("web"), lab.controller()
    lab.drive(controller)
    name = "hard.rook-ceph-block-with-a-long-name.storageclass.storage.k8s.io/requests.storage"
    with lab.store.unit(ADMIN) as unit:
        row = DriftRow(
            cloud=CLOUD, resource="r" * 200, field=name, uid=uid, mode="heal", since=unit.now
        )
        unit.session.add(row)
    assert [row.field for row in lab.drift()] == [name]


@pytest.mark.guarantee("R4")
def test_a_comparison_that_fails_oddly_is_made_again(lab: Lab, clock: FixedClock) -> None:
    """Whatever it was: the look is given back, and made again after a while, by anybody."""
    controller = lab.controller()

    def spoil(method: str, _count: int) -> None:
        if method == "observe" and odd:
            raise odd.pop()

    odd: list[Exception] = [KeyError("odd")]
    lab.wrap = lambda inner: InterceptedProvisioner(inner, before=spoil)
    site = controller.site(CLOUD)
    with pytest.raises(KeyError):
        site.look_if_due()
    for _ in range(10):
        clock.advance(10)
        controller.renew()
        site.look_if_due()
    with lab.store.reading() as session:
        cloud = session.get_one(CloudRow, CLOUD)
    assert (cloud.error, cloud.lease_owner) == ("", None)
    assert cloud.observed_at is not None


@pytest.mark.guarantee("R7")
def test_a_clock_that_was_a_year_ahead_stops_nothing(lab: Lab) -> None:
    """What a controller with such a clock put off and leased is due again."""
    uid, controller = lab.approve("web"), lab.controller()
    with lab.store.unit(ADMIN) as unit:
        later = unit.now + timedelta(days=365)
        ours = {"lease_owner": "away", "lease_until": later}
        unit.session.execute(update(WorkRow).values(due_at=later, **ours))
        clouds.remember(unit.session, CLOUD)
        unit.session.execute(update(CloudRow).values(next_at=later, **ours))
    controller.site(CLOUD).look_if_due()
    lab.drive(controller)
    assert lab.row(uid).ready  # type: ignore[union-attr]


@pytest.mark.guarantee("R6")
def test_one_quota_that_cannot_be_set_does_not_spoil_a_comparison(lab: Lab) -> None:
    uid, controller = lab.approve("web"), lab.controller()
    lab.drive(controller)
    lab.release(uid)
    lab.drive(controller)
    fault(lab, FaultKind.REFUSE, "set_quota")
    assert controller.pass_once(CLOUD) is not None
    with lab.store.reading() as session:
        assert session.get_one(CloudRow, CLOUD).error == ""


def test_a_catalogue_entry_that_is_gone_is_waited_for(lab: Lab) -> None:
    from sqlalchemy import delete
    from sqlmodel import col

    from govcloud.store.tables import ObjectRow
    from govcloud.testing.lab import FLAVORS

    with lab.store.unit(ADMIN) as unit:
        lab.put(unit, "Flavor", "rare", FLAVORS["small"])
    uid, controller = lab.approve("web", flavor="rare"), lab.controller()
    with lab.store.unit(ADMIN) as unit:
        unit.session.execute(delete(ObjectRow).where(col(ObjectRow.name) == "rare"))
    lab.drive(controller, rounds=3)
    assert lab.row(uid).reason == "MissingReference"  # type: ignore[union-attr]
    with lab.store.unit(ADMIN) as unit:
        lab.put(unit, "Flavor", "rare", FLAVORS["small"])
    lab.drive(controller, step_s=30)
    assert lab.row(uid).ready  # type: ignore[union-attr]


@pytest.mark.guarantee("R6")
def test_a_database_that_fails_for_a_moment_loses_nothing(lab: Lab) -> None:
    from govcloud.errors import UnavailableError

    failures = [UnavailableError("errors.database", detail="locked")] * 2

    def stumble(step: str, _about: str) -> None:
        if step == "in-commit" and failures:
            raise failures.pop()

    uid = lab.approve("web")
    controller = lab.controller(on_step=stumble, settings=lab.settings)
    stop = threading.Event()
    lane = threading.Thread(target=controller.site(CLOUD).lane.run, args=(stop,))
    lane.start()
    for _ in range(200):
        if lab.there(uid) and lab.there(uid)[0].state is State.READY and not lab.queue():
            break
        stop.wait(0.02)
        lab.store.clock.advance(0.2)  # type: ignore[attr-defined]
    stop.set()
    lane.join()
    assert failures == []
    assert len(lab.there(uid)) == 1
    assert lab.row(uid).ready  # type: ignore[union-attr]


def test_a_cloud_that_refuses_to_be_asked_is_left_alone_ever_longer(lab: Lab) -> None:
    error = TerminalCloudError("Forbidden", "no role")
    lab.wrap = lambda inner: InterceptedProvisioner(inner, before=raising(error, "find"))
    uid, controller = lab.approve("web"), lab.controller()
    lab.drive(controller, rounds=100)
    row = lab.row(uid)
    assert row is not None
    assert (row.ready, row.progressing, row.reason) == (False, True, "Forbidden")
    assert [entry.attempts for entry in lab.queue()] == [0]
    assert len(lab.events(uid)) == 1
    assert "create" not in lab.calls()
