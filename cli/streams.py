"""The three standard streams: what to do where one of them is closed, full, or speaks no UTF-8."""

import os
import sys
from contextlib import suppress
from typing import Any, Final

_PLUGS: Final = (("stdin", os.O_WRONLY), ("stdout", os.O_RDONLY), ("stderr", os.O_WRONLY))
"""What stands in for a stream that the caller has closed. Reading and writing data then fails as it
would on the closed stream; for messages nobody listens to, silence will do."""


def plug() -> None:
    """Open what the caller has closed, and let every text be written.

    A free descriptor 1 or 2 would be given to the next file that is opened: the database.
    """
    for number, (name, mode) in enumerate(_PLUGS):
        if getattr(sys, name) is None:
            _plug(number, name, mode)
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _plug(number: int, name: str, mode: int) -> None:
    opened = os.open(os.devnull, mode)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)
    setattr(sys, name, open(number, "r" if name == "stdin" else "w", closefd=False))  # noqa: SIM115


def mute() -> None:
    """Throw away what stdout still holds: Python would complain about it once more at its end."""
    with suppress(OSError, ValueError):
        void = os.open(os.devnull, os.O_WRONLY)
        os.dup2(void, sys.stdout.fileno())
        os.close(void)


def settle() -> None:
    """Write what stdout still holds, or throw it away where that cannot be."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        mute()
