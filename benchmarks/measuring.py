"""How long something takes."""

import time
from collections.abc import Callable


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds it took."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
