"""Listening to a cloud that tells of changes: the objects concerned are looked at at once.

What is told goes into the queue, and the lane looks, plans and acts as ever. Where much changes at
once, a full comparison is made instead, because only that can tell whether it is too much to be
healed (`brake`).
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from govcloud.domain.access import CONTROLLER
from govcloud.errors import CloudError, GovcloudError
from govcloud.messages import plain
from govcloud.plan.phases import Phase
from govcloud.ports.abilities import Stop, Watching
from govcloud.reconcile import desired
from govcloud.reconcile.backoff import Backoff
from govcloud.store import work
from govcloud.store.unit import Store

LOG: Final = logging.getLogger(__name__)
WINDOW: Final = timedelta(seconds=10)
"""What changes within this time counts as changing at once."""


class Listener:
    """Listens to one cloud; `few` objects or more that change at once have all compared."""

    def __init__(
        self,
        cloud: str,
        driver: Watching,
        *,
        store: Store,
        retry: Backoff,
        few: int,
        wake: Callable[[], None],
        compare: Callable[[], object],
    ) -> None:
        self._cloud = cloud
        self._driver = driver
        self._store = store
        self._retry = retry
        self._few = few
        self._wake = wake
        self._compare = compare
        self._lately: dict[str, datetime] = {}

    def run(self, stop: Stop) -> None:
        """Listen until `stop`; whenever the cloud hangs up, begin anew after a wait that grows."""
        failures, listened = 0, False
        while not stop.is_set():
            try:
                for uids in self._driver.changes(stop):
                    failures = 0
                    if not listened:
                        self._compare()  # what changed while nobody listened was told to nobody
                    listened = False  # nor is it told again if it cannot be kept
                    if uids:
                        self.hear(uids)
                    listened = True
            except (CloudError, GovcloudError) as error:
                LOG.warning("%s: listening: %s", self._cloud, plain(error))
            except Exception:
                LOG.exception("%s: listening stumbled and begins anew", self._cloud)
            failures += 1
            stop.wait(self._retry.delay(failures))

    def hear(self, uids: Sequence[str]) -> None:
        """Have objects looked at now; those that are being worked on already are passed over."""
        now = self._store.clock.now()
        with self._store.reading() as session:
            settled = [
                wanted
                for wanted in desired.by_uid(session, sorted(set(uids)))
                if wanted.phase == Phase.ACTIVE and not wanted.progressing
            ]
        if not settled:
            return
        self._lately = {uid: at for uid, at in self._lately.items() if at > now - WINDOW}
        self._lately |= {wanted.uid: now for wanted in settled}
        if len(self._lately) >= self._few:
            self._lately.clear()
            self._compare()
            return
        with self._store.unit(CONTROLLER) as unit:
            entries = [(wanted.uid, self._cloud, wanted.generation) for wanted in settled]
            work.notice(unit.session, entries, unit.now)
        self._wake()
