"""A cloud that tells of changes: what is lost heals at once, and not at the next comparison."""

import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest

from govcloud.clock import SystemClock
from govcloud.errors import TransientCloudError, UnavailableError
from govcloud.ports.abilities import Stop
from govcloud.ports.cloud import Provisioner
from govcloud.reconcile.backoff import Backoff
from govcloud.reconcile.listening import Listener
from govcloud.store import clouds
from govcloud.store.unit import Store
from govcloud.testing.lab import ADMIN, CLOUD, QUICK, Lab
from govcloud.testing.meanwhile import running, wait_until
from provisioners.simulated import tamper
from provisioners.simulated.driver import SimulatedProvisioner

WITHIN_S = 60.0
RESYNC_S = 3600


class Telling(SimulatedProvisioner):
    """A simulated cloud that tells what it is told to tell; None lets it hang up."""

    def __init__(self, inner: SimulatedProvisioner, news: "SimpleQueue[list[str] | None]") -> None:
        super().__init__(inner._cloud)
        self.news = news
        self.heard = 0

    def changes(self, stop: Stop) -> Iterator[Sequence[str]]:
        self.heard += 1
        yield ()
        while not stop.is_set():
            try:
                told = self.news.get(timeout=0.05)
            except Empty:
                continue
            if told is None:
                raise TransientCloudError("ConnectionLost")
            yield told


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


class Bench:
    def __init__(self, store: Store, folder: Path) -> None:
        self.lab = Lab(store, folder, settings=QUICK, connection={"latency": "0.02"})
        self.lab.found(limits={"resyncSeconds": RESYNC_S})
        with store.unit(ADMIN) as unit:
            # So nobody compares but who listens.
            later = unit.now + timedelta(seconds=RESYNC_S)
            clouds.looked(unit.session, CLOUD, at=unit.now, next_at=later, counts={})
        self.news: SimpleQueue[list[str] | None] = SimpleQueue()
        self.lab.wrap = self._wrap
        self.drivers: list[Telling] = []
        self.stop = threading.Event()

    def _wrap(self, inner: Provisioner) -> Provisioner:
        assert isinstance(inner, SimulatedProvisioner)
        self.drivers.append(Telling(inner, self.news))
        return self.drivers[-1]


@pytest.fixture
def bench(store: Store, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(store, tmp_path)
    with running(made.lab.controller()):
        yield made


def ready(lab: Lab, uid: str, other_than: str = "") -> bool:
    row, there = lab.row(uid), lab.there(uid)
    assert row is not None
    return row.ready and [item.id != other_than for item in there] == [True]


def heard(bench: Bench, times: int) -> bool:
    return bench.drivers[0].heard == times


@pytest.mark.guarantee("R4")
def test_what_is_told_is_healed_at_once_also_after_the_cloud_hung_up(bench: Bench) -> None:
    lab = bench.lab
    uid = lab.approve("web")
    wait_until(lambda: ready(lab, uid), WITHIN_S, "it is built")
    bench.news.put([])
    wait_until(bench.news.empty, WITHIN_S, "all was compared, and it listens on")
    compared = lab.calls()["observe"]
    for times in (1, 2):
        wait_until(partial(heard, bench, times), WITHIN_S, "it listens")
        [machine] = lab.there(uid)
        tamper.remove(lab.path(), machine.id)
        bench.news.put([uid, "0" * 32])
        wait_until(partial(ready, lab, uid, machine.id), WITHIN_S, "it heals")
        bench.news.put(None)
    assert lab.calls()["observe"] == compared


@pytest.mark.guarantee("R4")
def test_where_much_changes_at_once_all_is_compared_and_the_brake_holds(bench: Bench) -> None:
    lab = bench.lab
    uids = [lab.approve(f"web-{number}") for number in range(6)]
    wait_until(lambda: all(ready(lab, uid) for uid in uids), WITHIN_S, "all are built")
    for uid in uids:
        tamper.remove(lab.path(), lab.there(uid)[0].id)
    bench.news.put(uids)
    wait_until(
        lambda: {row.reason for row in lab.rows()} == {"MassLoss"}, WITHIN_S, "the brake holds"
    )
    assert lab.there() == []


@pytest.mark.guarantee("R4")
def test_what_was_told_while_it_could_not_be_kept_is_compared(store: Store, tmp_path: Path) -> None:
    """A cloud tells a change once: when the database was away, only a comparison finds it."""
    lab = Lab(store, tmp_path, settings=QUICK).found()
    uid = lab.approve("web")
    lab.controller().run_once()
    stop, told, compared = threading.Event(), [[uid], [uid]], []

    class Driver:
        def changes(self, _stop: Stop) -> Iterator[Sequence[str]]:
            yield ()
            yield told.pop()

    def wake() -> None:
        if told:
            raise UnavailableError("errors.no_schema")
        stop.set()

    listener = Listener(
        CLOUD,
        Driver(),
        store=store,
        retry=Backoff(0.01, 0.01, lambda: 0.0),
        few=5,
        wake=wake,
        compare=lambda: compared.append(len(told)),
    )
    listener.run(stop)
    assert compared == [2, 1]
