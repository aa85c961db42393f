"""Whatever goes wrong, a sentence and an exit code; a traceback never."""

import os
import pty
import re
import resource
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from govcloud.errors import Exit

EXAMPLES = Path(__file__).parents[2] / "examples" / "small"
FULL = Path("/dev/full")
PROGRAM = [sys.executable, "-c", "from cli.main import main; main()"]
SILENCE_S = 120
"""After this time without a word, a program hangs."""


def environment(city: Path | None = None, **more: str) -> dict[str, str]:
    """The environment of a process of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GOVCLOUD_")}
    place = {"GOVCLOUD_WORKSPACE": str(city)} if city else {}
    return {**kept, "GOVCLOUD_LANG": "en", **place, **more}


def on_terminal(words: Sequence[str], env: dict[str, str], answers: str = "") -> tuple[int, str]:
    """Run a command on a terminal of its own; return its exit code and all that it showed."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, *words],
        env={**env, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        close_fds=True,
        start_new_session=True,
    )
    os.close(slave)
    shown, left = b"", answers
    while select.select([master], [], [], SILENCE_S)[0]:
        try:
            piece = os.read(master, 65536)  # which may end in the middle of a character
        except OSError:
            break
        if not piece:
            break
        shown += piece
        if left and shown.rstrip().endswith((b"[y/N]:", b"[Y/n]:")):
            os.write(master, left[0].encode() + b"\n")
            left = left[1:]
    os.close(master)
    return process.wait(timeout=SILENCE_S), shown.decode("utf-8", "replace")


@pytest.mark.guarantee("P2")
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["get", "vm", "--nonsense"], Exit.USAGE),
        (["gte", "vm"], Exit.USAGE),
        (["get"], Exit.USAGE),
        (["get", "vm", "--limit", "many"], Exit.USAGE),
        (["get", "vm", "-o", "xml"], Exit.USAGE),
        (["--lang", "fr", "get", "vm"], Exit.USAGE),
        (["plan"], Exit.USAGE),
        (["plan", "-f", "/nowhere.yaml"], Exit.USAGE),
        (["plan", "-f", "/etc/../proc/self/mem"], Exit.USAGE),
        (["apply", "-f", "EMPTY"], Exit.USAGE),
        (["apply", "-f", "BINARY"], Exit.INVALID),
        (["apply", "-f", "HUGE"], Exit.INVALID),
        (["report", "on-cloud-rate", "--as-of", "yesterday"], Exit.USAGE),
        (["report", "on-cloud-rate", "--format", "docx"], Exit.USAGE),
        (["report", "opening-time", "--since", "yesterday"], Exit.USAGE),
        (["report", "on-cloud-rate", "--as-of", "2999-01-01", "--format", "json"], Exit.INVALID),
        (["wait", "vm/x", "--for", "readyish"], Exit.USAGE),
        (["wait", "vm/x", "--timeout", "soon"], Exit.USAGE),
        (["wait", "vm/x", "--timeout", "0s"], Exit.TIMEOUT),
        (["quota", "set", "city", "vcpu"], Exit.USAGE),
        (["quota", "set", "city", "vms=１０"], Exit.INVALID),
        (["quota", "set", "city", "memory=２００Gi"], Exit.INVALID),
        (["quota", "show", "nowhere"], Exit.NOT_FOUND),
        (["apply", "-f", ""], Exit.USAGE),
        (["submit", "--filename", "", "--yes"], Exit.USAGE),
        (["describe", "request", "REQ-1999-0001"], Exit.NOT_FOUND),
        (["audit", "verify", "--head", "x"], Exit.USAGE),
        (["audit", "verify", "--head", "1:8f14e45"], Exit.USAGE),
        (["audit", "verify", "--head", "²:8f14e45f"], Exit.USAGE),
        (["simulate", "remove", "nothing"], Exit.NOT_FOUND),
        (["simulate", "fault", "flood"], Exit.USAGE),
        (["serve", "--host", "0.0.0.0"], Exit.USAGE),
        (["serve", "--tls-cert", "x"], Exit.USAGE),
        (["completion", "tcsh"], Exit.USAGE),
        (["--workspace", "/nowhere", "get", "vm"], Exit.NOT_FOUND),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_mistakes_are_explained(city, govcloud, tmp_path, words, code, language):
    """One sentence, in the reader's language, its remedy or where help is, the documented code."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00kind")
    with (tmp_path / "huge.yaml").open("wb") as huge:
        huge.truncate(17 * 1024 * 1024)
    places = {"EMPTY": tmp_path / "empty"} | {
        word.upper(): tmp_path / f"{word}.yaml" for word in ("binary", "huge")
    }
    line = [str(places.get(word, word)) for word in words]
    if "--lang" not in line:
        line += ["--lang", language]
    ended = govcloud(*line, code=code)
    assert ended.out == ""
    assert "internal" not in ended.err
    assert "→" in ended.err or "--help" in ended.err
    assert ended.err.startswith(("error: ", "错误："))


def test_no_workspace(govcloud, tmp_path, monkeypatch):
    """Said with what to do; help and version work all the same."""
    monkeypatch.chdir(tmp_path)
    assert "govcloud init" in govcloud("get", "vm", code=Exit.NOT_FOUND).err
    assert govcloud("--version").out.startswith("govcloud ")
    assert govcloud("version").out.startswith("govcloud ")
    assert govcloud("doctor", code=None).code != Exit.OK


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")
def test_a_full_disk_is_told(city):
    """Where output cannot be written, that is the error, and the exit code says so."""
    with FULL.open("w") as full:
        done = subprocess.run(
            [*PROGRAM, "get", "departments"],
            env=environment(city),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == Exit.FAILURE
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_on_a_full_disk_ends(city, govcloud):
    """Said with its remedy, in time; when there is room again, the next run builds the rest."""
    asked = (EXAMPLES / "department.yaml").read_text("utf-8").replace("count: 2", "count: 3")
    more = city / "more.yaml"
    more.write_text(asked, "utf-8")
    words = ("submit", "-f", str(more), "--title", "More", "-o", "name")
    number = govcloud("--as", "hrss", *words).out.strip()
    govcloud("--as", "approver", "approve", number, "--yes")

    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (80 * 1024, 80 * 1024))

    done = subprocess.run(
        [*PROGRAM, "controller", "run", "--once"],
        env=environment(city),
        preexec_fn=no_room,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == Exit.UNAVAILABLE, done.stderr
    assert "→" in done.stderr
    assert "Traceback" not in done.stderr
    govcloud("controller", "run", "--once")


def test_a_report_that_cannot_be_written_leaves_the_former_one(city, govcloud, tmp_path):
    """The file is replaced as a whole or not at all."""
    folder = tmp_path / "missing" / "rate.json"
    words = ("report", "on-cloud-rate", "--as-of", "2026-01-01", "--format", "json", "-o")
    assert str(folder) in govcloud(*words, str(folder), code=Exit.USAGE).err


def test_a_closed_pipe_is_no_fault(city):
    """As with `| head`: silence, and what the shell reports for SIGPIPE."""
    reader, writer = os.pipe()
    os.close(reader)  # before anything is written, and not while it is
    done = subprocess.run(
        [*PROGRAM, "schema"],
        env=environment(city),
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode == 141


def test_an_incident_is_logged_and_not_shown(city, govcloud):
    """What nobody foresaw gets a number; the rest is in the workspace's log."""
    import sqlite3

    database = sqlite3.connect(city / ".govcloud" / "govcloud.db")
    database.execute("UPDATE objects SET spec = '[]' WHERE kind = 'Cloud'")
    database.commit()
    database.close()
    ended = govcloud("doctor", code=None)
    assert "Traceback" not in ended.out + ended.err


@pytest.mark.guarantee("P3")
def test_pipes_get_no_colours_hints_or_progress(city, govcloud):
    """Only data on stdout, and nothing on stderr when all is well."""
    for words in (("get", "vm"), ("quota", "tree"), ("requests",), ("wait", "vm", "--all")):
        ended = govcloud(*words)
        assert "\x1b" not in ended.out + ended.err
    assert govcloud("get", "vm").err == ""


@pytest.mark.guarantee("P3")
def test_terminals_get_colours_hints_and_progress(city):
    """Colour unless NO_COLOR or --no-color; a hint what to do next; a spinner while waiting."""
    code, shown = on_terminal(["requests"], environment(city))
    assert code == Exit.OK
    assert "Next:" in shown
    assert "\x1b[1m" in on_terminal(["get", "vm"], environment(city))[1]
    for words, variables in ((["get", "vm"], {"NO_COLOR": "1"}), (["get", "vm", "--no-color"], {})):
        assert "\x1b[" not in on_terminal(words, environment(city, **variables))[1]
    words = ["wait", "vm/never", "--for", "create", "--timeout", "1s"]
    code, shown = on_terminal(words, environment(city))
    assert code == Exit.TIMEOUT
    assert "Waiting for 1" in shown
    code, shown = on_terminal([*words, "--quiet"], environment(city))
    assert "Waiting for 1" not in shown


def test_a_person_is_asked_before_a_decision(city, govcloud, tmp_path):
    """The change is shown, no is no, yes is yes."""
    file = tmp_path / "more.yaml"
    text = (EXAMPLES / "department.yaml").read_text(encoding="utf-8")
    file.write_text(text.replace("count: 2", "count: 3"), encoding="utf-8")
    name = govcloud("--as", "hrss", "submit", "-f", str(file), "-o", "name").out.strip()
    words = ["--as", "approver", "approve", name]
    code, shown = on_terminal(words, environment(city), answers="n")
    assert code == Exit.FAILURE
    assert "2 → 3" in shown
    assert "Nothing was done" in shown
    code, shown = on_terminal(words, environment(city), answers="y")
    assert code == Exit.OK
    assert re.search(rf"{name}\s+approved", shown)


def test_shells_complete_commands_kinds_and_names(city):
    """By the protocol of the completion script: commands, options, kinds, names."""

    def complete(line: str) -> list[str]:
        variables = {"_GOVCLOUD_COMPLETE": "complete_bash", "COMP_WORDS": line}
        variables["COMP_CWORD"] = str(len(line.split()) - (0 if line.endswith(" ") else 1))
        done = subprocess.run(
            PROGRAM, env=environment(city, **variables), capture_output=True, text=True, check=False
        )
        assert done.stderr == ""
        return done.stdout.split()

    assert complete("govcloud app") == ["apply", "approve"]
    assert complete("govcloud quota s") == ["show", "set"]
    assert "--department" in complete("govcloud get vm --dep")
    assert "vm" in complete("govcloud get v")
    assert complete("govcloud get vm soc") == ["social-insurance-app"]
    assert complete("govcloud describe vm/soc") == ["vm/social-insurance-app"]
    assert complete("govcloud quota show h") == ["hrss"]
    assert complete(f"govcloud --workspace {city} get vm -d h") == ["hrss"]
    script = subprocess.run(
        [*PROGRAM, "completion", "bash"],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "_GOVCLOUD_COMPLETE=complete_bash" in script.stdout


def test_the_controller_stops_gracefully(city):
    """SIGTERM lets the work in hand end, and the exit code is 0."""
    process = subprocess.Popen(
        [*PROGRAM, "controller", "run", "--name", "night-shift"],
        env=environment(city),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "night-shift" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == Exit.OK, errors
    assert "stopped" in errors


def test_a_server_serves_and_stops(city, govcloud, monkeypatch):
    """It says where, answers, and ends with 0 on SIGTERM."""
    process = subprocess.Popen(
        [*PROGRAM, "serve", "--port", "0"],
        env=environment(city),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    found = re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
    assert found
    monkeypatch.setenv("GOVCLOUD_SERVER", found[0])
    assert "social-insurance-app" in govcloud("get", "vm").out
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == Exit.OK, errors


def test_a_file_without_a_name_is_not_the_current_folder(city, govcloud, tmp_path, monkeypatch):
    """An unset variable: nothing is read that nobody named."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flavor.yaml").write_text(
        "apiVersion: govcloud.io/v1\nkind: Flavor\nmetadata: {name: found}\n"
        "spec: {vcpu: 1, memory: 1Gi}\n"
    )
    assert "empty" in govcloud("apply", "-f", "", code=Exit.USAGE).err
    govcloud("get", "flavor/found", code=Exit.NOT_FOUND)
    assert "empty" in govcloud("init", "", code=Exit.USAGE).err
    assert not (tmp_path / ".govcloud").exists()
    govcloud("apply", "-f", ".")
