"""What a `Cloud` document says of a cluster: where it is, and which credentials, by reference."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

from govcloud.errors import Diagnostic, InvalidInputError

ROLES: Final = ("view", "edit", "admin")
NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""What a namespace may be called."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The connection, and what differs from cluster to cluster.

    One of `kubeconfig` (with `context`), `in_cluster` or `endpoint` says where it is. Users and
    groups of `access` get a prefix if the cluster's identity provider has one. Credentials for
    members live in `access_namespace`, out of the departments' reach.
    """

    kubeconfig: str = ""
    context: str = ""
    in_cluster: bool = False
    endpoint: str = ""
    token_file: str = ""
    token_env: str = ""
    ca_file: str = ""
    members_endpoint: str = ""
    """Where members reach the API server, if not where we do."""
    members_ca_file: str = ""
    """The CA that they trust there, if another."""
    timeout_s: float = 15.0
    page_size: int = 500
    user_prefix: str = ""
    group_prefix: str = ""
    access_namespace: str = "govcloud-access"
    gpu_resource: str = "nvidia.com/gpu"
    dns_namespace: str = "kube-system"
    dns_app: str = "kube-dns"
    take_over: bool = True
    """Whether fields of ours that somebody else manages are taken back, or left with a message."""
    roles: Mapping[str, str] = field(default_factory=lambda: {role: role for role in ROLES})
    storage: Mapping[str, str] = field(default_factory=dict)
    """What the cluster calls a storage class, where it is not the same (`Cloud.spec.storage`)."""

    def keeps(self, namespace: str) -> bool:
        """Whether a namespace is the cluster's own, or that of members' accounts: no tenant's."""
        own = namespace == "default" or namespace.startswith("kube-")
        return own or namespace == self.access_namespace


def read_settings(connection: Mapping[str, str]) -> Settings:
    """Read a connection; raises InvalidInputError with all that cannot be understood."""
    settings, diagnostics = Settings(), []
    for name, text in connection.items():
        place = f"spec.connection.{name}"
        try:
            settings = _READERS[name](settings, text)
        except KeyError:
            params = {"setting": name, "known": sorted(_READERS)}
            diagnostics.append(Diagnostic("kubernetes.unknown_setting", params, field=place))
        except ValueError:
            params = {"setting": name, "value": text}
            diagnostics.append(Diagnostic("kubernetes.bad_setting", params, field=place))
    ways = [bool(settings.kubeconfig), settings.in_cluster, bool(settings.endpoint)]
    if not diagnostics and ways.count(True) != 1:
        diagnostics.append(Diagnostic("kubernetes.one_way_in", {}, field="spec.connection"))
    if diagnostics:
        raise InvalidInputError(diagnostics)
    return settings


Reader = Callable[[Settings, str], Settings]


def _setting(name: str, read: Callable[[str], Any]) -> Reader:
    return lambda settings, text: replace(settings, **{name: read(text)})


def _role(role: str) -> Reader:
    return lambda settings, text: replace(settings, roles={**settings.roles, role: text})


def _between(low: float, high: float, kind: type[int] | type[float]) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = kind(text)
        if not low <= value <= high:
            raise ValueError(text)
        return value

    return read


def _one_of(words: Mapping[str, bool]) -> Callable[[str], bool]:
    def read(text: str) -> bool:
        if text not in words:
            raise ValueError(text)
        return words[text]

    return read


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[^/?#@\s]+(/[^?#\s]*)?", text):
        raise ValueError(text)
    return text.rstrip("/")


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError(text)
    return text


_SPECIAL: Final[Mapping[str, Callable[[str], Any]]] = {
    "in_cluster": _one_of({"true": True, "false": False}),
    "endpoint": _url,
    "members_endpoint": _url,
    "timeout_s": _between(0.1, 600, float),
    "page_size": _between(1, 10_000, int),
    "access_namespace": _name,
    "dns_namespace": _name,
    "take_over": _one_of({"take": True, "leave": False}),
}
_WRITTEN: Final[Mapping[str, str]] = {
    "timeout_s": "timeout",
    "page_size": "pageSize",
    "take_over": "conflicts",
}
"""Settings that are written otherwise than their field with hyphens."""

_READERS: Final[Mapping[str, Reader]] = {
    _WRITTEN.get(entry.name, entry.name.replace("_", "-")): _setting(
        entry.name, _SPECIAL.get(entry.name, str)
    )
    for entry in fields(Settings)
    if entry.name not in ("roles", "storage")
} | {f"role-{role}": _role(role) for role in ROLES}
