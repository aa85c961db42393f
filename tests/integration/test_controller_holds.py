"""An attempt waits a moment for what the cloud tells by itself, instead of being begun anew."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from govcloud.clock import SystemClock
from govcloud.ports.cloud import Observed, Provisioner
from govcloud.reconcile.controller import Controller
from govcloud.store.unit import Store
from govcloud.testing.lab import CLOUD, QUICK, Lab
from govcloud.testing.meanwhile import running, wait_until
from provisioners.simulated.driver import SimulatedProvisioner

WITHIN_S = 20.0
LONG_S = 60.0
"""Longer than a test may take: what is waited for so long is never given up."""


class Telling(SimulatedProvisioner):
    """A simulated cloud that tells how things are getting on; where `deaf`, as they began."""

    answers_whole = True

    def __init__(self, inner: SimulatedProvisioner, *, deaf: bool) -> None:
        super().__init__(inner._cloud)
        self.deaf = deaf
        self.recalled = threading.Event()

    def recall(self, observed: Observed) -> Observed | None:
        self.recalled.set()
        if self.deaf:
            return observed
        return next((i for i in self._cloud.find([observed.uid]) if i.id == observed.id), None)


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


class Bench:
    """A lab whose cloud tells, and how often objects were claimed."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.lab = Lab(store, folder, settings=QUICK, connection={"latency": "0.3"}).found()
        self.lab.wrap = self._wrap
        self.deaf = False
        self.drivers: list[Telling] = []
        self.claimed: list[str] = []

    def _wrap(self, inner: Provisioner) -> Provisioner:
        assert isinstance(inner, SimulatedProvisioner)
        self.drivers.append(Telling(inner, deaf=self.deaf))
        return self.drivers[-1]

    def step(self, name: str, about: str) -> None:
        if name == "claimed":
            self.claimed += about.split(",")

    def controller(self, hold_s: float) -> Controller:
        settings = replace(QUICK, hold_s=hold_s)
        return self.lab.controller(settings=settings, on_step=self.step)

    def ready(self, uid: str) -> bool:
        row = self.lab.row(uid)
        return row is not None and row.ready


@pytest.fixture
def bench(store: Store, tmp_path: Path) -> Bench:
    return Bench(store, tmp_path)


@pytest.mark.guarantee("R1")
def test_what_a_cloud_tells_by_itself_is_waited_for_in_one_attempt(bench: Bench) -> None:
    uid = bench.lab.approve("web", count=2)
    with running(bench.controller(LONG_S)):
        wait_until(lambda: bench.ready(uid), WITHIN_S)
    assert bench.claimed == [uid]
    assert len(bench.lab.there(uid)) == 2
    assert bench.lab.charged()["vms"] == (2, 0)


def test_a_single_run_waits_too(bench: Bench) -> None:
    uid = bench.lab.approve("web")
    bench.controller(LONG_S).work_once(CLOUD)
    assert bench.ready(uid)
    assert bench.claimed == [uid]


def test_what_is_not_told_in_time_is_looked_for(bench: Bench) -> None:
    bench.deaf = True
    uid = bench.lab.approve("web")
    with running(bench.controller(0.1)):
        wait_until(lambda: bench.ready(uid), WITHIN_S)
    assert bench.drivers[0].recalled.is_set()
    assert bench.claimed.count(uid) > 1
    assert len(bench.lab.there(uid)) == 1


@pytest.mark.guarantee("R9")
def test_what_waits_when_a_controller_ends_is_given_back(bench: Bench) -> None:
    bench.deaf = True
    uid = bench.lab.approve("web")
    with running(bench.controller(LONG_S)):
        wait_until(lambda: bool(bench.drivers) and bench.drivers[0].recalled.is_set(), WITHIN_S)
    row, [entry] = bench.lab.row(uid), bench.lab.queue()
    assert row is not None
    assert (row.ready, row.reason) == (False, "Building")
    assert entry.lease_owner is None
    bench.deaf = False
    with running(bench.controller(LONG_S)):
        wait_until(lambda: bench.ready(uid), WITHIN_S)
    assert len(bench.lab.there(uid)) == 1
