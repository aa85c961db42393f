"""Looking before acting: one look-up for a batch of objects, a plan for each, room in the quota."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from govcloud.domain.keys import GROUND
from govcloud.errors import CloudError
from govcloud.plan.conditions import missing_reference, unplanned, unreachable
from govcloud.plan.model import Verb
from govcloud.plan.orders import MissingReferenceError
from govcloud.plan.releasing import holds
from govcloud.ports.abilities import Containing
from govcloud.ports.cloud import Observed, Provisioner, State
from govcloud.ports.ledger import Ledger
from govcloud.reconcile import desired
from govcloud.reconcile.attempt import Attempt
from govcloud.reconcile.desired import UnplannableError, World, resources_of
from govcloud.reconcile.gate import Gate, PausedError
from govcloud.reconcile.groundwork import Groundwork
from govcloud.reconcile.quota_push import QuotaPush, counted_as, needs
from govcloud.reconcile.record import OnStep
from govcloud.reconcile.settings import Settings
from govcloud.store.unit import Store

LOG: Final = logging.getLogger(__name__)


class Looking:
    """Looks up and plans what the lane of one cloud has claimed."""

    def __init__(
        self,
        name: str,
        provisioner: Provisioner,
        *,
        store: Store,
        ledger: Ledger,
        gate: Gate,
        push: QuotaPush,
        groundwork: Groundwork,
        settings: Settings,
        on_step: OnStep,
        wipes: frozenset[str],
    ) -> None:
        self._groundwork = groundwork
        self._name = name
        self._provisioner = provisioner
        self._store = store
        self._ledger = ledger
        self._gate = gate
        self._push = push
        self._settings = settings
        self._on_step = on_step
        self._wipes = wipes

    def look(self, attempts: Sequence[Attempt], world: World) -> None:
        """Look up all objects in one call and plan each; what cannot be planned says why."""
        askable = [attempt for attempt in attempts if self._order(attempt, world)]
        self._groundwork.prepare(askable, world)
        askable = [attempt for attempt in askable if attempt.conditions is None]
        if not askable:
            return
        try:
            with self._gate.call("find"):
                found = self._provisioner.find([attempt.claim.uid for attempt in askable])
        except PausedError as error:
            for attempt in askable:
                attempt.put_off(error.until)
        except CloudError as error:
            for attempt in askable:
                attempt.conditions = unreachable(error)
                attempt.honour(error, self._store.clock.now(), self._settings)
        except Exception as error:  # noqa: BLE001 (whatever a driver does, the others go on)
            self._look_halves(askable, world, error)
        else:
            self._on_step("found", ",".join(attempt.claim.uid for attempt in askable))
            self._decide(askable, found, world)

    def _look_halves(self, attempts: Sequence[Attempt], world: World, error: Exception) -> None:
        """Find the object that spoils a look-up by halving the batch (R6)."""
        if len(attempts) == 1:
            LOG.error("%s: %s: %r", self._name, attempts[0].claim.uid, error)
            attempts[0].conditions = unplanned(error)
            return
        middle = len(attempts) // 2
        self.look(attempts[:middle], world)
        self.look(attempts[middle:], world)

    def _order(self, attempt: Attempt, world: World) -> bool:
        """Ask the driver what should be there; return whether that could be said."""
        try:
            attempt.resources = resources_of(self._provisioner, world, attempt.wanted.approved)
        except MissingReferenceError as error:
            attempt.conditions = missing_reference(error.kind, error.name)
        except UnplannableError as error:
            cause = error.__cause__
            LOG.error("%s: %s", self._name, attempt.claim.uid, exc_info=cause)
            attempt.conditions = unplanned(cause if isinstance(cause, Exception) else error)
        if attempt.conditions is not None and attempt.releasing:
            attempt.conditions = None  # what is there can be removed without knowing what should be
        return attempt.conditions is None

    def _decide(self, attempts: Sequence[Attempt], found: Sequence[Observed], world: World) -> None:
        by_uid: dict[str, list[Observed]] = {}
        for item in found:
            by_uid.setdefault(item.uid, []).append(item)
        now = self._store.clock.now()
        for attempt in attempts:
            seen = by_uid.get(attempt.claim.uid, [])
            try:
                seen = self._with_contents(attempt, seen)
                attempt.decide(seen, world, now, self._settings, wipes=self._wipes)
            except PausedError as error:
                attempt.put_off(error.until)
            except CloudError as error:
                attempt.conditions = unreachable(error)
                attempt.honour(error, now, self._settings)
            except Exception as error:
                LOG.exception("%s: %s", self._name, attempt.claim.uid)
                attempt.conditions = unplanned(error)

    def _with_contents(self, attempt: Attempt, seen: list[Observed]) -> list[Observed]:
        """Return what was seen, with what it holds, where that matters and is not known yet."""
        matters = attempt.releasing and not attempt.confirmed
        known = any(holds(item) for item in seen)
        going = all(item.state is State.DELETING for item in seen)
        if not matters or known or going or not isinstance(self._provisioner, Containing):
            return seen
        with self._gate.call("contents"):
            held = self._provisioner.contents(seen)
        return [
            replace(item, info={**item.info, "holds": held[item.id]}) if item.id in held else item
            for item in seen
        ]

    def raise_quotas(self, attempts: Sequence[Attempt], world: World) -> None:
        """Let the cloud's own quota allow what is about to be built (Q5)."""
        growing: dict[str, list[Attempt]] = {}
        for attempt in attempts:
            if attempt.wanted.kind == GROUND or attempt.conditions is not None:
                continue  # it counts for nothing, and a tenant's quota needs the tenant
            if attempt.resources and attempt.resources[0].adopts:
                continue  # it stays in a tenant of others, whose quota is none of ours
            if any(action.verb in (Verb.CHANGE, Verb.CREATE) for action in attempt.actions):
                growing.setdefault(attempt.resources[0].tenant, []).append(attempt)
        behind = {
            tenant: entries
            for tenant, entries in growing.items()
            if not self._push.covers(tenant, (counted_as(entry.wanted) for entry in entries))
        }
        if not behind:
            return
        systems = {
            (entry.wanted.department, entry.wanted.system)
            for entries in behind.values()
            for entry in entries
        }
        with self._store.reading() as session:
            objects = desired.of_systems(session, self._name, systems)
            uids = [wanted.uid for wanted in objects]
            charged = self._ledger.charged(session, self._name, uids)
        needed = needs(self._provisioner, world, objects, charged)
        for tenant, entries in behind.items():
            self._on_step("before-quota", tenant)
            try:
                if tenant in needed:
                    self._push.raise_to(tenant, needed[tenant])
            except PausedError as error:
                withhold(entries, error.until)
            except Exception as error:  # noqa: BLE001 (the cloud says whether it matters, by refusing)
                LOG.warning("%s: quota of %s: %s", self._name, tenant, error)
            self._on_step("after-quota", tenant)


def withhold(attempts: Sequence[Attempt], until: datetime) -> None:
    """Let nothing be done about these objects before `until`."""
    for attempt in attempts:
        attempt.plan = None
        attempt.put_off(until)
