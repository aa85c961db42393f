"""Attempts held for a moment: the cloud tells by itself that what they made is ready.

To write such an attempt and to claim its object anew a second later would cost more than all the
rest of it.
"""

import threading
from collections.abc import Sequence
from time import monotonic

from govcloud.ports.abilities import Recalling
from govcloud.ports.cloud import Observed, Provisioner, State
from govcloud.reconcile.attempt import Attempt


class Holding:
    """The attempts at objects of one cloud that wait for what it is making.

    The crew gives them and the lane takes them. Of a driver that cannot recall none is held.
    """

    def __init__(self, provisioner: Provisioner, patience_s: float) -> None:
        self._driver = provisioner if isinstance(provisioner, Recalling) else None
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._held: list[Attempt] = []

    def __len__(self) -> int:
        return len(self._held)

    def takes(self, attempt: Attempt) -> bool:
        """Take an attempt whose waiting may soon be over; False: it is to be written."""
        if not attempt.waits_for or self._recalled(attempt) is None:
            return False
        now = monotonic()
        if not attempt.patience_ends:
            attempt.patience_ends = now + self._patience_s
        if now >= attempt.patience_ends:
            return False
        with self._lock:
            self._held.append(attempt)
        return True

    def give(self, *, everything: bool = False) -> Sequence[Attempt]:
        """Return the attempts that need not wait any longer, with what is now known of them."""
        with self._lock:
            held, self._held = self._held, []
        kept: list[Attempt] = []
        given: list[Attempt] = []
        for attempt in held:
            (given if everything or self._is_over(attempt) else kept).append(attempt)
        with self._lock:
            self._held += kept
        return given

    def _is_over(self, attempt: Attempt) -> bool:
        recalled = self._recalled(attempt)
        if recalled is None:
            return True
        attempt.seen |= {item.id: item for item in recalled}
        building = any(item.state is State.BUILDING for item in recalled)
        return not building or monotonic() >= attempt.patience_ends

    def _recalled(self, attempt: Attempt) -> list[Observed] | None:
        """Return what was last told of what is awaited; None where it would not be told."""
        if self._driver is None:
            return None
        recalled = [self._driver.recall(item) for item in attempt.waits_for]
        told = [item for item in recalled if item is not None]
        return told if len(told) == len(recalled) else None
