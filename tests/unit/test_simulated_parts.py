"""What the simulated cloud should hold for an object."""

from dataclasses import replace

import pytest

from govcloud.domain.kinds.platform import FlavorSpec, ZoneSpec
from govcloud.domain.kinds.systems import NamespaceSpec, VirtualMachineSpec, VolumeSpec
from govcloud.ports.cloud import Order
from govcloud.testing.world import machine_order, namespace_order, volume_order
from provisioners.simulated.parts import resources


def test_machines_are_numbered_servers_of_one_tenant() -> None:
    first, second = resources(machine_order(4, count=2))
    assert (first.part, second.part) == ("server-0", "server-1")
    assert (first.name, second.name) == ("department-1-web-4-0", "department-1-web-4-1")
    assert {first.tenant, second.tenant} == {"department-1--portal"}
    assert first.immutable == {"image", "zone"}
    assert first.props == second.props
    assert first.props["disk.system"] == "50 hdd"
    assert first.props["disk.0"] == "100 ssd"
    assert (first.props["vcpu"], first.props["memory"]) == (2, 4096)


def test_a_machine_without_a_flavor_says_its_size() -> None:
    order = machine_order()
    sized = replace(order, spec={**order.spec, "vcpu": 6, "memory": 1024}, catalogue={})
    (server,) = resources(sized)
    assert (server.props["vcpu"], server.props["memory"]) == (6, 1024)


def test_ipv6_needs_the_zone_to_have_it() -> None:
    order = machine_order()
    (server,) = resources(replace(order, catalogue={**order.catalogue, "zone": {"ipv6": False}}))
    assert server.props["ipv6"] is False


def test_the_order_of_openings_does_not_matter() -> None:
    order, openings = (
        machine_order(),
        [
            {"ports": [443, 80], "source": "internet"},
            {"ports": [22], "source": "10.0.0.0/8"},
        ],
    )
    texts = {
        resources(replace(order, spec={**order.spec, "network": {"allow": allow}}))[0].props[
            "allow"
        ]
        for allow in (openings, openings[::-1])
    }
    assert texts == {"22<10.0.0.0/8 80,443<internet"}


def test_a_volume_and_a_namespace_are_one_part_each() -> None:
    (volume,) = resources(volume_order(1, size=200))
    assert (volume.type, volume.part, volume.name) == ("volume", "volume", "department-0-data-1")
    assert volume.props["size"] == 200
    assert volume.immutable == {"storage", "zone"}
    (namespace,) = resources(namespace_order(1))
    assert namespace.type == "namespace"
    assert namespace.props["storage.ssd"] == 50
    assert namespace.props["network.fromNamespaces"] == "gateway"
    assert "access.edit" not in namespace.props


def test_kinds_that_are_not_built_have_no_resources() -> None:
    assert resources(replace(machine_order(), kind="ServerRoom")) == ()


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        (
            "VirtualMachine",
            VirtualMachineSpec.model_validate(
                {
                    "system": "s",
                    "zone": "z",
                    "flavor": "f",
                    "image": "i",
                    "dataDisks": [{"size": "1Ti", "type": "ssd"}],
                    "network": {"allow": [{"ports": [22]}]},
                    "lease": {"end": "2027-01-01"},
                }
            ),
        ),
        ("Volume", VolumeSpec.model_validate({"system": "s", "zone": "z", "size": "1Ti"})),
        (
            "Namespace",
            NamespaceSpec.model_validate(
                {
                    "system": "s",
                    "zone": "z",
                    "cpu": "4",
                    "memory": "8Gi",
                    "storage": {"ssd": "100Gi"},
                    "access": {"view": ["b", "a"]},
                }
            ),
        ),
    ],
)
def test_props_are_plain_values_of_the_models_base_form(
    kind: str, spec: VirtualMachineSpec | VolumeSpec | NamespaceSpec
) -> None:
    flavor = FlavorSpec.model_validate({"vcpu": 4, "memory": "8Gi"}).base()
    zone = ZoneSpec.model_validate({"cloud": "c", "type": "dmz", "mlpsLevel": 3}).base()
    order = Order("u", kind, "d", "n", "s", 1, spec.base(), {"flavor": flavor, "zone": zone}, {})
    (resource,) = resources(order)
    assert {type(value) for value in resource.props.values()} <= {str, int, bool}
    assert resource.props.get("disk.0", "1024 ssd") == "1024 ssd"
    assert resource.props.get("size", 1024) == 1024
    assert resource.props.get("access.view", "a,b") == "a,b"
