"""Who we are at a cluster: from the references of a connection to the client's configuration.

No text of an error is passed on that may hold what a file or a variable holds: it would be stored,
and shown to departments.
"""

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import yaml
from kubernetes import client, config
from urllib3 import make_headers

from govcloud.errors import TransientCloudError
from provisioners.kubernetes.settings import Settings

_CONNECTIONS: Final = 64
_REASON: Final = "NoCredentials"


def opened(settings: Settings) -> client.ApiClient:
    """Return the client for a connection; raises TransientCloudError where a reference is dead."""
    try:
        found = _read(settings)
        found.retries = False
        found.connection_pool_maxsize = _CONNECTIONS
        found.proxy_headers = _greeting(found.proxy)
        return client.ApiClient(found)
    except TransientCloudError:
        raise
    except OSError as error:
        raise TransientCloudError(_REASON, str(error)) from error
    except Exception as error:  # noqa: BLE001 (whatever a file may hold)
        raise TransientCloudError(_REASON, f"{_named(settings)}: {_fault(error)}") from None


def way(configuration: client.Configuration) -> str:
    """Return the proxy that leads to the cluster, without who we are there; empty without one.

    One that the environment names leads out of this machine, and is nobody else's affair.
    """
    if not configuration.proxy or configuration.proxy == _outward(configuration.host):
        return ""
    parts = urlsplit(configuration.proxy)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _outward(host: str) -> str | None:
    """Return the proxy that the environment names for a host."""
    found: str | None = client.Configuration(host=host).proxy
    return found


def _greeting(proxy: str | None) -> Mapping[str, str] | None:
    """Return what says to a proxy who we are, where its address does: the client passes it by."""
    parts = urlsplit(proxy or "")
    if not parts.username:
        return None
    said: Mapping[str, str] = make_headers(
        proxy_basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    )
    return said


def token(configuration: client.Configuration) -> str:
    """Return what is sent to log in, read anew where it is a reference; empty without one.

    Raises TransientCloudError for what no token can be, without its text.
    """
    try:
        found = configuration.auth_settings().get("BearerToken")
    except TransientCloudError:
        raise
    except OSError as error:
        raise TransientCloudError(_REASON, str(error)) from error
    except Exception as error:  # noqa: BLE001 (a library's, with what it read)
        raise TransientCloudError(_REASON, _fault(error)) from None
    scheme, _, secret = str(found["value"] or "" if found else "").partition(" ")
    return f"{scheme} {_checked(secret)}" if scheme else ""


def _checked(secret: str) -> str:
    """Return a token without what surrounds it; raises TransientCloudError for what is none."""
    secret = secret.strip()
    if not secret or not secret.isascii() or not secret.isprintable() or " " in secret:
        raise TransientCloudError(_REASON, "the token is empty or holds what no token can")
    return secret


def _named(settings: Settings) -> str:
    """Name what the credentials are read from."""
    return settings.kubeconfig or ("in-cluster" if settings.in_cluster else settings.endpoint)


def _fault(error: Exception) -> str:
    """Say what is wrong, but nothing of what was read."""
    if isinstance(error, config.ConfigException):
        return str(error).partition(" in ")[0]  # after it may come a whole entry
    mark = getattr(error, "problem_mark", None) if isinstance(error, yaml.YAMLError) else None
    return f"no YAML, line {mark.line + 1}" if mark else f"cannot be read ({type(error).__name__})"


def _read(settings: Settings) -> client.Configuration:
    found = client.Configuration()
    if settings.kubeconfig:
        file = str(Path(settings.kubeconfig).expanduser())
        config.load_kube_config(  # type: ignore[no-untyped-call]
            file, settings.context or None, client_configuration=found, persist_config=False
        )
        return found
    if settings.in_cluster:
        config.load_incluster_config(client_configuration=found)  # type: ignore[no-untyped-call]
        return found
    found.host = settings.endpoint
    if settings.ca_file:
        found.ssl_ca_cert = str(Path(settings.ca_file).expanduser().resolve(strict=True))
    read: Callable[[], str] | None = None
    if settings.token_file:
        read = _TokenFile(Path(settings.token_file).expanduser()).read
    elif settings.token_env:
        read = partial(_variable, settings.token_env)
    if read is not None:
        _refresh(found, read)
        hook = partial(_refresh, read=read)
        found.refresh_api_key_hook = hook  # type: ignore[assignment]
    return found


def _variable(name: str) -> str:
    if name not in os.environ:
        raise TransientCloudError(_REASON, f"no variable {name}")
    return os.environ[name]


def _refresh(configuration: client.Configuration, read: Callable[[], str]) -> None:
    configuration.api_key["authorization"] = f"Bearer {read()}"


class _TokenFile:
    """A file with a token, read anew when it is another: short-lived ones are replaced there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: tuple[object, str] = (None, "")

    def read(self) -> str:
        """Return the token that is in the file now; raises OSError."""
        now = self._path.stat()
        stamp, found = self._known
        if stamp != (now.st_ino, now.st_mtime_ns, now.st_size):
            stamp = (now.st_ino, now.st_mtime_ns, now.st_size)
            found = self._path.read_text("utf-8").strip()
            self._known = (stamp, found)
        return found
