"""What of a namespace's limits is in use, in the words of the ledger; pure."""

from collections.abc import Callable
from typing import Final

from govcloud.ports import Observed, TenantQuota

_CLASSES: Final = {
    "requests.cpu": "k8s-cpu",
    "limits.cpu": "k8s-cpu",
    "requests.memory": "k8s-memory",
    "limits.memory": "k8s-memory",
    "pods": "k8s-pods",
}
_STORAGE: Final = ".storageclass.storage.k8s.io/requests.storage"


def of(quota: Observed) -> TenantQuota:
    """Return limits and use of an observed quota, by resource class.

    Where a class is limited in two ways, as requests and as limits, the tighter one counts.
    """
    limits = _by_class(quota, "limit.", min)
    return TenantQuota(quota.tenant, limits, _by_class(quota, "used.", max))


def _by_class(quota: Observed, prefix: str, better: Callable[[int, int], int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, amount in quota.info.items():
        word = _class_of(name.removeprefix(prefix)) if name.startswith(prefix) else ""
        if word and isinstance(amount, int):
            found[word] = better(found.get(word, amount), amount)
    return found


def _class_of(name: str) -> str:
    if name.endswith(_STORAGE):
        return f"k8s-storage.{name.removesuffix(_STORAGE)}"
    if name.startswith("requests.") and name.endswith("/gpu"):
        return "gpu"
    return _CLASSES.get(name, "")
