"""The controller: for each cloud a lane and a watch, and a keeper of the leases."""

import logging
import random as _random
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol

from govcloud.domain.access import CONTROLLER
from govcloud.domain.kinds.platform import CloudSpec
from govcloud.errors import GovcloudError, UnavailableError
from govcloud.messages import plain, told
from govcloud.ports.cloud import Provisioner
from govcloud.ports.ledger import Ledger
from govcloud.reconcile import desired, leftover
from govcloud.reconcile.backoff import Backoff
from govcloud.reconcile.compare import Comparison
from govcloud.reconcile.leftover import Once
from govcloud.reconcile.outcome import Pace
from govcloud.reconcile.record import OnSettled, OnStep, Recorder
from govcloud.reconcile.settings import Settings
from govcloud.reconcile.site import Site
from govcloud.store import clouds, observed, work
from govcloud.store.unit import Store, Unit

LOG: Final = logging.getLogger(__name__)
Provisioners = Callable[[str, CloudSpec], Provisioner]
"""From a cloud's name and spec to its driver."""
_LOOK_FOR_CLOUDS_S: Final = 2.0
_SWITCH_S: Final = 0.0005
"""How long a comparison may compute before the threads that wait get a turn.

Python's default of 5 ms is as long as ten statements take: a lane beside a comparison would spend
its time waiting for its turn after each of them.
"""


def nothing_settled(_unit: Unit, _requests: Sequence[str]) -> None:
    """Take no notice of settled requests."""


def no_step(_name: str, _about: str) -> None:
    """Take no notice of steps."""


class Beside(Protocol):
    """Work that a controller does beside that of clouds, under leases of its own (R9)."""

    name: str

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`; then write what came of it."""
        ...

    def run_once(self, stop: threading.Event) -> None:
        """Work until nothing is due."""
        ...

    def renew(self) -> None:
        """Renew the leases of what is worked on."""
        ...


@dataclass(slots=True)
class _Running:
    """A site whose threads run."""

    site: Site
    generation: int
    stop: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)


class Controller:
    """Makes clouds match what was approved; several may share one database (R9).

    `name` must be unique among running controllers, and differ after each start: it owns leases.
    `run` works until it is told to stop, `run_once` until nothing is left to do. `pass_once` and
    `work_once` do one comparison or one round of work, for tests and measurements.
    """

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        provisioners: Provisioners,
        name: str,
        settings: Settings | None = None,
        *,
        on_settled: OnSettled = nothing_settled,
        on_step: OnStep = no_step,
        random: Callable[[], float] = _random.random,
        beside: Sequence[Beside] = (),
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._beside = tuple(beside)
        self._provisioners = provisioners
        self._owner = name
        self._settings = settings or Settings()
        self._random = random
        self._on_step = on_step
        s = self._settings
        pace = Pace(
            Backoff(s.poll_first_s, s.poll_cap_s, random, growth=1.5),
            Backoff(s.backoff_first_s, s.backoff_cap_s, random),
        )
        self._recorder = Recorder(
            store, ledger, name, pace=pace, settings=s, on_settled=on_settled, on_step=on_step
        )
        self._sites: dict[str, Site] = {}
        self._unopened: dict[str, str] = {}
        self._lock = threading.Lock()

    # --- For ever ---

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; then finish what is running and give leases back."""
        running: dict[str, _Running] = {}
        sys.setswitchinterval(_SWITCH_S)
        done = (
            threading.Event()
        )  # What is running at the stop needs its leases until it is written.
        keeper = threading.Thread(target=self._keep, args=(done,), name="keeper", daemon=True)
        keeper.start()
        beside = [
            threading.Thread(target=lane.run, args=(stop,), name=lane.name, daemon=True)
            for lane in self._beside
        ]
        for thread in beside:
            thread.start()
        try:
            while not stop.is_set():
                try:
                    self._tend(running)
                except (GovcloudError, OSError) as error:
                    LOG.warning("clouds: %s", plain(error))
                stop.wait(_LOOK_FOR_CLOUDS_S)
        finally:
            for entry in running.values():
                entry.stop.set()
            for entry in list(running.values()):
                self._end(entry)
            stop.set()
            for thread in beside:
                thread.join()
            done.set()
            keeper.join()
            self.close()

    def _tend(self, running: dict[str, _Running]) -> None:
        """Begin with clouds that are new, end with those that are gone, begin anew with changed."""
        with self._store.reading() as session:
            wanted = desired.clouds(session)
        for name in [n for n, r in running.items() if wanted.get(n, (0,))[0] != r.generation]:
            entry = running.pop(name)
            entry.stop.set()
            self._end(entry)
            self._drop(name)
        for name in wanted.keys() - running.keys():
            site = self._opened(name)
            if site is None:
                continue
            running[name] = self._begin(site, wanted[name][0])

    def _begin(self, site: Site, generation: int) -> _Running:
        entry = _Running(site, generation)
        loops = [("watch", site.watch)]
        if site.managed:
            loops.append(("lane", site.lane.run))
        if (listener := site.listener()) is not None:
            loops.append(("changes", listener.run))
        for word, loop in loops:
            thread = threading.Thread(
                target=loop, args=(entry.stop,), name=f"{site.name}-{word}", daemon=True
            )
            entry.threads.append(thread)
            thread.start()
        return entry

    @staticmethod
    def _end(entry: _Running) -> None:
        entry.site.gate.shut()
        entry.site.lane.wake()
        for thread in entry.threads:
            thread.join()

    def _keep(self, stop: threading.Event) -> None:
        """Renew all leases well before they run out, whatever the lanes are doing."""
        while not stop.wait(self._settings.lease_s / 3):
            try:
                self.renew()
            except Exception:
                LOG.exception("leases: they are renewed at the next turn")

    def renew(self) -> None:
        """Renew all leases, and store which clouds are left alone until when."""
        with self._lock:
            sites = list(self._sites.values())
        try:
            for lane in self._beside:
                lane.renew()
            for site in sites:
                site.lane.renew()
                site.store_pause()
            with self._store.unit(CONTROLLER) as unit:
                until = unit.now + timedelta(seconds=self._settings.lease_s)
                clouds.renew(unit.session, self._owner, until)
        except UnavailableError as error:
            LOG.warning("leases: %s", plain(error))

    # --- Once ---

    def run_once(self, stop: threading.Event | None = None) -> Once:
        """Compare every cloud, then try all that is open, until nothing is due or under way.

        What waits for another try gets it now, with former failures forgotten. What has failed
        `once_attempts` times in a row, and clouds that do not answer, are left to a later run.
        Returns what was found and what is left. UnavailableError where the database takes nothing
        any more: then nobody could know what was done.
        """
        stop = stop or threading.Event()
        done = threading.Event()
        sys.setswitchinterval(_SWITCH_S)
        keeper = threading.Thread(target=self._keep, args=(done,), name="keeper", daemon=True)
        keeper.start()
        try:
            return self._once(stop)
        finally:
            done.set()
            keeper.join()
            self.close()

    def _once(self, stop: threading.Event) -> Once:
        began = self._store.clock.now()
        sites = self._open_all()
        found = [comparison for site in sites if (comparison := self._looked(site)) is not None]
        self._drain_all([site for site in sites if site.managed], stop)
        for lane in self._beside:
            lane.run_once(stop)
        with self._store.reading() as session:
            watched = observed.watched(session, began)
            return Once(tuple(found), leftover.unread(watched), *leftover.left(session))

    @staticmethod
    def _looked(site: Site) -> Comparison | None:
        """Compare one cloud; what its driver stumbles over is noted there, and the others go on."""
        try:
            return site.look()
        except UnavailableError:
            raise
        except Exception:
            LOG.exception("%s: the comparison stumbled", site.name)
            return None

    def _drain_all(self, sites: Sequence[Site], stop: threading.Event) -> None:
        """Work on all clouds at the same time; raise what ended the work on one."""
        failed: list[Exception] = []

        def drain(site: Site) -> None:
            try:
                self._drain(site, stop)
            except Exception as error:  # noqa: BLE001 (raised below)
                failed.append(error)

        threads = [
            threading.Thread(target=drain, args=(site,), name=site.name, daemon=True)
            for site in sites
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for error in failed:
            if isinstance(error, UnavailableError):
                raise UnavailableError("controller.unwritten", detail=error.text) from error
            raise error

    def _drain(self, site: Site, stop: threading.Event) -> None:
        """Work on one cloud until its queue holds nothing but what keeps failing.

        Raises what the lane stumbles over `once_attempts` times in a row.
        """
        with self._store.unit(CONTROLLER) as unit:
            work.anew(unit.session, site.name, unit.now)
        drained = threading.Event()
        lane = threading.Thread(
            target=site.lane.run, args=(drained,), name=f"{site.name}-lane", daemon=True
        )
        lane.start()
        try:
            self._await_drained(site, stop)
        finally:
            drained.set()
            site.lane.wake()
            lane.join()

    def _await_drained(self, site: Site, stop: threading.Event) -> None:
        attempts = self._settings.once_attempts
        while not stop.wait(self._settings.idle_s):
            if site.lane.fault is not None and site.lane.stumbles >= attempts:
                raise site.lane.fault
            with self._store.reading() as session:
                left = work.remaining(session, site.name, attempts)
            if not left or site.gate.failing():
                break

    def _open_all(self) -> list[Site]:
        with self._store.reading() as session:
            names = sorted(desired.clouds(session))
        return [site for name in names if (site := self._opened(name)) is not None]

    def _opened(self, name: str) -> Site | None:
        """Return the site of a cloud, or say, once, why it cannot be opened."""
        try:
            site = self.site(name)
        except Exception as error:  # noqa: BLE001 (the other clouds go on)
            if self._unopened.get(name) != repr(error):
                self._unopened[name] = repr(error)
                LOG.error("cloud %s cannot be opened: %s", name, plain(error))
                with self._store.unit(CONTROLLER) as unit:
                    clouds.missed(unit.session, name, next_at=unit.now, error=told(error))
            return None
        self._unopened.pop(name, None)
        return site

    # --- In single steps ---

    def pass_once(self, cloud: str) -> Comparison | None:
        """Compare one cloud now; None if it could not be asked."""
        return self.site(cloud).look()

    def work_once(self, cloud: str) -> int:
        """Do what is due now on one cloud, to the end; return how many objects that were."""
        return self.site(cloud).lane.step()

    def site(self, name: str) -> Site:
        """Return the site of a cloud, opened when it is first asked for; KeyError if unknown."""
        with self._lock:
            known = self._sites.get(name)
        if known is not None:
            return known
        with self._store.reading() as session:
            _, spec = desired.clouds(session)[name]
        site = Site(
            name,
            spec,
            self._provisioners(name, spec),
            store=self._store,
            ledger=self._ledger,
            recorder=self._recorder,
            owner=self._owner,
            settings=self._settings,
            random=self._random,
            on_step=self._on_step,
        )
        with self._lock:
            return self._sites.setdefault(name, site)

    def wake(self) -> None:
        """Look at the queues now: something was approved in this process."""
        with self._lock:
            sites = list(self._sites.values())
        for site in sites:
            site.lane.wake()

    def _drop(self, name: str) -> None:
        with self._lock:
            site = self._sites.pop(name, None)
        if site is not None:
            site.close()

    def close(self) -> None:
        """Give back all leases and close all drivers."""
        for name in list(self._sites):
            self._drop(name)
        try:
            with self._store.unit(CONTROLLER) as unit:
                work.give_back(unit.session, self._owner, unit.now)
                clouds.give_back(unit.session, self._owner)
        except UnavailableError as error:
            LOG.warning("leases: %s", plain(error))
