"""What a driver remembers to spare calls; everything in it can be asked for again."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from govcloud.ports.cloud import Observed, State
from provisioners.openstack.age import age_s
from provisioners.openstack.marks import Mark

_MOST: Final = 100_000


@dataclass(slots=True)
class Memory:
    """Ids by mark, tenants by uid; emptied when they become too many.

    `firsts` are the parts of the first servers that are wanted, by tenant and machine: what is
    attached to a machine of several is attached to that one.
    `turn` is a tenant's lock, under which one looks and then does what only one may do at a time.
    """

    ids: dict[Mark, str] = field(default_factory=dict)
    tenants: dict[str, str] = field(default_factory=dict)
    firsts: dict[tuple[str, str], str] = field(default_factory=dict)
    _turns: dict[str, threading.Lock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def turn(self, tenant: str) -> threading.Lock:
        """Return the lock of a tenant."""
        with self._lock:
            return self._turns.setdefault(tenant, threading.Lock())

    def note(self, found: Iterable[Observed]) -> None:
        """Remember where things are; what is on its way out is forgotten.

        Of two with one mark the older is remembered: the other may be a copy of it.
        """
        with self._lock:
            if len(self.ids) > _MOST:
                self.ids.clear()
            if len(self.tenants) > _MOST:
                self.tenants.clear()
            if len(self.firsts) > _MOST:
                self.firsts.clear()
            for item in sorted(found, key=_newest_first):
                mark = Mark(item.uid, item.part)
                if not item.uid:
                    continue
                if item.state is State.DELETING:
                    self.ids.pop(mark, None)
                else:
                    self.ids[mark] = item.id


def _newest_first(item: Observed) -> tuple[bool, float]:
    return item.state is not State.DELETING, age_s(item.info.get("created"))
