"""What streams have told of one type: whose each thing is, and what of it is compared.

Of what this process is building itself, the things are kept as well, so that nobody has to ask for
them: our own answers and the streams tell all of it. What others began is asked of the server.
"""

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from govcloud.ports.cloud import Observed, State
from provisioners.kubernetes.reading import observed
from provisioners.kubernetes.strays import Strays
from provisioners.kubernetes.types import Type

Json = dict[str, Any]
_BURIED: Final = 1000
"""So many of what was removed last are remembered: an answer may arrive after the end of it."""
_BEGUN: Final = 500
"""So many objects that were begun last are kept whole: more than are ever built at once."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing: its object, a hash of what is compared, its version, and itself where kept."""

    uid: str
    compared: int
    version: int
    kept: Observed | None


class Begun:
    """The objects that this process has begun to build lately, by uid."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._uids: OrderedDict[str, None] = OrderedDict()

    def add(self, uid: str) -> None:
        """Remember an object, and forget the one begun longest ago where there are many."""
        with self._lock:
            self._uids[uid] = None
            while len(self._uids) > _BEGUN:
                self._uids.popitem(last=False)

    def __contains__(self, uid: object) -> bool:
        return uid in self._uids


class Memory:
    """What was last seen of all things of one type; several threads may tell and ask."""

    def __init__(
        self,
        kind: Type,
        installation: str,
        begun: Begun,
        strays: Strays,
        classes: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self._kind = kind
        self._classes = classes
        self._installation = installation
        self._begun = begun
        self._strays = strays
        self._lock = threading.Lock()
        self._seen: dict[str, Seen] = {}
        self._of: dict[str, frozenset[str]] = {}
        self._gone: OrderedDict[str, int] = OrderedDict()

    def note(self, item: Json, found: Observed | None = None) -> list[str]:
        """Remember a thing, as it was read if it was, and return the objects that this is news of.

        What is no newer than what is known is no news: our own answers and the stream cross.
        """
        key, version = item["metadata"]["uid"], _version(item)
        if self._is_old(key, version):
            return []
        now = self._read(item, found or self._observed(item))
        with self._lock:
            if self._is_old(key, version):
                return []
            before = self._seen.get(key)
            self._replace(key, before, now)
        if before is not None and (before.uid, before.compared) == (now.uid, now.compared):
            return []
        return sorted({now.uid, before.uid if before else ""} - {""})

    def _observed(self, item: Json) -> Observed:
        return observed(item, self._kind, self._installation, classes=self._classes())

    def _is_old(self, key: str, version: int) -> bool:
        before = self._seen.get(key)
        known = self._gone.get(key, -1) if before is None else before.version
        return version <= known and version != sys.maxsize

    def lose(self, item: Json) -> list[str]:
        """Forget a thing that is gone, or no longer selected, and return whose it was."""
        key = item["metadata"]["uid"]
        with self._lock:
            self._gone[key] = _version(item)
            while len(self._gone) > _BURIED:
                self._gone.popitem(last=False)
            return self._forget([key])

    def keep_only(self, keys: Collection[str], version: str) -> list[str]:
        """Forget what a list did not show that was complete at a version; return whose it was."""
        until = int(version) if version.isdecimal() else sys.maxsize
        with self._lock:
            others = [key for key in self._seen if key not in keys]
            return self._forget([key for key in others if self._seen[key].version <= until])

    def _forget(self, keys: Iterable[str]) -> list[str]:
        lost = set()
        for key in keys:
            before = self._seen.get(key)
            if before is not None:
                self._replace(key, before, None)
                lost.add(before.uid)
        return sorted(lost - {""})

    def knows(self, uid: str) -> bool:
        """Whether anything of an object was seen and is not gone."""
        return uid in self._of

    def of(self, uids: Sequence[str]) -> list[Observed]:
        """Return the things of objects that were begun here, as they were last seen."""
        with self._lock:
            keys = [key for uid in uids for key in sorted(self._of.get(uid, ()))]
            return [kept for key in keys if (kept := self._seen[key].kept)]

    def get(self, key: str) -> Observed | None:
        """Return a thing as it was last seen, if it is kept."""
        seen = self._seen.get(key)
        return seen.kept if seen else None

    def _read(self, item: Json, found: Observed) -> Seen:
        compared = (found.part, frozenset(found.props.items()), frozenset(found.tags.items()))
        self._strays.note(item, found, self._kind)
        kept = found if found.uid in self._begun else None
        number = hash((compared, found.state is State.DELETING))
        return Seen(sys.intern(found.uid), number, _version(item), kept)

    def _replace(self, key: str, before: Seen | None, now: Seen | None) -> None:
        """Put one thing in the place of what was known; under the lock."""
        if before is not None:
            self._index(before.uid, self._of.get(before.uid, frozenset()) - {key})
            del self._seen[key]
        if now is not None:
            self._index(now.uid, self._of.get(now.uid, frozenset()) | {key})
            self._seen[key] = now

    def _index(self, uid: str, keys: frozenset[str]) -> None:
        if uid and keys:
            self._of[uid] = keys
        else:
            self._of.pop(uid, None)


def _version(item: Json) -> int:
    """Return the version as the number that it is; one that is none is always news."""
    text = str(item["metadata"].get("resourceVersion", ""))
    return int(text) if text.isdecimal() else sys.maxsize
