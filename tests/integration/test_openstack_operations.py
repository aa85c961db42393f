"""On a real OpenStack: what a region offers, taking over, consoles, reboots, last copies."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from govcloud.errors import CloudConflictError
from govcloud.ports.abilities import Adopting, Discovering, Keeping, Leaving, Operating
from govcloud.ports.cloud import Observed, Order, State
from govcloud.testing.contracts import build, one
from govcloud.testing.openstack import OpenStack
from govcloud.testing.region import PATIENCE_S, Region

pytestmark = pytest.mark.slow


@pytest.fixture
def region(openstack_proxied: Any) -> Iterator[Region]:
    proxy, cloud = openstack_proxied
    made = Region(cloud, proxy)
    yield made
    made.close()


@pytest.fixture
def stranger(openstack: OpenStack) -> Iterator[Any]:
    """Give a server with a volume that somebody else has made, and remove it."""
    name = f"old-{uuid4().hex[:8]}"
    with openstack.connect(openstack.member) as member, openstack.connect() as admin:
        server = member.compute.create_server(
            name=name,
            image_id=member.image.find_image("debian-12").id,
            flavor_id=member.compute.find_flavor("c1m1").id,
            networks="none",
            availability_zone="az-b",
        )
        volume = member.block_storage.create_volume(name=name, size=1, volume_type="hdd")
        try:
            member.compute.wait_for_server(server, wait=PATIENCE_S)
            member.block_storage.wait_for_status(volume, "available", wait=PATIENCE_S)
            member.compute.create_volume_attachment(server, volume_id=volume.id)
            member.block_storage.wait_for_status(volume, "in-use", wait=PATIENCE_S)
            yield member.compute.get_server(server), volume
        finally:
            admin.compute.delete_server(server)
            admin.compute.wait_for_delete(server, wait=PATIENCE_S)
            # Its server lets it go, and it may still be being copied.
            volume = member.block_storage.get_volume(volume.id)
            member.block_storage.wait_for_status(volume, "available", wait=PATIENCE_S)
            member.block_storage.delete_volume(volume)
            for image in admin.image.images():
                if name in image.name:
                    admin.image.delete_image(image)


def until(ask: Callable[[], Any]) -> Any:
    """Ask again and again until the answer is true."""
    end = time.monotonic() + PATIENCE_S
    while not (found := ask()):
        assert time.monotonic() < end, "it takes too long"
        time.sleep(1)
    return found


def test_a_region_says_what_it_offers(region: Region) -> None:
    driver = region.open()
    assert isinstance(driver, Discovering)
    offers = driver.discover()
    named = {(offer.kind, offer.name) for offer in offers}
    assert named >= {
        ("zone", "az-a"),
        ("zone", "az-b"),
        ("flavor", "c2m4"),
        ("image", "debian-12"),
        ("storage", "ssd"),
        ("storage", "hdd"),
        ("network", "public"),
        ("service", "compute"),
        ("service", "block-storage"),
    }
    [flavor] = [offer for offer in offers if offer.name == "c2m4"]
    assert (flavor.facts["vcpu"], flavor.facts["memory"]) == (2, 4096)


@pytest.mark.guarantee("R2")
def test_what_somebody_made_is_taken_over_and_run(region: Region, stranger: Any) -> None:
    server, volume = stranger
    driver = region.open()
    assert isinstance(driver, Adopting)
    standing = driver.inspect(server.name)
    assert standing.parts == {"server-0": server.id, "data-0-0": volume.id}
    assert (standing.spec["vcpu"], standing.spec["memory"]) == (1, 1024)
    listed = [item for page in driver.observe() for item in page if not item.uid]
    [project] = [item for item in listed if item.id == standing.tenant]
    assert (project.type, project.tenant) == ("project", standing.tenant)
    assert project.name not in ("", project.id)
    assert server.id in {item.id for item in listed if item.tenant == project.id}
    assert (standing.spec["image"], standing.spec["hostZone"]) == ("debian-12", "az-b")
    with region.cloud.connect() as admin:
        assert not admin.compute.get_server(server.id).metadata

    order = taking(region, standing.tenant, dict(standing.parts))
    for resource in driver.resources(order):
        assert resource.adopts
        driver.adopt(resource)
    machine = until(lambda: of(driver, order, "server-0"))
    assert (machine.id, machine.tenant) == (server.id, standing.tenant)
    assert machine.tags["department"] == order.tags["department"]
    wanted = {r.part: r for r in driver.resources(order)}
    for item in driver.find([order.uid]):
        here = {name: item.props.get(name) for name in wanted[item.part].props}
        assert here == dict(wanted[item.part].props)
    with pytest.raises(CloudConflictError) as caught:
        region.open("another").inspect(server.id)
    assert caught.value.reason == "Taken"

    assert isinstance(driver, Operating)
    assert driver.console_log(machine, 10)
    driver.reboot(machine, hard=True)
    machine = until(lambda: ready(of(driver, order, "server-0")))
    assert isinstance(driver, Keeping)
    # That a copy is begun once, and when: how long it takes is the cloud's affair.
    last = f"{server.name}-last"
    for _ in range(2):
        driver.keep_copy(machine, last)
    assert copies(region, last) == [last]
    disk = of(driver, order, "data-0-0")
    assert disk is not None
    name = f"{server.name}-disk"
    assert not driver.keep_copy(disk, name)
    assert copies(region, name) == []  # it is in use
    until(lambda: ready(of(driver, order, "server-0")))  # the copy has been taken
    with region.cloud.connect() as admin:
        admin.compute.delete_volume_attachment(server, volume)
    until(lambda: driver.keep_copy(disk, name) or copies(region, name))


@pytest.mark.guarantee("R2")
def test_a_volume_that_was_left_behind_is_taken_over(openstack_proxied: Any) -> None:
    """By a driver that has seen nothing before; the volume stays in its project."""
    proxy, cloud = openstack_proxied
    region = Region(cloud, proxy, kind="Volume")
    try:
        driver, order = region.open(), region.order(1)
        left = one(driver, build(region, driver, order)[0])
        assert isinstance(driver, Leaving)
        for _ in range(2):
            driver.leave(left)
        assert list(driver.find([order.uid])) == []
        standing = region.open().inspect(left.id)
        adopts = {"tenant": standing.tenant, "parts": dict(standing.parts)}
        taking_it = replace(region.order(2), spec={**region.order(2).spec, "adopts": adopts})
        driver = region.open()
        [wanted] = driver.resources(taking_it)
        driver.adopt(wanted)
        [found] = region.open().find([taking_it.uid])
        assert (found.id, found.tenant) == (left.id, wanted.tenant)
    finally:
        region.close()


def copies(region: Region, name: str) -> list[str]:
    """Return the images of this name."""
    with region.cloud.connect() as admin:
        return [str(image.name) for image in admin.image.images(name=name)]


def taking(region: Region, tenant: str, parts: dict[str, str]) -> Order:
    order = region.order(1)
    spec = {
        **order.spec,
        "flavor": "",
        "vcpu": 1,
        "memory": 1024,
        "dataDisks": [{"size": 1, "type": "hdd"}],
        "adopts": {"tenant": tenant, "parts": parts},
    }
    return replace(order, spec=spec, catalogue={"zone": order.catalogue["zone"]})


def of(driver: Any, order: Order, part: str) -> Observed | None:
    return next((item for item in driver.find([order.uid]) if item.part == part), None)


def ready(item: Observed | None) -> Observed | None:
    return item if item is not None and item.state is State.READY else None
