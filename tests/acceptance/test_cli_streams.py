"""Standard streams that are closed, full, or no files; and Ctrl-C at any moment."""

import os
import select
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest

from govcloud.errors import Exit

PROGRAM = [sys.executable, "-c", "from cli.main import main; main()"]
INTERRUPTED_WHILE_LOADING = """
import sys

class Interrupt:
    def find_spec(self, name, *_):
        if name == {module!r}:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
from cli.main import main
main()
"""


def shell(line: str, city: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which `$govcloud` is the program."""
    place = {"GOVCLOUD_WORKSPACE": str(city)} if city else {}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GOVCLOUD_")}
    words = " ".join(f"'{word}'" for word in PROGRAM)
    return subprocess.run(
        ["bash", "-c", f'govcloud() {{ {words} "$@"; }}; {line}'],
        env={**kept, "GOVCLOUD_LANG": "en", **place},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.guarantee("P2")
@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("govcloud get vm >&-", Exit.FAILURE, "Bad file descriptor"),
        ("govcloud get vm -o json >/dev/full", Exit.FAILURE, "No space left"),
        ("govcloud --help >/dev/full", Exit.FAILURE, "No space left"),
        ("govcloud report on-cloud-rate --format csv >&-", Exit.FAILURE, "Bad file descriptor"),
        ("govcloud get vn 2>&-", Exit.NOT_FOUND, ""),
        ("govcloud get vn 2>/dev/full", Exit.NOT_FOUND, ""),
        ("govcloud get vn >&- 2>&- <&-", Exit.NOT_FOUND, ""),
        ("govcloud apply -f - <&-", Exit.USAGE, "(stdin)"),
        ("govcloud delete flavor/4c8g <&-", Exit.USAGE, "--yes"),
    ],
)
def test_closed_and_full_streams(city, line, code, said):
    """The exit code tells what happened, a sentence where anybody can read it, no traceback."""
    done = shell(line, city)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "ignored" not in done.stderr
    assert "internal" not in done.stderr


def test_a_closed_stream_does_not_lend_its_number_to_the_database(city):
    """What is written to stdout by mistake would otherwise be written into the city's data."""
    shell("govcloud quota set hrss vcpu=61 >&- 2>&-", city)
    assert shell("govcloud audit verify", city).returncode == Exit.OK


@pytest.mark.parametrize("module", ["cli.program", "cli.globals", "govcloud.messages", "cli.app"])
def test_interrupted_while_loading(city, module):
    """Ctrl-C before anything has begun ends like Ctrl-C later."""
    program = INTERRUPTED_WHILE_LOADING.format(module=module)
    done = subprocess.run(
        [sys.executable, "-c", program, "get", "vm"], capture_output=True, text=True, check=False
    )
    assert done.returncode == Exit.INTERRUPTED
    assert done.stderr.strip() == ""


def test_names_that_no_terminal_can_show(tmp_path):
    """A path of other bytes than UTF-8 is shown somehow, and is no internal error."""
    (tmp_path / os.fsdecode(b"caf\xe9")).mkdir()
    done = shell(f"govcloud init '{tmp_path}'/caf*")
    assert done.returncode == Exit.OK, done.stderr
    assert "\\udce9" in done.stdout


def test_output_goes_into_pipes_and_devices_and_leaves_them_there(city, tmp_path):
    """A pipe, a device or an open stream is written into; it is never replaced by a file."""
    pipe, link = tmp_path / "pipe", tmp_path / "link.json"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    done = shell(f"govcloud schema vm -o '{pipe}'", city)
    if not stat.S_ISFIFO(pipe.stat().st_mode):  # The reader waits for a writer for ever.
        pytest.fail("the pipe was replaced")
    reader.join(120)
    assert done.returncode == Exit.OK, done.stderr
    assert b"$schema" in read[0]
    zero = tmp_path / "null"
    zero.symlink_to("/dev/null")
    assert shell(f"govcloud schema vm -o '{zero}'", city).returncode == Exit.OK
    assert stat.S_ISCHR(zero.stat().st_mode)
    link.symlink_to(tmp_path / "real.json")
    assert shell(f"govcloud schema vm -o '{link}'", city).returncode == Exit.OK
    assert link.is_symlink()
    assert "$schema" in (tmp_path / "real.json").read_text(encoding="utf-8")


def test_output_to_the_stream_that_is_open_already(city, tmp_path):
    """`-o /dev/fd/1` is stdout, also where stdout is a file: it is appended to, as by the shell."""
    out = tmp_path / "out"
    line = f"{{ echo first; govcloud -q schema vm -o /dev/fd/1; echo last; }} >> '{out}'"
    done = shell(line, city)
    assert done.returncode == Exit.OK, done.stderr
    lines = out.read_text(encoding="utf-8").splitlines()
    assert (lines[0], lines[1], lines[-1]) == ("first", "{", "last")


def test_interrupted_at_work(city):
    """Ctrl-C ends a command at once, whatever a thread of it is waiting for or computing."""
    file = city / ".govcloud" / "govcloud.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # A report waits for who is writing: half a minute.
        with started("report", "on-cloud-rate", city=city) as process:
            at_work(process, file)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
    assert process.returncode == Exit.INTERRUPTED
    assert (out, err.strip()) == ("", "")


def test_interrupted_while_waiting(city):
    """Ctrl-C ends a wait with 130 and without a traceback."""
    with started("wait", "vm/never", "--for", "create", city=city) as process:
        at_work(process, city / ".govcloud" / "govcloud.db")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == Exit.INTERRUPTED
    assert "Traceback" not in err


def started(*words: str, city: Path) -> subprocess.Popen[str]:
    """Start a command and let it run."""
    return subprocess.Popen(
        [*PROGRAM, *words],
        env={**os.environ, "GOVCLOUD_WORKSPACE": str(city)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def opened(about: Path) -> set[Path]:
    """The files that a process has open and keeps open while they are looked at."""
    files = set()
    for link in (about / "fd").iterdir():
        with suppress(FileNotFoundError):
            files.add(link.readlink())
    return files


def at_work(process: subprocess.Popen[str], file: Path) -> None:
    """Wait until a process has a file open and its threads do nothing but wait for something."""
    about, former = Path("/proc") / str(process.pid), ""
    while True:
        assert process.poll() is None
        spent = " ".join((about / "stat").read_text().rpartition(")")[2].split()[11:13])
        if spent == former and file in opened(about):
            return
        former = spent
        select.select([process.stdout], [], [], 0.5)
