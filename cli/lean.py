"""What makes a short-lived process start fast; a long-lived one undoes it with `settle`."""

import gc
import os
import sys
from contextlib import suppress
from typing import Final, NoReturn

_USUAL: Final = gc.get_threshold()
_STARTING: Final = (200_000, 20, 100)
"""A start allocates some hundred thousand objects that all stay: looking through them for garbage
again and again, as the usual thresholds do, takes a fifth of the time of a command."""


def hurry() -> None:
    """Collect garbage rarely."""
    gc.set_threshold(*_STARTING)


def settle() -> None:
    """Collect garbage as usual, and leave alone what the start has made."""
    gc.freeze()
    gc.set_threshold(*_USUAL)


def leave() -> None:
    """Let the process end without looking for garbage once more.

    The interpreter's last collections go through everything that was ever imported; with SQLAlchemy
    and FastAPI loaded they take a third of the time of a short command.
    """
    gc.freeze()


def leave_at_once(code: int) -> NoReturn:
    """End the process although a thread still computes, and what it started to help with that.

    As safe as a power cut: what has not been committed leaves no trace.
    """
    if "multiprocessing" in sys.modules:
        from multiprocessing import active_children

        for child in active_children():
            child.terminate()
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(code)


def skip_unused() -> None:
    """Keep httpx from importing its own command line, which brings rich, Pygments and click.

    It takes the absence of these for granted: None in `sys.modules` is an ImportError.
    """
    if "httpx" not in sys.modules:
        sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
