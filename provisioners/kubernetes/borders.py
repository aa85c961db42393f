"""The network policies of a namespace: closed both ways, names resolved, then what was approved."""

from collections.abc import Mapping
from typing import Any

from govcloud.ports.cloud import Order
from provisioners.kubernetes.marks import CALLED, INSTALLATION, ZONE, referred
from provisioners.kubernetes.settings import Settings

Json = dict[str, Any]


def policies(order: Order, settings: Settings, installation: str) -> Mapping[str, Json]:
    """Return the specs of the policies by the last word of their part."""
    return {
        "deny": _spec(("Ingress", "Egress")),
        "dns": _spec(("Egress",), egress=[_dns(settings)]),
        "allow": _allow(order, installation),
    }


def _spec(types: tuple[str, ...], **rules: list[Json]) -> Json:
    return {"podSelector": {}, "policyTypes": list(types), **rules}


def _dns(settings: Settings) -> Json:
    peer = {
        "namespaceSelector": {"matchLabels": {CALLED: settings.dns_namespace}},
        "podSelector": {"matchLabels": {"k8s-app": settings.dns_app}},
    }
    ports = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    return {"to": [peer], "ports": ports}


def _allow(order: Order, installation: str) -> Json:
    network: Mapping[str, Any] = order.spec.get("network") or {}  # type: ignore[assignment]
    inward = _peers(network, "from", order.department, installation)
    outward = _peers(network, "to", order.department, installation)
    return _spec(
        ("Ingress", "Egress"),
        ingress=[{"from": inward}] if inward else [],
        egress=[{"to": outward}] if outward else [],
    )


def _peers(network: Mapping[str, Any], way: str, department: str, installation: str) -> list[Json]:
    """Return who may come in (`from`) or be reached (`to`), IPv4 and IPv6 alike, in one order."""
    own: list[Json] = [{"podSelector": {}}] if network.get("internal", True) else []
    named = [
        {"matchLabels": referred(entry, department, installation)}
        for entry in sorted(set(network.get(f"{way}Namespaces", ())))
    ]
    zones = [
        {"matchLabels": {INSTALLATION: installation, ZONE: zone}}
        for zone in sorted(set(network.get(f"{way}Zones", ())))
    ]
    cidrs = sorted(set(network.get(f"{way}Cidrs", ())))
    return [
        *own,
        *({"namespaceSelector": chosen} for chosen in [*named, *zones]),
        *({"ipBlock": {"cidr": cidr}} for cidr in cidrs),
    ]
