"""Taking over a namespace that stands already: looked at, then marked, and nothing else."""

from typing import Any, Final

from govcloud.errors import CloudConflictError
from govcloud.ports.abilities import Standing
from govcloud.ports.cloud import Observed, Resource
from provisioners.kubernetes import objects, quantities
from provisioners.kubernetes.applying import applied
from provisioners.kubernetes.listing import Listing
from provisioners.kubernetes.marks import MANAGED_BY, UID
from provisioners.kubernetes.objects import POD_SECURITY
from provisioners.kubernetes.reading import observed
from provisioners.kubernetes.session import Session
from provisioners.kubernetes.settings import NAME, Settings
from provisioners.kubernetes.types import NAMESPACE, QUOTA

Json = dict[str, Any]
_SAID: Final = {
    "cpu": ("limits.cpu", "requests.cpu", "cpu"),
    "memory": ("limits.memory", "requests.memory", "memory"),
    "pods": ("pods", "count/pods"),
}


class Adoption:
    """Looks at namespaces of nobody's, and marks them."""

    def __init__(self, session: Session, settings: Settings, installation: str) -> None:
        self._session = session
        self._settings = settings
        self._installation = installation

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
        seen = observed(item, NAMESPACE, self._installation)
        return Standing(
            "Namespace",
            uid,
            name,
            name,
            spec,
            parts={NAMESPACE.word: uid},
            props={NAMESPACE.word: {n: v for n, v in seen.props.items() if v or n != objects.NAME}},
            tags={NAMESPACE.word: seen.tags},
            marking={NAMESPACE.word: _relabelled(item)},
        )

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
        made = applied(self._session, path, body, take=self._settings.take_over)
        return observed(made, NAMESPACE, self._installation)

    def _all(self) -> Any:
        for page in Listing(self._session, NAMESPACE, self._settings.page_size):
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


def _relabelled(item: Json) -> dict[str, tuple[str, str]]:
    """Return the labels of others' making that our mark takes the place of."""
    labels = item["metadata"].get("labels") or {}
    return {
        name: (labels[name], ours)
        for name, ours in MANAGED_BY.items()
        if labels.get(name, ours) != ours
    }


def _must_be_free(item: Json) -> None:
    if UID in (item["metadata"].get("labels") or {}):
        raise CloudConflictError("Taken", item["metadata"]["name"])
