"""Ground: what the objects of a system share stands before the first and goes after the last."""

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from govcloud.domain.keys import GROUND
from govcloud.errors import TerminalCloudError
from govcloud.ports.cloud import Observed, Order, Resource
from govcloud.store.tables import ObjectRow
from govcloud.store.unit import Store
from govcloud.testing.faults import InterceptedProvisioner
from govcloud.testing.lab import ADMIN, CLOUD, Lab


def ground_uid(*words: str) -> str:
    return "g" + hashlib.sha256("|".join(words).encode()).hexdigest()[:31]


class Grounded(InterceptedProvisioner):
    """Machines stand on a network, networks on a tenant: like volumes that no quota counts."""

    size = 10
    refuses = ""

    def ground(self, order: Order) -> Sequence[Order]:
        if order.name.startswith("tenant"):
            return ()
        what = "tenant" if order.name.startswith("network") else "network"
        uid = ground_uid(what, order.department, order.system)
        spec = {"size": self.size, "type": "ssd", "zone": "public"}
        return [
            replace(
                order,
                uid=uid,
                kind="Volume",
                name=f"{what}-{order.system}",
                spec=spec,
                tags={},
                catalogue={},
            )
        ]

    def resources(self, order: Order) -> tuple[Resource, ...]:
        found = super().resources(order)
        ground = order.uid.startswith("g")
        return tuple(replace(r, type="network") for r in found) if ground else found

    def create(self, resource: Resource) -> Observed:
        if self.refuses and self.refuses in resource.name:
            raise TerminalCloudError("UnknownNetwork", "there is no such network")
        return super().create(resource)


@pytest.fixture
def lab(store: Store, tmp_path: Path) -> Lab:
    lab = Lab(store, tmp_path).found()
    lab.wrap = Grounded
    yield lab
    Grounded.size, Grounded.refuses = 10, ""


def names(lab: Lab) -> list[str]:
    return sorted({item.name.removeprefix("hrss-") for item in lab.there()})


def test_ground_stands_before_what_stands_on_it(lab: Lab) -> None:
    controller = lab.controller()
    uids = [lab.approve(f"web-{number}") for number in range(3)]
    controller.work_once(CLOUD)
    rows = [lab.row(uid) for uid in uids]
    assert {row.reason for row in rows} == {"Preparing"}  # type: ignore[union-attr]
    seen: list[list[str]] = []
    for _ in range(40):
        controller.work_once(CLOUD)
        if not seen or seen[-1] != names(lab):
            seen.append(names(lab))
        if not lab.queue():
            break
        lab.store.clock.advance(1)  # type: ignore[attr-defined]
    assert [now for now in seen if now][:2] == [
        ["tenant-portal"],
        ["network-portal", "tenant-portal"],
    ]
    assert all(lab.row(uid).ready for uid in uids)  # type: ignore[union-attr]
    assert sum(row.kind == GROUND for row in lab.rows()) == 2
    found = controller.pass_once(CLOUD)
    assert found is not None
    assert (found.differing, found.enqueued, found.unmanaged) == (0, 0, 0)
    assert set(lab.charged()) == {"vms", "vcpu", "memory", "disk.hdd"}


def test_ground_goes_after_the_last(lab: Lab) -> None:
    controller = lab.controller()
    one, other = lab.approve("web-1"), lab.approve("web-2")
    lab.drive(controller)
    lab.release(one)
    lab.drive(controller)
    assert names(lab) == ["network-portal", "tenant-portal", "web-2-0"]
    lab.release(other)
    lab.drive(controller)
    assert names(lab) == []
    assert lab.rows() == []
    assert lab.charged() == {}


def test_ground_that_is_given_back_is_wanted_again(lab: Lab) -> None:
    controller = lab.controller()
    one = lab.approve("web-1")
    lab.drive(controller)
    lab.release(one)
    while any(row.kind != GROUND for row in lab.rows()):
        controller.work_once(CLOUD)
        lab.store.clock.advance(1)  # type: ignore[attr-defined]
    again = lab.approve("web-2")
    lab.drive(controller)
    assert lab.row(again).ready  # type: ignore[union-attr]
    assert names(lab) == ["network-portal", "tenant-portal", "web-2-0"]


def test_ground_that_was_left_is_given_back_by_the_comparison(lab: Lab) -> None:
    """A controller that died between an object's end and its ground's leaves nothing for ever."""
    controller = lab.controller()
    uid = lab.approve("web-1")
    lab.drive(controller)
    lab.release(uid)
    controller.site(CLOUD).lane._groundwork.give_back = lambda systems: list(systems) and 0  # type: ignore[method-assign]
    lab.drive(controller)
    assert names(lab) == ["network-portal", "tenant-portal"]
    other = lab.controller("two")
    other.pass_once(CLOUD)
    lab.drive(other)
    assert names(lab) == []


def test_ground_follows_what_it_follows_from(lab: Lab) -> None:
    controller = lab.controller()
    lab.approve("web-1")
    lab.drive(controller)
    Grounded.size = 20
    controller.pass_once(CLOUD)
    lab.drive(controller)
    sizes = {item.name: item.props["size"] for item in lab.there() if "portal" in item.name}
    assert set(sizes.values()) == {20}


@pytest.mark.guarantee("R8")
def test_ground_that_cannot_be_made_stops_what_stands_on_it_until_retried(lab: Lab) -> None:
    from govcloud.domain.access import Actor, Role
    from govcloud.reconcile import recover

    controller = lab.controller()
    Grounded.refuses = "network"
    uid = lab.approve("web-1")
    lab.drive(controller)
    row = lab.row(uid)
    assert row is not None
    assert (row.ready, row.progressing, row.reason) == (False, False, "UnknownNetwork")
    assert "there is no such network" in row.message
    Grounded.refuses = ""
    with lab.store.unit(Actor("admin", Role.ADMINISTRATOR)) as unit:
        recover.retry(unit, uid)
    lab.drive(controller)
    assert lab.row(uid).ready  # type: ignore[union-attr]


@pytest.mark.guarantee("R4")
def test_drift_of_ground_is_healed(lab: Lab) -> None:
    from provisioners.simulated import tamper

    controller = lab.controller()
    lab.approve("web-1")
    lab.drive(controller)
    network = next(item for item in lab.there() if "network" in item.name)
    tamper.remove(lab.path(), network.id)
    controller.pass_once(CLOUD)
    lab.drive(controller)
    assert names(lab) == ["network-portal", "tenant-portal", "web-1-0"]


def test_ground_that_another_controller_makes_at_this_moment_stops_no_comparison(lab: Lab) -> None:
    if lab.store.database.is_sqlite:
        pytest.skip("SQLite has one writer; nobody makes anything beside it")
    lab.approve("web")
    uid = ground_uid("network", "hrss", "portal")
    found: list[object] = []
    looking = threading.Thread(target=lambda: found.append(lab.controller().pass_once(CLOUD)))
    with lab.store.unit(ADMIN) as unit:
        row = ObjectRow(
            uid=uid,
            kind=GROUND,
            department="hrss",
            name="network-portal",
            system="portal",
            cloud=CLOUD,
            spec={},
            digest="made at the same moment",
            created_at=unit.now,
            updated_at=unit.now,
        )
        unit.session.add(row)
        unit.session.flush()
        looking.start()
        looking.join(2)
        assert looking.is_alive()
    looking.join(30)
    assert found != [None]
    assert len(found) == 1
