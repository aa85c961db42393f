"""The system's clock."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Final

APART: Final = timedelta(minutes=5)
"""How far the clocks of machines that write into the same records may lie apart."""


class SystemClock:
    """UTC of the machine, never running backwards within this process.

    When the machine's time is set back, instants stand still until it has caught up.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        """Return the instant, aware, UTC; never earlier than one returned before."""
        with self._lock:
            self._latest = max(self._latest, datetime.now(UTC))
            return self._latest
