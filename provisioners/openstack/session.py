"""The one door to an OpenStack cloud: the SDK's connection, and what its answers are turned into.

No call is ever tried again in here, none waits without end, and all share one pool of connections.
Calls are made as the credentials' own project, or (`tenant`) as a tenant's, where a service knows
no other way to say whose something is to be.
"""

import hashlib
import hmac
import json as _json
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import requests
from keystoneauth1 import discover, exceptions, plugin, session
from keystoneauth1.identity import v3
from openstack.config import OpenStackConfig
from openstack.config.cloud_region import CloudRegion
from openstack.connection import Connection
from openstack.exceptions import SDKException, ServiceDisabledException
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from govcloud.errors import CloudError, TerminalCloudError, TransientCloudError
from provisioners.openstack.errors import error_of, read_answer
from provisioners.openstack.settings import Settings, follow

COMPUTE: Final = "compute"
NETWORK: Final = "network"
STORAGE: Final = "block-storage"
IDENTITY: Final = "identity"
IMAGE: Final = "image"
VERSIONS: Final[Mapping[str, tuple[int, int]]] = {COMPUTE: (2, 79), STORAGE: (3, 50)}
"""The microversion that is asked for: old enough for any cloud in service (Train, 2019), and new
enough to show flavors in lists and to grow volumes that are in use."""
_BOUND: Final = frozenset({"v3applicationcredential", "v3oidcaccesstoken"})
_POOL: Final = 64
_TENANTS: Final = 500
"""Tenants whose tokens are remembered."""
_LOGIN: Final = re.compile(r"//[^/@\s'\"]*@")
"""A name and a password in an address."""
_READS: Final = frozenset({"GET", "HEAD"})

Json = dict[str, Any]


class Door:
    """Calls of one cloud. Thread-safe; makes no call before it is asked for one."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self.tenant_login: tuple[str, str] | None = None
        self._tenants: OrderedDict[str, plugin.BaseAuthPlugin] = OrderedDict()
        self._pool = requests.Session()
        adapter = session.TCPKeepAliveAdapter(pool_connections=16, pool_maxsize=_POOL)
        for scheme in ("http://", "https://"):
            self._pool.mount(scheme, adapter)
        if settings.proxy:
            self._pool.proxies = {"http": settings.proxy, "https": settings.proxy}

    # --- Calls ---

    def get(self, service: str, url: str, **options: Any) -> Json:
        """Read something."""
        return self.call(service, "GET", url, **options)

    def call(
        self,
        service: str,
        method: str,
        url: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | Sequence[tuple[str, Any]] | None = None,
        tenant: str = "",
    ) -> Json:
        """Make one call and return the body of its answer; raises CloudError for all else."""
        write = method not in _READS
        try:
            answer = self._send(service, method, url, json=json, params=params, tenant=tenant)
        except CloudError:
            raise
        except Exception as error:
            raise lost(error, write=write) from error
        if answer.status_code >= 400:
            raise error_of(
                read_answer(
                    service, answer.status_code, answer.headers, answer.content, write=write
                )
            )
        return self._body(answer, write=write)

    def _send(self, service: str, method: str, url: str, *, tenant: str, **options: Any) -> Any:
        version = VERSIONS.get(service)
        if version is not None:
            options["microversion"] = ".".join(map(str, version))
        if tenant:
            options["auth"] = self._as_tenant(tenant)
        options["timeout"] = (self.settings.connect_timeout_s, self.settings.timeout_s)
        proxy = self._proxy(service)
        # Whatever clouds.yaml says of a cache: what is decided on is what is there now.
        options |= {"raise_exc": False, "skip_cache": True}
        return proxy.request(url, method, connect_retries=0, status_code_retries=0, **options)

    @staticmethod
    def _body(answer: Any, *, write: bool) -> Json:
        if not answer.content:
            return {}
        try:
            body = answer.json()
        except _json.JSONDecodeError as error:
            raise TransientCloudError("BadAnswer", str(error), outcome_unknown=write) from error
        return body if isinstance(body, dict) else {"": body}

    def pages(
        self, service: str, url: str, key: str, params: Sequence[tuple[str, Any]] = ()
    ) -> Iterator[list[Json]]:
        """List something page by page, each page one call; the marker is the last one's id.

        A page may be shorter than was asked for and not the last: a service has a maximum, too.
        """
        size, marker = self.settings.page_size, ""
        while True:
            asked = [*params, ("limit", size), *([("marker", marker)] if marker else [])]
            body = self.get(service, url, params=asked)
            rows: list[Json] = body.get(key) or []
            if rows:
                marker = str(rows[-1]["id"])
                yield rows
            if not rows or (len(rows) < size and not goes_on(body)):
                return

    def rows(
        self, service: str, url: str, key: str, params: Sequence[tuple[str, Any]] = ()
    ) -> list[Json]:
        """List something, all pages in one."""
        return [row for page in self.pages(service, url, key, params) for row in page]

    # --- Who calls ---

    def user_id(self) -> str:
        """Return the id of the user that the credentials are of."""
        return self._of_auth("get_user_id")

    def own_project(self) -> str:
        """Return the id of the project that the credentials are for; empty if for none."""
        return self._of_auth("get_project_id")

    def _of_auth(self, name: str) -> str:
        try:
            ks = self.connection.session
            return str(getattr(ks.auth, name)(ks) or "")
        except Exception as error:
            raise lost(error, write=False) from error

    def has(self, service: str) -> bool:
        """Whether the region has a service at all."""
        try:
            ks = self.connection.session
            access = ks.auth.get_access(ks)  # type: ignore[union-attr]
            found = access.service_catalog.get_endpoints_data(
                interface=self._region.get_interface(service), region_name=self._region.region_name
            )
        except Exception as error:
            raise lost(error, write=False) from error
        names = {name for name, endpoints in found.items() if endpoints}
        return bool(names & _CATALOGUE_NAMES.get(service, {service}))

    def versions(self, service: str) -> tuple[str, str]:
        """Return the lowest and highest microversion of a service, as words; empty where none."""
        try:
            data = self._proxy(service).get_endpoint_data()
        except Exception as error:
            raise lost(error, write=False) from error
        if data is None:
            return "", ""
        low, high = data.min_microversion, data.max_microversion
        words = [discover.version_to_string(v) if v else "" for v in (low, high)]
        return words[0], words[1]

    def _as_tenant(self, project: str) -> plugin.BaseAuthPlugin:
        """Return what logs in to a tenant's project with our credentials."""
        with self._lock:
            known = self._tenants.get(project)
            if known is not None:
                self._tenants.move_to_end(project)
                return known
        made = self._scoped(project)
        with self._lock:
            self._tenants[project] = made
            while len(self._tenants) > _TENANTS:
                self._tenants.popitem(last=False)
        return made

    def _scoped(self, project: str) -> plugin.BaseAuthPlugin:
        if self.tenant_login is not None:
            return self.password_login(*self.tenant_login, project)
        auth = self.connection.connect_as(project_id=project).config.get_auth()
        assert auth is not None, "the connection itself has logged in"
        return auth

    # --- Credentials that are bound to one project ---

    @property
    def bound(self) -> bool:
        """Whether the credentials are for one project, so that no tenant's can be entered."""
        return str(self._region.config.get("auth_type")) in _BOUND

    def derived_secret(self, purpose: str) -> str:
        """Return a secret that everybody can derive who has the credentials' own, and nobody else.

        So every controller knows it, and it is kept nowhere.
        """
        own = str(self._region.get_auth_args().get("application_credential_secret") or "")
        if not own:
            raise TransientCloudError("NoCredentials", "there is no application credential secret")
        return hmac.new(own.encode(), purpose.encode(), hashlib.sha256).hexdigest()

    def password_login(self, user: str, secret: str, project: str = "") -> plugin.BaseAuthPlugin:
        """Return what logs in a user, known by id, to a project or to none."""
        return v3.Password(
            str(self._region.get_auth_args()["auth_url"]),
            user_id=user,
            password=secret,
            project_id=project or None,
            unscoped=not project,
        )

    def works(self, login: plugin.BaseAuthPlugin) -> bool:
        """Whether a login is accepted."""
        try:
            login.get_token(self.connection.session)
        except exceptions.Unauthorized:
            return False
        except Exception as error:
            raise lost(error, write=False) from error
        return True

    # --- The SDK ---

    @cached_property
    def _config(self) -> OpenStackConfig:
        files = [self.settings.config_file] if self.settings.config_file else None
        return OpenStackConfig(config_files=files, load_envvars=False, app_name="govcloud")

    @cached_property
    def _region(self) -> CloudRegion:
        region = self._config.get_one(**self._arguments())
        region.set_session_constructor(self._make_session)  # type: ignore[arg-type]
        return region

    def _arguments(self) -> dict[str, Any]:
        settings = self.settings
        arguments: dict[str, Any] = {
            "interface": settings.interface,
            "api_timeout": settings.timeout_s,
        }
        if settings.cloud:
            arguments["cloud"] = settings.cloud
        else:
            arguments["auth_type"] = "v3applicationcredential"
            arguments["auth"] = {
                "auth_url": settings.auth_url,
                "application_credential_id": follow(settings.credential.get("id", ("value", ""))),
                "application_credential_secret": follow(
                    settings.credential.get("secret", ("value", ""))
                ),
            }
        if settings.region:
            arguments["region_name"] = settings.region
        if settings.ca_file:
            arguments["cacert"] = settings.ca_file
        return arguments

    def _make_session(self, **options: Any) -> session.Session:
        return session.Session(session=self._pool, **options)

    @property
    def connection(self) -> Connection:
        """The SDK's connection, made at the first call."""
        with self._lock:
            return self._connection

    @cached_property
    def _connection(self) -> Connection:
        return Connection(config=self._region, app_name="govcloud")

    def _proxy(self, service: str) -> Any:
        connection = self.connection
        with self._lock:
            return getattr(connection, service.replace("-", "_"))

    def close(self) -> None:
        """Give the connections back."""
        self._pool.close()


def goes_on(body: Json) -> bool:
    """Whether a list goes on after this page; each service says so in a way of its own.

    Glance: `next`. Keystone: `links.next`. The others: a link `next` in `<what is listed>_links`.
    """
    # Neutron always links to the page before, even where there is none.
    links = [link for word, found in body.items() if word.endswith("_links") for link in found]
    told = [body.get("next"), (body.get("links") or {}).get("next")]
    return any(told) or any(link.get("rel") == "next" for link in links)


_CATALOGUE_NAMES: Final[Mapping[str, set[str]]] = {
    STORAGE: {"block-storage", "block-store", "volumev3", "volume"},
}


def lost(error: BaseException, *, write: bool) -> CloudError:
    """Return what a call means that got no answer, or none that could be read."""
    if isinstance(error, CloudError):
        return error
    if _unsayable(error):  # its text is the token's
        return TransientCloudError("NoCredentials", "the token holds what no token can")
    shown = _LOGIN.sub("//", f"{type(error).__name__}: {error}")
    if isinstance(error, exceptions.HttpError) and error.http_status:
        return _refused(error)
    if isinstance(error, _NO_SERVICE):
        return TerminalCloudError("NoService", shown)
    reason = next((word for kinds, word in _LOST if isinstance(error, kinds)), "InternalError")
    if _never_sent(error):
        return TransientCloudError("Unreachable", shown)
    unknown = write and reason in _MAY_HAVE_ACTED
    return TransientCloudError(reason, shown, outcome_unknown=unknown)


_NO_SERVICE: Final = (exceptions.EndpointNotFound, ServiceDisabledException)
_LOST: Final[tuple[tuple[Any, str], ...]] = (
    ((exceptions.SSLError, requests.exceptions.SSLError), "Untrusted"),
    ((exceptions.ConnectTimeout, requests.Timeout), "Timeout"),
    ((exceptions.ConnectionError, requests.RequestException), "ConnectionLost"),
    ((exceptions.ClientException, SDKException, OSError), "Unreachable"),
)
_MAY_HAVE_ACTED: Final = frozenset({"Timeout", "ConnectionLost", "InternalError"})
_NEVER_SENT: Final = (
    NewConnectionError,
    NameResolutionError,
    ConnectTimeoutError,
    requests.ConnectTimeout,
)


def _refused(error: exceptions.HttpError) -> CloudError:
    """Return what a refused log-in means; logging in changes nothing."""
    answer = error.response
    headers = answer.headers if answer is not None else {}
    body = answer.content if answer is not None else str(error).encode()
    return error_of(read_answer(IDENTITY, int(error.http_status), headers, body, write=False))


def _never_sent(error: BaseException) -> bool:
    """Whether a connection never came to be, so that nothing can have taken effect."""
    return any(
        isinstance(found, _NEVER_SENT) or isinstance(getattr(found, "reason", None), _NEVER_SENT)
        for found in _beneath(error)
    )


def _unsayable(error: BaseException) -> bool:
    """Whether a header, and so what we log in with, was of no form that can be sent."""
    kinds = (requests.exceptions.InvalidHeader, UnicodeEncodeError)
    return any(isinstance(found, kinds) for found in _beneath(error))


def _beneath(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what led to it."""
    while error is not None:
        yield error
        inner = next((a for a in error.args if isinstance(a, BaseException)), None)
        error = error.__cause__ or error.__context__ or inner
