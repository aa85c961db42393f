"""A run says what it leaves out, and a cloud that should be there and is not fails it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
SETTINGS = "[pytest]\nmarkers =\n    long: long\n    large: large\n"


def run(folder: Path, *arguments: str, reason: str | None = None, openstack: str = "auto") -> str:
    """Run pytest on these tests, where a lab is impossible for a reason or fails to start."""
    (folder / "lab").mkdir()
    (folder / "lab" / "__main__.py").write_text("raise SystemExit('the queue did not start')")
    (folder / "conftest.py").write_text(CONFTEST.format(reason=reason))
    (folder / "pytest.ini").write_text(SETTINGS)
    (folder / "test_some.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", *PLUGINS, *arguments]
    environment = {**os.environ, "GOVCLOUD_TEST_OPENSTACK": openstack}
    environment.pop("GOVCLOUD_TEST_OS_CLOUD", None)
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


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
