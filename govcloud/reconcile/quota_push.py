"""The cloud's own quota follows the ledger (Q5).

What the ledger charges a tenant is what its approved objects ask for. Before something is built,
the tenant's limit is raised to that; it is lowered only after a full comparison, from a fresh
listing of what is in use, and never below it.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from govcloud.domain.classes import Amounts, add
from govcloud.ports.cloud import Provisioner, TenantQuota
from govcloud.reconcile.desired import UNPLANNABLE, Wanted, World, resources_of
from govcloud.reconcile.gate import Gate


@dataclass(frozen=True, slots=True)
class Need:
    """What a tenant's approved objects ask for, and which generations of which objects count."""

    amounts: Amounts
    counted: frozenset[str]


def counted_as(wanted: Wanted) -> str:
    """Return the word for one generation of one object."""
    return f"{wanted.uid}@{wanted.generation}"


def needs(provisioner: Provisioner, world: World, objects: Iterable[Wanted]) -> dict[str, Need]:
    """Sum up what objects ask for, by the tenant that they live in.

    What was taken over lives in a tenant of others, whose quota is none of ours.
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
            amounts[tenant] = add(amounts.get(tenant, {}), demand)
            counted.setdefault(tenant, set()).add(counted_as(wanted))
    return {tenant: Need(amounts[tenant], frozenset(counted[tenant])) for tenant in amounts}


def limits_for(need: Amounts, quota: TenantQuota | None) -> dict[str, int]:
    """Return the limits to set: what is needed, or what is in use where that is more.

    Every class is named that the cloud limits or that is needed; pure.
    """
    used = quota.used if quota is not None else {}
    known = set(quota.limits if quota is not None else ()) | set(need) | set(used)
    return {word: max(need.get(word, 0), used.get(word, 0)) for word in sorted(known)}


def differs(
    limits: Mapping[str, int], quota: TenantQuota | None, pushed: Mapping[str, int]
) -> bool:
    """Whether setting `limits` would change anything; pure.

    `pushed` is what was set last: a class that the cloud does not show although it was set is one
    that it does not know, and is not pushed again and again.
    """
    shown = quota.limits if quota is not None else {}
    return any(
        shown[word] != amount if word in shown else amount and pushed.get(word) != amount
        for word, amount in limits.items()
    )


class QuotaPush:
    """The cloud-side quotas of one cloud; used by its lane and its comparison."""

    def __init__(self, provisioner: Provisioner, gate: Gate) -> None:
        self._provisioner = provisioner
        self._gate = gate
        self._idle = not getattr(provisioner, "tenant_quotas", True)
        self._lock = threading.Lock()
        self._quotas: dict[str, TenantQuota] | None = None
        self._counted: dict[str, frozenset[str]] = {}
        self._pushed: dict[str, Mapping[str, int]] = {}

    def listed(self) -> dict[str, TenantQuota]:
        """List the cloud's quotas anew, a call a page, and remember them."""
        quotas: dict[str, TenantQuota] = {}
        if self._idle:
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
        if self._idle:
            return True
        with self._lock:
            return self._counted.get(tenant, frozenset()).issuperset(counted)

    def doubt(self, tenant: str) -> None:
        """Forget what was pushed: the cloud refused although it should have room."""
        with self._lock:
            self._counted.pop(tenant, None)
            self._pushed.pop(tenant, None)
            self._quotas = None

    def raise_to(self, tenant: str, need: Need) -> None:
        """Let the cloud's limit be at least what is needed; never lowers it."""
        with self._lock:
            quotas = self._quotas
        quotas = self.listed() if quotas is None else quotas
        self._set(
            tenant, _no_lower(limits_for(need.amounts, quotas.get(tenant)), quotas.get(tenant))
        )
        with self._lock:
            self._counted[tenant] = need.counted

    def follow(self, tenant: str, amounts: Amounts) -> bool:
        """Let the cloud's limit be what is needed, after a fresh `listed`; whether it changed."""
        if self._idle:
            return False
        with self._lock:
            quota = (self._quotas or {}).get(tenant)
        if not self._set(tenant, limits_for(amounts, quota)):
            return False
        with self._lock:
            self._counted.pop(tenant, None)
        return True

    def _set(self, tenant: str, limits: Mapping[str, int]) -> bool:
        with self._lock:
            quota = (self._quotas or {}).get(tenant)
        if not differs(limits, quota, self._pushed.get(tenant, {})):
            return False
        with self._gate.call("set_quota"):
            self._provisioner.set_quota(tenant, limits)
        used = quota.used if quota is not None else {}
        with self._lock:
            self._pushed[tenant] = limits
            if self._quotas is not None:
                self._quotas[tenant] = TenantQuota(tenant, dict(limits), used)
        return True


def _no_lower(limits: Mapping[str, int], quota: TenantQuota | None) -> dict[str, int]:
    old = quota.limits if quota is not None else {}
    return {word: max(amount, old.get(word, 0)) for word, amount in limits.items()}
