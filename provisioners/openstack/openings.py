"""Who reaches a machine and where it gets, as rules in words: pure."""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any, Final

from govcloud.ports.cloud import Order
from provisioners.openstack import rules

_METADATA: Final = ("169.254.169.254", "fe80::a9fe:a9fe")
"""Where machines ask at their first start what they are to be."""
_ALL: Final = ("0.0.0.0/0", "::/0")
"""To Neutron the same as no remote side."""


def dual(order: Order) -> bool:
    """Whether its machines have addresses of both versions of IP."""
    net: Any = order.spec.get("network") or {}
    return bool(net.get("ipv6", True) and order.catalogue.get("zone", {}).get("ipv6", True))


def ingress(order: Order, members: str) -> Sequence[str]:
    """Return what `network.allow` opens; `members` is the word for the machines of its system."""
    net: Any = order.spec.get("network") or {}
    wanted = {
        f"ingress {version} tcp {port} {remote}"
        for opening in net.get("allow") or ()
        for version, remote in _remotes(order, str(opening.get("source", "system")), members)
        for port in opening["ports"]
    }
    return sorted(wanted)


def egress(order: Order, members: str) -> str:
    """Return where its machines get, as a value of their group: everywhere, or inside their zone.

    Without a rule for the metadata, name and time servers a machine would not come up.
    """
    net: Any = order.spec.get("network") or {}
    zone: Any = order.catalogue.get("zone", {})
    if net.get("internetAccess") or not zone.get("inside"):
        return rules.EVERYWHERE
    servers = [*(zone.get("nameservers") or ()), *(zone.get("ntpServers") or ())]
    inside = ["system", *zone["inside"], *filter(rules.is_prefix, servers)]
    ways = dict.fromkeys(_METADATA, "tcp 80") | dict.fromkeys(inside, "any any")
    versions = ("IPv4", "IPv6") if dual(order) else ("IPv4",)
    return rules.as_egress(
        f"egress {version} {what} {'any' if remote in _ALL else remote}"
        for word, what in ways.items()
        for version, remote in _remotes(order, word, members)
        if version in versions
    )


def _remotes(order: Order, source: str, members: str) -> Iterable[tuple[str, str]]:
    """Return a remote side, once for each version of IP.

    Networks of a department's other systems are not joined to this one, so that `department` is
    whoever is in the system until they are.
    """
    versions = ("IPv4", "IPv6") if dual(order) else ("IPv4",)
    if source in ("system", "department"):
        return [(version, members) for version in versions]
    if source == "internet":
        return [(version, "any") for version in versions]
    found = ipaddress.ip_network(source, strict=False)
    return [(f"IPv{found.version}", str(found))]
