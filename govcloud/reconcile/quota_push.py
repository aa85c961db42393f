"""The cloud's own quota follows the ledger (Q5).

What the ledger charges a tenant is what its approved objects ask for, and what they had before
until the change is done. Before something is built, the tenant's limit is raised to that, whatever
the policy says of changes by hand; it is lowered only after a full comparison (`quota_follow`), and
never below what is in use. What is going to be set is noted first, so that it is never taken for a
change by hand (R4).
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from govcloud.domain.access import CONTROLLER
from govcloud.domain.classes import Amounts, add, most
from govcloud.plan.limits import limits_for, noted, raised
from govcloud.ports.cloud import Provisioner, TenantQuota
from govcloud.reconcile.desired import UNPLANNABLE, Wanted, World, resources_of
from govcloud.reconcile.gate import Gate
from govcloud.store import limits as stored
from govcloud.store.unit import Store


@dataclass(frozen=True, slots=True)
class Need:
    """What a tenant's approved objects are charged; which generations of which objects count."""

    amounts: Amounts
    counted: frozenset[str]


def counted_as(wanted: Wanted) -> str:
    """Return the word for one generation of one object."""
    return f"{wanted.uid}@{wanted.generation}"


def needs(
    provisioner: Provisioner,
    world: World,
    objects: Iterable[Wanted],
    charged: Mapping[str, Amounts],
) -> dict[str, Need]:
    """Sum up what objects ask for, by the tenant that they live in.

    `charged` is what the ledger charges them, by uid: while something changes that is more than it
    asks for. What moves to another storage class needs room in both meanwhile. What was taken over
    lives in a tenant of others, whose quota is none of ours.
    """
    amounts: dict[str, dict[str, int]] = {}
    counted: dict[str, set[str]] = {}
    for wanted in objects:
        try:
            resources = resources_of(provisioner, world, wanted.approved)
            demand = world.demand(wanted.approved)
        except UNPLANNABLE:
            continue
        if resources and not resources[0].adopts:
            tenant = resources[0].tenant
            most_of_it = most(demand, charged.get(wanted.uid, {}))
            amounts[tenant] = add(amounts.get(tenant, {}), most_of_it)
            counted.setdefault(tenant, set()).add(counted_as(wanted))
    return {tenant: Need(amounts[tenant], frozenset(counted[tenant])) for tenant in amounts}


class QuotaPush:
    """The cloud-side quotas of one cloud; used by its lane and its comparison."""

    def __init__(self, cloud: str, provisioner: Provisioner, store: Store, gate: Gate) -> None:
        self._cloud = cloud
        self._provisioner = provisioner
        self._store = store
        self._gate = gate
        self.idle = not getattr(provisioner, "tenant_quotas", True)
        self._lock = threading.Lock()
        self._quotas: dict[str, TenantQuota] | None = None
        self._counted: dict[str, frozenset[str]] = {}
        self._pushed: dict[str, Mapping[str, int]] = {}
        self._doubted: set[str] = set()

    def listed(self) -> dict[str, TenantQuota]:
        """List the cloud's quotas anew, a call a page, and remember them."""
        quotas: dict[str, TenantQuota] = {}
        if self.idle:
            return quotas
        pages = iter(self._provisioner.quotas())
        while True:
            with self._gate.call("quotas"):
                page = next(pages, None)
            if page is None:
                break
            quotas |= {quota.tenant: quota for quota in page}
        with self._lock:
            self._quotas = quotas
        return quotas

    def covers(self, tenant: str, counted: Iterable[str]) -> bool:
        """Whether the limit as last pushed counts all of these already."""
        if self.idle:
            return True
        with self._lock:
            return self._counted.get(tenant, frozenset()).issuperset(counted)

    def doubt(self, tenant: str) -> None:
        """Forget what was pushed: the cloud refused although it should have room."""
        with self._lock:
            self._counted.pop(tenant, None)
            self._pushed.pop(tenant, None)
            self._quotas = None
            self._doubted.add(tenant)

    def raise_to(self, tenant: str, need: Need) -> None:
        """Let the cloud's limit be at least what is needed; never lowers it."""
        with self._lock:
            quotas, doubted = self._quotas, tenant in self._doubted
        quota = (self.listed() if quotas is None else quotas).get(tenant)
        limits = limits_for(need.amounts, quota) if doubted else raised(need.amounts, quota)
        odd = doubted or (quota is not None and bool(quota.beside))
        if odd or self.differs(tenant, limits, quota):
            limits = _no_lower(limits, quota)
            with self._store.unit(CONTROLLER) as unit:
                stored.note(unit.session, self._cloud, tenant, partial(noted, limits, quota))
            self.set(tenant, limits)
        with self._lock:
            self._counted[tenant] = need.counted
            self._doubted.discard(tenant)

    def differs(self, tenant: str, limits: Mapping[str, int], quota: TenantQuota | None) -> bool:
        """Whether setting `limits` would change anything.

        A class that the cloud does not show although it was set is one that it does not know, and
        is not pushed again and again.
        """
        shown = quota.limits if quota is not None else {}
        with self._lock:
            pushed = self._pushed.get(tenant, {})
        return any(
            shown[word] != amount if word in shown else amount and pushed.get(word) != amount
            for word, amount in limits.items()
        )

    def set(self, tenant: str, limits: Mapping[str, int]) -> None:
        """Set limits; that they may be ours has been noted before."""
        with self._lock:
            pushed = self._pushed.pop(tenant, {})
        with self._gate.call("set_quota"):
            self._provisioner.set_quota(tenant, limits)
        with self._lock:
            self._pushed[tenant] = {**pushed, **limits}
            old = (self._quotas or {}).get(tenant, TenantQuota(tenant, {}, {}))
            if self._quotas is not None:
                self._quotas[tenant] = TenantQuota(tenant, {**old.limits, **limits}, old.used)

    def lowered(self, tenant: str) -> None:
        """Note that a limit may be lower than what was raised: it is raised anew when needed."""
        with self._lock:
            self._counted.pop(tenant, None)


def _no_lower(limits: Mapping[str, int], quota: TenantQuota | None) -> dict[str, int]:
    old = quota.limits if quota is not None else {}
    return {word: max(amount, old.get(word, 0)) for word, amount in limits.items()}
