"""On a real OpenStack: machines without internet access get out only to what is inside."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from govcloud.ports.cloud import Observed, Order, Resource
from govcloud.testing.contracts import build, one
from govcloud.testing.region import Region

pytestmark = pytest.mark.slow
OPEN = {("IPv4", "any", "any"), ("IPv6", "any", "any")}
METADATA = {("IPv4", "80", "169.254.169.254/32"), ("IPv6", "80", "fe80::a9fe:a9fe/128")}


@pytest.fixture
def region(openstack_proxied: Any) -> Iterator[Region]:
    proxy, cloud = openstack_proxied
    made = Region(cloud, proxy)
    yield made
    made.close()


def inside(order: Order, *prefixes: str, internet: bool = False) -> Order:
    zone = {**order.catalogue["zone"], "inside": list(prefixes)}
    network = {**order.spec["network"], "internetAccess": internet}
    spec = {**order.spec, "network": network}
    return replace(order, spec=spec, catalogue={**order.catalogue, "zone": zone})


def ways(admin: Any, group: str) -> set[tuple[str, str, str]]:
    """Return where the cloud itself says one gets out of a group."""
    return {
        (
            rule.ether_type,
            str(rule.port_range_min or "any"),
            rule.remote_ip_prefix or rule.remote_group_id or "any",
        )
        for rule in admin.network.security_group_rules(security_group_id=group)
        if rule.direction == "egress"
    }


def group_of(driver: Any, order: Order) -> tuple[Resource, Observed]:
    [wanted] = [r for r in driver.resources(order) if r.part == "group"]
    [found] = [o for o in driver.find([order.uid]) if o.part == "group"]
    return wanted, found


@pytest.mark.guarantee("R4")
def test_machines_get_out_to_what_is_inside_and_are_never_cut_off_meanwhile(
    region: Region,
) -> None:
    driver, order = region.open(), region.order(1)
    *_, tenant = driver.ground(order)
    members = one(driver, next(r for r in build(region, driver, tenant) if r.part == "members"))
    shut = inside(order, "10.0.0.0/8", "2001:db8::/32")
    driver.create(next(r for r in driver.resources(shut) if r.part == "group"))
    wanted, found = group_of(driver, shut)
    assert found.props["egress"] == wanted.props["egress"]
    with region.cloud.connect() as admin:
        assert ways(admin, members.id) == set()
        among = {(version, "any", members.id) for version in ("IPv4", "IPv6")}
        prefixes = {("IPv4", "any", "10.0.0.0/8"), ("IPv6", "any", "2001:db8::/32")}
        assert ways(admin, found.id) == among | prefixes | METADATA

        opened, _ = group_of(driver, inside(order, "10.0.0.0/8", internet=True))
        driver.change(found, opened, ["egress"])
        assert ways(admin, found.id) == OPEN
        _, found = group_of(driver, shut)
        assert found.props["egress"] == opened.props["egress"]

        region.proxy.clear()
        driver.change(found, wanted, ["egress"])
        assert ways(admin, found.id) == among | prefixes | METADATA
        asked = [c.method for c in region.proxy.calls if "security-group-rules" in c.path]
        assert asked == ["POST"] * 6 + ["DELETE"] * 2

        by_hand = {"direction": "egress", "ether_type": "IPv4", "protocol": "tcp"}
        admin.network.create_security_group_rule(security_group_id=found.id, **by_hand)
        _, found = group_of(driver, shut)
        assert "IPv4 tcp any any" in str(found.props["egress"]).split("; ")
        driver.change(found, wanted, ["egress"])
        assert ways(admin, found.id) == among | prefixes | METADATA
