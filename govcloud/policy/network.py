"""Rules on where things stand and what may reach them (NET)."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Final

from govcloud.domain.kinds.platform import ZoneType
from govcloud.domain.kinds.systems import (
    NamespaceSpec,
    PodSecurity,
    Power,
    SystemSpec,
    Tier,
    VirtualMachineSpec,
)
from govcloud.errors import Severity
from govcloud.policy.context import Action, Setting, Subject
from govcloud.policy.rules import Found, rule

_FACING: Final = frozenset({ZoneType.INTERNET, ZoneType.DMZ})


@rule("NET-06", "[P] GB/T 22239")
def shared_levels(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Keep systems of different MLPS levels in different zones, with a border between."""
    level, zone = subject.mlps_level, subject.zone
    if not subject.allocates or zone is None or not 2 <= level <= 3:
        return
    if level < zone.mlps_level:
        yield Found(
            {
                "system": subject.system_name,
                "level": level,
                "zone": subject.zone_name,
                "zone_level": zone.mlps_level,
            }
        )
    machine = subject.machine
    opened = machine is not None and any(a.source == "department" for a in machine.network.allow)
    others = sorted(setting.mlps_levels - {level})
    if opened and others:
        params = {"system": subject.system_name, "level": level, "others": others}
        yield Found(params, Severity.WARNING, "opening")


@rule("NET-07", "[I]")
def internet(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Connect only zones that face the internet to it, and never a database."""
    del setting
    zone = subject.zone
    if zone is None:
        return
    machine = subject.machine
    ways = _ways(subject)
    params = {"zone": subject.zone_name, "ways": ways}
    if ways and zone.type not in _FACING:
        yield Found(params)
    if ways and machine is not None and machine.tier is Tier.DATABASE:
        yield Found(params, which="database")
    if machine is not None and machine.network.floating_ip and not zone.floating_ips:
        yield Found({"zone": subject.zone_name}, which="floating")


def _ways(subject: Subject) -> list[str]:
    """Return the fields that connect a thing to the internet."""
    spec = subject.spec
    if isinstance(spec, VirtualMachineSpec):
        return _machine_ways(spec)
    if isinstance(spec, NamespaceSpec):
        borders = {"fromCidrs": spec.network.from_cidrs, "toCidrs": spec.network.to_cidrs}
        return [f"network.{name}" for name, cidrs in borders.items() if _anywhere(cidrs)]
    return []


def _machine_ways(spec: VirtualMachineSpec) -> list[str]:
    ways = []
    if spec.network.internet_access:
        ways.append("network.internetAccess")
    if spec.network.floating_ip:
        ways.append("network.floatingIp")
    sources = [allow.source for allow in spec.network.allow]
    if "internet" in sources or _anywhere(sources):
        ways.append("network.allow")
    return ways


def _anywhere(cidrs: Iterable[str]) -> bool:
    """Whether these networks are the internet, taken together; words that are no network are not.

    They are where they hold more public addresses than any one network does that is somebody's.
    """
    fours, sixes = list[IPv4Network](), list[IPv6Network]()
    for cidr in cidrs:
        try:
            network = ip_network(cidr, strict=False)
        except ValueError:
            continue
        if isinstance(network, IPv4Network):
            fours.append(network)
        else:
            sixes.append(network)
    four: int = sum(_public(network) for network in collapse_addresses(fours))
    six: int = sum(_shared(network, _GLOBAL) for network in collapse_addresses(sixes))
    return four >= _MANY_OF_IPV4 or six >= _MANY_OF_IPV6


_MANY_OF_IPV4: Final = IPv4Network("0.0.0.0/8").num_addresses
_MANY_OF_IPV6: Final = IPv6Network("::/16").num_addresses
"""So many public addresses are the internet, whichever they are."""
_GLOBAL: Final = IPv6Network("2000::/3")
_NOT_PUBLIC: Final = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "224.0.0.0/3",
    )
)
"""Addresses that the internet does not carry; no two of them share any."""


def _public(network: IPv4Network) -> int:
    """Return how many public addresses a network has."""
    return network.num_addresses - sum(_shared(network, other) for other in _NOT_PUBLIC)


def _shared(one: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> int:
    """Return how many addresses two networks share: one is within the other, or none are."""
    return min(one.num_addresses, other.num_addresses) if one.overlaps(other) else 0


@rule("NET-13", "[S] 002; [I]", Severity.WARNING)
def stack(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Compare the domestic-technology stack of system, image, flavor and pool."""
    del setting
    if not subject.allocates or subject.zone is None or subject.cloud is None:
        return
    pool = subject.zone.xinchuang or subject.cloud.xinchuang
    parts = {"image": subject.image, "flavor": subject.flavor, "system": subject.system}
    other = [name for name, part in parts.items() if part is not None and part.xinchuang != pool]
    if other:
        params = {"zone": subject.zone_name, "parts": other}
        yield Found(params, which="domestic" if pool else "")


@rule("NET-14", "[S] 001", Severity.WARNING)
def ipv6(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Ask for IPv6 where something new faces the internet."""
    del setting
    if subject.action is not Action.CREATE:
        return
    spec = subject.spec
    if isinstance(spec, SystemSpec):
        if spec.internet and not spec.ipv6:
            yield Found({"object": subject.key.name})
    elif subject.zone is not None and subject.zone.type is ZoneType.INTERNET:
        machine = subject.machine
        if not subject.zone.ipv6 or (machine is not None and not machine.network.ipv6):
            yield Found({"object": subject.key.name})


@rule("NET-15", "[P] data, backups and operation in mainland China", waivable=False)
def mainland(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Keep data, backups and operation in mainland China."""
    del setting
    if subject.allocates and subject.cloud is not None and not subject.cloud.mainland:
        yield Found({"cloud": subject.cloud_name})


@rule(
    "NET-16",
    "[P] GB/T 22239",
    Severity.INFO,
    actions=frozenset({Action.CHANGE, Action.RELEASE}),
)
def privileged(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Name stopping and deleting from level 2 on as the privileged commands that they are.

    The audit cannot be switched off: its record is part of the transaction. This says so.
    """
    del setting
    if not subject.allocates or subject.mlps_level < 2:
        return
    before = subject.before
    switched = (
        isinstance(before, VirtualMachineSpec)
        and subject.machine is not None
        and before.power is Power.ON
        and subject.machine.power is Power.OFF
    )
    if subject.action is Action.RELEASE or switched:
        yield Found({"object": subject.key.name, "system": subject.system_name})


@rule("NET-19", "[I] Pod Security Standards")
def unconfined(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Refuse namespaces whose containers may take over the machines that they share."""
    del setting
    spec = subject.spec
    if isinstance(spec, NamespaceSpec) and spec.pod_security is PodSecurity.PRIVILEGED:
        yield Found({"object": subject.key.name})
