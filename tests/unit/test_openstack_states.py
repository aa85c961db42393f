"""What a server or volume is doing that nobody goes on building."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from govcloud.ports.cloud import State
from provisioners.openstack.catalogue import Catalogue
from provisioners.openstack.compute import Compute
from provisioners.openstack.identity import Identity
from provisioners.openstack.marks import Marks
from provisioners.openstack.network import View
from provisioners.openstack.session import Door
from provisioners.openstack.settings import read_settings
from provisioners.openstack.storage import Storage

LIMIT_S = 600


@pytest.fixture
def door() -> Iterator[Door]:
    door = Door(read_settings({"cloud": "none", "build-limit-seconds": str(LIMIT_S)}))
    yield door
    door.close()


def ago(seconds: float) -> str:
    """Return an instant as Cinder writes it: without saying that it is UTC."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()


@pytest.mark.parametrize(
    ("status", "idle_s", "state"),
    [
        ("BUILD", LIMIT_S - 60, State.BUILDING),
        ("BUILD", LIMIT_S + 60, State.FAILED),
        ("ACTIVE", LIMIT_S + 60, State.READY),
        ("REBUILD", LIMIT_S + 60, State.CHANGING),
    ],
)
def test_a_server_whose_building_stands_still(
    door: Door, status: str, idle_s: float, state: State
) -> None:
    marks = Marks("here")
    compute = Compute(door, marks, Identity(door, marks, str), Catalogue(door))
    row = {"id": "s", "status": status, "updated": f"{ago(idle_s)}Z", "created": f"{ago(9999)}Z"}
    row |= {"metadata": {}, "OS-EXT-STS:task_state": "networking" if status == "BUILD" else None}
    row["OS-EXT-SRV-ATTR:host"] = "a"
    seen = compute.observed(row, {}, View())
    assert seen.state is state
    if state is State.FAILED:
        assert seen.fault == "BuildTimeout: nothing has happened for 11 min (networking)"


def test_a_server_that_no_host_has_taken_on(door: Door) -> None:
    """Nova says of it that it was updated at the moment of asking."""
    marks = Marks("here")
    compute = Compute(door, marks, Identity(door, marks, str), Catalogue(door))
    row = {"id": "s", "status": "BUILD", "updated": ago(0), "created": ago(LIMIT_S + 60)}
    assert compute.observed({**row, "metadata": {}}, {}, View()).state is State.FAILED


@pytest.mark.parametrize(
    ("status", "idle_s", "state"),
    [
        ("creating", LIMIT_S - 60, State.BUILDING),
        ("creating", LIMIT_S + 60, State.FAILED),
        ("available", LIMIT_S + 60, State.READY),
    ],
)
def test_a_volume_whose_making_stands_still(
    door: Door, status: str, idle_s: float, state: State
) -> None:
    marks = Marks("here")
    storage = Storage(door, marks, Identity(door, marks, str), Catalogue(door))
    row = {"id": "v", "status": status, "updated_at": None, "created_at": ago(idle_s)}
    seen = storage.observed(row, {})
    assert seen.state is state
    assert seen.fault.partition(":")[0] == ("BuildTimeout" if state is State.FAILED else "")
