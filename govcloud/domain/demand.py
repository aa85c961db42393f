"""What an object asks of the quota, and what it costs a month; pure.

Amounts are whole numbers of each class's base unit (see `quantity`). Prices are yuan a month: a
flavor carries its own, everything else is priced by the cloud (`Cloud.spec.prices`) for one unit
as people think of it: a core, a GiB, a piece.
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from govcloud.domain.base import Model
from govcloud.domain.classes import Amounts
from govcloud.domain.kinds.platform import FlavorSpec
from govcloud.domain.kinds.systems import Disk, NamespaceSpec, VirtualMachineSpec, VolumeSpec

_PRICED_UNIT: Final[Mapping[str, int]] = {"memory": 1024, "k8s-memory": 1024, "k8s-cpu": 1000}
"""Base units in one priced unit, where they differ: MiB in a GiB, millicores in a core."""
_IN_FLAVOR: Final = frozenset({"vcpu", "memory", "gpu"})
"""What a flavor's own price pays for."""


def demand(kind: str, spec: Model, flavors: Mapping[str, FlavorSpec]) -> dict[str, int]:
    """Return the amount of each resource class that an object needs, without zeros.

    Kinds for which nothing is built need nothing. KeyError for a flavor that is not there: callers
    have checked the references.
    """
    del kind  # the model tells it; kept in the signature for what reads better at the call
    if isinstance(spec, VirtualMachineSpec):
        amounts = _machine(spec, flavors)
    elif isinstance(spec, VolumeSpec):
        amounts = {"volumes": 1, f"disk.{spec.type}": spec.size}
    elif isinstance(spec, NamespaceSpec):
        amounts = _namespace(spec)
    else:
        amounts = {}
    return {word: amounts[word] for word in sorted(amounts) if amounts[word]}


def machine_size(
    spec: VirtualMachineSpec, flavors: Mapping[str, FlavorSpec]
) -> tuple[int, int, int]:
    """Return vCPU, MiB of memory and GPUs of one machine; KeyError for an unknown flavor."""
    if spec.flavor is None:
        return spec.vcpu or 0, spec.memory or 0, 0
    flavor = flavors[spec.flavor]
    return flavor.vcpu, flavor.memory, flavor.gpu


def _machine(spec: VirtualMachineSpec, flavors: Mapping[str, FlavorSpec]) -> dict[str, int]:
    vcpu, memory, gpu = machine_size(spec, flavors)
    one = {
        "vms": 1,
        "vcpu": vcpu,
        "memory": memory,
        "gpu": gpu,
        "volumes": len(spec.data_disks),
        "floating-ips": int(spec.network.floating_ip),
    } | _disks([spec.system_disk, *spec.data_disks])
    return {word: amount * spec.count for word, amount in one.items()}


def _disks(disks: list[Disk]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for disk in disks:
        word = f"disk.{disk.type}"
        sizes[word] = sizes.get(word, 0) + disk.size
    return sizes


def _namespace(spec: NamespaceSpec) -> dict[str, int]:
    storage = {f"k8s-storage.{name}": size for name, size in spec.storage.items()}
    return {
        "namespaces": 1,
        "k8s-cpu": spec.cpu,
        "k8s-memory": spec.memory,
        "k8s-pods": spec.pods,
        "gpu": spec.gpu,
    } | storage


def limits(spec: NamespaceSpec) -> dict[str, int]:
    """Return all limits of a namespace: what it is charged for, and how many objects it may have.

    Objects of a kind are called `objects.<kind>`; they count in no quota of a department.
    """
    counts = {f"objects.{name}": count for name, count in spec.objects.items()}
    return {word: n for word, n in _namespace(spec).items() if word != "namespaces"} | counts


def price(
    kind: str, spec: Model, flavors: Mapping[str, FlavorSpec], prices: Mapping[str, float]
) -> float:
    """Return what an object costs, yuan a month, to the fen.

    `prices` are the cloud's, by resource class; a class of one storage type falls back to its
    family (`disk.ssd` to `disk`). What has no price costs nothing. KeyError as for `demand`.
    """
    amounts = demand(kind, spec, flavors)
    total = Decimal(0)
    if isinstance(spec, VirtualMachineSpec) and spec.flavor is not None:
        total += Decimal(str(flavors[spec.flavor].price)) * spec.count
        amounts = {word: amount for word, amount in amounts.items() if word not in _IN_FLAVOR}
    total += by_class(amounts, prices)
    return float(total.quantize(Decimal("0.01"), ROUND_HALF_UP))


def by_class(amounts: Amounts, prices: Mapping[str, float]) -> Decimal:
    """Return what amounts cost by the prices of their classes, yuan a month, unrounded."""
    total = Decimal(0)
    for word, amount in amounts.items():
        family = word.partition(".")[0]
        each = Decimal(str(prices.get(word, prices.get(family, 0))))
        total += each * amount / _PRICED_UNIT.get(family, 1)
    return total
