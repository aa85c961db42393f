"""The gate before a cloud: how many calls a second, and when to leave it alone (R6).

A token bucket bounds the rate. A circuit breaker for each kind of call opens after failures in a
row that are the cloud's and not an object's, and lets calls try again after a time that doubles.
`Retry-After` closes the whole gate for as long as the cloud asked.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from govcloud.errors import CloudError, Text, TransientCloudError
from govcloud.messages import told
from govcloud.ports.clock import Clock
from govcloud.reconcile.backoff import Backoff
from govcloud.reconcile.settings import Settings

_CLOUDS_FAULT: Final = frozenset(
    {
        "AnswerLost",
        "ConnectionLost",
        "ServerError",
        "Throttled",
        "Timeout",
        "Unavailable",
        "Unreachable",
    }
)
"""Reasons that say something of the cloud and not of the object."""


_OBJECTS_OWN: Final = frozenset({"create", "change", "delete", "leave", "set_quota"})
"""Calls about one object or tenant: how they fail says nothing of the cloud, but for its faults."""


class PausedError(Exception):
    """The gate is closed until `until`; no call was made."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until)
        self.until = until


class Gate:
    """The gate of one cloud; used by all its threads."""

    def __init__(
        self,
        rate: float,
        clock: Clock,
        settings: Settings,
        random: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._monotonic = monotonic
        self._backoff = Backoff(settings.breaker_first_s, settings.breaker_cap_s, random)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._rate = rate
        self._tokens = max(rate, 1.0)
        self._filled = monotonic()
        self._failures: dict[str, int] = {}
        self._open: dict[str, datetime] = {}
        self._closed_until: datetime | None = None
        self.error: Text | None = None

    def restore(self, until: datetime | None, error: Text | None) -> None:
        """Take over the pause that was stored, clamped to what can be asked for (R7)."""
        if until is not None:
            cap = self._clock.now() + timedelta(seconds=self._settings.retry_after_cap_s)
            self._closed_until, self.error = min(until, cap), error

    @contextmanager
    def call(self, method: str) -> Iterator[None]:
        """Wait for a place and let one call through; note how it ended.

        Raises PausedError, without a call, while the gate is closed for this kind of call.
        """
        self._admit(method)
        try:
            yield
        except CloudError as error:
            self._failed(method, error)
            raise
        self._succeeded(method)

    def paused_until(self, method: str) -> datetime | None:
        """Return until when calls of a kind must wait, or None if they need not."""
        with self._lock:
            until = max(filter(None, (self._closed_until, self._open.get(method))), default=None)
        return until if until is not None and until > self._clock.now() else None

    def closed_until(self) -> datetime | None:
        """Return until when the cloud as a whole is left alone, to be stored; None if it is not."""
        return self.paused_until("find")

    def failing(self) -> bool:
        """Whether the cloud has not answered look-ups so often that waiting for it is pointless."""
        with self._lock:
            return self._failures.get("find", 0) >= self._settings.breaker_after

    def shut(self) -> None:
        """Let nobody wait any longer: the controller is stopping."""
        self._stop.set()

    def _admit(self, method: str) -> None:
        while True:
            until = self.paused_until(method)
            if until is not None:
                raise PausedError(until)
            wait = self._take()
            if wait <= 0:
                return
            if self._stop.wait(wait):
                raise PausedError(self._clock.now())

    def _take(self) -> float:
        """Take a token and return 0, or return the seconds after which to try again."""
        with self._lock:
            now = self._monotonic()
            burst = max(self._rate, 1.0)
            self._tokens = min(burst, self._tokens + (now - self._filled) * self._rate)
            self._filled = now
            if self._tokens >= 1:
                self._tokens -= 1
                return 0.0
            return (1 - self._tokens) / self._rate

    def _succeeded(self, method: str) -> None:
        if self._failures:
            with self._lock:
                self._failures.pop(method, None)
                self._open.pop(method, None)
                if not self._failures:
                    self.error = None

    def _failed(self, method: str, error: CloudError) -> None:
        asked = error.retry_after_s if isinstance(error, TransientCloudError) else None
        if not asked and method in _OBJECTS_OWN and error.reason not in _CLOUDS_FAULT:
            return
        with self._lock:
            now = self._clock.now()
            failures = self._failures[method] = self._failures.get(method, 0) + 1
            self.error = told(error)
            if asked:
                seconds = min(asked, self._settings.retry_after_cap_s)
                until = now + timedelta(seconds=seconds)
                self._closed_until = max(until, self._closed_until or until)
            beyond = failures - self._settings.breaker_after
            if beyond >= 0:
                seconds = self._backoff.delay(beyond + 1)
                self._open[method] = now + timedelta(seconds=seconds)
