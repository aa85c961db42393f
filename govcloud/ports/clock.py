"""The port of time."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Time enters through here, so that tests can turn it."""

    def now(self) -> datetime:
        """Return the instant, aware, UTC; never earlier than one returned before."""
        ...
