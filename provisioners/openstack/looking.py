"""Looking at a cloud: one list of each type, in an order in which each can tell what it refers to.

`Look` is one such look, over everything or over some tenants. The number of calls depends on pages,
never on the number of objects (R5).
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from govcloud.ports.cloud import Observed
from provisioners.openstack import network
from provisioners.openstack.compute import Compute
from provisioners.openstack.identity import Identity
from provisioners.openstack.marks import Mark
from provisioners.openstack.network import Network, View
from provisioners.openstack.session import Door, Json
from provisioners.openstack.storage import Storage, migrating_to

_GROUND: Final = (network.NETWORK_TYPE, network.SUBNET)
_MACHINES: Final = (network.GROUP, network.PORT, network.ADDRESS)
_NOBODYS: Final = frozenset({network.ADDRESS})
"""Types of Neutron's of which that is listed, too, which carries no mark: what somebody asked for.
Networks and the like make themselves, or are the region's own."""


@dataclass(frozen=True, slots=True)
class Services:
    """The services of one cloud."""

    door: Door
    identity: Identity
    network: Network
    storage: Storage
    compute: Compute


@dataclass(slots=True)
class Look:
    """One look. `projects` narrows it to some tenants; empty looks at all.

    `firsts` are the parts of the first servers that are wanted, by tenant and machine, as far as
    is known.
    """

    services: Services
    projects: Sequence[str] = ()
    view: View = field(default_factory=View)
    volumes: dict[str, Mark] = field(default_factory=dict)
    firsts: Mapping[tuple[str, str], str] = field(default_factory=dict)
    servers: dict[tuple[str, str], dict[int, str]] = field(default_factory=dict)

    def everything(self) -> Iterator[Sequence[Observed]]:
        """Yield all there is, page by page."""
        yield from self.services.identity.pages()
        yield self.services.identity.others()
        yield from self.networks((*_GROUND, *_MACHINES))
        yield from self.routers()
        yield from self.servers_and_volumes()

    def machinery(self) -> Iterator[Sequence[Observed]]:
        """Yield what machines and volumes consist of."""
        yield from self.networks(_MACHINES)
        yield from self.servers_and_volumes()

    def ground(self) -> Iterator[Sequence[Observed]]:
        """Yield what objects stand on."""
        yield from self.services.identity.pages()
        yield from self.networks((*_GROUND, network.GROUP, network.PORT))
        yield from self.routers()

    # --- Neutron ---

    def networks(self, kinds: Sequence[str]) -> Iterator[Sequence[Observed]]:
        """Yield types of Neutron's; what they refer to must come before them."""
        for kind in kinds:
            if kind == network.GROUP:
                yield from self._groups()
                continue
            for rows in self._noted(kind):
                yield self._observed(kind, rows)

    def _noted(self, kind: str) -> Iterator[list[Json]]:
        for rows in self.services.network.pages(kind, self.projects):
            for row in rows:
                self.services.network.note(self.view, kind, row)
            yield rows

    def _groups(self) -> Iterator[Sequence[Observed]]:
        """Yield groups with their rules, which refer to groups and in a wide look come apart."""
        pages = list(self._noted(network.GROUP))
        if not self.projects:
            deque(self._noted(network.RULE), maxlen=0)
        for rows in pages:
            yield self._observed(network.GROUP, rows)

    def routers(self) -> Iterator[Sequence[Observed]]:
        """Yield routers; the ports have been looked at."""
        yield from self.networks((network.ROUTER,))

    def _observed(self, kind: str, rows: Sequence[Json]) -> list[Observed]:
        found = [o for row in rows for o in self.services.network.observed(kind, row, self.view)]
        return [item for item in found if item.uid or item.type in _NOBODYS]

    # --- Nova and Cinder ---

    def servers_and_volumes(self) -> Iterator[Sequence[Observed]]:
        """Yield server groups, servers and volumes, which refer to each other."""
        volumes = list(self._volume_rows())
        compute, storage = self.services.compute, self.services.storage
        for row in volumes:
            mark = storage.label(row).mark
            if mark.ours:
                self.volumes[row["id"]] = mark
        for rows in compute.groups():
            marked = (compute.observed_group(row) for row in rows)
            yield [item for item in marked if item.uid]
        for project in self.projects or ("",):
            for rows in compute.pages(project):
                self._note_machines(rows)
                yield [compute.observed(row, self.volumes, self.view) for row in rows]
        machines = self._machines()
        yield [storage.observed(row, machines) for row in volumes]

    def _volume_rows(self) -> Iterator[Json]:
        if not self.services.storage.there():
            return
        for project in self.projects or ("",):
            for rows in self.services.storage.pages(project):
                yield from (row for row in rows if not migrating_to(row))

    def _note_machines(self, rows: Sequence[Json]) -> None:
        for row in rows:
            label = self.services.compute.label(row)
            number = server_number(label.mark.part)
            if label.mark.ours and number is not None:
                tenant = self.services.identity.tenant(str(row.get("tenant_id") or ""))
                machine = (tenant, label.facts.get("object", ""))
                self.servers.setdefault(machine, {})[number] = row["id"]

    def _machines(self) -> dict[str, str]:
        """Return machines by the id of the server that volumes are attached to.

        Where it is not known which that should be, it is the first that is there.
        """
        found = {}
        for machine, servers in self.servers.items():
            first = server_number(self.firsts.get(machine, ""))
            number = min(servers) if first is None else first
            if number in servers:
                found[servers[number]] = machine[1]
        return found


def server_number(part: str) -> int | None:
    """Return which of a machine's servers a part is; None for what is no server."""
    kind, _, number = part.partition("-")
    return int(number) if kind == "server" and number.isdecimal() else None


def marked(found: Sequence[Observed]) -> Mapping[Mark, str]:
    """Return ids by mark."""
    return {Mark(item.uid, item.part): item.id for item in found if item.uid}
