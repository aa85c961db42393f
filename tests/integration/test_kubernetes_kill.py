"""A controller killed at the boundaries of create, change and release, on a real cluster."""

import multiprocessing
import shutil
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from govcloud.clock import SystemClock
from govcloud.store.engine import Database
from govcloud.store.unit import Store
from govcloud.testing import crash
from govcloud.testing.cluster import Cluster
from govcloud.testing.kubelab import KubeLab
from govcloud.testing.kubernetes import ControlPlane
from govcloud.testing.lab import CLOUD, QUICK

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["govcloud.testing.crash", "govcloud.testing.kubelab"])
PARTS = 8
"""Namespace, quota, sizes, three policies, two bindings."""


class LaterClock(SystemClock):
    """The time a minute on: the leases of those that died have run out."""

    def now(self) -> datetime:
        return super().now() + timedelta(minutes=1)


class Bench:
    """One lab in which namespaces are worked on by processes that die."""

    def __init__(self, database: Database, cluster: Cluster) -> None:
        self.cluster = cluster
        self.before = KubeLab(
            Store(database, SystemClock()), cluster.connection(), settings=QUICK
        ).found()
        self.installation = self.before.installation
        self.after = KubeLab(
            Store(database, LaterClock()),
            cluster.connection(),
            installation=self.installation,
            settings=QUICK,
        )
        self.url = database.url
        self.number = 0

    def work(self) -> None:
        """Let a controller finish everything, in this process."""
        self.number += 1
        self.after.controller(f"restarted-{self.number}").run_once()

    def work_and_die(self, at: str, record: Path | None = None) -> int | None:
        """Let a controller work in a process that is killed at a step; return its exit code."""
        connection = self.cluster.connection()
        arguments = (self.url, connection, self.installation, at, record)
        process = CONTEXT.Process(target=work, args=arguments)
        process.start()
        process.join()
        return process.exitcode


def work(
    url: str, connection: Mapping[str, str], installation: str, at: str, record: Path | None
) -> None:
    """Run a controller in this process, to the step at which it dies."""
    database = Database(url)
    store = Store(database, SystemClock())
    lab = KubeLab(store, connection, installation=installation, settings=QUICK)
    lab.controller("killed", on_step=crash.Steps(at, record)).run_once()
    database.close()


@pytest.fixture
def bench(control_plane: ControlPlane, sqlite_template: Path, tmp_path: Path) -> Iterator[Bench]:
    file = tmp_path / "kill.db"
    shutil.copyfile(sqlite_template, file)
    database = Database(f"sqlite:///{file}")
    cluster = Cluster(control_plane, pageSize="500")
    bench = Bench(database, cluster)
    yield bench
    bench.after.remove_all(control_plane)
    cluster.close()
    database.close()


def prepare(bench: Bench, scenario: str, number: int) -> str:
    """Approve what the scenario is about; for a change or release, of one that is ready."""
    uid = bench.before.namespace(number)
    if scenario == "create":
        return uid
    bench.work()
    assert bench.before.row(uid).ready  # type: ignore[union-attr]
    if scenario == "change":
        bench.before.change(uid, pods=40, podSecurity="baseline", access={"edit": ["other"]})
    else:
        bench.before.release(uid)
    return uid


def check(bench: Bench, scenario: str, uid: str) -> None:
    found = bench.after.there(uid)
    row = bench.after.row(uid)
    if scenario == "release":
        assert (row, found) == (None, [])
        return
    assert row is not None
    assert (row.ready, row.progressing, row.status["built"]) == (True, False, row.generation)
    counts = Counter(item.part for item in found)
    assert set(counts.values()) == {1}
    assert len(counts) == (PARTS if scenario == "create" else PARTS - 1)
    assert {item.tags["digest"] for item in found} == {row.digest}
    quota = next(item for item in found if item.part == "quota")
    assert quota.props["hard.pods"] == (30 if scenario == "create" else 40)


def check_ledger(bench: Bench) -> None:
    """What is charged is what stands, nothing is left reserved, and a recount agrees."""
    standing = [item for item in bench.after.there() if item.type == "quota"]
    charged = bench.after.charged()
    assert charged.get("namespaces", (0, 0)) == (len(standing), 0)
    pods = sum(int(str(item.props["hard.pods"])) for item in standing)
    assert charged.get("k8s-pods", (0, 0)) == (pods, 0)


def boundaries(steps: list[str]) -> list[str]:
    """Return each kind of step at its first and its last time, in the order of their coming."""
    last = {step.partition(":")[0]: step for step in steps}
    return [s for s in dict.fromkeys(steps) if s.endswith(":1") or s in last.values()]


@pytest.mark.guarantee("R1")
@pytest.mark.guarantee("R3")
@pytest.mark.guarantee("Q2")
@pytest.mark.guarantee("Q3")
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", ["create", "change", "release"])
def test_killed_at_the_boundaries_and_restarted(
    bench: Bench, scenario: str, tmp_path: Path
) -> None:
    record = tmp_path / "steps"
    uid = prepare(bench, scenario, 0)
    assert bench.work_and_die("", record) == 0
    check(bench, scenario, uid)
    steps = boundaries(record.read_text().split())
    verb = {"release": "delete"}.get(scenario, scenario)
    names = {step.partition(":")[0] for step in steps}
    assert names >= {f"before-{verb}", f"after-{verb}", "before-commit", "after-commit"}
    for number, step in enumerate(steps, start=1):
        uid = prepare(bench, scenario, number)
        code = bench.work_and_die(step)
        # A step that a faster run does not come to leaves nothing to recover from.
        assert code in (-signal.SIGKILL, 0), step
        bench.work()
        check(bench, scenario, uid)
        assert bench.after.queue() == [], step
        check_ledger(bench)
    found = bench.after.controller("last").pass_once(CLOUD)
    assert found is not None
    assert (found.differing, found.enqueued) == (0, 0)
