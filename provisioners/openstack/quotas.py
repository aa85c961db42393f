"""The cloud's own quotas: what the ledger's resource classes are called by Nova, Cinder, Neutron.

The ledger counts data disks as volumes and Cinder counts all; the disks that machines boot from are
therefore added on the way there and taken off on the way back.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from govcloud.errors import TerminalCloudError
from govcloud.ports.cloud import TenantQuota
from provisioners.openstack.session import COMPUTE, NETWORK, STORAGE, Door, Json

_COMPUTE: Final[Mapping[str, str]] = {"vms": "instances", "vcpu": "cores", "memory": "ram"}
_NETWORK: Final[Mapping[str, str]] = {"floating-ips": "floatingip"}
_FREE_COMPUTE: Final = ("key_pairs", "server_groups", "server_group_members")
_FREE_NETWORK: Final = (
    "network",
    "subnet",
    "router",
    "port",
    "security_group",
    "security_group_rule",
    "rbac_policy",
)
_UNLIMITED: Final = -1
_IN_TURN: Final = 20
"""Tenants whose quotas are asked for again in one pass."""


@dataclass(frozen=True, slots=True)
class Raw:
    """The quotas of one project as the services tell them: limit and use by the service's word."""

    limits: Mapping[tuple[str, str], int]
    used: Mapping[tuple[str, str], int]


class Quotas:
    """The quotas of projects."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._kept: OrderedDict[str, TenantQuota] = OrderedDict()
        self._lock = threading.Lock()

    def pages(self, tenants: Mapping[str, str]) -> Iterator[Sequence[TenantQuota]]:
        """Return the quotas of tenants, by name with their projects' ids.

        No service lists all quotas, so each is a call; those that are known are asked for again
        in turn, a few each time, and a pass over many tenants takes no more calls than over few.
        """
        with self._lock:
            for gone in self._kept.keys() - tenants.keys():
                del self._kept[gone]
            due = [name for name in tenants if name not in self._kept]
            due += list(self._kept)[:_IN_TURN]
        fresh = {name: self.read(name, tenants[name]) for name in due}
        with self._lock:
            for name, quota in fresh.items():
                self._kept[name] = replace(quota, recalled=True)
                self._kept.move_to_end(name)
            told = {**self._kept, **fresh}
        yield [told[name] for name in sorted(told)]

    def forget(self, tenant: str) -> None:
        """Ask for a tenant's quota anew the next time."""
        with self._lock:
            self._kept.pop(tenant, None)

    def read(self, tenant: str, project: str) -> TenantQuota:
        """Return a tenant's limits and use, by the ledger's classes; what is unlimited has none."""
        raw = self._raw(project)
        limits = {w: n for w, n in self._classes(raw.limits).items() if n >= 0}
        due = self._words({}, raw)
        beside = {
            word: (raw.limits[service, word], n)
            for (service, word), n in due.items()
            if raw.limits[service, word] != n
        }
        return TenantQuota(tenant, limits, self._classes(raw.used), beside)

    def write(self, project: str, limits: Mapping[str, int]) -> None:
        """Set limits; unknown classes are passed over, and none goes below what is in use (Q5)."""
        raw = self._raw(project)
        wanted = self._words(limits, raw)
        below = {word: n for word, n in wanted.items() if 0 <= n < raw.used.get(word, 0)}
        if below:
            shown = ", ".join(f"{w[1]}: {n} < {raw.used[w]}" for w, n in sorted(below.items()))
            raise TerminalCloudError("BelowUsage", shown)
        changed = {word: n for word, n in wanted.items() if raw.limits.get(word) != n}
        for service in (COMPUTE, STORAGE, NETWORK):
            body = {word: n for (name, word), n in changed.items() if name == service}
            if body:
                self._put(service, project, body)

    # --- Words ---

    def _words(self, limits: Mapping[str, int], raw: Raw) -> dict[tuple[str, str], int]:
        """Return what the services are to be told, of all that is limited for these classes."""
        words: dict[tuple[str, str], int] = {}
        for service, names in ((COMPUTE, _COMPUTE), (NETWORK, _NETWORK)):
            words |= {(service, names[w]): n for w, n in limits.items() if w in names}
        disks = {w: n for w, n in limits.items() if w.startswith("disk.")}
        known = {(STORAGE, f"gigabytes_{self._type(w)}"): n for w, n in disks.items()}
        words |= {word: n for word, n in known.items() if word in raw.limits}
        words[STORAGE, "gigabytes"] = self._gigabytes({**raw.limits, **words})
        instances = words.get((COMPUTE, "instances"), raw.limits.get((COMPUTE, "instances"), 0))
        if "volumes" in limits or (COMPUTE, "instances") in words:
            own = limits.get("volumes", self._classes(raw.limits).get("volumes", 0))
            words[STORAGE, "volumes"] = own + self._booting(instances) if own >= 0 else _UNLIMITED
        words |= {(COMPUTE, word): _UNLIMITED for word in _FREE_COMPUTE}
        words |= {(NETWORK, word): _UNLIMITED for word in _FREE_NETWORK}
        return {word: n for word, n in words.items() if word in raw.limits}

    def _gigabytes(self, limits: Mapping[tuple[str, str], int]) -> int:
        """Return the sum of the types' limits, or no limit where a type has none."""
        each = [n for (_, word), n in limits.items() if word.startswith("gigabytes_")]
        return _UNLIMITED if not each or min(each) < 0 else sum(each)

    def _classes(self, words: Mapping[tuple[str, str], int]) -> dict[str, int]:
        """Return the ledger's classes of what the services say."""
        found: dict[str, int] = {}
        for service, names in ((COMPUTE, _COMPUTE), (NETWORK, _NETWORK)):
            found |= {w: words[service, n] for w, n in names.items() if (service, n) in words}
        for (service, word), amount in words.items():
            if service == STORAGE and word.startswith("gigabytes_"):
                name = self._door.settings.storage_class(word.removeprefix("gigabytes_"))
                found[f"disk.{name}"] = amount
        volumes = words.get((STORAGE, "volumes"))
        if volumes is not None:
            booting = self._booting(words.get((COMPUTE, "instances"), 0))
            found["volumes"] = volumes if volumes < 0 else max(0, volumes - booting)
        return found

    def _booting(self, instances: int) -> int:
        return max(0, instances) if self._door.settings.boot_from_volume else 0

    def _type(self, word: str) -> str:
        return self._door.settings.storage_type(word.removeprefix("disk."))

    # --- Calls ---

    def _raw(self, project: str) -> Raw:
        told = {
            COMPUTE: self._door.get(COMPUTE, f"/os-quota-sets/{project}/detail")["quota_set"],
            NETWORK: self._door.get(NETWORK, f"/quotas/{project}/details")["quota"],
        }
        if self._door.has(STORAGE):
            params = {"usage": "True"}
            url = f"/os-quota-sets/{project}"
            told[STORAGE] = self._door.get(STORAGE, url, params=params)["quota_set"]
        limits: dict[tuple[str, str], int] = {}
        used: dict[tuple[str, str], int] = {}
        for service, entries in told.items():
            for word, entry in entries.items():
                if isinstance(entry, dict):
                    limits[service, word] = int(entry["limit"])
                    used[service, word] = _in_use(entry)
        return Raw(limits, used)

    def _put(self, service: str, project: str, body: Json) -> None:
        if service == NETWORK:
            self._door.call(NETWORK, "PUT", f"/quotas/{project}", json={"quota": body})
            return
        url = f"/os-quota-sets/{project}"
        self._door.call(service, "PUT", url, json={"quota_set": body})


def _in_use(entry: Mapping[str, Any]) -> int:
    return int(entry.get("in_use", entry.get("used", 0))) + int(entry.get("reserved") or 0)
