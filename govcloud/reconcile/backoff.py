"""How long to wait after a failure, and between looks."""

from collections.abc import Callable
from dataclasses import dataclass

_MANY = 64
"""Doublings beyond which every cap is long reached; keeps the power from overflowing."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential, capped, with jitter that only ever shortens: the cap is a promise.

    `random` returns values in [0, 1); it is injected so that tests can be exact.
    """

    first_s: float
    cap_s: float
    random: Callable[[], float]
    growth: float = 2.0
    jitter: float = 0.2

    def delay(self, attempts: int) -> float:
        """Return the seconds to wait after so many failures in a row (1 for the first)."""
        power = self.growth ** min(max(attempts - 1, 0), _MANY)
        return min(self.cap_s, self.first_s * power) * (1 - self.jitter * self.random())
