"""One process of the lab: started in a session of its own, found again by pid and start time."""

import contextlib
import json
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from settings import PATH, STATE

_POLL_S = 0.1
_STOP_S = 15
PATIENCE_S = 900
"""A dozen services begin at once, which takes a slow machine with other work minutes."""


class LabError(Exception):
    """Something that the person who started the lab can act on."""


def wait_until(what: str, holds: Callable[[], bool], seconds: float) -> None:
    """Wait for a condition; an error tells what did not come about."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {seconds:.0f} seconds")
        time.sleep(_POLL_S)


@dataclass(frozen=True)
class Daemon:
    """A process: what it runs, as whom, and how one sees that it answers."""

    name: str
    user: str
    command: list[str]
    answers: Callable[[], bool] = lambda: True
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        """The file that takes all its output."""
        return STATE / "log" / f"{self.name}.log"

    @property
    def _record(self) -> Path:
        return STATE / "run" / f"{self.name}.json"

    @property
    def pid(self) -> int | None:
        """The process, or None if it does not run; a reused pid is not taken for it."""
        try:
            record = json.loads(self._record.read_text(encoding="ascii"))
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        pid = int(record["pid"])
        # What had ended before this was written down has no start either.
        return pid if record["started"] and _started(pid) == record["started"] else None

    def state(self) -> str:
        """Say in words whether it runs and answers."""
        if self.pid is None:
            return "stopped"
        return "answers" if self.answers() else "does not answer"

    def start(self) -> bool:
        """Start it, unless it runs; return whether it was started."""
        if self.pid is not None:
            return False
        account = pwd.getpwnam(self.user)
        home = STATE / "data" / self.name
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                self.command,
                user=account.pw_uid,
                group=account.pw_gid,
                extra_groups=os.getgrouplist(self.user, account.pw_gid),
                cwd="/",
                env={"PATH": PATH, "LANG": "C.UTF-8", "HOME": str(home), **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._record.write_text(json.dumps({"pid": process.pid, "started": _started(process.pid)}))
        return True

    def wait(self, seconds: float = PATIENCE_S) -> None:
        """Wait until it answers; one that ended is told at once, with the end of its log."""

        def ready() -> bool:
            if self.pid is None:
                raise LabError(f"{self.name} ended:\n{self.tail()}")
            return self.answers()

        wait_until(f"{self.name} answers (log: {self.log})", ready, seconds)

    def stop(self, *, kill: bool = False) -> bool:
        """Stop it and its children, or kill them at once; return whether it ran."""
        pid = self.pid
        if pid is None:
            return False
        if not kill:
            os.kill(pid, signal.SIGTERM)
            with contextlib.suppress(LabError):
                wait_until(self.name, lambda: self.pid is None, _STOP_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        wait_until(f"{self.name} ends", lambda: self.pid is None, PATIENCE_S)
        return True

    def tail(self, lines: int = 15) -> str:
        """Return the end of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def start_all(daemons: Iterable[Daemon]) -> None:
    """Start them side by side and wait until all answer."""
    daemons = list(daemons)
    for daemon in daemons:
        daemon.start()
    for daemon in daemons:
        daemon.wait()


def stop_all(daemons: Iterable[Daemon], *, kill: bool = False) -> None:
    """Stop them side by side."""
    with ThreadPoolExecutor(max_workers=32) as pool:
        list(pool.map(lambda daemon: daemon.stop(kill=kill), daemons))


def _started(pid: int) -> str | None:
    """Return when a living process started, in clock ticks since boot."""
    with contextlib.suppress(ChildProcessError, ProcessLookupError):
        os.waitpid(pid, os.WNOHANG)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]
