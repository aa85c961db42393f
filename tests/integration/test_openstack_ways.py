"""On a real OpenStack: built anew, moved, stopped, missed, forced; regions that lack something."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from govcloud.clock import SystemClock
from govcloud.messages import render
from govcloud.plan.asked import Asked
from govcloud.ports.cloud import State
from govcloud.reconcile import brake, power, recover, remake
from govcloud.reconcile.desired import World, by_uid, resources_of
from govcloud.store import objects
from govcloud.store.engine import Database
from govcloud.store.unit import Store, Unit
from govcloud.testing.lab import ADMIN, CLOUD
from govcloud.testing.openstack import OpenStack

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(1800)]
DISKS = [{"size": "1Gi", "type": "hdd"}]
PATIENCE_S = 600


@pytest.fixture
def database_kind() -> str:
    """What is proved here is the cloud's part: one kind of database is enough."""
    return "sqlite"


@pytest.fixture
def lab(database: Database, openstack: OpenStack) -> Iterator[Any]:
    from govcloud.testing.regionlab import RegionLab

    lab = RegionLab(Store(database, SystemClock()), openstack)
    yield lab
    lab.remove_all()


def parts(lab: Any, uid: str) -> dict[str, Any]:
    row = lab.row(uid)
    assert row.ready, (row.reason, row.message)
    found = {item.part: item for item in lab.there(uid)}
    assert all(item.state is State.READY for item in found.values())
    return found


def ids(found: dict[str, Any]) -> dict[str, str]:
    return {part: item.id for part, item in found.items()}


def differing(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    assert before.keys() == after.keys()
    return {part for part in before if before[part].id != after[part].id}


def done(lab: Any, uid: str, act: Callable[[Unit, Any], object]) -> None:
    """Do something with an object's row, and let a controller see to it."""
    with lab.store.unit(ADMIN) as unit:
        act(unit, objects.locked(unit.session, uid))
    lab.finish(lab.controller(f"after-{uuid4().hex[:6]}"))


def test_what_is_built_anew_keeps_data_ports_and_addresses(lab: Any) -> None:
    """By another image, by wish from the same one; a lease's renewal builds nothing anew."""
    lab.found()
    with lab.store.unit(ADMIN) as unit:
        lab.put(unit, "Image", "other", {"os": "Debian", "clouds": {CLOUD: "debian-12"}})
    uid = lab.machine("web", dataDisks=DISKS, network={"floatingIp": True, "allow": []})
    lab.finish(lab.controller())
    first = parts(lab, uid)
    assert first["server-0"].tags["backup"] == first["data-0-0"].tags["backup"] == "daily"

    lab.change(uid, lease={"end": "2099-12-31"})
    lab.finish(lab.controller("renewing"))
    renewed = parts(lab, uid)
    assert ids(renewed) == ids(first)
    assert renewed["server-0"].tags["lease-end"] == "2099-12-31"

    lab.change(uid, image="other")
    lab.finish(lab.controller("replacing"))
    replaced = parts(lab, uid)
    assert differing(renewed, replaced) == {"disk-0", "server-0"}
    assert replaced["server-0"].props["disks"] == "data-0-0 disk-0"
    assert replaced["server-0"].info["floating_address"]

    def anew(unit: Unit, row: Any) -> None:
        driver = lab.driver()
        world = World.read(unit.session, unit.now.date())
        wanted = by_uid(unit.session, [uid])
        world.add_systems(unit.session, wanted)
        resources = [r for one in wanted for r in resources_of(driver, world, one.approved)]
        remake.remake(unit, row, remake.remaking(row, [0], resources), "compromised")

    done(lab, uid, anew)
    assert differing(replaced, parts(lab, uid)) == {"disk-0", "server-0"}
    assert lab.charged()["vms"] == (1, 0)


def test_machines_are_stopped_started_and_not_missed_in_crowds(lab: Any) -> None:
    lab.found(limits={"brakeCount": 1, "brakeShare": 0.3})  # project and network are there, too
    uid = lab.machine("web")
    lab.finish(lab.controller())
    server = parts(lab, uid)["server-0"].id

    def switch(*, on: bool) -> Callable[[Unit, Any], object]:
        return lambda unit, row: power.switch(unit, row, [], on=on, reason="test")

    for on, status in ((False, "SHUTOFF"), (True, "ACTIVE")):
        done(lab, uid, switch(on=on))
        machine = parts(lab, uid)["server-0"]
        assert (machine.id, machine.info["status"]) == (server, status)
        found = lab.controller(f"quiet-{on}").pass_once(CLOUD)
        assert (found.differing, found.enqueued) == (0, 0)

    with lab.region.connect() as admin:
        admin.compute.delete_server(server)
        admin.compute.wait_for_delete(admin.compute.get_server(server), wait=PATIENCE_S)
    braked = lab.controller("braked")
    assert braked.pass_once(CLOUD).lost == 1
    lab.finish(braked)
    assert lab.row(uid).reason == "MassLoss"
    assert "server-0" not in {item.part for item in lab.there(uid)}
    with lab.store.unit(ADMIN) as unit:
        assert brake.resume(unit, CLOUD, "the host burnt") == 1
    lab.finish(lab.controller("resumed"))
    assert parts(lab, uid)["server-0"].id != server


def test_a_volume_moves_to_another_class_and_is_charged_in_both_meanwhile(lab: Any) -> None:
    """By Nova, while it is in use: a lab's Cinder has no tools to copy what is attached nowhere."""
    lab.found()
    lab.machine("web")
    uid = lab.approve("files", "Volume", size="1Gi", type="hdd", attachTo="web")
    lab.finish(lab.controller())
    before = parts(lab, uid)["volume"]
    lab.change(uid, type="ssd")
    charged = lab.charged()
    assert (charged["disk.hdd"], charged["disk.ssd"]) == ((3, 0), (0, 1))
    lab.finish(lab.controller("moving"))
    after = parts(lab, uid)["volume"]
    assert (after.id, after.props["storage"]) == (before.id, "ssd")
    charged = lab.charged()
    assert (charged["disk.hdd"], charged["disk.ssd"]) == ((2, 0), (1, 0))


@pytest.mark.guarantee("Q3")
@pytest.mark.guarantee("Q5")
def test_volumes_change_places_between_two_classes(lab: Any) -> None:
    """Each needs room in the other's class meanwhile; the cloud's quota has it, as the ledger."""
    lab.found()
    lab.machine("web")
    uids = {
        word: lab.approve(f"on-{word}", "Volume", size="3Gi", type=word, attachTo="web")
        for word in ("hdd", "ssd")
    }
    lab.finish(lab.controller())
    lab.change(uids["hdd"], type="ssd")
    lab.change(uids["ssd"], type="hdd")
    lab.finish(lab.controller("moving"))
    moved = {word: parts(lab, uid)["volume"].props["storage"] for word, uid in uids.items()}
    assert moved == {"hdd": "ssd", "ssd": "hdd"}


@pytest.mark.guarantee("R8")
@pytest.mark.guarantee("Q3")
def test_a_release_that_cinder_refuses_goes_on_by_force(lab: Any) -> None:
    lab.found(wipes=["hdd"])
    uid = lab.approve("files", "Volume", size="1Gi", type="hdd")
    lab.finish(lab.controller())
    volume = parts(lab, uid)["volume"].id
    with lab.region.connect() as admin:
        admin.block_storage.reset_volume_status(volume, "maintenance", "detached", None)
    lab.release(uid, Asked(wipe_volumes=True))
    with suppress(AssertionError):
        lab.finish(lab.controller("refused"))
    row = lab.row(uid)
    assert (row.phase, lab.charged()["volumes"]) == ("releasing", (1, 0))
    assert "maintenance" in row.message or "status" in row.message
    done(lab, uid, lambda unit, row: recover.force(unit, row.uid, "maintenance for ever"))
    assert (lab.row(uid), lab.there(), lab.charged()) == (None, [], {})


def test_servers_and_volumes_in_use_are_forced(lab: Any) -> None:
    """Again and again, as a controller does, until they are gone."""
    lab.found()
    uid = lab.machine("web", dataDisks=DISKS)
    lab.finish(lab.controller())
    there, driver, end = parts(lab, uid), lab.driver(), time.monotonic() + PATIENCE_S
    for part in ("data-0-0", "server-0", "disk-0"):
        while part in {item.part for item in driver.find([uid])}:
            assert time.monotonic() < end, part
            driver.force_delete(there[part])
            time.sleep(1)
        driver.force_delete(there[part])


@pytest.mark.guarantee("Q3")
@pytest.mark.guarantee("R2")
def test_what_is_in_a_project_that_was_renamed_is_not_taken_for_gone(lab: Any) -> None:
    lab.found()
    uid = lab.approve("files", "Volume", size="1Gi", type="hdd")
    lab.finish(lab.controller())
    volume = parts(lab, uid)["volume"].id
    with lab.region.connect() as admin:
        owner = admin.block_storage.get_volume(volume).project_id
        admin.identity.update_project(owner, name=f"renamed-{uuid4().hex[:6]}")
        lab.release(uid)
        lab.finish(lab.controller("two"))
        assert volume not in {item.id for item in admin.block_storage.volumes(all_projects=True)}
    assert (lab.row(uid), lab.there(), lab.charged()) == (None, [], {})


@pytest.mark.guarantee("R4")
def test_a_project_that_was_renamed_is_no_drift(lab: Any) -> None:
    lab.found()
    uid = lab.approve("files", "Volume", size="1Gi", type="hdd")
    lab.finish(lab.controller())
    lab.controller("quotas").pass_once(CLOUD)
    with lab.region.connect() as admin:
        owner = admin.block_storage.get_volume(parts(lab, uid)["volume"].id).project_id
        admin.identity.update_project(owner, name=f"renamed-{uuid4().hex[:6]}")
    found = lab.controller("two").pass_once(CLOUD)
    assert (found.differing, found.enqueued, found.quotas_set) == (0, 0, 0)


@pytest.fixture
def bare(openstack: OpenStack, tmp_path: Path) -> Iterator[str]:
    """The clouds.yaml of a region of the same cloud that has no volumes."""
    clouds = yaml.safe_load(openstack.file.read_text(encoding="utf-8"))
    name = f"bare-{uuid4().hex[:6]}"
    with openstack.connect() as admin:
        identity: Any = admin.identity
        identity.create_region(id=name)
        made = [
            identity.create_endpoint(
                service_id=old.service_id, interface=old.interface, url=old.url, region_id=name
            )
            for old in list(identity.endpoints())
            if "volume" not in identity.get_service(old.service_id).type
            and "block" not in identity.get_service(old.service_id).type
        ]
        clouds["clouds"][openstack.cloud]["region_name"] = name
        file = tmp_path / "bare.yaml"
        file.write_text(yaml.safe_dump(clouds), encoding="utf-8")
        try:
            yield str(file)
        finally:
            for endpoint in made:
                identity.delete_endpoint(endpoint)
            identity.delete_region(name)


def test_a_region_without_volumes_works_for_what_it_has(lab: Any, bare: str) -> None:
    lab.connection |= {"config-file": bare, "boot-from-volume": "false", "volumes": "false"}
    lab.found()
    uid = lab.machine("web", network={"floatingIp": True, "allow": []})
    volume = lab.approve("files", "Volume", size="1Gi", type="hdd")
    lab.finish(lab.controller())
    assert "disk-0" not in parts(lab, uid)
    assert (lab.row(volume).reason, lab.row(volume).progressing) == ("NoService", False)
    found = lab.controller("two").pass_once(CLOUD)
    assert (found.differing, found.enqueued) == (0, 0)
    report = lab.driver().report()
    assert "quota" in report.features
    said = [render(problem.key, "en", problem.params) for problem in report.problems]
    assert not [problem for problem in said if "volume" in problem]


def test_a_machine_that_boots_from_its_image_has_data_disks(lab: Any) -> None:
    lab.connection |= {"boot-from-volume": "false"}
    lab.found()
    uid = lab.machine("web", dataDisks=DISKS)
    lab.finish(lab.controller())
    built = parts(lab, uid)
    assert {part for part in built if part.startswith(("disk", "data"))} == {"data-0-0"}
    assert built["server-0"].props["disks"] == "data-0-0"
    lab.release(uid)
    lab.finish(lab.controller("two"))
    assert (lab.row(uid), lab.there()) == (None, [])
