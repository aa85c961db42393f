"""What runs meanwhile, and waiting for what it brings about."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

PATIENCE_S = 60.0
FOREVER_S = math.inf
"""For benchmarks, which a person watches."""
_LOOK_S = 0.05


class Runs(Protocol):
    """A controller, a lane, or whatever else runs until it is told to end."""

    def run(self, stop: threading.Event) -> None:
        """Run until `stop`."""


@contextmanager
def running(*who: Runs, within_s: float = PATIENCE_S) -> Iterator[None]:
    """Let controllers run meanwhile; each has to end within some seconds when it is told to."""
    stop = threading.Event()
    threads = [threading.Thread(target=one.run, args=(stop,), daemon=True) for one in who]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(within_s)
    assert not any(thread.is_alive() for thread in threads), "told to end, it runs on"


def wait_until(
    true: Callable[[], object],
    seconds: float = PATIENCE_S,
    about: str | Callable[[], object] = "it did not happen in time",
    *,
    look_s: float = _LOOK_S,
) -> float:
    """Wait until something is true, and return the seconds that took.

    Raises AssertionError with what is to be told `about` it. Each look costs what is looked at
    time: `look_s` lies between two.
    """
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, about() if callable(about) else about
        time.sleep(look_s)
    return time.monotonic() - began
