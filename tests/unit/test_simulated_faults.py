"""Faults on request, and what happens behind the controller's back."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from govcloud.errors import (
    CloudConflictError,
    CloudError,
    ConflictError,
    NotFoundError,
    TerminalCloudError,
    TransientCloudError,
    UnavailableError,
    UsageError,
)
from govcloud.ports.cloud import State
from govcloud.testing.contracts import build, listing, one
from govcloud.testing.world import LATENCY_S, SimulatedWorld
from provisioners.simulated import tamper
from provisioners.simulated.faults import Fault, FaultKind


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SimulatedWorld]:
    made = SimulatedWorld(tmp_path)
    yield made
    made.close()


REFUSALS = [
    (Fault(FaultKind.THROTTLE, seconds=7), TransientCloudError, "Throttled", 7, False),
    (Fault(FaultKind.UNAVAILABLE), TransientCloudError, "Unavailable", None, False),
    (Fault(FaultKind.UNAVAILABLE, seconds=3), TransientCloudError, "Unavailable", 3, False),
    (Fault(FaultKind.DOWN), TransientCloudError, "Unreachable", None, False),
    (Fault(FaultKind.NO_CAPACITY), TransientCloudError, "NoCapacity", None, False),
    (Fault(FaultKind.CUT), TransientCloudError, "ConnectionLost", None, True),
    (Fault(FaultKind.REFUSE, reason="BadImage"), TerminalCloudError, "BadImage", None, False),
]


@pytest.mark.parametrize(
    ("fault", "kind", "reason", "retry_after_s", "unknown"), REFUSALS, ids=lambda v: str(v)[:40]
)
def test_a_refused_call_does_nothing(
    world: SimulatedWorld,
    fault: Fault,
    kind: type[CloudError],
    reason: str,
    retry_after_s: float | None,
    unknown: bool,
) -> None:
    cloud = world.open()
    resource = cloud.resources(world.order(1))[0]
    tamper.set_fault(world.path, fault)
    with pytest.raises(kind) as caught:
        cloud.create(resource)
    assert caught.value.reason == reason
    if isinstance(caught.value, TransientCloudError):
        assert caught.value.retry_after_s == retry_after_s
        assert caught.value.outcome_unknown is unknown
    tamper.clear_faults(world.path)
    assert listing(cloud) == []


def test_a_cut_listing_has_no_unknown_outcome(world: SimulatedWorld) -> None:
    tamper.set_fault(world.path, Fault(FaultKind.CUT))
    with pytest.raises(TransientCloudError) as caught:
        listing(world.open())
    assert not caught.value.outcome_unknown


@pytest.mark.parametrize("method", ["create", "change", "delete", "set_quota"])
def test_a_lost_answer_has_acted(world: SimulatedWorld, method: str) -> None:
    cloud = world.open()
    small = build(world, cloud, world.order(1))[0]
    grown = cloud.resources(world.order(1, grown=True))[0]
    other = cloud.resources(world.order(2))[0]
    found = one(cloud, small)
    tamper.set_fault(world.path, Fault(FaultKind.LOSE, method, count=1))
    acts: dict[str, Callable[[], object]] = {
        "create": lambda: cloud.create(other),
        "change": lambda: cloud.change(found, grown, ["vcpu"]),
        "delete": lambda: cloud.delete(found),
        "set_quota": lambda: cloud.set_quota(small.tenant, {"vms": 9}),
    }
    with pytest.raises(TransientCloudError) as caught:
        acts[method]()
    assert caught.value.outcome_unknown
    assert caught.value.reason == "AnswerLost"
    signs: dict[str, Callable[[], bool]] = {
        "create": lambda: len(cloud.find([other.uid])) == 1,
        "change": lambda: one(cloud, small).state is State.CHANGING,
        "delete": lambda: one(cloud, small).state is State.DELETING,
        "set_quota": lambda: next(iter(cloud.quotas()))[0].limits == {"vms": 9},
    }
    assert signs[method]()


@pytest.mark.parametrize(
    ("method", "reason"),
    [("create", "BuildFailed"), ("change", "ChangeFailed"), ("delete", "DeleteFailed")],
)
def test_what_was_accepted_ends_failed(world: SimulatedWorld, method: str, reason: str) -> None:
    cloud = world.open()
    small = cloud.resources(world.order(1))[0]
    grown = cloud.resources(world.order(1, grown=True))[0]
    if method != "create":
        build(world, cloud, world.order(1))
    tamper.set_fault(world.path, Fault(FaultKind.FAIL, count=1))
    listing(cloud)  # a call that it cannot strike does not use it up
    if method == "create":
        cloud.create(small)
    elif method == "change":
        cloud.change(one(cloud, small), grown, ["vcpu"])
    else:
        cloud.delete(one(cloud, small))
    world.settle()
    failed = one(cloud, small)
    assert (failed.state, failed.fault) == (State.FAILED, reason)
    assert failed.props["vcpu"] == 2
    assert tamper.active_faults(world.path) == []
    cloud.delete(failed)
    world.settle()
    assert listing(cloud) == []


def test_a_failed_change_may_be_tried_again(world: SimulatedWorld) -> None:
    cloud = world.open()
    small = build(world, cloud, world.order(1))[0]
    failed = tamper.fail(world.path, small.name)
    assert (failed.state, failed.fault) == (State.FAILED, "HostFailed")
    cloud.change(failed, small, ["vcpu"])
    world.settle()
    healed = one(cloud, small)
    assert (healed.state, healed.fault) == (State.READY, "")


def test_slow_work_takes_longer_and_the_call_does_not(world: SimulatedWorld) -> None:
    cloud = world.open()
    tamper.set_fault(world.path, Fault(FaultKind.SLOW, "create", seconds=60))
    before = world.clock.now()
    resource = cloud.resources(world.order(1))[0]
    cloud.create(resource)
    assert world.clock.now() == before
    world.clock.advance(LATENCY_S + 59)
    assert one(cloud, resource).state is State.BUILDING
    world.clock.advance(1)
    assert one(cloud, resource).state is State.READY


def test_a_stalled_call_takes_longer_itself(world: SimulatedWorld) -> None:
    cloud = world.open()
    tamper.set_fault(world.path, Fault(FaultKind.STALL, "find", seconds=5))
    before = world.clock.now()
    cloud.find(["u"])
    assert (world.clock.now() - before).total_seconds() == 5


def test_a_count_is_used_up(world: SimulatedWorld) -> None:
    cloud = world.open()
    tamper.set_fault(world.path, Fault(FaultKind.UNAVAILABLE, "f*", count=2))
    for _ in range(2):
        with pytest.raises(TransientCloudError):
            cloud.find(["u"])
    assert list(cloud.find(["u"])) == []
    assert listing(cloud) == []


def test_probability_is_repeatable_by_seed(tmp_path: Path) -> None:
    def run(name: str, seed: int) -> list[bool]:
        world = SimulatedWorld(tmp_path, name=name)
        tamper.set_fault(world.path, Fault(FaultKind.DOWN, "find", probability=0.5, seed=seed))
        struck = []
        for _ in range(40):
            try:
                world.open().find(["u"])
                struck.append(False)
            except TransientCloudError:
                struck.append(True)
        world.close()
        return struck

    first = run("a", 1)
    assert first == run("b", 1)
    assert first != run("c", 2)
    assert 5 < sum(first) < 35


def test_faults_are_listed_and_cleared(world: SimulatedWorld) -> None:
    fault = Fault(FaultKind.THROTTLE, "create", count=3, seconds=1)
    tamper.set_fault(world.path, fault)
    assert tamper.active_faults(world.path) == [fault]
    assert tamper.clear_faults(world.path) == 1
    assert tamper.active_faults(world.path) == []


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.DOWN, "juggle"),
        Fault(FaultKind.FAIL, "observe"),
        Fault(FaultKind.DOWN, probability=0),
        Fault(FaultKind.DOWN, count=0),
        Fault(FaultKind.SLOW, seconds=-1),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(world: SimulatedWorld, fault: Fault) -> None:
    with pytest.raises(UsageError):
        tamper.set_fault(world.path, fault)


def test_fault_kinds_by_word() -> None:
    assert tamper.fault_kind("no-capacity") is FaultKind.NO_CAPACITY
    with pytest.raises(UsageError):
        tamper.fault_kind("fire")


def test_removing_and_changing_behind_the_back(world: SimulatedWorld) -> None:
    cloud = world.open()
    first, second = build(world, cloud, world.order(1, count=2))
    assert tamper.change(world.path, first.name, "vcpu", 64).props["vcpu"] == 64
    assert one(cloud, first).props["vcpu"] == 64
    assert "image" not in tamper.change(world.path, first.name, "image", None).props
    assert tamper.change(world.path, first.name, "tag:system", "x").tags["system"] == "x"
    assert tamper.remove(world.path, one(cloud, second).id[:20]).name == second.name
    assert [o.part for o in cloud.find([first.uid])] == [first.part]


def test_tampering_outlives_a_change_that_ends_later(world: SimulatedWorld) -> None:
    cloud = world.open()
    small = build(world, cloud, world.order(1))[0]
    cloud.change(one(cloud, small), cloud.resources(world.order(1, grown=True))[0], ["vcpu"])
    tamper.change(world.path, small.name, "vcpu", 64)
    world.settle()
    assert one(cloud, small).props["vcpu"] == 64


def test_marks_behind_the_back(world: SimulatedWorld) -> None:
    cloud = world.open()
    resource = build(world, cloud, world.order(1))[0]
    found = one(cloud, resource)
    tamper.set_mark(world.path, found.id, "test", "someone-else", "server-0")
    with pytest.raises(CloudConflictError):
        cloud.delete(found)
    assert [(o.uid, o.part) for o in listing(cloud)] == [("someone-else", "server-0")]


def test_foreign_things_may_have_any_name(world: SimulatedWorld) -> None:
    cloud = world.open()
    resource = build(world, cloud, world.order(1))[0]
    stranger = tamper.add_foreign(world.path, resource.name, props={"vcpu": 1}, tags={"who": "me"})
    assert (stranger.uid, stranger.props, stranger.tags) == ("", {"vcpu": 1}, {"who": "me"})
    with pytest.raises(ConflictError) as caught:
        tamper.remove(world.path, resource.name)
    assert stranger.id in str(caught.value.params["ids"])
    assert [o.name for o in tamper.list_resources(world.path)] == [resource.name] * 2


def test_the_listing_behind_the_back_moves_time_when_told(world: SimulatedWorld) -> None:
    cloud = world.open()
    cloud.create(cloud.resources(world.order(1))[0])
    world.settle()
    assert tamper.list_resources(world.path)[0].state is State.BUILDING
    now = world.clock.now().timestamp()
    assert tamper.list_resources(world.path, now)[0].state is State.READY


def test_what_is_not_there(world: SimulatedWorld, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no_resource"):
        tamper.remove(world.path, "nothing")
    with pytest.raises(NotFoundError, match="no_cloud"):
        tamper.list_resources(tmp_path / "other.cloud")
    (tmp_path / "broken.cloud").write_bytes(b"x" * 5000)
    with pytest.raises(UnavailableError):
        tamper.list_resources(tmp_path / "broken.cloud")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8", 8),
        ("true", True),
        ("null", None),
        ("100 ssd", "100 ssd"),
        ("1.5", "1.5"),
        ("[1]", "[1]"),
    ],
)
def test_typed_words_become_values(text: str, value: object) -> None:
    assert tamper.read_value(text) == value
