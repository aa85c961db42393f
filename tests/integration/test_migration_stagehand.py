"""The process in which a play runs: what becomes of its folder when its controller is killed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SLOW = """
import threading, time
from migration.running import stagehand
def sweep():
    if threading.current_thread() is not threading.main_thread():
        time.sleep(2)
def run(folder, arguments):
    {run}
    return 0
stagehand._sweep, stagehand._run = sweep, run
stagehand.main()
"""
"""Whoever waits for the end of the input is slow to get to work, and a play is at its end."""
TELLS = 'stagehand._say({"event": "verbose"})'
FAILS = 'time.sleep(1); (folder / "gone").read_bytes()'


@pytest.mark.guarantee("M2")
@pytest.mark.parametrize("run", [TELLS, FAILS], ids=["tells", "fails"])
def test_a_killed_controller_leaves_no_folder(tmp_path: Path, run: str) -> None:
    """Also where the play has something to tell, which nobody hears, or stumbles over its end."""
    folder = tmp_path / "play"
    folder.mkdir()
    order = {"folder": str(folder), "keys": None, "environment": {}, "arguments": {}}
    with subprocess.Popen(
        [sys.executable, "-c", SLOW.format(run=run)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.close()
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.close()
        process.wait()
    assert not folder.exists()
