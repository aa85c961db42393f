"""The whole way on a real OpenStack: approved, ready, drifted and healed, changed, given back."""

from collections.abc import Iterator
from typing import Any

import pytest

from govcloud.clock import SystemClock
from govcloud.plan.asked import Asked
from govcloud.ports.cloud import State
from govcloud.store.engine import Database
from govcloud.store.unit import Store
from govcloud.testing.lab import CLOUD

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(1800)]
PATIENCE_S = 600
ROUNDS_MOST = 5


@pytest.fixture
def database_kind() -> str:
    """What is proved here is the cloud's part: one kind of database is enough."""
    return "sqlite"


@pytest.fixture
def lab(database: Database, openstack: Any) -> Iterator[Any]:
    """A lab in real time: a real cloud does not wait for a test's clock."""
    from govcloud.testing.regionlab import RegionLab

    lab = RegionLab(Store(database, SystemClock()), openstack).found()
    yield lab
    lab.remove_all()


def parts(lab: Any, uid: str) -> dict[str, Any]:
    found = {item.part: item for item in lab.there(uid)}
    assert all(item.state is State.READY for item in found.values())
    return found


@pytest.mark.guarantee("R1")
@pytest.mark.guarantee("R3")
@pytest.mark.guarantee("Q3")
def test_from_approval_to_the_end(lab: Any) -> None:
    controller = lab.controller()
    uid = lab.machine("web", count=2, dataDisks=[{"size": "1Gi", "type": "ssd"}], antiAffinity=True)
    lab.finish(controller)
    row = lab.row(uid)
    assert (row.ready, row.reason) == (True, "Ready"), row.message
    built = parts(lab, uid)
    assert {p for p in built if not p.startswith("rule")} == {
        "group",
        "affinity",
        *(f"{word}-{n}" for n in range(2) for word in ("disk", "port", "server")),
        "data-0-0",
        "data-1-0",
    }
    assert all(built[f"server-{n}"].tags["digest"] == row.digest for n in range(2))
    assert lab.charged()["vms"] == (2, 0)

    found = lab.controller("two").pass_once(CLOUD)
    assert (found.differing, found.enqueued) == (0, 0)

    lab.change(uid, flavor="large", dataDisks=[{"size": "2Gi", "type": "hdd"}])
    lab.finish(lab.controller("three"))
    assert lab.row(uid).ready, lab.row(uid).message
    grown = parts(lab, uid)
    assert {grown[f"server-{n}"].props["vcpu"] for n in range(2)} == {2}
    disks = [grown[f"data-{n}-0"].props for n in range(2)]
    assert [(disk["size"], disk["storage"]) for disk in disks] == [(2, "hdd")] * 2
    assert {grown[p].id for p in grown} == {built[p].id for p in built}

    lab.change(uid, count=1)
    lab.finish(lab.controller("four"))
    assert "server-1" not in parts(lab, uid)

    lab.release(uid)
    lab.finish(lab.controller("five"))
    assert lab.row(uid) is None
    assert lab.there() == []
    assert lab.charged() == {}
    assert lab.rows() == []


@pytest.mark.guarantee("R4")
def test_drift_is_healed(lab: Any) -> None:
    uid = lab.machine("web")
    lab.finish(lab.controller())
    there = parts(lab, uid)
    with lab.region.connect() as admin:
        server, port = there["server-0"].id, there["port-0"].id
        admin.compute.update_server(server, name="renamed")
        admin.compute.set_server_metadata(server, **{"govcloud:request": "forged"})
        admin.network.update_port(port, is_admin_state_up=False)
        admin.network.create_security_group_rule(
            security_group_id=there["group"].id,
            direction="ingress",
            ether_type="IPv4",
            protocol="tcp",
            port_range_min=22,
            port_range_max=22,
        )
        rule = next(item for part, item in there.items() if part.startswith("rule"))
        admin.network.delete_security_group_rule(rule.id)
        admin.compute.stop_server(server)
        admin.compute.wait_for_server(
            admin.compute.get_server(server), status="SHUTOFF", wait=PATIENCE_S
        )
    controller = lab.controller("two")
    found = controller.pass_once(CLOUD)
    assert found.differing == 1
    lab.finish(controller)
    assert lab.row(uid).ready, lab.row(uid).message
    again = lab.controller("three").pass_once(CLOUD)
    assert (again.differing, again.enqueued) == (0, 0)
    healed = parts(lab, uid)
    assert healed["server-0"].id == server
    assert healed["server-0"].props["power"] == "on"
    assert healed["group"].props["extra"] == ""


@pytest.mark.guarantee("R4")
@pytest.mark.guarantee("Q5")
def test_what_hangs_on_a_server_is_healed_too(lab: Any) -> None:
    """Resized, a disk detached, a port plugged in, an address moved, a tag gone, a quota set."""
    disks = [{"size": "1Gi", "type": "hdd"}]
    network = {"floatingIp": True, "allow": []}
    uid = lab.machine("web", dataDisks=disks, network=network)
    lab.finish(lab.controller())
    lab.controller("quotas").pass_once(CLOUD)
    there = parts(lab, uid)
    server = there["server-0"].id
    with lab.region.connect() as admin:
        project = admin.compute.get_server(server).project_id
        cores = admin.compute.get_quota_set(project).cores
        tamper(admin, server, there)
        controller = lab.controller("two")
        found = controller.pass_once(CLOUD)
        assert (found.differing, found.quotas_set) == (1, 1)
        lab.finish(controller)
        assert lab.row(uid).ready, lab.row(uid).message
        lab.controller("lowering").pass_once(CLOUD)  # it was not set below what was in use
        again = lab.controller("three").pass_once(CLOUD)
        assert (again.differing, again.enqueued, again.quotas_set) == (0, 0, 0)
        assert admin.compute.get_quota_set(project).cores == cores
    healed = parts(lab, uid)
    assert healed.keys() == there.keys()
    for part, item in there.items():
        assert (healed[part].id, healed[part].props) == (item.id, item.props), part


def tamper(admin: Any, server: str, there: dict[str, Any]) -> None:
    """Change by hand, as an administrator of the cloud might, all that hangs on a server."""
    compute, network = admin.compute, admin.network
    mine = network.get_port(there["port-0"].id)
    compute.delete_volume_attachment(server, there["data-0-0"].id)
    compute.delete_server_metadata(server, ["govcloud:system"])
    stray = network.create_port(network_id=mine.network_id, project_id=mine.project_id)
    compute.create_server_interface(server, port_id=stray.id)
    network.update_ip(there["address-0"].id, port_id=stray.id)
    compute.update_quota_set(mine.project_id, cores=999, ram=999_999)  # else nobody could resize
    compute.resize_server(server, compute.find_flavor("c2m4").id)
    compute.wait_for_server(compute.get_server(server), "VERIFY_RESIZE", wait=PATIENCE_S)
    compute.confirm_server_resize(server)
    compute.wait_for_server(compute.get_server(server), wait=PATIENCE_S)


@pytest.mark.guarantee("R4")
def test_a_deleted_server_is_built_again_with_its_disks(lab: Any) -> None:
    uid = lab.machine("web")
    lab.finish(lab.controller())
    there = parts(lab, uid)
    with lab.region.connect() as admin:
        admin.compute.delete_server(there["server-0"].id)
        admin.compute.wait_for_delete(
            admin.compute.get_server(there["server-0"].id), wait=PATIENCE_S
        )
    controller = lab.controller("two")
    controller.pass_once(CLOUD)
    lab.finish(controller)
    healed = parts(lab, uid)
    assert healed["server-0"].id != there["server-0"].id
    assert healed["disk-0"].id == there["disk-0"].id
    assert lab.row(uid).ready


def test_a_volume_waits_for_its_machine_and_is_kept_for_whoever_adopts_it(lab: Any) -> None:
    """Approved together, neither fails; a data disk that is kept is nobody's, for adoption."""
    volume = lab.approve("files", "Volume", size="1Gi", type="hdd", attachTo="web")
    machine = lab.machine("web", dataDisks=[{"size": "1Gi", "type": "hdd"}])
    lab.finish(lab.controller())
    assert lab.row(volume).ready, lab.row(volume).message
    [attached] = lab.there(volume)
    assert attached.props["attached_to"] == "web"
    assert set(lab.events(volume)) <= {"Preparing", "Building", "Changing", "NotYet", "Ready"}

    disk = parts(lab, machine)["data-0-0"].id
    lab.release(volume)
    lab.finish(lab.controller("two"))
    lab.release(machine, Asked(keep_volumes=True))
    controller = lab.controller("three")
    for _ in range(ROUNDS_MOST):
        controller.run_once()
        if [row.reason for row in lab.rows()] == ["StillUsed"]:
            break
    [ground] = lab.rows()
    assert ground.reason == "StillUsed"  # the project stays for what is kept in it
    [kept] = [item for page in lab.driver().observe() for item in page if item.id == disk]
    assert (kept.uid, kept.tags["department"], kept.tags["system"]) == ("", "hrss", "portal")
    standing = lab.driver().inspect(disk)
    assert (standing.kind, standing.parts) == ("Volume", {"volume": disk})
    adopts = {"tenant": standing.tenant, "parts": dict(standing.parts)}
    taken = lab.approve("kept", "Volume", size="1Gi", type="hdd", adopts=adopts)
    lab.controller("four").run_once()
    assert lab.row(taken).ready, lab.row(taken).message
    assert [item.id for item in lab.there(taken)] == [disk]
