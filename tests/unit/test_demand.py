"""What objects need of the quota, and what they cost."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from govcloud.domain.classes import add, class_of
from govcloud.domain.demand import demand, price
from govcloud.domain.kinds.platform import FlavorSpec
from govcloud.domain.manifest import parse_spec

FLAVORS = {
    "small": FlavorSpec.model_validate({"vcpu": 2, "memory": "4Gi", "price": 99.995}),
    "gpu": FlavorSpec.model_validate({"vcpu": 8, "memory": "32Gi", "gpu": 2, "price": 3000}),
}
PRICES = {"vcpu": 10, "memory": 5, "disk": 0.5, "disk.ssd": 1, "floating-ips": 20, "k8s-cpu": 8}
PLACE = {"system": "records", "zone": "public"}


def of(kind: str, **spec: Any) -> dict[str, int]:
    return demand(kind, parse_spec(kind, PLACE | spec), FLAVORS)


def cost(kind: str, **spec: Any) -> float:
    return price(kind, parse_spec(kind, PLACE | spec), FLAVORS, PRICES)


def test_machines_are_counted_with_their_disks() -> None:
    assert of(
        "VirtualMachine",
        flavor="small",
        image="kylin",
        count=3,
        systemDisk={"size": "50Gi"},
        dataDisks=[{"size": "100Gi", "type": "ssd"}, {"size": "200Gi", "type": "ssd"}],
        network={"floatingIp": True},
    ) == {
        "vms": 3,
        "vcpu": 6,
        "memory": 3 * 4096,
        "disk.hdd": 150,
        "disk.ssd": 900,
        "volumes": 6,
        "floating-ips": 3,
    }


def test_machines_of_their_own_size_and_with_gpus() -> None:
    own = of("VirtualMachine", vcpu=3, memory="5Gi", image="kylin")
    assert (own["vcpu"], own["memory"]) == (3, 5120)
    assert "gpu" not in own
    assert of("VirtualMachine", flavor="gpu", image="kylin", count=2)["gpu"] == 4


def test_volumes_and_namespaces() -> None:
    assert of("Volume", size="2Ti", type="ssd") == {"volumes": 1, "disk.ssd": 2048}
    assert of("Namespace", cpu="1500m", memory="8Gi", storage={"ssd": "10Gi"}, gpu=1) == {
        "namespaces": 1,
        "k8s-cpu": 1500,
        "k8s-memory": 8192,
        "k8s-storage.ssd": 10,
        "k8s-pods": 50,
        "gpu": 1,
    }


def test_what_is_not_built_needs_nothing() -> None:
    spec = parse_spec("ServerRoom", {})
    assert demand("ServerRoom", spec, FLAVORS) == {}
    assert price("ServerRoom", spec, FLAVORS, PRICES) == 0


def test_an_unknown_flavor_is_an_error_of_the_caller() -> None:
    with pytest.raises(KeyError):
        of("VirtualMachine", flavor="huge", image="kylin")


def test_a_flavors_price_pays_for_its_cores_and_memory() -> None:
    disk = {"size": "100Gi"}
    assert cost("VirtualMachine", flavor="small", image="k", systemDisk=disk) == 150.0
    assert cost("VirtualMachine", flavor="small", image="k", systemDisk=disk, count=3) == 449.99
    own = cost("VirtualMachine", vcpu=2, memory="4Gi", image="k", systemDisk=disk)
    assert own == 2 * 10 + 4 * 5 + 50


def test_classes_have_their_own_price_before_their_familys() -> None:
    assert cost("Volume", size="100Gi", type="ssd") == 100
    assert cost("Volume", size="100Gi", type="hdd") == 50
    assert cost("Namespace", cpu="1500m", memory="8Gi") == 12


disks = st.lists(
    st.fixed_dictionaries(
        {"size": st.integers(1, 5000).map("{}Gi".format), "type": st.sampled_from(["ssd", "hdd"])}
    ),
    max_size=5,
)
machines = st.fixed_dictionaries(
    {
        "flavor": st.sampled_from(sorted(FLAVORS)),
        "image": st.just("kylin"),
        "dataDisks": disks,
        "network": st.fixed_dictionaries({"floatingIp": st.booleans()}),
    }
)


@given(machines, st.integers(1, 50))
def test_many_machines_need_as_much_as_one_of_them_that_many_times(
    spec: dict[str, Any], count: int
) -> None:
    one = of("VirtualMachine", **spec)
    total: dict[str, int] = {}
    for _ in range(count):
        total = add(total, one)
    assert of("VirtualMachine", **spec, count=count) == total
    assert all(class_of(word) for word in one)
