"""One cloud under one controller: its driver, its gate, its lane, its comparison."""

import logging
import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from govcloud.domain.access import CONTROLLER
from govcloud.domain.kinds.platform import CloudSpec, Management
from govcloud.errors import CloudError, UnavailableError
from govcloud.messages import plain, told
from govcloud.plan.drift import Whole
from govcloud.ports.abilities import Watching
from govcloud.ports.cloud import Provisioner
from govcloud.ports.ledger import Ledger
from govcloud.reconcile import nobodys
from govcloud.reconcile.backoff import Backoff
from govcloud.reconcile.compare import Comparer, Comparison, listing
from govcloud.reconcile.gate import Gate, PausedError
from govcloud.reconcile.groundwork import Groundwork
from govcloud.reconcile.lane import Lane
from govcloud.reconcile.listening import Listener
from govcloud.reconcile.quota_follow import QuotaFollow
from govcloud.reconcile.quota_push import QuotaPush
from govcloud.reconcile.record import OnStep, Recorder
from govcloud.reconcile.settings import Settings
from govcloud.store import clouds, work
from govcloud.store.tables import CloudRow
from govcloud.store.unit import Store

LOG: Final = logging.getLogger(__name__)
_EARLY: Final = 0.1
"""A comparison begins up to this part of the period early, so that clouds do not march in step."""


class Site:
    """One cloud. A managed one is worked on and compared, an observed one is only counted."""

    def __init__(
        self,
        name: str,
        spec: CloudSpec,
        provisioner: Provisioner,
        *,
        store: Store,
        ledger: Ledger,
        recorder: Recorder,
        owner: str,
        settings: Settings,
        random: Callable[[], float],
        on_step: OnStep,
    ) -> None:
        self.name = name
        self.spec = spec
        self.provisioner = provisioner
        self._store = store
        self._owner = owner
        self._settings = settings
        self._random = random
        self._period = timedelta(seconds=spec.limits.resync_seconds)
        self._retry = Backoff(settings.breaker_first_s, settings.breaker_cap_s, random)
        self._stored_pause: datetime | None = None
        self.gate = Gate(spec.limits.requests_per_second, store.clock, settings, random)
        self._restore()
        push = QuotaPush(name, provisioner, store, self.gate)
        groundwork = Groundwork(name, provisioner, store)
        self.comparer = Comparer(
            name,
            provisioner,
            store=store,
            gate=self.gate,
            follow=QuotaFollow(name, push, store),
            groundwork=groundwork,
            settings=settings,
            limits=spec.limits,
        )
        self.lane = Lane(
            name,
            spec,
            provisioner,
            store=store,
            ledger=ledger,
            gate=self.gate,
            push=push,
            groundwork=groundwork,
            recorder=recorder,
            owner=owner,
            settings=settings,
            on_step=on_step,
        )

    def listener(self) -> Listener | None:
        """Return what listens to the cloud, if it is managed and its driver tells of changes."""
        if not (self.managed and isinstance(self.provisioner, Watching)):
            return None
        return Listener(
            self.name,
            self.provisioner,
            store=self._store,
            retry=self._retry,
            few=self.spec.limits.brake_count,
            wake=self.lane.wake,
            compare=self.look,
        )

    @property
    def managed(self) -> bool:
        """Whether govcloud may change this cloud."""
        return self.spec.management is Management.MANAGED

    def watch(self, stop: threading.Event) -> None:
        """Compare whenever it is due, until `stop`."""
        while not stop.is_set():
            try:
                self.look_if_due()
            except UnavailableError as error:
                LOG.warning("%s: %s", self.name, plain(error))
            except Exception:
                LOG.exception("%s: the comparison stumbled and goes on", self.name)
            stop.wait(min(1.0, self._period.total_seconds() / 4))

    def look_if_due(self) -> Comparison | None:
        """Compare if that is due and no other controller is at it."""
        now = self._store.clock.now()
        latest = now + self._period
        with self._store.reading() as session:
            row = session.get(CloudRow, self.name)
        if row is not None and row.next_at is not None and now < row.next_at <= latest:
            return None
        with self._store.unit(CONTROLLER) as unit:
            until = now + timedelta(seconds=self._settings.lease_s)
            if not clouds.take(
                unit.session, self.name, self._owner, now=now, until=until, latest=latest
            ):
                return None
            work.mend(unit.session, self.name, now)
        return self.look()

    def look(self) -> Comparison | None:
        """Compare now, and note when to look next; None if the cloud could not be asked."""
        try:
            return self._look()
        except (CloudError, PausedError) as error:
            self._missed(error)
            return None
        except Exception as error:
            # Whatever it was, it is noted, so that somebody looks again, and not at once.
            self._missed(error)
            raise

    def _look(self) -> Comparison:
        began = self._store.clock.now()
        found = self.comparer.run() if self.managed else self._count()
        early = self._period * (_EARLY * self._random())
        with self._store.unit(CONTROLLER) as unit:
            clouds.looked(
                unit.session,
                self.name,
                at=began,
                next_at=began + self._period - early,
                counts=found.counts,
            )
        if found.enqueued:
            self.lane.wake()
        return found

    def _missed(self, error: Exception) -> None:
        now = self._store.clock.now()
        with self._store.unit(CONTROLLER) as unit:
            row = clouds.remember(unit.session, self.name)
            wait = timedelta(seconds=self._retry.delay(row.failures + 1))
            next_at = now + min(wait, self._period)
            if isinstance(error, PausedError):
                next_at = max(next_at, min(error.until, now + self._period))
            said = None if isinstance(error, PausedError) else told(error)
            clouds.missed(unit.session, self.name, next_at=next_at, error=said)

    def _count(self) -> Comparison:
        """Take stock of what an observed cloud holds; nothing of it is ever acted on."""
        found = Comparison(self.name)
        counts: Counter[str] = Counter()
        seen: list[nobodys.Nobodys] = []
        for page in listing(self.provisioner, self.gate):
            found.pages += 1
            counts.update(item.type for item in page)
            seen += [nobodys.of(item, Whole.UNMANAGED) for item in page]
        with self._store.reading() as session:
            said = nobodys.said_of(session, self.name).get("", set())
        nobodys.keep(self._store, self.name, seen, nobodys.ignored, said)
        found.unmanaged = len(seen)
        found.counts, found.listed = dict(sorted(counts.items())), counts.total()
        return found

    # --- The pause that outlives a restart (R7) ---

    def _restore(self) -> None:
        with self._store.reading() as session:
            row = session.get(CloudRow, self.name)
        if row is not None:
            self.gate.restore(row.open_until, clouds.error_of(row))
            self._stored_pause = row.open_until

    def store_pause(self) -> None:
        """Store until when the cloud is left alone, if that has changed."""
        until = self.gate.closed_until()
        if until == self._stored_pause:
            return
        with self._store.unit(CONTROLLER) as unit:
            clouds.pause(unit.session, self.name, until, self.gate.error)
        self._stored_pause = until

    def close(self) -> None:
        """Close the driver."""
        self.gate.shut()
        self.provisioner.close()
