"""Controllers that die or lose their lease while systems move: nothing lost, nothing done twice."""

import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlmodel import col

from govcloud.clock import SystemClock
from govcloud.store.engine import Database
from govcloud.store.tables import WorkRow
from govcloud.store.unit import Store
from govcloud.testing import crash
from govcloud.testing.clock import FixedClock
from govcloud.testing.lab import ADMIN, Lab
from govcloud.testing.meanwhile import running, wait_until
from govcloud.testing.stage import FolderPlayer, HeldPlayer
from govcloud.testing.yard import OPENS, Renewal, Yard
from migration.running.lane import Pace
from migration.running.port import Stage

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["govcloud.testing.crash", "govcloud.testing.yard"])
QUICK = Pace(hands=4, lease_s=300, idle_s=0.02, poll_s=0.1, failed_s=0.1)
SHARED = Pace(hands=4, lease_s=120, idle_s=0.05, poll_s=0.1, failed_s=0.1)


class LaterClock(SystemClock):
    """The time ten minutes on: the leases of those that died have run out."""

    def now(self) -> datetime:
        return super().now() + timedelta(minutes=10)


def work_and_die(url: str, folder: Path, at: str, record: Path | None) -> None:
    """Work on migrations in this process, to the step at which it dies."""
    database = Database(url)
    steps = crash.Steps(at, record)
    yard = Yard(Lab(Store(database, SystemClock()), folder), folder / "hosts", pace=QUICK)
    yard.on_step = steps
    yard.player._on_step = steps
    yard.lane("killed").run_once(threading.Event())
    database.close()


def in_process(target: Callable[..., None], *words: object) -> int | None:
    process = CONTEXT.Process(target=target, args=words)
    process.start()
    process.join(300)
    return process.exitcode


@pytest.fixture
def yards(database: Database, tmp_path: Path) -> tuple[Yard, Yard]:
    """The yard now, where systems are run, and later, where they are gone on with."""
    (tmp_path / "hosts").mkdir()
    now = Lab(Store(database, SystemClock()), tmp_path).found()
    later = Lab(Store(database, LaterClock()), tmp_path)
    return tuple(Yard(lab, tmp_path / "hosts", pace=QUICK) for lab in (now, later))


def check_arrived(yard: Yard, name: str) -> None:
    """All is there, the switch is made once, no file was copied twice, no step is left open."""
    assert yard.state(name) == "trial", yard.shown(name)
    ours = yard.folder / f"{name}-old" / "data"
    theirs = yard.folder / f"{name}-new" / "data"
    for file in ours.glob("file-*"):
        assert (theirs / file.name).read_bytes() == file.read_bytes()
    assert yard.read(f"{name}-gate", "route") == "new"
    assert yard.read(f"{name}-gate", "route.before") == "old"
    assert not list((yard.folder / f"{name}-new").glob(".test-*"))
    key = f"gc-{yard.plan(name).uid[:12]}-data"
    lines = [line for line in yard.player.log() if line[3] == key]
    copied = Counter(
        line[1] for line in lines if line[1].startswith("copied") and line[5] != "test"
    )
    assert set(copied.values()) == {1}, copied


@pytest.mark.guarantee("M2")
@pytest.mark.guarantee("M4")
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_every_step_and_gone_on_with(yards: tuple[Yard, Yard], tmp_path: Path) -> None:
    now, yard = yards
    record, url = tmp_path / "steps", yard.store.database.url
    now.at_once("case")
    assert in_process(work_and_die, url, tmp_path, "", record) == 0
    check_arrived(yard, "case")
    steps = list(dict.fromkeys(record.read_text().split()))
    begun = [step for step in steps if step.startswith("begun:")]
    assert len(begun) > 12
    # "ended" of one is "begun" of the next but for who reads it; files stand for inside a play.
    done = [step for step in steps if step.startswith("done:")][::4]
    chosen = [*begun, *done, "ended:3", "file:2", "file:9"]
    for number, step in enumerate(chosen):
        name = f"case-{number}"
        now.at_once(name)
        assert in_process(work_and_die, url, tmp_path, step, None) == -signal.SIGKILL, step
        yard.lane(f"after-{number}").run_once(threading.Event())
        check_arrived(yard, name)


def at_work(yard: Yard) -> set[str]:
    """The processes that have begun a play."""
    return {line[2] for line in yard.player.log()}


def run_lane(url: str, folder: Path, name: str) -> None:
    """Work on migrations until SIGTERM, renewing the leases; no copy before two are at work."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    database = Database(url)
    yard = Yard(Lab(Store(database, SystemClock()), folder), folder / "hosts", pace=SHARED)

    def meet(_step: str, _about: str) -> None:
        wait_until(lambda: len(at_work(yard)) == 2, 120, "nobody else is at work")

    yard.player = FolderPlayer(yard.folder, slow_s=0.05, on_step=meet)
    lane = yard.lane(name)
    with running(Renewal(lane, SHARED.lease_s / 6)):
        lane.run(stop)
    database.close()


def leases_run_out(yard: Yard, owner: str) -> None:
    """Let the time pass for which a controller that is dead has leased what it was at."""
    with yard.store.unit(ADMIN) as unit:
        theirs = update(WorkRow).where(col(WorkRow.lease_owner) == owner)
        ended = unit.session.execute(theirs.values(lease_until=unit.now, due_at=unit.now))
    assert ended.rowcount, "it was at nothing"


@pytest.mark.guarantee("M2")
@pytest.mark.guarantee("R9")
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_one_controller_takes_over_when_another_dies(database: Database, tmp_path: Path) -> None:
    (tmp_path / "hosts").mkdir()
    lab = Lab(Store(database, SystemClock()), tmp_path).found()
    yard = Yard(lab, tmp_path / "hosts", pace=SHARED)
    names = [f"case-{number}" for number in range(8)]
    for name in names:
        yard.at_once(name)
    started = [
        CONTEXT.Process(target=run_lane, args=(database.url, tmp_path, f"lane-{number}"))
        for number in range(2)
    ]
    for process in started:
        process.start()
    wait_until(lambda: len(at_work(yard)) == 2, 120)
    os.kill(started[0].pid or 0, signal.SIGKILL)
    started[0].join()
    leases_run_out(yard, "lane-0")
    wait_until(lambda: all(yard.state(name) == "trial" for name in names), 300)
    started[1].terminate()
    for process in started:
        process.join(60)
    assert started[1].exitcode == 0
    for name in names:
        check_arrived(yard, name)
    check_never_at_once(yard, str(started[0].pid))


def check_never_at_once(yard: Yard, killed: str) -> None:
    """No system was worked on by two at once, but for what the killed one left unfinished."""
    at_it: dict[str, str] = {}
    for _, word, pid, key, *_ in sorted(yard.player.log(), key=lambda line: float(line[0])):
        system = key.rpartition("-")[0]
        if word == "begin":
            assert at_it.get(system) in (None, killed), (system, pid)
            at_it[system] = pid
        elif word == "end":
            assert at_it.pop(system) == pid, (system, pid)
    assert set(at_it.values()) <= {killed}


@pytest.mark.guarantee("R9")
@pytest.mark.parametrize("anew", [False, True], ids=["lost", "claimed-anew"])
def test_what_came_of_a_play_without_a_lease_is_not_written(
    store: Store, clock: FixedClock, tmp_path: Path, anew: bool
) -> None:
    (tmp_path / "hosts").mkdir()
    yard = Yard(Lab(store, tmp_path).found(), tmp_path / "hosts")
    yard.system("case", {"file-1": b"1"})

    lost: list[str] = []

    def lose(step: str, about: str) -> None:
        if (step, about) == ("done", "initial-sync") and not lost:
            lost.append(about)
            clock.advance(31)
            if anew:
                lane.start()  # It finds the system due again while it is still at it.

    yard.on_step = lose
    yard.wish("case", "run")
    lane = yard.lane("slow")
    lane.run_once(threading.Event())
    assert lost
    assert yard.state("case") == "syncing"
    copied = [line["outcome"] for line in yard.log("case") if line["what"] == "initial-sync"]
    assert copied == ["broken-off", "ok"]


@pytest.mark.guarantee("M2")
@pytest.mark.parametrize("wished", ["pause", "rollback"])
def test_a_wish_stops_what_is_played(
    store: Store, clock: FixedClock, tmp_path: Path, wished: str
) -> None:
    (tmp_path / "hosts").mkdir()
    yard = Yard(Lab(store, tmp_path).found(), tmp_path / "hosts")
    yard.system("case", {f"file-{number:02}": bytes(100) for number in range(40)})
    before = yard.snapshot("case")
    # Ten files into the first copy that stays.
    player = HeldPlayer(yard.folder, 50, lambda: yard.wish("case", wished))
    yard.player = player
    yard.wish("case", "run")
    yard.lane().run_once(threading.Event())
    assert player.copies == 50
    if wished == "pause":
        assert yard.shown("case")["message"] == "It is paused."
        yard.wish("case", "resume")
        yard.lane("two").run_once(threading.Event())
        assert yard.state("case") == "syncing"
        copied = Counter(line[1] for line in yard.player.log() if line[5] == "initial")
        assert max(n for word, n in copied.items() if word.startswith("copied")) == 1
    else:
        assert yard.state("case") == "rolled-back"
        assert yard.read("case-new") is None
    assert yard.snapshot("case") == before
    assert clock.now() < OPENS
    assert Stage.UNDO.value in {line[4] for line in yard.player.log()}
