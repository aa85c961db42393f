"""The OpenStack that other tests stand on: what a driver needs is there, and goes again."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from keystoneauth1.exceptions import ClientException
from openstack.connection import Connection

from govcloud.testing.openstack import OpenStack
from govcloud.testing.openstack_leftovers import carrying, inventory, of_projects, orphans
from govcloud.testing.proxy import Proxy, Rule

WAIT_S = 600


@contextmanager
def project(cloud: OpenStack, mark: str) -> Iterator[Connection]:
    """Make a project in the driver's domain, and connect to it as the driver."""
    with cloud.connect(cloud.cloud) as driver:
        domain = driver.session.auth.get_access(driver.session).project_domain_id
        made = driver.identity.create_project(name=mark, domain_id=domain)
        with cloud.connect(cloud.cloud, project_id=made.id) as connection:
            try:
                yield connection
            except BaseException:
                connection.project_cleanup(dry_run=False, wait_timeout=WAIT_S)
                raise
        for group in driver.network.security_groups(project_id=made.id):
            driver.network.delete_security_group(group)
        driver.identity.delete_project(made)


def network(c: Connection, mark: str) -> tuple[Any, Any, Any]:
    """Make a dual-stack network with a router to the outside."""
    made = c.network.create_network(name=mark)
    inside = {4: "10.20.0.0/24", 6: "fd00:20::/64"}
    subnets = [
        c.network.create_subnet(network_id=made.id, name=mark, ip_version=version, cidr=cidr)
        for version, cidr in inside.items()
    ]
    public = c.network.find_network("public", ignore_missing=False)
    router = c.network.create_router(name=mark, external_gateway_info={"network_id": public.id})
    for subnet in subnets:
        c.network.add_interface_to_router(router, subnet)
    return made, subnets, router


def server(c: Connection, mark: str, zone: str, port: Any, volume: Any) -> Any:
    """Make a server with a port and a volume."""
    made = c.compute.create_server(
        name=mark,
        image_id=c.image.find_image("debian-12").id,
        flavor_id=c.compute.find_flavor("c1m1").id,
        networks=[{"port": port.id}],
        availability_zone=zone,
        metadata={"mark": mark},
    )
    made = c.compute.wait_for_server(made, wait=WAIT_S)
    c.compute.create_volume_attachment(made, volume_id=volume.id)
    c.block_storage.wait_for_status(volume, "in-use", wait=WAIT_S)
    return made


@pytest.mark.slow
def test_a_server_with_all_that_belongs_to_it(openstack: OpenStack) -> None:
    mark = f"lab-{uuid4().hex}"
    with project(openstack, mark) as c:
        made, subnets, router = network(c, mark)
        port = c.network.create_port(network_id=made.id, name=mark)
        volume = c.block_storage.create_volume(size=1, volume_type="hdd", name=mark)
        c.block_storage.wait_for_status(volume, "available", wait=WAIT_S)
        machine = server(c, mark, "az-b", port, volume)
        address = c.network.create_ip(
            floating_network_id=router.external_gateway_info["network_id"], port_id=port.id
        )

        assert (machine.status, machine.availability_zone) == ("ACTIVE", "az-b")
        assert c.network.get_port(port).status == "ACTIVE"
        assert c.network.get_ip(address).status == "ACTIVE"
        there = inventory(openstack)
        assert {thing.kind for thing in carrying(there, mark)} == {
            *("server", "volume", "project", "network", "subnet", "router", "port"),
            "floating address",
        }
        mine = {thing.kind for thing in of_projects(there, [c.current_project_id])}
        assert mine >= {"floating address", "security group", "server"}

        c.compute.delete_server(machine)
        c.compute.wait_for_delete(machine, wait=WAIT_S)
        c.network.delete_ip(address)
        c.network.delete_port(port)
        for subnet in subnets:
            c.network.remove_interface_from_router(router, subnet)
        c.network.delete_router(router)
        c.network.delete_network(made)
        c.block_storage.wait_for_status(volume, "available", wait=WAIT_S)
        c.block_storage.delete_volume(volume)
        c.block_storage.wait_for_delete(volume, wait=WAIT_S)
        gone = c.current_project_id
    left = inventory(openstack)
    assert carrying(left, mark) == []
    assert of_projects(left, [gone]) == []
    assert [thing for thing in orphans(left) if thing.project == gone] == []


def test_every_service_is_reached_through_the_proxy(
    openstack_proxied: tuple[Proxy, OpenStack],
) -> None:
    proxy, cloud = openstack_proxied
    with cloud.connect(cloud.cloud) as driver:
        assert list(driver.compute.flavors())
        assert list(driver.image.images())
        assert list(driver.network.networks())
        assert list(driver.block_storage.types())
        assert list(driver.identity.projects(name="operations"))
        assert list(driver.placement.resource_providers())
    for service in ("compute", "image", "network", "block_storage", "identity", "placement"):
        assert proxy.count(service=service) >= 1, service
    assert proxy.writes() == {}


def test_a_lost_answer_leaves_one_behind(openstack_proxied: tuple[Proxy, OpenStack]) -> None:
    proxy, cloud = openstack_proxied
    mark = f"lab-{uuid4().hex}"
    proxy.add(Rule(service="network", method="POST", path="/networks$", lost=True))
    with cloud.connect(cloud.cloud) as driver:
        with pytest.raises(ClientException):
            driver.network.create_network(name=mark)
        (made,) = driver.network.networks(name=mark)
        driver.network.delete_network(made)
    assert proxy.writes() == {
        ("network", "POST", "/v2.0/networks"): 1,
        ("network", "DELETE", "/v2.0/networks/{id}"): 1,
    }


@pytest.mark.slow
def test_a_process_is_stopped_and_started(openstack_alone: OpenStack) -> None:
    lab = openstack_alone.lab
    assert lab is not None
    with openstack_alone.connect() as admin:
        lab.kill("cinder-api")
        with pytest.raises(ClientException):
            admin.block_storage.get("/types", connect_retries=0).raise_for_status()
        lab.start("cinder-api")
        assert list(admin.block_storage.types())
