"""What a legacy host needs on the cloud: as it is, or by measured use with a comfort factor."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from govcloud.domain.kinds.estate import LegacyHostSpec
from govcloud.domain.kinds.platform import FlavorSpec

LEAST_VCPU: Final = 2
LEAST_MEMORY_MIB: Final = 4_096
COMFORT: Final = Fraction(13, 10)
"""Measured peaks are means of daily peaks; three tenths more carry the days above them."""


@dataclass(frozen=True, slots=True)
class Size:
    """The target of one host: vCPU, memory in MiB, storage in GiB; None where nobody has told.

    `flavor` is the smallest of the catalogue that holds it, None where there is none. `measured`:
    by use, else as is.
    """

    host: str
    vcpu: int | None
    memory: int | None
    storage: int | None
    measured: bool
    flavor: str | None = None


def size(
    name: str,
    host: LegacyHostSpec,
    flavors: Mapping[str, FlavorSpec],
    *,
    measured: bool,
    comfort: Fraction = COMFORT,
    xinchuang: bool = False,
) -> Size:
    """Return the target size of a host; as it is where its use was not measured."""
    facts = host.facts
    known = facts is not None and facts.cpu_peak is not None and facts.memory_peak is not None
    by_use = measured and known and host.vcpu is not None and host.memory is not None
    vcpu, memory, storage = host.vcpu, host.memory, host.storage
    if by_use and facts is not None:
        vcpu = _by_use(host.vcpu, facts.cpu_peak, comfort, LEAST_VCPU)
        memory = _by_use(host.memory, facts.memory_peak, comfort, LEAST_MEMORY_MIB)
        if facts.data is not None and storage is not None:
            storage = min(storage, -int(-facts.data * comfort // 1))
    flavor = _flavor(vcpu, memory, flavors, xinchuang=xinchuang)
    return Size(name, vcpu, memory, storage, by_use, flavor)


def _by_use(amount: int | None, peak: int | None, comfort: Fraction, least: int) -> int:
    """Return what the peak takes, with comfort, rounded up; never more than there is now."""
    assert amount is not None
    assert peak is not None
    needed = -int(-Fraction(amount * peak, 100) * comfort // 1)
    return min(max(amount, 1), max(needed, least))


def _flavor(
    vcpu: int | None, memory: int | None, flavors: Mapping[str, FlavorSpec], *, xinchuang: bool
) -> str | None:
    fitting = [
        (flavor.vcpu, flavor.memory, flavor.price, name)
        for name, flavor in flavors.items()
        if vcpu is not None
        and memory is not None
        and flavor.vcpu >= vcpu
        and flavor.memory >= memory
        and flavor.xinchuang == xinchuang
        and not flavor.gpu
    ]
    return min(fitting)[3] if fitting else None
