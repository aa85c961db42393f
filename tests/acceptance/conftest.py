"""A small city, made with the commands that people type; each test gets a copy of its own."""

import io
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli import output, session, speech
from cli.globals import Globals
from cli.main import run

EXAMPLES = Path(__file__).parents[2] / "examples" / "small"


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code and what it wrote where."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines of stdout."""
        return self.out.splitlines()


Typed = Callable[..., Ended]


def type_in(*words: str, code: int | None = 0, stdin: str | None = None) -> Ended:
    """Run a command in this process; assert how it ended unless `code` is None."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.MonkeyPatch.context() as patch:
        if stdin is not None:
            patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8"))
        ended = run(words)
        out.flush()
    result = Ended(int(ended), out.buffer.getvalue().decode(), err.getvalue())  # type: ignore[attr-defined]
    shown = f"govcloud {' '.join(words)}: {result.code}\n{result.out}\n{result.err}"
    assert code is None or result.code == code, shown
    assert "Traceback" not in shown, shown
    return result


@pytest.fixture(autouse=True)
def _quiet_surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No setting of the machine reaches a test, and none of a test's settings outlives it."""
    for name in [name for name in os.environ if name.startswith("GOVCLOUD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GOVCLOUD_LANG", "en")
    yield
    session.start(Globals())
    output.configure(color=True, quiet=False)
    speech.speak("en")


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """A shell lets what it starts in the background ignore SIGINT; programs tested here may not."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def built_city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a platform, a department's request approved and built."""
    folder = tmp_path_factory.mktemp("city")
    variables = {"GOVCLOUD_WORKSPACE": str(folder), "GOVCLOUD_LANG": "en"}
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("GOVCLOUD_")]:
            patch.delenv(name)
        patch.setenv("GOVCLOUD_LANG", "en")
        type_in("init", str(folder))
        for name, value in variables.items():
            patch.setenv(name, value)
        type_in("apply", "-f", str(EXAMPLES / "platform.yaml"))
        for name, role in (("approver", "approver"), ("auditor", "auditor")):
            type_in("token", "create", name, "--role", role, "--save")
        type_in("token", "create", "hrss", "--role", "applicant", "-d", "hrss", "--save")
        words = ("submit", "-f", str(EXAMPLES / "department.yaml"), "--title", "First")
        number = type_in("--as", "hrss", *words, "-o", "name").out.strip()
        type_in("--as", "approver", "approve", number, "--yes")
        type_in("controller", "run", "--once")
        session.start(Globals())
    return folder


@pytest.fixture
def city(built_city: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the small city, which the commands of the test work on."""
    copy = tmp_path / "city"
    shutil.copytree(built_city, copy)
    monkeypatch.setenv("GOVCLOUD_WORKSPACE", str(copy))
    return copy


@pytest.fixture
def govcloud() -> Typed:
    """Types a command: `govcloud("get", "vm", code=0)`."""
    return type_in
