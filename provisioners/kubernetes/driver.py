"""The driver of a Kubernetes cluster."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from govcloud.errors import CloudConflictError
from govcloud.ports.abilities import Offer, Standing, Stop
from govcloud.ports.cloud import (
    CloudAddress,
    CloudReport,
    Observed,
    Order,
    Provisioner,
    Resource,
    State,
    TenantQuota,
    Value,
)
from provisioners.kubernetes import contents, members, objects, rights, use
from provisioners.kubernetes.adoption import Adoption
from provisioners.kubernetes.applying import applied
from provisioners.kubernetes.classes import StorageClasses
from provisioners.kubernetes.discovery import discover
from provisioners.kubernetes.listing import Listing
from provisioners.kubernetes.marks import (
    EVERYTHING,
    FIELD_MANAGER,
    WHOLE,
    mark_of,
    missing,
    selector,
)
from provisioners.kubernetes.reading import observed as read
from provisioners.kubernetes.session import Session
from provisioners.kubernetes.settings import Settings, read_settings
from provisioners.kubernetes.shrinking import below_usage, still_used, too_low
from provisioners.kubernetes.strays import Strays
from provisioners.kubernetes.types import BY_WORD, NAMESPACE, QUOTA, TYPES, Type
from provisioners.kubernetes.watching import Watcher

Json = dict[str, Any]
_NEVER: Final = "1"
"""A version that no object has: applied with it, a manifest can create and never change."""
_BATCH: Final = 100
"""Objects in one selector: their uids are some 3 kB of the address."""


def open_cloud(address: CloudAddress) -> Provisioner:
    """Return the driver of a cluster; the entry point of `govcloud.provisioners`."""
    return open_cluster(address)


def open_cluster(address: CloudAddress) -> "KubernetesProvisioner":
    """Return the driver of a cluster; raises InvalidInputError for a connection that is unclear."""
    settings = replace(read_settings(address.connection), storage=address.storage)
    return KubernetesProvisioner(Session(settings), settings, address.installation)


class KubernetesProvisioner:
    """A `Provisioner` of a cluster; see the port for what the methods promise."""

    tenant_quotas = False
    answers_whole = True

    def __init__(self, session: Session, settings: Settings, installation: str) -> None:
        self._session = session
        self._settings = settings
        self._installation = installation
        self._adoption = Adoption(session, settings, installation)
        self._strays = Strays(installation)
        self._classes = StorageClasses(session, settings.page_size)
        self._watcher = Watcher(
            session, installation, settings.page_size, self._strays, self._classes
        )

    @property
    def calls(self) -> Mapping[str, int]:
        """Calls of the API server by this instance so far, by HTTP method; a page is a call."""
        return dict(self._session.calls)

    def resources(self, order: Order) -> tuple[Resource, ...]:
        """Return the namespace, its limits, its borders and its people."""
        return objects.resources(order, self._settings, self._installation)

    # --- Looking ---

    def ground(self, order: Order) -> Sequence[Order]:
        """Return nothing: an object brings along all that it needs."""
        del order
        return ()

    def observe(self) -> Iterator[Sequence[Observed]]:
        """List all namespaces, and what any govcloud made in them, a type after the other."""
        self._classes.look()
        ending: set[str] = set()
        for kind in TYPES:
            chosen = EVERYTHING if kind.namespaced else ""
            for page in Listing(self._session, kind, self._settings.page_size, chosen):
                yield [seen for item in page if (seen := self._seen(item, kind, ending))]

    def find(self, uids: Sequence[str]) -> Sequence[Observed]:
        """Look up by mark: what is being built here from memory, all else by lists for a batch.

        That nothing is there yet of an object that no stream has told of, one list can say: all
        else is within its namespace.
        """
        self._classes.look_once()
        here = [uid for uid in uids if self._watcher.keeps(uid)]
        others = set(uids) - set(here)
        listed = self._listed(TYPES, sorted(self._perhaps_there(others)))
        strayed = self._strayed(others, {seen.id for seen in listed})
        return [*self._remembered(here), *listed, *strayed]

    def recall(self, observed: Observed) -> Observed | None:
        """Return what the streams last told of something that is being built here."""
        return self._watcher.recall(observed)

    def _perhaps_there(self, uids: Collection[str]) -> set[str]:
        """Return those of which there may be something; raises CloudError."""
        if not self._watcher.live:
            return set(uids)
        unknown = sorted(uid for uid in uids if not self._watcher.knows(uid))
        there = {seen.uid for seen in self._listed([NAMESPACE], unknown)}
        return set(uids) - set(unknown) | there

    def _remembered(self, uids: Sequence[str]) -> list[Observed]:
        found = [seen for kind in TYPES for seen in self._watcher.memories[kind.word].of(uids)]
        ending = {
            seen.name
            for seen in found
            if seen.type == NAMESPACE.word and seen.state is State.DELETING
        }
        return [
            replace(seen, state=State.DELETING) if seen.tenant in ending else seen for seen in found
        ]

    def _strayed(self, uids: Collection[str], known: Collection[str]) -> list[Observed]:
        """Look up what was seen to lack a label that lists select by, each by its place."""
        found = []
        for path, kind in self._strays.of(uids):
            item = self._session.get(path)
            seen = self._seen(item, kind, set()) if item else None
            if seen and seen.uid in uids and seen.id not in known:
                found.append(seen)
        return found

    def _listed(self, types: Sequence[Type], uids: Sequence[str]) -> list[Observed]:
        found: list[Observed] = []
        for start in range(0, len(uids), _BATCH):
            chosen = selector(self._installation, uids[start : start + _BATCH])
            ending: set[str] = set()
            for kind in types:
                for page in Listing(self._session, kind, self._settings.page_size, chosen):
                    found += [seen for item in page if (seen := self._seen(item, kind, ending))]
        return found

    def contents(self, found: Sequence[Observed]) -> Mapping[str, str]:
        """Return what is in namespaces, by their ids."""
        staying = [seen for seen in found if seen.state is not State.DELETING]
        namespaces = {seen.id: seen.name for seen in staying if seen.type == NAMESPACE.word}
        said = {key: contents.within(self._session, name) for key, name in namespaces.items()}
        return {key: text for key, text in said.items() if text}

    def changes(self, stop: Stop) -> Iterator[Sequence[str]]:
        """Tell of changes as they happen, by watches."""
        return self._watcher.changes(stop)

    def _seen(self, item: Json, kind: Type, ending: set[str]) -> Observed | None:
        """Return an item as observed; what is in a namespace that ends, ends with it."""
        namespace = item["metadata"].get("namespace", "")
        seen = self._read(item, kind, ending=namespace in ending)
        self._strays.note(item, seen, kind)
        if kind is not NAMESPACE:
            return seen
        if seen.state is State.DELETING:
            ending.add(seen.name)
        return seen if seen.uid or not self._settings.keeps(seen.name) else None

    def _known(self, item: Json, kind: Type) -> Observed:
        """Return what a call answered as observed; the streams will tell nothing new by it."""
        seen = self._read(item, kind)
        self._watcher.remember(item, seen)
        return seen

    def _read(self, item: Json, kind: Type, *, ending: bool = False) -> Observed:
        classes = self._classes.known
        return read(item, kind, self._installation, ending=ending, classes=classes)

    # --- Acting ---

    def create(self, resource: Resource) -> Observed:
        """Apply a manifest that cannot change anything that is there already (R2).

        What is there and bears this very mark is what was to be made: nobody saw it, because a
        label was taken off or its answer was lost.
        """
        kind = BY_WORD[resource.type]
        if kind is QUOTA:
            resource = replace(resource, props={**self._classes.closed(), **resource.props})
        body = objects.manifest(resource, self._installation)
        body["metadata"]["resourceVersion"] = _NEVER
        path = kind.path(resource.tenant, resource.name)
        if kind is NAMESPACE:
            self._watcher.begun.add(resource.uid)
        try:
            made = self._session.apply(path, body, fieldManager=FIELD_MANAGER)
        except CloudConflictError as error:
            made = self._made_before(path, resource, error)
        return self._known(made, kind)

    def _made_before(self, path: str, resource: Resource, error: CloudConflictError) -> Json:
        """Return what bears the mark that was to be made, its mark whole; else raise NameTaken."""
        item = self._session.get(path)
        mark = (resource.uid, resource.part)
        if item is None or mark_of(item, self._installation) != mark:
            raise CloudConflictError("NameTaken", f"{resource.type} {resource.name}") from error
        if missing(item, self._installation) == WHOLE:
            return item
        body = objects.manifest(resource, self._installation)
        body["metadata"]["resourceVersion"] = item["metadata"]["resourceVersion"]
        return self._applied(path, body)

    def change(self, observed: Observed, wanted: Resource, fields: Sequence[str]) -> Observed:
        """Apply what is wanted of the named fields, and of the others what is there.

        Limits that are not to be had are left out, and said when the others are set.
        """
        kind = BY_WORD[wanted.type]
        path = kind.path(observed.tenant, observed.name)
        item = self._marked(path, observed)
        if item is None:
            raise CloudConflictError("Gone", f"{kind.kind} {observed.name}")
        current = self._read(item, kind)
        target, over = self._possible(current, wanted, fields)
        if over.keys() >= set(fields):
            raise below_usage(over)
        body = objects.manifest(target, self._installation)
        body["metadata"]["resourceVersion"] = item["metadata"]["resourceVersion"]
        made = self._known(self._applied(path, body), kind)
        if over:
            raise below_usage(over)
        return made

    def _possible(
        self, current: Observed, wanted: Resource, fields: Sequence[str]
    ) -> tuple[Resource, Mapping[str, str]]:
        """Return what to apply, and the limits that are left out because more is in use."""
        over = too_low(current, wanted, fields)
        target = _merged(current, wanted, [name for name in fields if name not in over])
        if objects.CLASSES not in fields:
            return target, over
        closed = self._classes.closed()
        over |= still_used(closed, wanted, self._adoption.used(current.tenant))
        limits = {name: limit for name, limit in closed.items() if name not in over}
        return replace(target, props={**limits, **target.props}), over

    def _applied(self, path: str, body: Json) -> Json:
        return applied(self._session, path, body, take=self._settings.take_over)

    def delete(self, observed: Observed) -> None:
        """Ask for the removal of exactly this object, as it is now."""
        kind = BY_WORD.get(observed.type)
        if kind is None:
            raise CloudConflictError("NotOurs", observed.name)
        path = kind.path(observed.tenant, observed.name)
        item = self._marked(path, observed)
        if item is None or "deletionTimestamp" in item["metadata"]:
            return
        about = item["metadata"]
        exactly = {"uid": about["uid"], "resourceVersion": about["resourceVersion"]}
        self._session.delete(path, {"kind": "DeleteOptions", "preconditions": exactly})
        if kind.namespaced and not about.get("finalizers"):
            self._watcher.forget(item, kind)

    def _marked(self, path: str, observed: Observed) -> Json | None:
        """Return the object if it is still there; raises CloudConflictError if it is not ours."""
        item = self._session.get(path)
        if item is None or item["metadata"]["uid"] != observed.id:
            return None
        if not observed.uid or mark_of(item, self._installation) != (observed.uid, observed.part):
            raise CloudConflictError("NotOurs", f"{observed.type} {observed.name}")
        return item

    def inspect(self, key: str) -> Standing:
        """Return what a document would say of a namespace of nobody's."""
        return self._adoption.inspect(key)

    def adopt(self, resource: Resource) -> Observed:
        """Put mark and tags on a namespace that stands already."""
        return self._adoption.adopt(resource)

    # --- Quota: a namespace's limits are the approved object itself ---

    def quotas(self) -> Iterator[Sequence[TenantQuota]]:
        """Yield nothing: a namespace has no quota beside the one that its object says."""
        return iter(())

    def set_quota(self, tenant: str, limits: Mapping[str, int]) -> None:
        """Pass over all classes: none is counted beyond the namespace's own quota."""

    # --- The cluster ---

    def report(self) -> CloudReport:
        """Say the version, and which rights are missing."""
        return rights.report(self._session, self._settings)

    def use(self, uids: Sequence[str]) -> Mapping[str, TenantQuota]:
        """Read limits and use from the quotas' status: a list for a batch."""
        found = self._listed([QUOTA], uids)
        return {seen.uid: use.of(seen, self._settings) for seen in found if seen.uid}

    def admit(self, uid: str, role: str) -> Mapping[str, Any]:
        """Return a short-lived kubeconfig for one role in an object's namespace."""
        for found in self.find([uid]):
            if found.type == NAMESPACE.word and found.state is State.READY:
                return members.kubeconfig(
                    self._session, self._settings, self._installation, found, role
                )
        raise CloudConflictError("Gone", uid)

    def discover(self) -> Sequence[Offer]:
        """Say what the cluster offers."""
        return discover(self._session, self._settings.page_size)

    def close(self) -> None:
        """Give back connections."""
        self._session.close()


def _merged(current: Observed, wanted: Resource, fields: Sequence[str]) -> Resource:
    """Return what to apply: what is there, with the named fields as wanted.

    A field that nobody asked to change may differ because the policy leaves it alone. Of a quota,
    what is not wanted is somebody else's, and a limit that was taken away stays away unless asked.
    """
    tags = {field.removeprefix("tag:") for field in fields if field.startswith("tag:")}
    quota = wanted.type == QUOTA.word
    names = [n for n in wanted.props if not quota or n in fields or n in current.props]
    props = {name: _either(name, fields, wanted.props, current.props) for name in names}
    listed = {n: v for n, v in current.props.items() if n not in props and _stays(n, v, quota)}
    kept = {
        name: wanted.tags[name] if name in tags else current.tags.get(name, text)
        for name, text in wanted.tags.items()
    }
    return replace(wanted, props={**listed, **props}, tags=kept)


def _stays(name: str, value: Value, quota: bool) -> bool:
    """Whether what is not wanted stays: all but a quota's limits, and there what is closed."""
    return not quota or (name.endswith(objects.OF_CLASS) and value == 0)


def _either(
    name: str, fields: Sequence[str], wanted: Mapping[str, Any], current: Mapping[str, Any]
) -> Any:
    return wanted[name] if name in fields else current.get(name, wanted[name])
