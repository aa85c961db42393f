"""What an object consists of on OpenStack, and what it stands on."""

from dataclasses import replace
from typing import Any

import pytest

from govcloud.ports.cloud import Order
from govcloud.testing.world import machine_order, volume_order
from provisioners.openstack.identity import NAME_MOST, tenant_name
from provisioners.openstack.marks import Mark, Marks
from provisioners.openstack.parts import Parts, private_range, tenant_of
from provisioners.openstack.settings import Settings

ZONE = {"type": "dmz", "mlpsLevel": 3, "ipv6": True, "externalNetwork": "public"}
PARTS = Parts("gov", Marks("gc-1"), Settings())


def order(number: int = 1, *, zone: dict[str, Any] | None = None, **spec: Any) -> Order:
    base = machine_order(number)
    tags = {
        "department": base.department,
        "system": "portal",
        "project": "P-1",
        "xinchuang": "false",
        "zone": "dmz",
        "mlps": "3",
        "environment": "test",
        "digest": "d" * 64,
    }
    catalogue = {**base.catalogue, "zone": {**ZONE, **(zone or {})}}
    return replace(base, spec={**base.spec, **spec}, catalogue=catalogue, tags=tags)


def parts(wanted: Order, made: Parts = PARTS) -> dict[str, Any]:
    return {resource.part: resource for resource in made.resources(wanted)}


def closure(wanted: Order) -> list[Order]:
    return [o for below in PARTS.ground(wanted) for o in (below, *closure(below))]


def test_ground_is_the_same_from_wherever_it_is_asked_for() -> None:
    """Whoever stands on it, a tenant is one order; otherwise it would change for ever."""
    found: dict[str, Order] = {}
    for wanted in (order(0), order(3), order(0, zone={"floatingIps": True})):
        for below in closure(wanted):
            assert found.setdefault(below.uid, below) == below
    assert {o.kind for o in found.values()} == {"Tenant", "Network"}
    assert len(found) == 2


@pytest.mark.parametrize(
    ("what", "differs"),
    [
        ({"department": "other"}, True),
        ({"system": "other"}, True),
        ({"name": "other", "uid": "other"}, False),
    ],
)
def test_systems_share_no_ground(what: dict[str, str], differs: bool) -> None:
    one, other = order(1), replace(order(1), **what)
    shared = {o.uid for o in closure(one)} & {o.uid for o in closure(other)}
    assert bool(shared) is not differs


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", "b--c"), ("a--b", "c")),
        (("a" * 40, "b" * 20 + "--c"), ("a" * 40 + "--" + "b" * 20, "c")),
        (("a--b", "c--d"), ("a", "b--c--d")),
    ],
)
def test_names_that_read_alike_when_joined_share_no_ground(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    """Names may have two hyphens in them: one department's network is never another's (NET-06)."""
    at = [replace(order(1), department=d, system=s) for d, s in (one, other)]
    assert len({o.uid for each in at for o in closure(each)}) == 4
    tenants = [tenant_of(each) for each in at]
    assert len(set(tenants)) == 2
    assert all(len(tenant) <= NAME_MOST for tenant in tenants)


def test_what_a_tenant_is_called_stays() -> None:
    """Another name would be another project, beside the one that stands."""
    assert tenant_name("hrss", "portal") == "hrss--portal"
    assert tenant_name("hr-ss", "por-tal-2") == "hr-ss--por-tal-2"
    long = tenant_name("d" * 40, "s" * 40)
    assert long == f"{'d' * 40}--{'s' * 9}-60ff2240a722"


def test_levels_share_no_network() -> None:
    """NET-06: systems of level 2 and 3 are never in one network."""
    at = [replace(order(1, zone={"mlpsLevel": level})) for level in (2, 3)]
    networks = [PARTS.network_uid(o) for o in at]
    assert len(set(networks)) == 2


def test_each_server_has_parts_of_its_own_and_they_stay() -> None:
    few, many = parts(order(count=2)), parts(order(count=4))
    assert {part: many[part] for part in few} == few
    assert {r.unit for r in many.values() if r.type == "server"} == {0, 1, 2, 3}
    assert all(r.unit is None for r in many.values() if r.type != "server")


def test_ranks_put_first_what_others_need() -> None:
    found = parts(order(network={"floatingIp": True, "allow": [{"ports": [22]}]}))
    rank = {resource.type: resource.rank for resource in found.values()}
    assert rank["disk"] < rank["server"]
    assert rank["security-group"] < rank["rule"] <= rank["port"] < rank["server"]
    assert rank["port"] < rank["floating-ip"]


def rules(wanted: Order) -> list[str]:
    return sorted(str(r.props["rule"]) for r in parts(wanted).values() if r.type == "rule")


def test_closed_by_default() -> None:
    assert rules(order()) == []


def test_openings_by_intent() -> None:
    allow = [
        {"ports": [443, 80], "source": "internet"},
        {"ports": [22], "source": "10.1.2.3/16"},
        {"ports": [5432], "source": "system"},
        {"ports": [443], "source": "internet"},
    ]
    members = f"{PARTS.tenant_uid('department-1--portal')}/members"
    assert rules(order(network={"ipv6": True, "allow": allow})) == [
        "ingress IPv4 tcp 22 10.1.0.0/16",
        "ingress IPv4 tcp 443 any",
        f"ingress IPv4 tcp 5432 {members}",
        "ingress IPv4 tcp 80 any",
        "ingress IPv6 tcp 443 any",
        f"ingress IPv6 tcp 5432 {members}",
        "ingress IPv6 tcp 80 any",
    ]
    assert all("IPv6" not in rule for rule in rules(order(network={"ipv6": False, "allow": allow})))


def egress(wanted: Order) -> set[str]:
    return set(str(parts(wanted)["group"].props["egress"]).split("; "))


EVERYWHERE = {"IPv4 any any any", "IPv6 any any any"}


def test_who_may_reach_the_internet_gets_everywhere_and_others_only_inside() -> None:
    zone = {
        "inside": ["10.0.0.0/8", "fd00::/8"],
        "nameservers": ["192.0.2.53"],
        "ntpServers": ["ntp.example.gov.cn", "2001:db8::123"],
    }
    members = f"{PARTS.tenant_uid('department-1--portal')}/members"
    only4 = {
        f"IPv4 any any {members}",
        "IPv4 any any 10.0.0.0/8",
        "IPv4 any any 192.0.2.53/32",
        "IPv4 tcp 80 169.254.169.254/32",
    }
    only6 = {
        f"IPv6 any any {members}",
        "IPv6 any any fd00::/8",
        "IPv6 any any 2001:db8::123/128",
        "IPv6 tcp 80 fe80::a9fe:a9fe/128",
    }
    assert egress(order(zone=zone)) == only4 | only6
    assert egress(order(zone=zone, network={"ipv6": False})) == only4
    assert egress(order(zone=zone, network={"internetAccess": True})) == EVERYWHERE
    assert egress(order(zone={"inside": []})) == EVERYWHERE


def test_the_group_of_a_systems_machines_lets_nobody_out() -> None:
    """A port has it beside its machine's own group: rules of all its groups add up."""
    [tenant] = [o for o in PARTS.ground(order()) if o.kind == "Tenant"]
    assert parts(tenant)["members"].props["egress"] == ""


def test_a_system_of_one_version_of_ip() -> None:
    network = next(o for o in PARTS.ground(order(zone={"ipv6": False})) if o.kind == "Network")
    assert "subnet6" not in parts(network)
    dual = next(o for o in PARTS.ground(order()) if o.kind == "Network")
    assert {"subnet4", "subnet6", "router"} <= parts(dual).keys()


def test_no_uplink_no_router() -> None:
    network = next(o for o in PARTS.ground(order(zone={"externalNetwork": None})))
    assert "router" not in parts(network)


def test_a_region_without_volumes_boots_from_the_image() -> None:
    bare = Parts("gov", Marks("gc-1"), Settings(boot_from_volume=False))
    found = parts(order(dataDisks=[]), bare)
    assert not [r for r in found.values() if r.type == "disk"]
    assert found["server-0"].props["disks"] == ""
    assert not found["server-0"].build["boot_volume"]


def test_a_machine_that_boots_from_its_image_has_its_data_disks_all_the_same() -> None:
    bare = Parts("gov", Marks("gc-1"), Settings(boot_from_volume=False))
    found = parts(order(dataDisks=[{"size": 5}]), bare)
    assert [part for part, resource in found.items() if resource.type == "disk"] == ["data-0-0"]
    assert found["server-0"].props["disks"] == "data-0-0"


def test_what_machines_are_told_is_not_compared() -> None:
    """A key is compared by its hash, and what is only needed for the making not at all."""
    server = parts(order(key="ssh-ed25519 AAAA me"))["server-0"]
    assert "ssh-ed25519" not in str(server.props)
    assert server.build["key"] == "ssh-ed25519 AAAA me"
    assert server.immutable <= server.props.keys()


def test_names_by_cloud() -> None:
    wanted = order()
    flavor = {**wanted.catalogue["flavor"], "clouds": {"gov": "c2m4", "other": "x"}}
    image = {**wanted.catalogue["image"], "clouds": {"gov": "kylin-v10"}}
    server = parts(
        replace(wanted, catalogue={**wanted.catalogue, "flavor": flavor, "image": image})
    )
    assert server["server-0"].build["flavor"] == "c2m4"
    assert server["disk-0"].build["image"] == "kylin-v10"


def test_volumes_of_their_own_and_disks_are_told_apart() -> None:
    """Only of the former it is compared to which machine they are attached."""
    volume = next(iter(PARTS.resources(volume_order())))
    assert (volume.type, volume.unit, volume.props["attached_to"]) == ("volume", 0, "")
    assert "attached_to" not in parts(order())["disk-0"].props


def test_what_holds_data_is_told() -> None:
    """A release may leave the data disks."""
    found = parts(order(count=2))
    assert {part for part, resource in found.items() if resource.data} == {"data-0-0", "data-1-0"}


def test_private_ranges_are_stable_and_of_both_versions() -> None:
    assert private_range("g1", 4) == private_range("g1", 4) != private_range("g2", 4)
    assert private_range("g1", 6).startswith("fd")
    assert private_range("g1", 6).endswith("/64")


LONG = {"department": "d" * 63, "system": "s" * 63, "zone": "z" * 63, "project": "项目" * 50}


@pytest.mark.parametrize("tags", [{}, {"department": "a b%c"}, LONG])
def test_marks_in_descriptions(tags: dict[str, str]) -> None:
    """What is written is read again; what there is no room for is not wanted either."""
    marks, mark = Marks("gc-0123456789ab"), Mark("f" * 32, "port-499")
    fitting = marks.fitting(mark, tags, {"network": "g" * 32})
    text = marks.description(mark, fitting, {"network": "g" * 32})
    assert len(text) <= 255
    label = marks.from_description(text)
    assert (label.mark, label.tags, label.facts) == (mark, fitting, {"network": "g" * 32})
    assert Marks("gc-other").from_description(text).mark.ours is False


@pytest.mark.parametrize(
    "text", ["", None, "govcloud", "govcloud gc-1", "govcloud gc-1 x", "nobody"]
)
def test_what_is_no_mark(text: str | None) -> None:
    assert not Marks("gc-1").from_description(text).mark.ours


def test_marks_in_metadata() -> None:
    marks, mark = Marks("gc-1"), Mark("u", "server-0")
    said = marks.metadata(mark, {"department": "hrss", "lease-end": ""}, {"image": "kylin"})
    label = marks.from_metadata(said)
    assert (label.mark, label.facts) == (mark, {"image": "kylin"})
    assert label.tags == {"department": "hrss", "lease-end": ""}
    assert not Marks("gc-2").from_metadata(said).mark.ours
    assert marks.from_metadata({"theirs": "x"}).tags == {}
