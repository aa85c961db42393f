"""Several controllers on one queue: leases, restarts, graceful ends, how soon work is served."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from govcloud.clock import SystemClock
from govcloud.ports.cloud import Observed, Resource, State
from govcloud.reconcile.settings import Settings
from govcloud.store import clouds, work
from govcloud.store.engine import Database
from govcloud.store.tables import CloudRow, ObjectRow
from govcloud.store.unit import Store
from govcloud.testing.clock import FixedClock
from govcloud.testing.faults import InterceptedProvisioner
from govcloud.testing.lab import ADMIN, CLOUD, QUICK, Lab
from govcloud.testing.meanwhile import running, wait_until
from provisioners.simulated import tamper
from provisioners.simulated.faults import Fault, FaultKind

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["govcloud.testing.lab"])
LONG_S = 300.0
SHARED = Settings(
    batch=5, lease_s=3, poll_first_s=0.05, poll_cap_s=0.5, idle_s=0.02, backoff_first_s=0.05
)


class Logged(InterceptedProvisioner):
    """Writes down when each creation begins and ends, and who made it."""

    log: Path

    def create(self, resource: Resource) -> Observed:
        self._write("begin", resource.uid)
        made = super().create(resource)
        self._write("end", resource.uid)
        return made

    def _write(self, word: str, uid: str) -> None:
        line = f"{time.monotonic():.6f} {word} {uid} {os.getpid()}\n"
        file = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, line.encode())
        os.close(file)


def run_controller(url: str, folder: Path, name: str) -> None:
    """Run a controller until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    database = Database(url)
    lab = Lab(Store(database, SystemClock()), folder, settings=SHARED)
    Logged.log = folder / "log"
    lab.wrap = Logged
    lab.controller(name).run(stop)
    database.close()


@contextmanager
def processes(lab: Lab, count: int) -> Iterator[list[multiprocessing.process.BaseProcess]]:
    url = lab.store.database.url
    started = [
        CONTEXT.Process(target=run_controller, args=(url, lab.folder, f"controller-{number}"))
        for number in range(count)
    ]
    for process in started:
        process.start()
    try:
        yield started
    finally:
        for process in started:
            if process.is_alive():
                process.terminate()
            process.join(30)


@pytest.fixture
def lab(database: Database, tmp_path: Path) -> Lab:
    store = Store(database, SystemClock())
    return Lab(store, tmp_path, settings=SHARED, connection={"latency": "0.05"}).found()


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.guarantee("R9")
@pytest.mark.guarantee("R1")
def test_two_controllers_share_the_work_and_one_takes_over_when_the_other_dies(lab: Lab) -> None:
    tamper.set_fault(lab.path(), Fault(FaultKind.STALL, "create", seconds=0.05))
    uids = [lab.approve(f"web-{number}") for number in range(60)]
    log = lab.folder / "log"
    with processes(lab, 2) as (first, second):
        wait_until(lambda: log.exists() and len(both(log)) == 2)
        os.kill(first.pid or 0, signal.SIGKILL)
        wait_until(lambda: not lab.queue())
        second.terminate()
        second.join(30)
        assert second.exitcode == 0
    assert all(len(lab.there(uid)) == 1 for uid in uids)
    assert all(row.ready for row in lab.rows())
    assert lab.charged()["vms"] == (60, 0)
    check_never_at_once(log, str(first.pid))


def begun(log: Path) -> list[str]:
    """Which creations have begun, in their order."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [uid for _, word, uid, _ in map(str.split, lines) if word == "begin"]


def both(log: Path) -> set[str]:
    return {line.split()[3] for line in log.read_text().splitlines()}


def check_never_at_once(log: Path, killed: str) -> None:
    """No object was being created by two at once, but for what the killed one left unfinished."""
    at_it: dict[str, str] = {}
    lines = [line.split() for line in log.read_text().splitlines()]
    for instant, word, uid, pid in sorted(lines, key=lambda line: float(line[0])):
        if word == "begin":
            assert at_it.get(uid) in (None, killed), (instant, uid, pid)
            at_it[uid] = pid
        else:
            assert at_it.pop(uid) == pid, (instant, uid, pid)
    assert set(at_it.values()) <= {killed}


@pytest.mark.guarantee("R9")
def test_a_lease_keeps_others_away_until_it_runs_out(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    lab = Lab(store, tmp_path).found()
    uid = lab.approve("web")

    def claim(owner: str) -> list[str]:
        with store.unit(ADMIN) as unit:
            until = FixedClock(unit.now).advance(30)
            claims = work.claim(unit.session, CLOUD, owner, limit=10, now=unit.now, until=until)
        return [entry.uid for entry in claims]

    assert claim("dead") == [uid]
    assert claim("two") == []
    clock.advance(29)
    assert claim("two") == []
    clock.advance(2)
    assert claim("two") == [uid]
    with store.unit(ADMIN) as unit:
        assert work.held(unit.session, "dead", [uid], unit.now) == {}
        assert work.held(unit.session, "two", [uid], unit.now) == {uid: False}


@pytest.mark.guarantee("R9")
def test_what_a_controller_learnt_without_a_lease_is_not_written(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    lab = Lab(store, tmp_path).found()
    uid = lab.approve("web")

    def lose(step: str, _about: str) -> None:
        if step == "after-create":
            clock.advance(31)

    first = lab.controller("slow", on_step=lose)
    first.work_once(CLOUD)
    row = lab.row(uid)
    assert row is not None
    assert row.reason == ""
    lab.drive(lab.controller("two"))
    assert len(lab.there(uid)) == 1
    assert lab.row(uid).ready  # type: ignore[union-attr]


@pytest.mark.guarantee("R9")
def test_no_action_begins_after_the_lease_ran_out(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    lab = Lab(store, tmp_path).found()
    lab.approve("web")

    def lose(step: str, _about: str) -> None:
        if step == "planned":
            clock.advance(31)

    lab.controller("slow", on_step=lose).work_once(CLOUD)
    assert "create" not in lab.calls()


@pytest.mark.guarantee("R1")
@pytest.mark.guarantee("R9")
def test_an_attempt_that_lost_its_lease_does_not_go_on_under_a_new_one(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    """Another was at the object between the two leases: what was seen before is no look."""
    lab = Lab(store, tmp_path).found(limits={"parallel": 1})
    uids = [lab.approve("web"), lab.approve("db")]
    created, go_on = threading.Event(), threading.Event()

    def hold(step: str, _about: str) -> None:
        if step == "after-create":
            created.set()
            go_on.wait()

    slow = lab.controller("slow", on_step=hold)
    lane = slow.site(CLOUD).lane
    assert lane.start() == 2
    created.wait()  # The other one waits for the only hand.
    clock.advance(31)
    lab.controller("two").work_once(CLOUD)
    assert [len(lab.there(uid)) for uid in uids] == [1, 1]
    clock.advance(31)
    lane.start()  # It finds them due again while it is still at them.
    slow.renew()
    go_on.set()
    written: list[int] = []
    wait_until(lambda: written.append(lane.finish()) or sum(written) == len(uids))
    assert lab.calls()["create"] == 2
    lab.drive(slow)
    assert all(row.ready for row in lab.rows())
    slow.close()


@pytest.mark.guarantee("R9")
def test_only_one_controller_observes_a_cloud(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    lab = Lab(store, tmp_path).found()
    with store.unit(ADMIN) as unit:
        until = FixedClock(unit.now).advance(30)
        assert clouds.take(unit.session, CLOUD, "other", now=unit.now, until=until, latest=until)
    site = lab.controller().site(CLOUD)
    assert site.look_if_due() is None
    clock.advance(31)
    assert site.look_if_due() is not None


@pytest.mark.guarantee("R7")
def test_a_restart_does_not_stampede(store: Store, clock: FixedClock, tmp_path: Path) -> None:
    lab = Lab(store, tmp_path).found()
    for number in range(5):
        lab.approve(f"web-{number}")
    controller = lab.controller()
    lab.drive(controller)
    assert controller.site(CLOUD).look_if_due() is not None
    calls = lab.calls()
    for number in range(5):
        again = lab.controller(f"again-{number}")
        assert again.site(CLOUD).look_if_due() is None
        assert again.work_once(CLOUD) == 0
        again.close()
        clock.advance(5)
    assert lab.calls() == calls
    clock.advance(60)
    assert lab.controller("last").site(CLOUD).look_if_due() is not None


@pytest.mark.guarantee("R7")
def test_a_stored_time_in_the_far_future_stops_nothing(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    lab = Lab(store, tmp_path).found()
    controller = lab.controller()
    controller.pass_once(CLOUD)
    with store.unit(ADMIN) as unit:
        row = unit.session.get_one(CloudRow, CLOUD)
        row.next_at = FixedClock(unit.now).advance(10**7)
        unit.session.add(row)
    assert controller.site(CLOUD).look_if_due() is not None


@pytest.mark.guarantee("R9")
def test_a_controller_that_ends_gives_its_leases_back(lab: Lab) -> None:
    tamper.set_fault(lab.path(), Fault(FaultKind.STALL, "create", seconds=0.2))
    for number in range(30):
        lab.approve(f"web-{number}")
    with processes(lab, 1) as (only,):
        wait_until(lambda: len(lab.there()) > 2)
        only.terminate()
        only.join(30)
        assert only.exitcode == 0
    left = lab.queue()
    assert left
    assert all(entry.lease_owner is None for entry in left)
    # What was running has been finished and written.
    built = {item.uid for item in lab.there()}
    assert built == {row.uid for row in lab.rows() if row.reason}


@pytest.mark.guarantee("R9")
def test_leases_live_on_while_a_controller_that_ends_finishes_what_is_running(lab: Lab) -> None:
    uid, go = lab.approve("web"), threading.Event()
    begun = threading.Event()

    def hold(step: str, _about: str) -> None:
        if step == "before-create":
            begun.set()
            go.wait(LONG_S)

    def lease_until() -> datetime:
        [entry] = lab.queue()
        assert entry.lease_until is not None
        return entry.lease_until

    stop = threading.Event()
    # A machine that stalls for less than 20 s lets no lease run out.
    controller = lab.controller(settings=replace(SHARED, lease_s=30), on_step=hold)
    ending = threading.Thread(target=controller.run, args=(stop,), daemon=True)
    ending.start()
    assert begun.wait(LONG_S)
    stop.set()
    try:
        seen = {lease_until()}
        # One that had begun when it was told to end proves nothing.
        wait_until(lambda: len(seen) > 2 or seen.add(lease_until()), LONG_S, "it is renewed")
    finally:
        go.set()
        ending.join(LONG_S)
    assert not ending.is_alive()
    assert lab.row(uid).reason == "Building"  # type: ignore[union-attr]
    assert [entry.lease_owner for entry in lab.queue()] == [None]


@pytest.mark.guarantee("R6")
def test_a_new_object_does_not_wait_behind_all_the_others(lab: Lab) -> None:
    """What it waits for is what is in hand, however long the queue is."""
    for number in range(400):
        lab.approve(f"web-{number}")
    log = lab.folder / "log"
    Logged.log, lab.wrap = log, Logged
    with running(lab.controller(settings=QUICK)):
        wait_until(lambda: len(begun(log)) > 20)
        uid = lab.approve("urgent")
        before = len(begun(log))
        wait_until(lambda: uid in begun(log))
    assert begun(log).index(uid) - before < 3 * QUICK.batch


def test_an_object_that_is_being_changed_is_written_later(
    database: Database, clock: FixedClock, tmp_path: Path
) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite has one writer; nobody holds a row beside it")
    lab = Lab(Store(database, clock), tmp_path).found()
    uid, other = lab.approve("web"), lab.approve("db")
    controller = lab.controller()
    lane = controller.site(CLOUD).lane
    assert lane.start() == 2
    wait_until(lambda: len(lab.there()) == 2)
    with database.writing() as session:
        session.get_one(ObjectRow, uid, with_for_update=True)
        wait_until(lambda: bool(lane.finish()) and bool(lab.row(other).reason))  # type: ignore[union-attr]
        assert lab.row(uid).reason == ""  # type: ignore[union-attr]
        assert lane.finish() == 0
    assert lane.finish() == 1
    assert lab.row(uid).reason == "Building"  # type: ignore[union-attr]
    assert {item.state for item in lab.there()} == {State.BUILDING}
    controller.close()


def test_claims_are_fair(store: Store, clock: FixedClock, tmp_path: Path) -> None:
    lab = Lab(store, tmp_path).found()
    old = [lab.approve(f"old-{number}") for number in range(20)]
    clock.advance(1)
    new = [lab.approve(f"new-{number}") for number in range(20)]
    with store.unit(ADMIN) as unit:
        for number in range(20):
            uid = f"{number:032}"
            work.notice(unit.session, [(uid, CLOUD, 1)], unit.now)
        claims = work.claim(
            unit.session,
            CLOUD,
            "one",
            limit=12,
            now=unit.now,
            until=FixedClock(unit.now).advance(9),
        )
    uids = {claim.uid for claim in claims}
    assert len(uids) == 12
    assert (len(uids & set(old)), len(uids & set(new))) == (3, 3)


def test_places_that_one_side_leaves_empty_the_others_take(store: Store, tmp_path: Path) -> None:
    lab = Lab(store, tmp_path).found()
    fresh = {lab.approve(f"web-{number}") for number in range(9)}
    with store.unit(ADMIN) as unit:
        until = FixedClock(unit.now).advance(9)
        claims = work.claim(unit.session, CLOUD, "one", limit=8, now=unit.now, until=until)
        assert len(claims) == 8
        assert {claim.uid for claim in claims} < fresh
        rest = work.claim(unit.session, CLOUD, "one", limit=8, now=unit.now, until=until)
        assert len(rest) == 1
