"""What a cloud offers, by name: images, flavors, external networks, subnet pools.

References are names or ids. They are looked up when something is to be built of them, and
remembered for a while; what is missing is looked up anew, since an administrator may just have
added it.
"""

import threading
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Final

from govcloud.errors import TerminalCloudError
from provisioners.openstack.session import COMPUTE, IMAGE, NETWORK, Door, Json

_FRESH_S: Final = 300.0


class Catalogue:
    """The offers of one cloud."""

    def __init__(self, door: Door, now: Callable[[], float] = monotonic) -> None:
        self._door = door
        self._now = now
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, list[Json]]] = {}

    def image(self, reference: str) -> str:
        """Return an image's id; TerminalCloudError `UnknownImage`, or `AmbiguousImage`.

        An administrator sees the images of all projects, and anybody may give one any name.
        """
        found: list[Json] = []
        for anew in (False, True):
            found = self._named("images", reference, anew=anew)
            if len(found) == 1:
                return str(found[0]["id"])
        if not found:
            raise TerminalCloudError("UnknownImage", reference)
        ids = ", ".join(sorted(str(row["id"]) for row in found))
        raise TerminalCloudError("AmbiguousImage", f"{reference}: {ids}")

    def external_network(self, reference: str) -> str:
        """Return an external network's id; TerminalCloudError `UnknownNetwork`."""
        return self._id("networks", reference, "UnknownNetwork")

    def subnet_pool(self, reference: str) -> str:
        """Return the id of a pool that is shared or our own; TerminalCloudError else."""
        return self._id("subnetpools", reference, "UnknownSubnetPool")

    def flavor(self, reference: str, name: str, vcpu: int, memory: int) -> Json:
        """Return the flavor that `reference` names, or else one of this size (MiB), best of `name`.

        TerminalCloudError `UnknownFlavor` where there is none, `FlavorMismatch` where the one that
        is named has another size.
        """
        size = (vcpu, memory)
        for anew in (False, True):
            rows = self._rows("flavors", anew=anew)
            if reference:
                found = [row for row in rows if reference in (row["id"], row["name"])]
            else:
                found = [row for row in rows if (row.get("vcpus"), row.get("ram")) == size]
            if found:
                break
        else:
            raise TerminalCloudError("UnknownFlavor", reference or f"{vcpu} vCPU, {memory} MiB")
        flavor = min(found, key=lambda row: (row["name"] != name, *_plainness(row)))
        if (flavor.get("vcpus"), flavor.get("ram")) != size:
            shown = f"{flavor['name']}: {flavor.get('vcpus')} vCPU, {flavor.get('ram')} MiB"
            raise TerminalCloudError("FlavorMismatch", shown)
        return flavor

    def rows(self, what: str) -> list[Json]:
        """Return all of `images`, `flavors`, `networks` (external) or `subnetpools`."""
        return self._rows(what, anew=True)

    def forget(self) -> None:
        """Look everything up anew: something that was offered turned out to be gone."""
        with self._lock:
            self._kept.clear()

    def _id(self, what: str, reference: str, reason: str) -> str:
        for fresh in (False, True):
            found = self._named(what, reference, anew=fresh)
            if found:
                return str(found[0]["id"])
        raise TerminalCloudError(reason, reference)

    def _named(self, what: str, reference: str, *, anew: bool) -> list[Json]:
        """Return what has this id, or else what has this name and is not just anybody's."""
        rows = self._rows(what, anew=anew)
        exact = [row for row in rows if row["id"] == reference]
        return exact or self.trusted(what, [row for row in rows if row["name"] == reference])

    def trusted(self, what: str, rows: list[Json]) -> list[Json]:
        """Return what the operators have made: whose name anybody may choose has to be theirs."""
        offered = _OFFERED.get(what)
        if offered is None or not rows:
            return rows
        own = self._door.own_project()
        return [row for row in rows if offered(row) or (own and own == _project(row))]

    def _rows(self, what: str, *, anew: bool) -> list[Json]:
        now = self._now()
        with self._lock:
            at, rows = self._kept.get(what, (0.0, []))
        if rows and not anew and now - at < _FRESH_S:
            return rows
        service, url, params = _LISTS[what]
        rows = self._door.rows(service, url, what, list(params.items()))
        with self._lock:
            self._kept[what] = (now, rows)
        return rows


_LISTS: Final[Mapping[str, tuple[str, str, Mapping[str, Any]]]] = {
    "images": (IMAGE, "/images", {"status": "active"}),
    "flavors": (COMPUTE, "/flavors/detail", {"is_public": "None"}),
    "networks": (NETWORK, "/networks", {"router:external": "true"}),
    "subnetpools": (NETWORK, "/subnetpools", {}),
}


_OFFERED: Final[Mapping[str, Callable[[Json], bool]]] = {
    "images": lambda row: row.get("visibility") == "public",
    "subnetpools": lambda row: bool(row.get("shared")),
}
"""Whether something is for all, where every project may have things of its own in a list."""


def _project(row: Json) -> str:
    return str(row.get("owner") or row.get("project_id") or row.get("tenant_id") or "")


def _plainness(flavor: Json) -> tuple[bool, int, str]:
    """Order flavors of one size: public ones first, then those without a disk of their own."""
    hidden = not flavor.get("os-flavor-access:is_public", True)
    return (hidden, int(flavor.get("disk") or 0), str(flavor["name"]))
