"""A run says what it leaves out, and a cloud that should be there and is not fails it."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from govcloud.testing.meanwhile import wait_until

PLUGINS = ("-p", "govcloud.testing.left_out", "-p", "govcloud.testing.openstack_fixtures")
TESTS = """
import pytest

@pytest.mark.long
def test_long(): ...

@pytest.mark.large
def test_large(): ...

def test_short(): ...

def test_skipped(): pytest.skip("it rains")

def test_on_a_cloud(openstack): ...
"""
CONFTEST = """
from functools import partial
from pathlib import Path
from govcloud.testing import openstack

class Lab(openstack.Lab):
    def impossible(self): return {reason!r}

openstack.Lab = partial(Lab, Path(__file__).parent / "lab")
"""
LAB = """
from pathlib import Path
Path("looked").touch()
raise SystemExit("the queue did not start")
"""
SETTINGS = "[pytest]\nmarkers =\n    long: long\n    large: large\n"


def begin(
    folder: Path, *arguments: str, reason: str | None = None, openstack: str = "auto"
) -> subprocess.Popen[str]:
    """Begin pytest on these tests, where a lab is impossible for a reason or fails to start."""
    (folder / "lab").mkdir()
    (folder / "lab" / "__main__.py").write_text(LAB)
    (folder / "conftest.py").write_text(CONFTEST.format(reason=reason))
    (folder / "pytest.ini").write_text(SETTINGS)
    (folder / "test_some.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", *PLUGINS, *arguments]
    # The lock is in the folder, too: the real cloud is nobody's affair here.
    environment = {**os.environ, "GOVCLOUD_TEST_OPENSTACK": openstack, "TMPDIR": str(folder)}
    environment.pop("GOVCLOUD_TEST_OS_CLOUD", None)
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, **both)


def run(folder: Path, *arguments: str, reason: str | None = None, openstack: str = "auto") -> str:
    """Run it to the end and return what it said."""
    return begin(folder, *arguments, reason=reason, openstack=openstack).communicate()[0]


@pytest.mark.parametrize("processes", [(), ("-n", "2")])
def test_what_is_left_out_is_counted(tmp_path: Path, processes: tuple[str, ...]) -> None:
    said = run(tmp_path, *processes, reason="the lab needs root")
    assert "1 passed, 2 skipped" in said
    assert "1 left out: minutes each on a real OpenStack: make test-openstack" in said
    assert "1 left out: as large as the aims say" in said
    assert "1 left out: it rains" in said
    assert "1 left out: no OpenStack: the lab needs root" in said


def test_all_takes_the_long_ones_and_insists_on_a_cloud(tmp_path: Path) -> None:
    said = run(tmp_path, reason="the lab needs root", openstack="all")
    assert "2 passed, 1 skipped, 1 deselected, 1 error" in said
    assert "The OpenStack lab did not start: the lab needs root" in said


def test_a_lab_that_does_not_start_fails_the_run(tmp_path: Path) -> None:
    said = run(tmp_path)
    assert "1 passed, 1 skipped, 2 deselected, 1 error" in said
    assert "the queue did not start" in said
    assert "The OpenStack lab did not start" in said


def awaited(lock: Path) -> bool:
    """Whether some process waits for a lock."""
    lines = Path("/proc/locks").read_text().splitlines()
    return any("->" in line and f":{lock.stat().st_ino} " in line for line in lines)


def test_a_cloud_that_a_test_has_for_itself_is_not_looked_for_meanwhile(tmp_path: Path) -> None:
    """Whoever looks starts what does not run, and that test may have stopped it."""
    file = tmp_path / "govcloud-test-openstack.lock"
    with file.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        other = begin(tmp_path)
        wait_until(lambda: awaited(file) or other.poll() is not None)
        looked = (tmp_path / "looked").exists()
    other.communicate()
    assert (looked, (tmp_path / "looked").exists()) == (False, True)
