"""What of a namespace's limits is in use, in the words of the ledger; pure."""

from collections.abc import Callable, Mapping
from typing import Final

from govcloud.domain.classes import OBJECTS
from govcloud.ports.cloud import Observed, TenantQuota
from provisioners.kubernetes.objects import PLAIN_COUNTS

_CLASSES: Final = {
    "requests.cpu": "k8s-cpu",
    "limits.cpu": "k8s-cpu",
    "requests.memory": "k8s-memory",
    "limits.memory": "k8s-memory",
    "pods": "k8s-pods",
}
_STORAGE: Final = ".storageclass.storage.k8s.io/requests.storage"


def of(quota: Observed, storage: Mapping[str, str]) -> TenantQuota:
    """Return limits and use of an observed quota, by resource class.

    Where a class is limited in two ways, as requests and as limits, the tighter one counts.
    `storage` is what the cluster calls our storage classes.
    """
    ours = {theirs: name for name, theirs in storage.items()}
    limits = _by_class(quota, "limit.", min, ours)
    return TenantQuota(quota.tenant, limits, _by_class(quota, "used.", max, ours))


def _by_class(
    quota: Observed, prefix: str, better: Callable[[int, int], int], ours: Mapping[str, str]
) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, amount in quota.info.items():
        word = _class_of(name.removeprefix(prefix), ours) if name.startswith(prefix) else ""
        if word and isinstance(amount, int):
            found[word] = better(found.get(word, amount), amount)
    return found


def _class_of(name: str, ours: Mapping[str, str]) -> str:
    if name.endswith(_STORAGE):
        theirs = name.removesuffix(_STORAGE)
        return f"k8s-storage.{ours.get(theirs, theirs)}"
    if name.startswith("requests.") and name.endswith("/gpu"):
        return "gpu"
    kind = name.removeprefix("count/")
    if kind != name or name in PLAIN_COUNTS:
        return f"{OBJECTS}{kind}"
    return _CLASSES.get(name, "")
