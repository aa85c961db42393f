"""Dying on purpose: a controller that SIGKILLs itself at a step, run as a program of its own.

`python -m govcloud.testing.crash <database url> <folder of clouds>` runs one controller once.
GOVCLOUD_CRASH_AT="<step>:<n>" kills it at the n-th time it comes to that step; GOVCLOUD_STEPS
names a file to which it writes the steps that it comes to, one a line, as they come.
"""

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

CRASH_AT: Final = "GOVCLOUD_CRASH_AT"
STEPS: Final = "GOVCLOUD_STEPS"


class Steps:
    """Counts steps, writes them down, and dies at the one that was named."""

    def __init__(self, crash_at: str = "", record: Path | None = None) -> None:
        name, _, number = crash_at.partition(":")
        self._fatal = (name, int(number or 1)) if name else None
        self._record = record
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, name: str, about: str) -> None:
        """Come to a step; `about` is what it is about."""
        with self._lock:
            self._counts[name] += 1
            if self._record is not None:
                with self._record.open("a", encoding="utf-8") as file:
                    file.write(f"{name}:{self._counts[name]}\n")
            if (name, self._counts[name]) == self._fatal:
                os.kill(os.getpid(), signal.SIGKILL)
        del about


def from_environment(environment: Mapping[str, str]) -> Steps:
    """Return the steps that the environment asks for."""
    record = environment.get(STEPS)
    return Steps(environment.get(CRASH_AT, ""), Path(record) if record else None)


def run(url: str, folder: Path, on_step: Callable[[str, str], None], name: str) -> None:
    """Run a controller once on a lab's database and clouds."""
    from govcloud.clock import SystemClock
    from govcloud.store.engine import Database
    from govcloud.store.unit import Store
    from govcloud.testing.lab import QUICK, Lab

    database = Database(url)
    lab = Lab(Store(database, SystemClock()), folder, settings=QUICK)
    lab.controller(name, on_step=on_step).run_once()
    database.close()


if __name__ == "__main__":
    run(sys.argv[1], Path(sys.argv[2]), from_environment(os.environ), f"crash-{os.getpid()}")
