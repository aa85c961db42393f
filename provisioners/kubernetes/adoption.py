"""Taking over a namespace that stands already: looked at, then marked, and nothing else."""

from typing import Any, Final

from govcloud.errors import CloudConflictError
from govcloud.ports.abilities import Standing
from govcloud.ports.cloud import Observed, Resource
from provisioners.kubernetes import objects, quantities
from provisioners.kubernetes.listing import Listing
from provisioners.kubernetes.marks import FIELD_MANAGER, UID
from provisioners.kubernetes.objects import POD_SECURITY
from provisioners.kubernetes.reading import observed
from provisioners.kubernetes.session import Session
from provisioners.kubernetes.settings import NAME
from provisioners.kubernetes.types import NAMESPACE, QUOTA

Json = dict[str, Any]
_SAID: Final = {
    "cpu": ("limits.cpu", "requests.cpu", "cpu"),
    "memory": ("limits.memory", "requests.memory", "memory"),
    "pods": ("pods", "count/pods"),
}


class Adoption:
    """Looks at namespaces of nobody's, and marks them."""

    def __init__(self, session: Session, installation: str, page_size: int) -> None:
        self._session = session
        self._installation = installation
        self._page_size = page_size

    def inspect(self, key: str) -> Standing:
        """Return what a document would say of the namespace with this uid, or of this name."""
        item = self._named(key) or next(
            (item for item in self._all() if item["metadata"]["uid"] == key), None
        )
        if item is None or "deletionTimestamp" in item["metadata"]:
            raise CloudConflictError("Gone", key)
        _must_be_free(item)
        name = item["metadata"]["name"]
        level = (item["metadata"].get("labels") or {}).get(f"{POD_SECURITY}/enforce")
        spec = self._limits(name) | ({"podSecurity": level} if level else {})
        uid = item["metadata"]["uid"]
        levels = dict(observed(item, NAMESPACE, self._installation).props)
        parts, props = {NAMESPACE.word: uid}, {NAMESPACE.word: levels}
        return Standing("Namespace", uid, name, name, spec, parts, props)

    def _named(self, key: str) -> Json | None:
        return self._session.get(NAMESPACE.path("", key)) if NAME.fullmatch(key) else None

    def adopt(self, resource: Resource) -> Observed:
        """Put mark and tags on the namespace, as it is at this moment."""
        path = NAMESPACE.path("", resource.name)
        item = self._session.get(path)
        if item is None or item["metadata"]["uid"] != resource.adopts:
            raise CloudConflictError("Gone", resource.name)
        _must_be_free(item)
        body = objects.mark(resource, self._installation)
        body["metadata"]["resourceVersion"] = item["metadata"]["resourceVersion"]
        made = self._session.apply(path, body, fieldManager=FIELD_MANAGER)
        return observed(made, NAMESPACE, self._installation)

    def _all(self) -> Any:
        for page in Listing(self._session, NAMESPACE, self._page_size):
            yield from page

    def _limits(self, name: str) -> Json:
        """Return the tightest of the limits that the namespace has already."""
        path = f"{NAMESPACE.everywhere}/{name}/{QUOTA.plural}"
        hard = [(q.get("spec") or {}).get("hard") or {} for q in self._session.list(path)["items"]]
        found: Json = {}
        for word, names in _SAID.items():
            amounts = [quantities.read(n, q[n]) for q in hard for n in names if n in q]
            whole = [amount for amount in amounts if isinstance(amount, int)]
            if whole:
                least = min(whole)
                found[word] = least if word == "pods" else quantities.show(names[0], least)
        return found


def _must_be_free(item: Json) -> None:
    if UID in (item["metadata"].get("labels") or {}):
        raise CloudConflictError("Taken", item["metadata"]["name"])
