"""What is ours and what labels do not lead to, because somebody took one off: where it is."""

from collections.abc import Collection
from typing import Any

from govcloud.ports.cloud import Observed
from provisioners.kubernetes.marks import selected
from provisioners.kubernetes.types import Type

Json = dict[str, Any]


class Strays:
    """Paths of what was seen to lack a label that lists select by; usually none."""

    def __init__(self, installation: str) -> None:
        self._installation = installation
        self._places: dict[str, tuple[str, Type]] = {}

    def note(self, item: Json, seen: Observed, kind: Type) -> None:
        """Remember where a thing is that its labels do not lead to, until they do."""
        path = kind.path(seen.tenant, seen.name)
        if seen.uid and not selected(item, self._installation):
            self._places[path] = (seen.uid, kind)
        elif path in self._places:
            self._places.pop(path, None)

    def of(self, uids: Collection[str]) -> list[tuple[str, Type]]:
        """Return the places of what is known to be of these objects."""
        return [(path, kind) for path, (uid, kind) in list(self._places.items()) if uid in uids]
