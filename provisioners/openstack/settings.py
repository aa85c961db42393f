"""What `Cloud.spec.connection` says to this driver: references and manners, never a secret."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from govcloud.errors import Diagnostic, InvalidInputError, TransientCloudError


@dataclass(frozen=True, slots=True)
class Settings:
    """The connection, read.

    `secret` and `id` of an application credential are references (`file` or `env` and its name),
    which are followed when the cloud is first called. Times are seconds. `storage` is what the
    cloud calls the storage classes.
    """

    cloud: str = ""
    config_file: str = ""
    auth_url: str = ""
    credential: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    ca_file: str = ""
    region: str = ""
    interface: str = "public"
    proxy: str = ""
    domain: str = ""
    page_size: int = 1000
    connect_timeout_s: float = 10.0
    timeout_s: float = 60.0
    build_limit_s: float = 1800.0
    boot_from_volume: bool = True
    config_drive: bool = False
    volumes: bool = True
    storage: Mapping[str, str] = field(default_factory=dict)

    def storage_type(self, storage_class: str) -> str:
        """Return the cloud's volume type of a storage class: by mapping, else of the same name."""
        return self.storage.get(storage_class, storage_class)

    def storage_class(self, volume_type: str | None) -> str:
        """Return the storage class of a cloud's volume type: the mapping backwards."""
        return next((n for n, t in self.storage.items() if t == volume_type), volume_type or "")


def read_settings(
    connection: Mapping[str, str], storage: Mapping[str, str] | None = None
) -> Settings:
    """Read a connection; raises InvalidInputError with every fault in it."""
    settings, diagnostics = Settings(storage=dict(storage or {})), []
    for name, text in connection.items():
        reader = _READERS.get(name)
        if reader is None:
            params = {"setting": name, "known": sorted(_READERS)}
            key = "openstack.unknown_setting"
            diagnostics.append(Diagnostic(key, params, field=f"spec.connection.{name}"))
            continue
        try:
            settings = reader(settings, text)
        except ValueError:
            params = {"setting": name, "value": text}
            key = "openstack.bad_setting"
            diagnostics.append(Diagnostic(key, params, field=f"spec.connection.{name}"))
    if not diagnostics and not (settings.cloud or settings.auth_url):
        diagnostics.append(Diagnostic("openstack.no_connection", field="spec.connection"))
    if diagnostics:
        raise InvalidInputError(diagnostics)
    return settings


def follow(reference: tuple[str, str]) -> str:
    """Return what a reference stands for; raises TransientCloudError where nothing is there."""
    way, name = reference
    if way == "value":
        return name
    if way == "env":
        found = os.environ.get(name, "").strip()
    else:
        try:
            found = Path(name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            found = ""
    if not found:
        raise TransientCloudError("NoCredentials", f"{way} {name}")
    return found


Reader = Callable[[Settings, str], Settings]


def _text(name: str) -> Reader:
    def read(settings: Settings, text: str) -> Settings:
        changed: dict[str, Any] = {name: text}
        return replace(settings, **changed)

    return read


def _seconds(name: str, most: float = 3600) -> Reader:
    def read(settings: Settings, text: str) -> Settings:
        value = float(text)
        if not 0.1 <= value <= most:
            raise ValueError(text)
        changed: dict[str, Any] = {name: value}
        return replace(settings, **changed)

    return read


def _flag(name: str) -> Reader:
    def read(settings: Settings, text: str) -> Settings:
        changed: dict[str, Any] = {name: bool(("false", "true").index(text))}
        return replace(settings, **changed)

    return read


def _page_size(settings: Settings, text: str) -> Settings:
    value = int(text)
    if not 1 <= value <= 10_000:
        raise ValueError(text)
    return replace(settings, page_size=value)


def _credential(part: str, way: str) -> Reader:
    return lambda settings, text: replace(
        settings, credential={**settings.credential, part: (way, text)}
    )


_READERS: Final[Mapping[str, Reader]] = {
    "cloud": _text("cloud"),
    "config-file": _text("config_file"),
    "auth-url": _text("auth_url"),
    "application-credential-id": _credential("id", "value"),
    "application-credential-id-file": _credential("id", "file"),
    "application-credential-id-env": _credential("id", "env"),
    "application-credential-secret-file": _credential("secret", "file"),
    "application-credential-secret-env": _credential("secret", "env"),
    "ca-file": _text("ca_file"),
    "region": _text("region"),
    "interface": _text("interface"),
    "proxy": _text("proxy"),
    "domain": _text("domain"),
    "page-size": _page_size,
    "connect-timeout-seconds": _seconds("connect_timeout_s"),
    "timeout-seconds": _seconds("timeout_s"),
    "build-limit-seconds": _seconds("build_limit_s", most=86_400),
    "boot-from-volume": _flag("boot_from_volume"),
    "config-drive": _flag("config_drive"),
    "volumes": _flag("volumes"),
}
