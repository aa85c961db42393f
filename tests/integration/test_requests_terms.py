"""Requests that lose something, or that give something back in a certain way."""

import pytest

from govcloud.domain.keys import ObjectKey
from govcloud.errors import InvalidInputError, UsageError
from govcloud.plan.asked import read_asked
from govcloud.requests.changes import KEEP_VOLUMES, SNAPSHOT, WIPE_VOLUMES
from govcloud.requests.desk import Verdict
from govcloud.store import objects
from govcloud.store.tables import ObjectRow, RequestRow
from govcloud.store.unit import Store
from govcloud.testing.town import (
    ADMIN,
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
from quotas.store import SqlLedger

WEB = ObjectKey("VirtualMachine", "health", "web")
DISKS = [{"size": "10Gi"}, {"size": "20Gi"}]


@pytest.fixture
def town(store: Store) -> Town:
    found = Town(store, SqlLedger()).found()
    found.apply(document("Image", "rocky", {"os": "Rocky 9"}))
    return found


def approve(town: Town, request: RequestRow) -> None:
    town.desk.decide(APPROVER, request.id, Verdict.APPROVE)


def standing(town: Town, *documents: Plain) -> None:
    approve(town, town.submit(system(), *documents))


def row(town: Town) -> ObjectRow:
    with town.store.reading() as session:
        return objects.get_object(session, ADMIN, "VirtualMachine", "web", "health")


def test_building_anew_needs_to_be_allowed_with_each_disk_by_name(town: Town) -> None:
    standing(town, machine(dataDisks=DISKS))
    moved = machine(dataDisks=DISKS, image="rocky")
    name = "VirtualMachine/web"
    everything = [name, f"{name}:data-0", f"{name}:data-1"]
    [change] = town.desk.plan(HEALTH, read(moved)).plain()["changes"]
    assert (change["replaces"], change["replaced"]) == (True, everything)
    for allowed in ([], [name], everything[:2]):
        error = leaves_nothing(
            town, UsageError, lambda allowed=allowed: town.submit(moved, allow_replace=allowed)
        )
        assert error.params["objects"] == [n for n in everything if n not in allowed]
    assert town.submit(moved, allow_replace=everything).state == "review"


def test_the_plan_names_the_machines_that_go(town: Town) -> None:
    standing(town, machine(count=4))
    [change] = town.desk.plan(HEALTH, read(machine(count=2))).plain()["changes"]
    assert change["machinesGone"] == [2, 3]
    [change] = town.desk.plan(HEALTH, read(machine(count=3, without=[1]))).plain()["changes"]
    assert change["machinesGone"] == [1]
    assert not change["replaces"]
    [change] = town.desk.plan(HEALTH, read(machine(count=6))).plain()["changes"]
    assert change["machinesGone"] == []


def test_how_something_is_given_back_is_decided_on_and_kept(town: Town) -> None:
    standing(town, machine())
    plain = town.desk.plan(HEALTH, (), releases=[WEB])
    chosen = town.desk.plan(HEALTH, (), releases=[WEB], options=[SNAPSHOT, KEEP_VOLUMES])
    assert plain.digest != chosen.digest
    assert chosen.plain()["changes"][0]["options"] == [KEEP_VOLUMES, SNAPSHOT]
    request = town.desk.submit(HEALTH, (), releases=[WEB], options=[SNAPSHOT])
    assert request.changes[0]["options"] == [SNAPSHOT]
    approve(town, request)
    asked = read_asked(row(town).asked)
    assert (asked.snapshot, asked.keep_volumes) == (True, False)


def test_volumes_are_wiped_only_where_the_cloud_says_that_it_does(town: Town) -> None:
    volume = document(
        "Volume", "data", {"system": "records", "zone": "public", "size": "5Gi"}, "health"
    )
    standing(town, machine(dataDisks=[{"size": "10Gi", "type": "ssd"}]), volume)
    data = ObjectKey("Volume", "health", "data")

    def refused(keys: list[ObjectKey], *options: str) -> list[tuple[str, object]]:
        with pytest.raises(InvalidInputError) as caught:
            town.desk.plan(HEALTH, (), releases=keys, options=[WIPE_VOLUMES, *options])
        return [(fault.key, fault.params.get("classes")) for fault in caught.value.diagnostics]

    assert refused([WEB, data]) == [
        ("requests.not_wiped", ["hdd", "ssd"]),
        ("requests.not_wiped", ["hdd"]),
    ]
    wiping(town, ["hdd"])
    assert refused([WEB, data]) == [("requests.not_wiped", ["ssd"])]
    assert refused([data], KEEP_VOLUMES) == [("requests.kept_and_wiped", None)]
    wiping(town, ["hdd", "ssd"])
    request = town.desk.submit(HEALTH, (), releases=[WEB, data], options=[WIPE_VOLUMES])
    assert [change["options"] for change in request.changes] == [[WIPE_VOLUMES]] * 2
    wiping(town, ["hdd"])  # what is no longer promised is not approved
    with pytest.raises(InvalidInputError):
        approve(town, request)
    wiping(town, ["hdd", "ssd"])
    approve(town, request)
    assert read_asked(row(town).asked).wipe_volumes


def wiping(town: Town, classes: list[str]) -> None:
    """Let the cloud promise to overwrite volumes of these classes."""
    with town.store.reading() as session:
        spec = objects.get_object(session, ADMIN, "Cloud", "sim").spec
    town.apply(document("Cloud", "sim", {**spec, "wipes": classes}))


@pytest.mark.guarantee("R2")
def test_only_administrators_take_something_over_and_only_anew(town: Town) -> None:
    standing(town, machine())
    adopts = {"tenant": "legacy", "parts": {"server-0": "some-id"}}
    with pytest.raises(InvalidInputError) as caught:
        town.submit(machine("old", adopts=adopts))
    assert caught.value.diagnostics[0].key == "requests.may_not_adopt"
    with pytest.raises(InvalidInputError) as caught:
        town.submit(machine(adopts=adopts), actor=ADMIN)
    assert caught.value.diagnostics[0].key == "requests.adopts_late"
    request = town.submit(machine("old", adopts=adopts), actor=ADMIN)
    approve(town, request)
    # What was taken over is its department's like anything else.
    assert town.submit(machine("old", adopts=adopts, flavor="large")).state == "review"
