"""Long work on a host, as the role `job` watches it: how far it is, and clocks that are set."""

import ctypes
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest

from govcloud.testing.meanwhile import wait_until
from migration.running.roles import Roles

JOB: Final = Roles().playbooks / "roles/job/files/job.py"
PR_SET_CHILD_SUBREAPER: Final = 36
HASTY: Final = """
import runpy, sys, time
begun, real = time.monotonic(), time.time
time.time = lambda: real() + 1000 * (time.monotonic() - begun)
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs a program on a host whose clock is a thousand times too fast."""


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Roles().playbooks / "roles/databases/files"))
    import notes  # type: ignore[import-not-found]

    return notes  # type: ignore[no-any-return]


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(JOB.parent))
    import job  # type: ignore[import-not-found]

    return job  # type: ignore[no-any-return]


def begin(folder: Path, *argv: str, hasty: bool = False, **more: Any) -> None:
    wanted = {"argv": argv, "lease_s": 20, "speaks": "rsync"} | more
    program = ["-c", HASTY, str(JOB)] if hasty else [str(JOB)]
    command = [sys.executable, *program, "start", str(folder)]
    subprocess.run(command, input=json.dumps(wanted), text=True, check=True)


def polled(folder: Path, wait_s: float = 0.2) -> dict[str, Any]:
    command = [sys.executable, str(JOB), "poll", str(folder), str(wait_s)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(said)  # type: ignore[no-any-return]


def ended(folder: Path) -> list[dict[str, Any]]:
    """All that was said, up to the end."""
    said = [polled(folder)]
    wait_until(lambda: said[-1]["ended"] or said.append(polled(folder)))
    return said


def test_a_clock_that_is_set_ends_nothing(tmp_path: Path) -> None:
    begin(tmp_path, "sh", "-c", "sleep 0.7; echo done", hasty=True)
    assert ended(tmp_path)[-1]["stdout"] == "done\n"


def test_work_that_nobody_asks_for_ends(tmp_path: Path) -> None:
    begin(tmp_path, "sleep", "600", lease_s=0.5)
    wait_until((tmp_path / "end").exists, about="it goes on")
    assert json.loads((tmp_path / "end").read_text())["rc"] == -9


def test_a_clock_that_is_set_back_holds_nothing_up(
    notes: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = notes.Meter(1000)
    slept: list[float] = []
    monkeypatch.setattr(time, "time", lambda: 0.0)
    monkeypatch.setattr(time, "sleep", slept.append)
    meter.count(102_400)
    assert sum(slept) < 0.2


def test_what_a_helper_expects_is_told(notes: ModuleType, tmp_path: Path) -> None:
    """And nothing where it does not know."""
    for number, total in ((0, None), (500, 500), (-500, None)):
        code = f"import notes; meter = notes.Meter(0); meter.expect({number}); meter.count(120)"
        modules = {"PYTHONPATH": str(Path(notes.__file__ or "").parent)}
        begin(tmp_path, sys.executable, "-c", code, env=modules)
        said = ended(tmp_path)[-1]
        assert (said["bytes"], said.get("total")) == (120, total)


@pytest.mark.parametrize("speaks", ["rsync", "rsync-whole"])
def test_what_rsync_has_in_all_is_told_once_it_is_known(tmp_path: Path, speaks: str) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(6):
        (source / f"{number}").write_bytes(bytes(1_000_000 + number))
    words = ("--info=progress2", "--no-h", "--outbuf=N", "--bwlimit=3000", "-a")
    begin(tmp_path / "job", "rsync", *words, f"{source}/", f"{tmp_path}/copy", speaks=speaks)
    said = ended(tmp_path / "job")
    assert said[-1]["bytes"] == 6_000_015
    totals = [one["total"] for one in said if "total" in one]
    assert bool(totals) == (speaks == "rsync-whole")
    assert [total for total in totals if not 0.95 < total / 6_000_015 < 1.05] == []


def test_of_the_first_bytes_nobody_knows_of_how_many_they_are(
    job: ModuleType, tmp_path: Path
) -> None:
    """The percentage is rounded down: one per cent may be nearly two."""
    progress = job.Progress(str(tmp_path), whole=True)
    for said, total in (
        ("60,000   1%", None),
        ("120,000   2%", None),
        ("3,000,007  50%", 6_000_000),
    ):
        progress.hear(f"{said}  2.86MB/s  0:00:01 (xfr#1, to-chk=5/7)\r".encode())
        told = job.load(str(tmp_path), "count").get("total")
        assert told == total or abs(told / total - 1) < 0.05


@pytest.fixture
def adopts() -> Iterator[None]:
    """Let what loses its parent become a child of this process."""
    adopting = ctypes.CDLL(None).prctl
    adopting(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    yield
    adopting(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@pytest.mark.usefixtures("adopts")
def test_work_that_ends_while_it_is_stopped_is_stopped(
    job: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its program gone, who watches it ends by itself, be it before it is told to."""
    begin(tmp_path, "sleep", "600")
    watching, kill = job.running(str(tmp_path)), job.kill

    def slowly(pid: int) -> None:
        kill(pid)
        if pid != watching:
            os.waitpid(watching, 0)

    monkeypatch.setattr(job, "kill", slowly)
    job.stop(str(tmp_path))
    assert polled(tmp_path)["ended"]
