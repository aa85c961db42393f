"""What of a namespace's limits is in use, in the words of the ledger; pure."""

from collections.abc import Callable, Mapping
from typing import Final

from govcloud.domain.classes import OBJECTS
from govcloud.ports.cloud import Observed, TenantQuota
from provisioners.kubernetes.objects import OF_CLASS, PLAIN_COUNTS
from provisioners.kubernetes.settings import Settings

_CLASSES: Final = {
    "requests.cpu": "k8s-cpu",
    "limits.cpu": "k8s-cpu",
    "requests.memory": "k8s-memory",
    "limits.memory": "k8s-memory",
    "pods": "k8s-pods",
}


def of(quota: Observed, settings: Settings) -> TenantQuota:
    """Return limits and use of an observed quota, by resource class.

    Where a class is limited in two ways, as requests and as limits, the tighter one counts.
    `settings` say what the cluster calls GPUs and our storage classes.
    """
    classes = {
        **_CLASSES,
        f"requests.{settings.gpu_resource}": "gpu",
        **{
            f"{theirs}{OF_CLASS}": f"k8s-storage.{ours}"
            for ours, theirs in settings.storage.items()
        },
    }
    limits = _by_class(quota, "limit.", min, classes)
    return TenantQuota(quota.tenant, limits, _by_class(quota, "used.", max, classes))


def _by_class(
    quota: Observed, prefix: str, better: Callable[[int, int], int], classes: Mapping[str, str]
) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, amount in quota.info.items():
        word = _class_of(name.removeprefix(prefix), classes) if name.startswith(prefix) else ""
        if word and isinstance(amount, int):
            found[word] = better(found.get(word, amount), amount)
    return found


def _class_of(name: str, classes: Mapping[str, str]) -> str:
    if name in classes:
        return classes[name]
    if name.endswith(OF_CLASS):
        return f"k8s-storage.{name.removesuffix(OF_CLASS)}"
    kind = name.removeprefix("count/")
    if kind != name or name in PLAIN_COUNTS:
        return f"{OBJECTS}{kind}"
    return ""
