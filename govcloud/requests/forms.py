"""What reads well and no cloud takes for good: refused where it is asked for.

The kinds themselves do not refuse it, so that what was stored before can still be read.
"""

from collections.abc import Iterator, Sequence
from ipaddress import IPv6Network, ip_network
from typing import Final

from govcloud.domain.base import Model
from govcloud.domain.kinds.systems import NamespaceSpec, VirtualMachineSpec
from govcloud.errors import Diagnostic
from govcloud.requests.drafts import Draft

_LONGEST: Final = 63
"""Characters of the name of a kind of objects that can be counted."""
_SIZES: Final = frozenset({"requests", "limits"})
_MEASURED: Final = frozenset({"cpu", "memory", "storage"})
_MAPPED: Final = IPv6Network("::ffff:0:0/96")


def faults(draft: Draft) -> Iterator[Diagnostic]:
    """Yield what of a draft would be refused for good where it is to be built."""
    for field, networks in _networks(draft.spec):
        for index, text in enumerate(networks):
            if meant := _mapped(text):
                place = field.format(index)
                yield draft.fault("requests.mapped_network", place, network=text, meant=meant)
    if isinstance(draft.spec, NamespaceSpec):
        for word in draft.spec.objects:
            field = f"spec.objects.{word}"
            first, _, rest = word.partition(".")
            if (rest and first in _SIZES) or word.rpartition(".")[2] in _MEASURED:
                yield draft.fault("requests.no_object_kind", field, word=word)
            elif len(word) > _LONGEST:
                yield draft.fault("requests.long_object_kind", field, word=word, most=_LONGEST)


def _networks(spec: Model) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield lists of networks, each with the place of one of them."""
    if isinstance(spec, NamespaceSpec):
        yield "spec.network.fromCidrs[{}]", spec.network.from_cidrs
        yield "spec.network.toCidrs[{}]", spec.network.to_cidrs
    elif isinstance(spec, VirtualMachineSpec):
        sources = [allow.source for allow in spec.network.allow]
        yield "spec.network.allow[{}].source", sources


def _mapped(text: str) -> str:
    """Return the IPv4 network that is written as one of IPv6; empty where it is none."""
    try:
        network = ip_network(text)
    except ValueError:
        return ""  # a word for a source
    if not isinstance(network, IPv6Network) or not network.subnet_of(_MAPPED):
        return ""
    return f"{network.network_address.ipv4_mapped}/{network.prefixlen - 96}"
