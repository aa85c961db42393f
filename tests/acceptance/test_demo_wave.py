"""The wave of `make demo`: a system moves on real hosts, and nothing of them stays behind."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.changshu import room, wave
from examples.stage import Stage
from govcloud.errors import Exit

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[2]
PLAY = """
import sys
from pathlib import Path
from examples.changshu import wave
from examples.changshu.demo import CITY
from examples.stage import Stage, relative
stage = Stage(CITY, Path(sys.argv[1]), "en")
stage.begin()
stage.type("apply", "-f", relative(CITY / "platform"), shown=False)
unit = ("hrss", "applicant", "--department", "hrss")
for name, *whose in (("approver", "approver"), ("auditor", "auditor"), unit):
    stage.type("token", "create", name, "--role", *whose, "--save", shown=False)
stage.type("--as", "hrss", "submit", "-f", relative(CITY / "departments/hrss/room.yaml"))
[waiting] = stage.type("requests", "-o", "name", shown=False).split()
stage.type("--as", "approver", "approve", waiting.split("/")[-1], "-y")
try:
    wave.play(stage)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture
def played(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """The wave in a city with nothing else, as a program in a session of its own."""
    if reason := room.hindrance():
        pytest.skip(reason)
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", PLAY, str(tmp_path / "city")],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    with process:
        yield process
        process.kill()


def left_of(process: "subprocess.Popen[str]", shown: str) -> list[str]:
    """What still runs of the program's session, and what is left of its room."""
    found = re.search(r"ssh_private_key_file=(\S+)/key", shown)
    assert found, shown
    folder = [found[1]] if Path(found[1]).exists() else []
    return folder + [name for name, session in _sessions() if session == process.pid]


def _sessions() -> Iterator[tuple[str, int]]:
    """The programs that run here, each with its session."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # It ended meanwhile.
            name, _, rest = stat.read_text().rpartition(")")
            yield name, int(rest.split()[3])


def test_a_system_moves_and_counts(played: "subprocess.Popen[str]") -> None:
    shown, _ = played.communicate()
    assert played.returncode == Exit.OK, shown
    assert "MET-1 On-cloud rate: 0.0% = 0/1" in shown
    assert "MET-1 On-cloud rate: 100.0% = 1/1" in shown
    assert re.search(r"The site is served by \S+ \(“job fair, page 7”\)", shown)
    assert re.search(r"Downtime at the cut-over: \d+", shown)
    assert left_of(played, shown) == []


def test_ctrl_c_leaves_nothing_behind(played: "subprocess.Popen[str]") -> None:
    assert played.stdout is not None
    shown = ""
    while "look at both ends" not in shown:
        line = played.stdout.readline()
        assert line, shown
        shown += line
    os.killpg(played.pid, signal.SIGINT)
    rest, _ = played.communicate()
    assert played.returncode == Exit.INTERRUPTED, shown + rest
    assert "Traceback" not in rest
    assert left_of(played, shown) == []


def test_it_is_left_out_where_that_is_wanted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(room.SWITCH, "off")
    wave.play(Stage(tmp_path, tmp_path, "en"))
    assert "left out: GOVCLOUD_DEMO_MIGRATION=off." in capsys.readouterr().err.replace("\n", " ")
