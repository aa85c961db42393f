"""How the simulated cloud behaves beyond the contract of provisioners."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from govcloud.errors import InvalidInputError, TerminalCloudError, TransientCloudError
from govcloud.messages import render
from govcloud.ports.cloud import CloudAddress, Order, State
from govcloud.testing.contracts import build, differences, listing, one, quota_of
from govcloud.testing.world import (
    LATENCY_S,
    SimulatedWorld,
    machine_order,
    namespace_order,
    volume_order,
)
from provisioners.simulated import tamper
from provisioners.simulated.driver import open_cloud, open_simulated, read_settings
from provisioners.simulated.file import VERSION, cloud_file, prepare


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SimulatedWorld]:
    made = SimulatedWorld(tmp_path)
    yield made
    made.close()


def test_states_pass_with_time(world: SimulatedWorld) -> None:
    cloud = world.open()
    wanted = cloud.resources(world.order(1))[0]
    assert cloud.create(wanted).state is State.BUILDING
    world.clock.advance(LATENCY_S - 0.1)
    assert one(cloud, wanted).state is State.BUILDING
    world.clock.advance(0.1)
    found = one(cloud, wanted)
    assert found.state is State.READY

    grown = cloud.resources(world.order(1, grown=True))[0]
    changing = cloud.change(found, grown, ["vcpu"])
    assert (changing.state, changing.props["vcpu"]) == (State.CHANGING, 2)
    world.settle()
    assert one(cloud, wanted).props["vcpu"] == 4

    cloud.delete(found)
    assert one(cloud, wanted).state is State.DELETING
    world.settle()
    assert cloud.find([wanted.uid]) == []


def test_what_is_under_way_takes_no_other_change(world: SimulatedWorld) -> None:
    cloud = world.open()
    wanted = cloud.resources(world.order(1))[0]
    grown = cloud.resources(world.order(1, grown=True))[0]
    building = cloud.create(wanted)
    with pytest.raises(TransientCloudError, match="Busy"):
        cloud.change(building, grown, ["vcpu"])
    cloud.delete(building)
    with pytest.raises(TransientCloudError, match="Busy"):
        cloud.change(building, grown, ["vcpu"])


def test_what_cannot_be_changed_in_place_is_refused(world: SimulatedWorld) -> None:
    cloud = world.open()
    resource = build(world, cloud, world.order(1))[0]
    wanted = replace(resource, props={**resource.props, "image": "ubuntu"})
    with pytest.raises(TerminalCloudError, match="Immutable"):
        cloud.change(one(cloud, resource), wanted, ["image"])


def test_a_field_that_is_not_wanted_is_removed(world: SimulatedWorld) -> None:
    cloud = world.open()
    resource = build(world, cloud, world.order(1))[0]
    fewer = {name: value for name, value in resource.props.items() if name != "disk.0"}
    cloud.change(one(cloud, resource), replace(resource, props=fewer, tags={}), ["disk.0", "tag:x"])
    world.settle()
    assert "disk.0" not in one(cloud, resource).props


def test_the_cloud_makes_a_second_one_when_asked(world: SimulatedWorld) -> None:
    cloud = world.open()
    wanted = cloud.resources(world.order(1))[0]
    assert cloud.create(wanted).id != cloud.create(wanted).id
    assert len(cloud.find([wanted.uid])) == 2


@pytest.mark.parametrize(
    ("order", "used"),
    [
        (
            machine_order(count=2),
            {
                "vms": 2,
                "vcpu": 4,
                "memory": 8192,
                "disk.hdd": 100,
                "disk.ssd": 200,
                "volumes": 2,
            },
        ),
        (volume_order(size=30), {"volumes": 1, "disk.ssd": 30}),
        (
            namespace_order(),
            {
                "namespaces": 1,
                "k8s-cpu": 4000,
                "k8s-memory": 8192,
                "k8s-pods": 30,
                "k8s-storage.ssd": 50,
            },
        ),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_use_by_class(world: SimulatedWorld, order: Order, used: dict[str, int]) -> None:
    cloud = world.open()
    resources = build(world, cloud, order)
    assert quota_of(cloud, resources[0].tenant) == ({}, used)


def test_a_change_counts_at_the_larger_of_before_and_after(world: SimulatedWorld) -> None:
    cloud = world.open()
    small = build(world, cloud, world.order(1))[0]
    large = cloud.resources(world.order(1, grown=True))[0]
    cloud.change(one(cloud, small), large, ["vcpu"])
    assert quota_of(cloud, small.tenant)[1]["vcpu"] == 4
    world.settle()
    cloud.change(one(cloud, small), small, ["vcpu"])
    assert quota_of(cloud, small.tenant)[1]["vcpu"] == 4
    world.settle()
    assert quota_of(cloud, small.tenant)[1]["vcpu"] == 2


def test_a_change_over_quota_is_refused(world: SimulatedWorld) -> None:
    cloud = world.open()
    small = build(world, cloud, world.order(1))[0]
    cloud.set_quota(small.tenant, {"vcpu": 3, "vms": 1})
    large = cloud.resources(world.order(1, grown=True))[0]
    with pytest.raises(TerminalCloudError, match=r"OverQuota: vcpu: 2 \+ 2 > 3"):
        cloud.change(one(cloud, small), large, ["vcpu"])


def test_deleting_gives_quota_back_when_gone_and_not_before(world: SimulatedWorld) -> None:
    cloud = world.open()
    resource = build(world, cloud, world.order(1))[0]
    cloud.set_quota(resource.tenant, {"vms": 1})
    cloud.delete(one(cloud, resource))
    with pytest.raises(TerminalCloudError, match="OverQuota"):
        cloud.create(resource)
    world.settle()
    cloud.create(resource)


def test_pages_show_each_once_while_others_come_and_go(world: SimulatedWorld) -> None:
    cloud = world.open()
    created = [cloud.create(r) for n in range(5) for r in cloud.resources(world.order(n, count=5))]
    world.settle()
    pages = cloud.observe()
    seen = list(next(pages))
    tamper.remove(world.path, created[0].id)
    tamper.add_foreign(world.path, "late")
    for page in pages:
        seen += page
    assert len({o.id for o in seen}) == len(seen) == 26
    assert cloud.calls["observe"] == 3


def test_addresses_are_shown_and_not_compared(world: SimulatedWorld) -> None:
    cloud = world.open()
    resource = build(world, cloud, world.order(1))[0]
    found = one(cloud, resource)
    shown = {"address": "10.0.0.1", "address6": "fd00::1", "power": "on", "storage": "hdd ssd"}
    assert found.info == shown
    assert differences(found, resource) == []


def test_many_instances_start_on_one_file_at_once(tmp_path: Path) -> None:
    address = CloudAddress("gov", {"latency": "0"}, "test", str(tmp_path / "new" / "folder"))
    order = machine_order()

    def work(_: int) -> str:
        cloud = open_cloud(address)
        try:
            return cloud.create(cloud.resources(order)[0]).id
        finally:
            cloud.close()

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(work, range(24)))
    world = open_cloud(address)
    assert {o.id for o in world.find([order.uid])} == ids
    assert len(ids) == 24
    world.close()
    assert {f.name.partition("-")[0] for f in (tmp_path / "new" / "folder").iterdir()} == {
        "gov.cloud"
    }


WORKER = """
import sys
from govcloud.ports.cloud import CloudAddress
from govcloud.testing.world import machine_order
from provisioners.simulated.driver import open_cloud
cloud = open_cloud(CloudAddress("gov", {"latency": "0"}, "test", sys.argv[1]))
for number in range(25):
    cloud.create(cloud.resources(machine_order(number))[0])
cloud.close()
"""


def test_processes_share_a_cloud_and_its_quota(tmp_path: Path) -> None:
    address = CloudAddress("gov", {"latency": "0"}, "test", str(tmp_path))
    workers = [subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path)]) for _ in range(3)]
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    cloud = open_cloud(address)
    assert len(listing(cloud)) == 75
    assert sum(q.used["vms"] for page in cloud.quotas() for q in page) == 75
    cloud.close()


def test_a_file_that_is_none_of_ours_is_refused(tmp_path: Path) -> None:
    path = cloud_file(tmp_path, "gov")
    prepare(path)
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    cloud = open_cloud(CloudAddress("gov", {}, "test", str(tmp_path)))
    with pytest.raises(TransientCloudError, match="has version"):
        cloud.find(["u"])
    path.write_bytes(b"no database at all" * 1000)
    with pytest.raises(TransientCloudError, match="Unreachable"):
        cloud.find(["u"])
    cloud.close()


def test_opening_calls_nothing(tmp_path: Path) -> None:
    open_cloud(CloudAddress("gov", {}, "test", str(tmp_path))).close()
    assert list(tmp_path.iterdir()) == []


def test_settings() -> None:
    settings = read_settings({"latency": "1.5", "pageSize": "20", "overQuota": "late"})
    assert (settings.latency_s, settings.page_size, settings.late_quota) == (1.5, 20, True)
    with pytest.raises(InvalidInputError) as caught:
        read_settings({"latency": "nan", "pageSize": "0", "overQuota": "maybe", "speed": "1"})
    assert [d.field for d in caught.value.diagnostics] == [
        f"spec.connection.{name}" for name in ("latency", "pageSize", "overQuota", "speed")
    ]


def test_the_report_names_faults_in_force(world: SimulatedWorld) -> None:
    cloud = world.open()
    assert cloud.report().problems == ()
    world.lose_answer("create")
    [problem] = cloud.report().problems
    assert render(problem.key, "en", problem.params) == "fault lose on create"
    assert render(problem.key, "zh", problem.params) == "故障 lose 作用于 create"


def test_observed_values_can_be_written_as_json(world: SimulatedWorld) -> None:
    cloud = world.open()
    build(world, cloud, world.order(1))
    (found,) = listing(cloud)
    assert json.loads(json.dumps([found.props, found.tags, found.info, found.state]))[3] == "ready"


def test_the_machines_own_time_is_the_default(tmp_path: Path) -> None:
    cloud = open_simulated(CloudAddress("gov", {"latency": "0"}, "test", str(tmp_path)))
    cloud.create(cloud.resources(machine_order())[0])
    assert listing(cloud)[0].state is State.READY
    cloud.close()
