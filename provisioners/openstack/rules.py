"""Rules of security groups in words: pure.

A rule is `ingress IPv4 tcp 443 10.0.0.0/8`: direction, version of IP, protocol, ports, remote side,
with `any` for what is not narrowed; the remote side may be the word for a group. Where one gets out
of a group is one value, its `egress`: the rules outward, without their direction.
"""

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

Rule = dict[str, Any]
EVERYWHERE: Final = "IPv4 any any any; IPv6 any any any"
"""The `egress` of a group as Neutron makes it."""
_OUT: Final = "egress"
_BETWEEN: Final = "; "
_SAYING: Final = (
    "ethertype",
    "protocol",
    "port_range_min",
    "port_range_max",
    "remote_ip_prefix",
    "remote_group_id",
    "remote_address_group_id",
)


def outward(rule: Rule) -> bool:
    """Whether a rule lets out."""
    return str(rule["direction"]) == _OUT


def words(rule: Rule, group: str) -> str:
    """Return a rule in words; `group` is the word for the group that is its remote side, if any."""
    low, high = rule.get("port_range_min"), rule.get("port_range_max")
    ports = "any" if low is None else str(low) if low == high else f"{low}-{high}"
    remote = rule.get("remote_ip_prefix") or group or rule.get("remote_address_group_id") or "any"
    protocol = rule.get("protocol") or "any"
    return f"{rule['direction']} {rule['ethertype']} {protocol} {ports} {remote}"


def body(said: str, ids: Callable[[str], str]) -> Rule:
    """Return what Neutron is told of a rule in words."""
    direction, ethertype, protocol, ports, remote = said.split(" ")
    told: Rule = {"direction": direction, "ethertype": ethertype}
    if protocol != "any":
        told["protocol"] = protocol
    if ports != "any":
        low, _, high = ports.partition("-")
        told |= {"port_range_min": int(low), "port_range_max": int(high or low)}
    if is_prefix(remote):
        told["remote_ip_prefix"] = remote
    elif remote != "any":
        told["remote_group_id"] = ids(remote)
    return told


def is_prefix(word: str) -> bool:
    """Whether a word is an address or a range of them, and not a name."""
    try:
        ipaddress.ip_network(word, strict=False)
    except ValueError:
        return False
    return True


def key(rule: Rule) -> tuple[str, ...]:
    """Return what a rule of one direction says: Neutron takes no two that say the same."""
    return tuple(str(rule.get(name) or "") for name in _SAYING)


def as_egress(ways: Iterable[str]) -> str:
    """Return rules outward as the value of their group."""
    return _BETWEEN.join(sorted({way.removeprefix(f"{_OUT} ") for way in ways}))


def ways_of(egress: str) -> Sequence[str]:
    """Return the rules outward that a value of a group stands for."""
    return [f"{_OUT} {way}" for way in egress.split(_BETWEEN) if way]
