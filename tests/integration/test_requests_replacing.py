"""What a change builds anew is what the driver of its cloud says, and not a guess by its kind."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from govcloud.domain.keys import ObjectKey
from govcloud.domain.kinds.platform import CloudSpec
from govcloud.errors import UnavailableError, UsageError
from govcloud.ports.cloud import CloudAddress, Provisioner
from govcloud.requests.desk import Desk, Verdict
from govcloud.requests.rebuilding import Rebuilding
from govcloud.store.tables import RequestRow
from govcloud.store.unit import Store
from govcloud.testing.town import (
    APPROVER,
    HEALTH,
    Plain,
    Town,
    document,
    leaves_nothing,
    machine,
    read,
    system,
)
from provisioners.openstack.driver import open_cloud as open_region
from provisioners.simulated.driver import open_cloud as open_simulated
from quotas.store import SqlLedger

OPENERS = {"openstack": open_region, "simulated": open_simulated}
REGION = {"provider": "openstack", "connection": {"cloud": "none", "config-file": "/nowhere"}}


@pytest.fixture
def town(store: Store, tmp_path: Path) -> Town:
    """A town whose drivers are real ones, of clouds that nobody can reach."""

    def opened(name: str, spec: CloudSpec) -> Provisioner:
        address = CloudAddress(name, spec.connection, "", str(tmp_path))
        return OPENERS[spec.provider](address)

    found = Town(store, SqlLedger()).found()
    found.desk = Desk(store, found.ledger, rebuilding=Rebuilding(opened))
    found.apply(document("Image", "rocky", {"os": "Rocky 9"}))
    return found


def volume(**spec: Any) -> Plain:
    said = {"system": "records", "zone": "public", "size": "5Gi", **spec}
    return document("Volume", "data", said, "health")


def standing(town: Town, *documents: Plain, region: bool = True) -> None:
    if region:
        town.apply(document("Cloud", "sim", REGION))
    approve(town, town.submit(system(), *documents))


def approve(town: Town, request: RequestRow) -> Mapping[str, Any]:
    [change] = town.desk.decide(APPROVER, request.id, Verdict.APPROVE).changes[-1:]
    return dict(change)


def planned(town: Town, wanted: Plain) -> tuple[bool, list[str]]:
    [change] = town.desk.plan(HEALTH, read(wanted)).plain()["changes"]
    return change["replaces"], change["anew"]


def test_openstack_moves_a_volume_to_another_class_in_place(town: Town) -> None:
    standing(town, volume())
    assert planned(town, volume(type="ssd")) == (False, [])
    request = town.submit(volume(type="ssd"))
    assert approve(town, request)["anew"] == []


def test_until_a_volume_has_moved_it_is_charged_in_both_classes(town: Town) -> None:
    standing(town, volume())
    with town.store.unit(APPROVER) as unit:
        town.ledger.allocate(unit.session, [f"{uid_of(town)}@1"], unit.now)
    approve(town, town.submit(volume(type="ssd")))
    assert charged(town) == {"disk.hdd": 5, "disk.ssd": 5, "volumes": 1}
    with town.store.unit(APPROVER) as unit:
        town.ledger.allocate(unit.session, [f"{uid_of(town)}@2"], unit.now)
    assert charged(town) == {"disk.ssd": 5, "volumes": 1}


def test_a_cloud_that_moves_nothing_builds_the_volume_anew_if_that_is_allowed(town: Town) -> None:
    standing(town, volume(), region=False)
    wanted = volume(type="ssd")
    assert planned(town, wanted) == (True, ["volume"])
    leaves_nothing(town, UsageError, lambda: town.submit(wanted))
    request = town.submit(wanted, allow_replace=["Volume/data"])
    assert approve(town, request)["anew"] == ["volume"]


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"image": "rocky"}, ["disk-0", "server-0"]),
        ({"cloudInit": "#cloud-config\npackages: [vim]\n"}, ["server-0"]),
        ({"antiAffinity": True}, ["server-0"]),
        ({"flavor": "large"}, []),
        ({"systemDisk": {"size": "60Gi", "type": "ssd"}}, []),
    ],
)
def test_openstack_rebuilds_a_machine_only_by_permission_that_names_its_data_disks(
    town: Town, change: dict[str, Any], parts: list[str]
) -> None:
    disks = [{"size": "10Gi"}]
    standing(town, machine(dataDisks=disks))
    wanted = machine(dataDisks=disks, **change)
    assert planned(town, wanted) == (bool(parts), parts)
    if parts:
        name = "VirtualMachine/web"
        for allowed in ([], [name]):
            leaves_nothing(
                town, UsageError, lambda allowed=allowed: town.submit(wanted, allow_replace=allowed)
            )
        with pytest.raises(UsageError) as refused:
            town.submit(wanted, allow_replace=[name])
        # What can be copied from the remedy is the whole of what has to be said.
        both = f"--allow-replace {name} --allow-replace {name}:data-0"
        assert refused.value.text.params["flags"] == both
        town.submit(wanted, allow_replace=[name, f"{name}:data-0"])


def test_another_zone_is_another_place_whatever_the_driver_says(town: Town) -> None:
    town.apply(
        document("Zone", "other", {"cloud": "sim", "type": "extranet-public", "mlpsLevel": 3})
    )
    standing(town, volume())
    assert planned(town, volume(zone="other"))[0]


def test_where_no_driver_can_be_asked_the_worse_is_said(store: Store) -> None:
    def missing(_name: str, _spec: CloudSpec) -> Provisioner:
        raise UnavailableError("sim.broken_provider", provider="x", detail="none")

    town = Town(store, SqlLedger()).found()
    town.desk = Desk(store, town.ledger, rebuilding=Rebuilding(missing))
    standing(town, volume())
    assert planned(town, volume(type="ssd")) == (True, [])


def uid_of(town: Town) -> str:
    from govcloud.store import objects

    key = ObjectKey("Volume", "health", "data")
    with town.store.reading() as session:
        return objects.by_keys(session, [key])[key].uid


def charged(town: Town) -> dict[str, int]:
    with town.store.reading() as session:
        lines = town.ledger.lines(session, town.store.clock.now(), ["health"])
        found = [line for line in lines if not line.cloud and not line.zone]
    total = {line.resource_class: line.allocated + line.reserved for line in found}
    return {word: amount for word, amount in total.items() if amount}
