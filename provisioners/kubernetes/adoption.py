"""Taking over a namespace that stands already: looked at, then marked, and nothing else."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from govcloud.errors import (
    CloudConflictError,
    CloudError,
    TerminalCloudError,
    TransientCloudError,
)
from govcloud.ports.abilities import Beside, Standing
from govcloud.ports.cloud import Observed, Resource
from provisioners.kubernetes import objects, quantities, use
from provisioners.kubernetes.applying import applied
from provisioners.kubernetes.counting import in_use
from provisioners.kubernetes.listing import Listing
from provisioners.kubernetes.marks import MANAGED_BY, UID
from provisioners.kubernetes.objects import POD_SECURITY
from provisioners.kubernetes.reading import observed
from provisioners.kubernetes.session import Session
from provisioners.kubernetes.settings import NAME, Settings
from provisioners.kubernetes.shrinking import check_taking
from provisioners.kubernetes.types import CLAIM, NAMESPACE, POD, QUOTA, TYPES, Type

Json = dict[str, Any]
_TEXT: Final = 300
"""Characters of what is said of something of others'."""
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
        self._must_be_free(item)
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
            beside=tuple(self._beside(name)),
            used=self._classes(seen),
        )

    def _named(self, key: str) -> Json | None:
        return self._session.get(NAMESPACE.path("", key)) if NAME.fullmatch(key) else None

    def adopt(self, resource: Resource) -> Observed:
        """Put mark and tags on the namespace, as it is at this moment."""
        path = NAMESPACE.path("", resource.name)
        item = self._session.get(path)
        if item is None or item["metadata"]["uid"] != resource.adopts:
            raise CloudConflictError("Gone", resource.name)
        self._must_be_free(item)
        if not resource.build.get("over_quota"):
            check_taking(resource, self.used(resource.name))
        body = objects.mark(resource, self._installation)
        body["metadata"]["resourceVersion"] = item["metadata"]["resourceVersion"]
        made = applied(self._session, path, body, take=self._settings.take_over)
        return observed(made, NAMESPACE, self._installation)

    def _must_be_free(self, item: Json) -> None:
        name = item["metadata"]["name"]
        if self._settings.keeps(name):
            raise TerminalCloudError("NotAdoptable", name)
        if UID in (item["metadata"].get("labels") or {}):
            raise CloudConflictError("Taken", name)

    def _beside(self, name: str) -> Iterator[Beside]:
        """Yield what others have put there, and what stays and counts beside what is put there."""
        for kind in TYPES:
            if kind.namespaced:
                for item in self._within(kind, name):
                    seen = observed(item, kind, self._installation)
                    text = " ".join(
                        f"{word}={value}" for word, value in seen.props.items() if value
                    )
                    yield Beside(kind.kind, seen.name, text[:_TEXT])

    def _classes(self, seen: Observed) -> Mapping[str, int] | None:
        """Return what is in use by resource class; None where we may not look or cannot read it."""
        try:
            used = self.used(seen.name)
        except CloudError:
            return None
        info = {f"used.{word}": amount for word, amount in used.items()}
        return use.of(replace(seen, info=info), self._settings).used

    def used(self, name: str) -> Mapping[str, int]:
        """Return what is in use by the words of a quota; raises CloudError."""
        pods, claims = self._within(POD, name), self._within(CLAIM, name)
        try:
            return in_use(pods, claims, self._settings.gpu_resource)
        except ValueError as error:
            raise TransientCloudError("ServerError", f"cannot be counted: {error}") from error

    def _within(self, kind: Type, namespace: str) -> Iterator[Json]:
        size = self._settings.page_size
        for page in Listing(self._session, kind, size, namespace=namespace):
            yield from page

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
