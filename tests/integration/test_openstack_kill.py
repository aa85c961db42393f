"""A controller on a real OpenStack that is killed at each call: one of everything, nothing left."""

import multiprocessing
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from govcloud.clock import SystemClock
from govcloud.ports.cloud import State
from govcloud.store.engine import Database
from govcloud.store.unit import Store
from govcloud.testing.crash import Steps

pytestmark = [
    pytest.mark.slow,
    pytest.mark.long,
    pytest.mark.timeout(3000),
    pytest.mark.guarantee("R1"),
    pytest.mark.guarantee("Q2"),
    pytest.mark.guarantee("Q3"),
]
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["govcloud.testing.crash", "govcloud.testing.regionlab"])
DEATHS_MOST = 80
BOUNDARIES = ("before-{}", "after-{}")


@pytest.fixture
def database_kind() -> str:
    """Where a controller dies is proved on both kinds elsewhere; here it is the cloud's calls."""
    return "sqlite"


class LaterClock(SystemClock):
    """The time some minutes on: the leases of those that died have run out."""

    def __init__(self, minutes: int) -> None:
        super().__init__()
        self.later = timedelta(minutes=minutes)

    def now(self) -> datetime:
        return super().now() + self.later


def work(url: str, file: str, installation: str, at: str, deaths: int) -> None:
    """Run a controller in this process, to the step at which it dies."""
    from govcloud.testing.openstack import OpenStack
    from govcloud.testing.regionlab import RegionLab

    database = Database(url)
    cloud = OpenStack(Path(file), "lab", "lab-admin")
    lab = RegionLab(Store(database, LaterClock(deaths)), cloud, installation=installation)
    steps = Steps(at)
    # Whatever the verb: what is counted is how often a boundary of its kind was come to.
    lab.controller(
        f"killed-{deaths}", on_step=lambda name, about: steps(_kind(name), about)
    ).run_once()
    database.close()


def _kind(name: str) -> str:
    when, _, what = name.partition("-")
    return when if what in ("create", "change", "delete") else name


class Bench:
    """One lab in which objects are worked on by processes that die."""

    def __init__(self, database: Database, cloud: Any) -> None:
        from govcloud.testing.regionlab import RegionLab

        self.url, self.cloud, self.deaths = database.url, cloud, 0
        self.lab = RegionLab(Store(database, SystemClock()), cloud).found()
        self.database = database

    def work_and_die(self, at: str) -> bool:
        """Let a controller work until it comes to a boundary; return whether it died there."""
        self.deaths += 1
        arguments = (self.url, str(self.cloud.file), self.lab.installation, at, self.deaths)
        process = CONTEXT.Process(target=work, args=arguments)
        process.start()
        process.join(600)
        assert process.exitcode in (0, -signal.SIGKILL)
        return process.exitcode == -signal.SIGKILL

    def die_at_each(self) -> int:
        """Work on what is approved, dying before and after each call; return how often."""
        before = self.deaths
        while self.deaths - before < DEATHS_MOST:
            # The second call of a life, so that each life gets further than the one before.
            at = ("before:2", "after:1")[self.deaths % 2]
            if not self.work_and_die(at) and not self.lab.queue():
                return self.deaths - before
        raise AssertionError("it never comes to an end")

    def later(self) -> Any:
        """The same lab, after all who died."""
        from govcloud.testing.regionlab import RegionLab

        store = Store(self.database, LaterClock(self.deaths + 1))
        return RegionLab(store, self.cloud, installation=self.lab.installation)


@pytest.fixture
def bench(database: Database, openstack: Any) -> Iterator[Bench]:
    bench = Bench(database, openstack)
    yield bench
    bench.lab.remove_all()


def check_one_of_each(bench: Bench, uid: str) -> None:
    """What is marked is there once, and no server stands beside those that are marked."""
    from govcloud.testing.openstack_leftovers import carrying, inventory

    lab = bench.later()
    there = lab.there()
    assert all(item.state is State.READY for item in there)
    counts = Counter((item.uid, item.part) for item in there)
    assert set(counts.values()) == {1}
    things = inventory(bench.cloud)
    marked = {thing.id for thing in carrying(things, f" {uid}/")}
    listed = {item.id for item in there if item.uid == uid and item.type != "rule"}
    assert marked >= listed
    servers = [thing for thing in things if thing.kind == "server" and thing.id in marked]
    assert len(servers) == sum(item.type == "server" for item in there)
    lab.remove_drivers()


def test_killed_at_each_call_from_beginning_to_end(bench: Bench) -> None:
    from govcloud.testing.openstack_leftovers import carrying, inventory

    lab = bench.lab
    uid = lab.machine(
        "web",
        dataDisks=[{"size": "1Gi", "type": "ssd"}],
        network={"floatingIp": True, "allow": []},
    )
    assert bench.die_at_each() > 5
    row = lab.row(uid)
    assert row.ready, row.message
    check_one_of_each(bench, uid)
    assert bench.later().charged()["vms"] == (1, 0)

    lab.change(uid, flavor="large")
    bench.die_at_each()
    assert lab.row(uid).ready, lab.row(uid).message
    check_one_of_each(bench, uid)

    lab.release(uid)
    bench.die_at_each()
    assert lab.rows() == []
    assert bench.later().charged() == {}
    assert carrying(inventory(bench.cloud), lab.installation + " ") == []
