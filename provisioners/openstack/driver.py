"""The driver of an OpenStack region: the port, in terms of the services."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from govcloud.errors import (
    AwaitedCloudError,
    CloudConflictError,
    CloudError,
    TerminalCloudError,
    TransientCloudError,
)
from govcloud.ports.abilities import Offer, Standing
from govcloud.ports.cloud import (
    CloudAddress,
    CloudReport,
    Observed,
    Order,
    Provisioner,
    Resource,
    State,
    TenantQuota,
)
from provisioners.openstack import compute, identity, network, storage
from provisioners.openstack.adoption import Adoption
from provisioners.openstack.catalogue import Catalogue
from provisioners.openstack.compute import Compute
from provisioners.openstack.discovery import discover
from provisioners.openstack.doctor import examine
from provisioners.openstack.identity import Identity
from provisioners.openstack.looking import Look, Services, server_number
from provisioners.openstack.marks import Mark, Marks
from provisioners.openstack.memory import Memory
from provisioners.openstack.network import Network
from provisioners.openstack.operations import Operations
from provisioners.openstack.parts import PROJECT, Parts, is_ground
from provisioners.openstack.quotas import Quotas
from provisioners.openstack.session import Door, Json
from provisioners.openstack.settings import read_settings
from provisioners.openstack.storage import Storage

_ID: Final = 32
"""Characters of a project's id."""
_STALE: Final = frozenset({"Gone", "Unauthorized"})
"""What is answered where an id that is remembered has become wrong, perhaps."""
_RESIZING: Final = frozenset({"vcpu", "memory"})
_REMAKING: Final = frozenset({"storage", "size"})
_OUTLASTING: Final = (network.ADDRESS, network.PORT, network.ROUTER, network.NETWORK_TYPE)
"""What of Neutron's would outlast its project."""
_NARROW: Final = 4
"""Tenants up to which a look-up asks for each by itself; for more, one list of all is cheaper."""


def open_cloud(address: CloudAddress) -> Provisioner:
    """Return the driver of a region; the entry point of `govcloud.provisioners`."""
    settings = read_settings(address.connection, address.storage)
    return OpenStackProvisioner(address.name, Door(settings), Marks(address.installation))


class OpenStackProvisioner:
    """A `Provisioner` of one region; see the port for what the methods promise."""

    def __init__(self, name: str, door: Door, marks: Marks) -> None:
        self._door = door
        self._marks = marks
        self._parts = Parts(name, marks, door.settings)
        self._catalogue = Catalogue(door)
        self._identity = Identity(door, marks, self._parts.tenant_uid)
        arguments = (door, marks, self._identity, self._catalogue)
        self._services = Services(
            door, self._identity, Network(*arguments), Storage(*arguments), Compute(*arguments)
        )
        self._operations = Operations(door, self._services.compute, self._services.storage)
        self._adoption = Adoption(door, marks, self._identity, self._catalogue)
        self._quotas = Quotas(door)
        self._memory = Memory()

    # --- What should be ---

    def resources(self, order: Order) -> tuple[Resource, ...]:
        """Return project and networks, servers with what they consist of, or a volume."""
        found = self._parts.resources(order)
        if found and not found[0].adopts:
            self._memory.tenants[order.uid] = found[0].tenant
        servers = [one for one in found if server_number(one.part) is not None]
        if servers:
            first = min(servers, key=lambda one: server_number(one.part) or 0)
            self._memory.firsts[first.tenant, order.name] = first.part
        return found

    def ground(self, order: Order) -> Sequence[Order]:
        """Return the tenant, and the network of a machine."""
        return self._parts.ground(order)

    # --- What is ---

    def observe(self) -> Iterator[Sequence[Observed]]:
        """List everything, service by service."""
        for seen in Look(self._services, firsts=self._memory.firsts).everything():
            page = self._identity.settled(seen)
            self._memory.note(page)
            yield page

    def find(self, uids: Sequence[str]) -> Sequence[Observed]:
        """Look up by mark, in the tenants where these objects live if they are few."""
        wanted = set(uids)
        if not wanted:
            return []
        look = Look(self._services, self._where(wanted), firsts=self._memory.firsts)
        found: list[Observed] = []
        if any(is_ground(uid) for uid in wanted):
            found += [item for page in look.ground() for item in page]
        if not all(is_ground(uid) for uid in wanted):
            found += [item for page in look.machinery() for item in page]
        ours = {(i.type, i.id): i for i in found if i.uid in wanted}
        settled = self._identity.settled(list(ours.values()))
        self._memory.note(settled)
        return settled

    def _where(self, uids: set[str]) -> Sequence[str]:
        """Return the projects to look in; none looks in all.

        What a tenant had stands where it was even if its project is not found any more, and nothing
        found is taken for nothing there (Q3). So one tenant without a project widens the look; a
        new tenant pays for it once, before its project is made.
        """
        tenants = {self._memory.tenants.get(uid, "") for uid in uids}
        if "" not in tenants and len(tenants) <= _NARROW:
            projects = [self._projects(tenant) for tenant in tenants]
            if all(projects):
                return sorted(set().union(*projects))
        if not self._identity.known():
            self._identity.rows()
        return ()

    def _projects(self, tenant: str) -> Set[str]:
        """Return a tenant's projects: of our domain by mark, of others it is the id itself."""
        if len(tenant) == _ID and tenant.isalnum():
            return {tenant}
        return self._identity.projects(tenant)

    # --- What is done ---

    def create(self, resource: Resource) -> Observed:
        """Make a resource of others that are there already."""
        ids = self._ids(resource)
        makers: Mapping[str, Callable[[], Observed]] = {
            identity.TYPE: lambda: self._identity.create(resource),
            **dict.fromkeys(storage.TYPES, lambda: self._services.storage.create(resource)),
            compute.TYPE: lambda: self._services.compute.create(resource, ids),
            compute.GROUP: lambda: self._services.compute.create_group(resource),
        }
        make = makers.get(resource.type, lambda: self._services.network.create(resource, ids))
        try:
            made = make()
        except (CloudConflictError, TransientCloudError) as error:
            if error.reason in _STALE:
                self._memory.ids.clear()
                self._identity.forget(resource.tenant)
            if error.reason != "Gone":
                raise
            raise TransientCloudError("NotYet", error.message) from error
        made = replace(made, tenant=resource.tenant)
        self._memory.note([made])
        return made

    def change(self, observed: Observed, wanted: Resource, fields: Sequence[str]) -> Observed:
        """Take one step towards what is wanted."""
        self._ours(observed)
        ids = self._ids(wanted)
        if observed.type == identity.TYPE:
            return self._identity.change(observed, wanted, fields)
        if observed.type == compute.TYPE:
            with self._alone(observed, _RESIZING.intersection(fields)):
                self._services.compute.change(observed, wanted, fields, ids)
        elif observed.type in storage.TYPES:
            with self._alone(observed, _REMAKING.intersection(fields)):
                self._change_volume(observed, wanted, fields)
        elif observed.type == compute.GROUP:
            self._services.compute.check_group(observed)
            raise TerminalCloudError("Immutable", " ".join(fields))
        else:
            self._services.network.change(observed, wanted, fields, ids)
        return observed

    @contextmanager
    def _alone(self, observed: Observed, fields: Set[str]) -> Iterator[None]:
        """See that nothing moves at the other end where a server or its disk is made over.

        Nova puts a server into ERROR whose disk changes its type while the server is resized. The
        services tell that something moves from the call on that was taken, so that looking and
        calling are one turn. Raises AwaitedCloudError while the other end moves.
        """
        if not fields:
            yield
            return
        with self._memory.turn(observed.tenant):
            if observed.type == compute.TYPE:
                for key in self._services.compute.volumes_of(observed):
                    self._services.storage.refuse_moving(key)
            else:
                for key in self._services.storage.servers_of(observed):
                    self._services.compute.refuse_moving(key)
            yield

    def _change_volume(self, observed: Observed, wanted: Resource, fields: Sequence[str]) -> None:
        row = self._services.storage.change(observed, wanted, fields)
        if "attached_to" not in fields:
            return
        machine = str(wanted.props["attached_to"])
        for entry in row.get("attachments") or ():
            self._services.compute.detach(str(entry["server_id"]), observed.id)
        if machine and not row.get("attachments"):
            self._services.compute.attach(self._server_of(wanted.tenant, machine), observed.id)

    def _server_of(self, tenant: str, machine: str) -> str:
        """Return the id of a machine's first server; AwaitedCloudError until it is built.

        The first that is wanted, which need not be there: none of the others takes its place.
        """
        project = self._identity.need(tenant)
        first = self._memory.firsts.get((tenant, machine), "server-0")
        for rows in self._services.compute.pages(project):
            for row in rows:
                label = self._services.compute.label(row)
                if label.mark.part == first and label.facts.get("object") == machine:
                    if compute.state_of(row) in (State.BUILDING, State.CHANGING):
                        break
                    return str(row["id"])
        raise AwaitedCloudError("NotYet", machine)

    def delete(self, observed: Observed) -> None:
        """Remove a resource; a volume that is still attached is detached first."""
        self._ours(observed)
        if observed.type == identity.TYPE:
            self._refuse_used(observed)
            self._identity.delete(observed)
        elif observed.type == compute.TYPE:
            self._services.compute.delete(observed)
        elif observed.type == compute.GROUP:
            self._services.compute.delete_group(observed)
        elif observed.type in storage.TYPES:
            self._delete_volume(observed)
        else:
            self._services.network.delete(observed)

    def _refuse_used(self, project: Observed) -> None:
        """Raise TransientCloudError for a project in which something stands: nobody would find it.

        Keystone removes a project with whatever is in it; the services do not notice.
        """
        for word, pages in self._standing_in(project.id):
            if any(pages):
                raise TransientCloudError("StillUsed", f"project {project.name}: {word}")

    def _standing_in(self, project: str) -> Iterator[tuple[str, Iterator[Sequence[Json]]]]:
        yield "servers", self._services.compute.pages(project)
        if self._services.storage.there():
            yield "volumes", self._services.storage.pages(project)
        for kind in _OUTLASTING:
            yield kind, self._services.network.pages(kind, [project])

    def _delete_volume(self, observed: Observed) -> None:
        row = self._services.storage.delete(observed)
        for entry in (row or {}).get("attachments") or ():
            self._services.compute.detach(str(entry["server_id"]), observed.id)

    @staticmethod
    def _ours(observed: Observed) -> None:
        if not observed.uid:
            raise CloudConflictError("NotOurs", f"{observed.type} {observed.id}")

    def _ids(self, resource: Resource) -> Callable[[str], str]:
        """Return what turns the word for another resource into its id."""

        def find(word: str) -> str:
            uid, slash, part = word.partition("/")
            mark = Mark(uid, part) if slash else Mark(resource.uid, word)
            if mark not in self._memory.ids:
                self._memory.tenants.setdefault(mark.uid, resource.tenant)
                self.find([mark.uid])
            try:
                return self._memory.ids[mark]
            except KeyError:
                raise TransientCloudError("NotYet", word) from None

        return find

    # --- Quotas ---

    def quotas(self) -> Iterator[Sequence[TenantQuota]]:
        """List the quotas of our tenants."""
        found = [item for page in self._identity.pages() for item in page]
        ours = {project.tenant: project.id for project in found if project.uid}
        yield from self._quotas.pages(ours)

    def set_quota(self, tenant: str, limits: Mapping[str, int]) -> None:
        """Set a tenant's limits, making the tenant if need be."""
        project = self._identity.project_id(tenant)
        if not project:
            uid = self._parts.tenant_uid(tenant)
            made = Resource(uid, PROJECT, identity.TYPE, tenant, tenant, {"enabled": True})
            project = self._identity.create(made).id
        self._quotas.forget(tenant)
        try:
            self._quotas.write(project, limits)
        except CloudConflictError as error:
            raise TransientCloudError("NoTenant", error.message) from error

    # --- Beside it: `Operating`, `Discovering`, `Adopting`, `Keeping`, `Leaving`, `Forcing` ---

    def console_log(self, observed: Observed, lines: int) -> str:
        """Read a server's console."""
        return self._operations.console_log(observed, lines)

    def reboot(self, observed: Observed, *, hard: bool) -> None:
        """Let a server start anew."""
        self._operations.reboot(observed, hard=hard)

    def keep_copy(self, observed: Observed, name: str) -> bool:
        """See that there is a copy of a server's disks."""
        return self._operations.keep_copy(observed, name)

    def leave(self, observed: Observed) -> None:
        """Take the mark from a volume."""
        if observed.type not in storage.TYPES:
            raise TerminalCloudError("NotLeavable", observed.type)
        self._services.storage.leave(observed)

    def force_delete(self, observed: Observed) -> None:
        """Remove a server or volume whatever its state; for all else there is but one way."""
        if observed.type == compute.TYPE:
            self._ours(observed)
            self._services.compute.force_delete(observed)
        elif observed.type in storage.TYPES:
            self._ours(observed)
            self._force_volume(observed)
        else:
            self.delete(observed)

    def _force_volume(self, observed: Observed) -> None:
        row = self._services.storage.force_delete(observed) or {}
        for entry in row.get("attachments") or ():
            try:
                self._services.compute.detach(str(entry["server_id"]), observed.id)
            except CloudError:
                self._services.storage.force_detach(observed.id, str(entry["attachment_id"]))

    def discover(self) -> Sequence[Offer]:
        """Say what the region offers."""
        return discover(self._door, self._identity, self._catalogue)

    def inspect(self, key: str) -> Standing:
        """Say what a document would say of a thing of nobody's."""
        return self._adoption.inspect(key)

    def adopt(self, resource: Resource) -> Observed:
        """Take over what stands already."""
        made = self._adoption.adopt(resource)
        self._memory.note([made])
        return made

    # --- The rest ---

    def report(self) -> CloudReport:
        """Say which services there are, how old, and what is missing."""
        return examine(self._door, self._identity)

    def close(self) -> None:
        """Give connections back."""
        self._door.close()
