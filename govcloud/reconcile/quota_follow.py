"""After a comparison the cloud's own quotas become what the ledger charges (Q5, R4).

Not where something is on its way: there the lane has raised the quota, and lowering it now could
be lowering it under what is being built. A limit that was changed by hand is a difference of the
system that lives in the tenant, and the policy says whether it is undone.
"""

import logging
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final

from govcloud.domain.access import CONTROLLER
from govcloud.domain.drift import DriftMode
from govcloud.errors import CloudError
from govcloud.messages import plain
from govcloud.plan.drift import ModeOf, modes
from govcloud.plan.limits import Judged, Ours, judge, limits_for, noted
from govcloud.ports.cloud import TenantQuota
from govcloud.reconcile import quota_drift
from govcloud.reconcile.desired import World
from govcloud.reconcile.gate import PausedError
from govcloud.reconcile.ground import System
from govcloud.reconcile.index import Index, Need
from govcloud.reconcile.quota_drift import KIND, Drifts, Place
from govcloud.reconcile.quota_push import QuotaPush
from govcloud.store import limits as stored
from govcloud.store.unit import Store

LOG: Final = logging.getLogger(__name__)


Said = Mapping[str, Drifts]
"""What is stored of changes by hand, by tenant."""


@dataclass(frozen=True, slots=True)
class _Tenant:
    """One tenant in which nothing is on its way: what is there, and what follows.

    `before` is what was noted to be ours, `after` what may be ours once its limits are being set;
    `drifts` what was changed by hand. `system` is None where none of ours is left: nobody is told
    of changes there.
    """

    name: str
    quota: TenantQuota
    system: System | None
    before: Ours
    after: Ours
    judged: Judged
    drifts: Drifts

    def heals(self, old: Drifts) -> bool:
        """Whether something is to be undone that is not being undone already."""
        fresh = [drift for name, drift in self.drifts.items() if name not in old]
        return any(drift.mode is DriftMode.HEAL for drift in fresh)


class QuotaFollow:
    """Lets the quotas of one managed cloud follow."""

    def __init__(self, cloud: str, push: QuotaPush, store: Store) -> None:
        self._cloud = cloud
        self._push = push
        self._store = store

    def run(self, index: Index, world: World) -> int:
        """Keep what was changed by hand, set what is to be set; in how many tenants that was."""
        if self._push.idle:
            return 0
        quotas = self._push.listed()
        with self._store.reading() as session:
            ours = stored.of_cloud(session, self._cloud)
            said = quota_drift.said(session, self._cloud)
        mode = modes(KIND, None, world.rules)
        tenants = [
            _tenant(name, quotas.get(name), index.needs.get(name), ours.get(name, {}), mode)
            for name in sorted(_quiet(index, quotas))
        ]
        # Of what is only recalled, others may have set it since: what was said of it stands.
        sure = [one for one in tenants if not (one.quota.recalled and one.judged.drifts)]
        gone = (ours.keys() | said.keys()) - quotas.keys()
        return self._set(self._write(sure, gone, said), said)

    def _write(self, tenants: Sequence[_Tenant], gone: Set[str], said: Said) -> Sequence[_Tenant]:
        """Write what is new; return the tenants at which nobody else is."""
        noting = [tenant for tenant in tenants if tenant.after != tenant.before]
        saying = [tenant for tenant in tenants if tenant.drifts != said.get(tenant.name, {})]
        if not (noting or saying or gone):
            return tenants
        with self._store.unit(CONTROLLER) as unit:
            stored.forget(unit.session, self._cloud, gone)
            for name in sorted(gone & said.keys()):
                quota_drift.keep(unit, Place(self._cloud, name), said[name], {})
            taken = {
                one.name
                for one in noting
                if not stored.keep(unit.session, self._cloud, one.name, one.before, one.after)
            }
            for one in saying:
                if one.name not in taken:
                    place = Place(self._cloud, one.name, one.system)
                    quota_drift.keep(unit, place, said.get(one.name, {}), one.drifts)
        return [tenant for tenant in tenants if tenant.name not in taken]

    def _set(self, tenants: Sequence[_Tenant], said: Said) -> int:
        done = 0
        for tenant in tenants:
            judged = tenant.judged
            late = judged.beside or self._push.differs(tenant.name, judged.limits, tenant.quota)
            if not (late or tenant.heals(said.get(tenant.name, {}))):
                continue
            try:
                self._push.set(tenant.name, judged.limits)
            except PausedError:
                break  # The next comparison goes on.
            except CloudError as error:
                # What was compared is true all the same, and other tenants' quotas can be set (R6).
                LOG.warning("%s: the quota of %s: %s", self._cloud, tenant.name, plain(error))
            else:
                done += 1
                self._push.lowered(tenant.name)
                self._settle(tenant)
        return done

    def _settle(self, tenant: _Tenant) -> None:
        """Note that what was set stands, so that the next comparison has nothing to write (R5)."""
        limits, after = tenant.judged.limits, tenant.after
        stands = {word: [limits[word]] if word in limits else after[word] for word in after}
        if stands != after:
            with self._store.unit(CONTROLLER) as unit:
                stored.keep(unit.session, self._cloud, tenant.name, after, stands)


def _quiet(index: Index, quotas: Mapping[str, TenantQuota]) -> set[str]:
    """Return the tenants in which nothing is on its way."""
    quiet = {t for t, need in index.needs.items() if not need.systems & index.busy}
    if not index.blind:
        quiet |= quotas.keys() - index.needs.keys() - index.busy_tenants
    return quiet


def _tenant(
    name: str, quota: TenantQuota | None, need: Need | None, ours: Ours, mode: ModeOf
) -> _Tenant:
    there = quota or TenantQuota(name, {}, {})
    wanted = limits_for(need.amounts if need else {}, quota)
    known = ours if quota else {}  # Of a tenant that is not there, nothing was changed.
    judged = judge(wanted, there, known, mode if need else modes(KIND, None, ()))
    return _Tenant(
        name=name,
        quota=there,
        system=min(need.systems) if need else None,
        before=ours,
        after=noted(judged.limits, there, judged.ours),
        judged=judged,
        drifts={drift.field: drift for drift in judged.drifts} if need else {},
    )
