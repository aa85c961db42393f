"""Clocks for tests: time moves when the test says so."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Final

START: Final = datetime(2026, 7, 1, 9, 0, tzinfo=UTC)
"""The instant at which tests begin unless they say otherwise."""


class FixedClock:
    """A clock that stands still until `advance` or `set` moves it forward."""

    def __init__(self, start: datetime = START) -> None:
        self._lock = threading.Lock()
        self._now = _utc(start)

    def now(self) -> datetime:
        """Return the instant, aware, UTC."""
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> datetime:
        """Move forward by `seconds` and return the new instant; ValueError for a step back."""
        with self._lock:
            return self._move(self._now + timedelta(seconds=seconds))

    def set(self, instant: datetime) -> datetime:
        """Move forward to `instant` and return it; ValueError for a step back."""
        with self._lock:
            return self._move(_utc(instant))

    def _move(self, to: datetime) -> datetime:
        if to < self._now:
            raise ValueError("a clock does not run backwards")
        self._now = to
        return to


class TickingClock(FixedClock):
    """A clock that moves by `step_s` seconds at each look, so that no two instants are equal."""

    def __init__(self, start: datetime = START, step_s: float = 0.001) -> None:
        super().__init__(start)
        self._step = timedelta(seconds=step_s)

    def now(self) -> datetime:
        """Return the next instant, aware, UTC."""
        with self._lock:
            return self._move(self._now + self._step)


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("an instant must be aware")
    return instant.astimezone(UTC)
