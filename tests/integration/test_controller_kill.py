"""A controller that is killed at any step of a create, a resize or a delete, and started again."""

import multiprocessing
import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from govcloud.clock import SystemClock
from govcloud.ports.cloud import State
from govcloud.store.engine import Database
from govcloud.store.unit import Store
from govcloud.testing import crash
from govcloud.testing.lab import CLOUD, QUICK, Lab

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["govcloud.testing.crash", "govcloud.testing.lab"])
EXPECTED = {
    "create": {"before-create", "after-create"},
    "resize": {"before-change", "after-change"},
    "delete": {"before-delete", "after-delete"},
}
EVERYWHERE = {"claimed", "found", "planned", "before-commit", "in-commit", "after-commit"}


class LaterClock(SystemClock):
    """The time a minute on: the leases of those that died have run out."""

    def now(self) -> datetime:
        return super().now() + timedelta(minutes=1)


class Bench:
    """One lab in which objects are worked on by processes that die."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.url, self.folder = database.url, folder
        self.before = Lab(Store(database, SystemClock()), folder, settings=QUICK, connection=FAST)
        self.before.found()
        self.after = Lab(Store(database, LaterClock()), folder, settings=QUICK)
        self.number = 0

    def work(self) -> None:
        """Let a controller finish everything, in this process."""
        self.number += 1
        self.after.controller(f"restarted-{self.number}").run_once()

    def work_and_die(self, at: str, record: Path | None = None) -> int | None:
        """Let a controller work in a process that is killed at a step; return its exit code."""
        process = CONTEXT.Process(target=work, args=(self.url, self.folder, at, record))
        process.start()
        process.join(30)
        return process.exitcode


FAST = {"latency": "0.05"}


def work(url: str, folder: Path, at: str, record: Path | None) -> None:
    """Run a controller in this process, to the step at which it dies."""
    crash.run(url, folder, crash.Steps(at, record), "killed")


@pytest.fixture
def bench(database: Database, tmp_path: Path) -> Bench:
    return Bench(database, tmp_path)


def prepare(bench: Bench, scenario: str, number: int) -> str:
    """Approve what the scenario is about; for a change or release, of an object that is ready."""
    uid = bench.before.approve(f"{scenario}-{number}", dataDisks=[{"size": "10Gi", "type": "ssd"}])
    if scenario == "create":
        return uid
    bench.work()
    assert bench.before.row(uid).ready  # type: ignore[union-attr]
    if scenario == "resize":
        bench.before.change(uid, flavor="large")
    else:
        bench.before.release(uid)
    return uid


def check_built(bench: Bench, uid: str, vcpu: int) -> None:
    [machine] = bench.after.there(uid)
    row = bench.after.row(uid)
    assert row is not None
    assert (machine.state, machine.props["vcpu"]) == (State.READY, vcpu)
    assert (row.ready, row.progressing, row.phase) == (True, False, "active")
    assert row.status["built"] == row.generation
    assert machine.tags["digest"] == row.digest
    assert machine.tags["request"] == row.request_id


def check_gone(bench: Bench, uid: str) -> None:
    assert bench.after.there(uid) == []
    assert bench.after.row(uid) is None


CHECKS: dict[str, Callable[[Bench, str], None]] = {
    "create": lambda bench, uid: check_built(bench, uid, 2),
    "resize": lambda bench, uid: check_built(bench, uid, 8),
    "delete": check_gone,
}


def check_ledger(bench: Bench) -> None:
    """What is charged is what stands, nothing is left reserved, and a recount agrees (Q2, Q3)."""
    machines = bench.after.there()
    charged = bench.after.charged()
    assert charged.get("vms", (0, 0)) == (len(machines), 0)
    assert charged.get("vcpu", (0, 0)) == (sum(int(m.props["vcpu"] or 0) for m in machines), 0)


@pytest.mark.guarantee("R1")
@pytest.mark.guarantee("R3")
@pytest.mark.guarantee("Q2")
@pytest.mark.guarantee("Q3")
@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("scenario", ["create", "resize", "delete"])
def test_killed_at_every_step_and_restarted(bench: Bench, scenario: str, tmp_path: Path) -> None:
    record = tmp_path / "steps"
    uid = prepare(bench, scenario, 0)
    assert bench.work_and_die("", record) == 0
    CHECKS[scenario](bench, uid)
    steps = list(dict.fromkeys(record.read_text().split()))
    names = {step.partition(":")[0] for step in steps}
    assert names >= EVERYWHERE | EXPECTED[scenario]
    for number, step in enumerate(steps, start=1):
        uid = prepare(bench, scenario, number)
        code = bench.work_and_die(step)
        # A step that a faster run does not come to leaves nothing to recover from.
        assert code in (-signal.SIGKILL, 0), step
        assert code == -signal.SIGKILL or not step.endswith(":1"), step
        bench.work()
        CHECKS[scenario](bench, uid)
        assert bench.after.queue() == [], step
        check_ledger(bench)
    found = bench.after.controller("last").pass_once(CLOUD)
    assert found is not None
    assert (found.differing, found.enqueued, found.unmanaged) == (0, 0, 0)
