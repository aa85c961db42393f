"""What is in use in a namespace of others', counted as a ResourceQuota would count it; pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import ceil
from typing import Any, Final

from provisioners.kubernetes import quantities
from provisioners.kubernetes.objects import OF_CLASS

Json = Mapping[str, Any]
_ENDED: Final = ("Succeeded", "Failed")
_RESOURCES: Final = ("cpu", "memory")


def in_use(pods: Iterable[Json], claims: Iterable[Json], gpu: str) -> dict[str, int]:
    """Return what is in use by the words of a quota, in base units, rounded up.

    `gpu` is what the cluster calls GPUs. ValueError for an amount that cannot be read: what is not
    known is not nothing.
    """
    used: Counter[str] = Counter()
    for pod in pods:
        if (pod.get("status") or {}).get("phase") not in _ENDED:
            used["pods"] += 1
            used.update(_of_pod(pod["spec"], gpu))
    for claim in claims:
        used["persistentvolumeclaims"] += 1
        used.update(_of_claim(claim))
    return {word: ceil(amount / _unit(word)) for word, amount in used.items()}


def _unit(word: str) -> Fraction:
    return quantities.base_unit(word)


def _of_pod(spec: Json, gpu: str) -> dict[str, Any]:
    found = {
        f"{word}.{name}": _needs(spec, word, name)
        for word in ("requests", "limits")
        for name in _RESOURCES
    }
    return found | {f"requests.{gpu}": _needs(spec, "requests", gpu)}


def _needs(spec: Json, word: str, name: str) -> Fraction:
    """Return what a pod needs at most at once: those that start it, or those that run then."""
    sidecars = peak = Fraction(0)
    for container in spec.get("initContainers") or ():
        amount = _said(container, word, name)
        if container.get("restartPolicy") == "Always":
            sidecars += amount
        else:
            peak = max(peak, sidecars + amount)
    running = sum((_said(c, word, name) for c in spec.get("containers") or ()), sidecars)
    whole = ((spec.get("resources") or {}).get(word) or {}).get(name)
    needed = max(running, peak) if whole is None else _amount(whole)
    return needed + _amount((spec.get("overhead") or {}).get(name, "0"))


def _said(container: Json, word: str, name: str) -> Fraction:
    return _amount(((container.get("resources") or {}).get(word) or {}).get(name, "0"))


def _of_claim(claim: Json) -> dict[str, Any]:
    spec, status = claim["spec"], claim.get("status") or {}
    asked = ((spec.get("resources") or {}).get("requests") or {}).get("storage", "0")
    given = (status.get("allocatedResources") or {}).get("storage", "0")
    size = max(_amount(asked), _amount(given))
    noted = (claim["metadata"].get("annotations") or {}).get(_CLASS, "")
    name = noted or spec.get("storageClassName")
    classes = {f"{name}{OF_CLASS}": size} if name else {}
    return {"requests.storage": size, **classes}


_CLASS: Final = "volume.beta.kubernetes.io/storage-class"
_MILLI: Final = Fraction(1, 1000)


def _amount(text: object) -> Fraction:
    """Return a quantity; ValueError where it cannot be read."""
    whole = quantities.read("", text)
    if isinstance(whole, int):
        return Fraction(whole)
    thousandths = quantities.read("cpu", text)
    if isinstance(thousandths, int):
        return thousandths * _MILLI
    raise ValueError(text)
