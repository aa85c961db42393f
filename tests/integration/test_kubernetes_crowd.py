"""Many namespaces: two controllers at once, and a control plane that dies under load."""

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from govcloud.clock import SystemClock
from govcloud.reconcile.controller import Controller
from govcloud.store.engine import Database
from govcloud.store.unit import Store
from govcloud.testing.kubelab import KubeLab
from govcloud.testing.kubernetes import ControlPlane, find_programs
from govcloud.testing.lab import ADMIN, QUICK
from govcloud.testing.meanwhile import running, wait_until
from govcloud.testing.postgres import Emptied

MANY = 100
SOME = 40
ALONE = 5
"""Requests a second that a controller may send: so few that a busy machine answers two of them."""
AT_ONCE = 30
"""Objects that a controller takes on at once: so few that there are some left for the second."""
PARTS = 8
OLDER = "1.33"


@pytest.fixture
def own_plane() -> Iterator[ControlPlane]:
    """A control plane that may be killed."""
    programs = find_programs()
    if isinstance(programs, str):
        pytest.skip(programs)
    with ControlPlane.start(programs) as plane:
        yield plane


def rate(begun: Counter[str], since: int, until: int) -> float:
    """Wait until `until` parts were begun; return how many a second there were from `since` on."""
    wait_until(lambda: begun.total() >= since, 300)
    started, first = time.monotonic(), begun.total()
    wait_until(lambda: begun.total() >= until, 900)
    return (begun.total() - first) / (time.monotonic() - started)


def all_ready(lab: KubeLab) -> bool:
    rows = lab.rows()
    return bool(rows) and all(row.ready and not row.progressing for row in rows)


def check_whole(lab: KubeLab, count: int) -> None:
    """One set of parts for each namespace, nothing twice, all of it charged once."""
    marks = Counter((item.uid, item.part) for item in lab.there())
    assert len(marks) == count * PARTS
    assert set(marks.values()) == {1}
    charged = lab.charged()
    assert charged["namespaces"] == (count, 0)
    assert charged["k8s-pods"] == (30 * count, 0)


@pytest.mark.slow
@pytest.mark.guarantee("R6")
@pytest.mark.timeout(1800)
def test_the_control_plane_dies_under_load_and_nothing_is_lost(
    own_plane: ControlPlane, sqlite_template: Path, tmp_path: Path
) -> None:
    file = tmp_path / "load.db"
    shutil.copyfile(sqlite_template, file)
    database = Database(f"sqlite:///{file}")
    lab = KubeLab(Store(database, SystemClock()), own_plane.connection(), settings=QUICK).found()
    for number in range(SOME):
        lab.namespace(number)
    with running(lab.controller()):
        wait_until(lambda: len(lab.there()) > SOME, 300)
        own_plane.restart("apiserver")
        wait_until(lambda: sum(row.ready for row in lab.rows()) > 2, 400)
        own_plane.kill("etcd")
        time.sleep(1)
        own_plane.run("etcd")
        wait_until(lambda: all_ready(lab), 600)
    check_whole(lab, SOME)
    database.close()


@pytest.mark.slow
@pytest.mark.postgresql
@pytest.mark.guarantee("R9")
@pytest.mark.timeout(1800)
def test_two_controllers_share_many_namespaces(
    own_plane: ControlPlane, postgres_schema: Emptied
) -> None:
    """No object is worked on by both, and they finish faster than one.

    What a controller may ask of a cluster in a second is limited, so that the limit and not this
    machine says how fast one is; the second brings as much again.
    """
    with ExitStack() as stack:
        seen: dict[str, set[str]] = {"one": set(), "two": set()}
        begun: Counter[str] = Counter()
        labs = []
        url = postgres_schema.fresh()
        for _ in seen:
            database = Database(url)
            stack.callback(database.close)
            lab = KubeLab(
                Store(database, SystemClock()),
                own_plane.connection(),
                installation="crowd",
                settings=replace(QUICK, batch=AT_ONCE, in_flight=AT_ONCE),
            )
            labs.append(lab)
        labs[0].found(limits={"parallel": 16, "requestsPerSecond": ALONE})
        for number in range(MANY):
            labs[0].namespace(number)

        def noting(name: str) -> Controller:
            def step(word: str, about: str) -> None:
                if word == "before-create":
                    seen[name].add(about)
                    begun[about] += 1

            return labs[int(name == "two")].controller(name, on_step=step)

        with running(noting("one")):
            alone = rate(begun, 2 * ALONE, 10 * ALONE)
            with running(noting("two")):
                together = rate(begun, 12 * ALONE, MANY * PARTS - 2 * ALONE)
                wait_until(lambda: all_ready(labs[0]), 600)
        assert together > 1.3 * alone
        assert seen["one"], "the first had nothing to do"
        assert seen["two"], "the second had nothing to do"
        assert set(begun.values()) == {PARTS}, "something was made by both"
        check_whole(labs[0], MANY)


@pytest.mark.slow
@pytest.mark.guarantee("R6")
@pytest.mark.timeout(1800)
def test_a_cluster_that_is_down_delays_its_own_objects_only(
    own_plane: ControlPlane, sqlite_template: Path, tmp_path: Path
) -> None:
    """Beside one of an older version, which takes the same objects."""
    file = tmp_path / "two.db"
    shutil.copyfile(sqlite_template, file)
    database = Database(f"sqlite:///{file}")
    with ControlPlane.start(own_plane.programs, f"--emulated-version={OLDER}") as older:
        lab = KubeLab(Store(database, SystemClock()), older.connection(), settings=QUICK).found()
        with lab.store.unit(ADMIN) as unit:
            lab.add_cluster(unit, "newer", connection=own_plane.connection())
        assert OLDER in lab.cluster().report().version
        own_plane.kill("apiserver")
        waiting = lab.namespace(0, cloud="newer")
        uids = [lab.namespace(number) for number in range(1, 6)]
        with running(lab.controller()):
            wait_until(lambda: all(is_ready(lab, uid) for uid in uids), 300)
            row = lab.row(waiting)
            assert row is not None
            assert (row.ready, row.progressing) == (False, True)
            own_plane.run("apiserver")
            wait_until(lambda: is_ready(lab, waiting), 400)
    database.close()


def is_ready(lab: KubeLab, uid: str) -> bool:
    row = lab.row(uid)
    return row is not None and row.ready
