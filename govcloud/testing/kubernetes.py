"""A real Kubernetes control plane for tests and benchmarks, on loopback only.

etcd, kube-apiserver and kube-controller-manager, without nodes: pods can be created and are never
run. The programs come from the folder in `KUBEBUILDER_ASSETS` (`/usr/local/kubebuilder/bin` if it
is not set; etcd may also be the distribution's). Instead, `GOVCLOUD_TEST_KUBECONFIG` may name the
kubeconfig of an existing cluster; it is refused unless `GOVCLOUD_TEST_KUBECONFIG_WRITABLE=yes` says
that the tests may create and remove namespaces there.
"""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self
from unittest import SkipTest

from govcloud.testing.certificates import LOOPBACK, Authority, signing_key

ASSETS: Final = "KUBEBUILDER_ASSETS"
DEFAULT_ASSETS: Final = "/usr/local/kubebuilder/bin"
KUBECONFIG: Final = "GOVCLOUD_TEST_KUBECONFIG"
WRITABLE: Final = "GOVCLOUD_TEST_KUBECONFIG_WRITABLE"
ADMIN: Final = "admin"
NOBODY: Final = "nobody"
"""A user who may do nothing until a test binds a role to it."""
_GROUPS: Final[Mapping[str, str]] = {
    ADMIN: "system:masters",
    NOBODY: "",
    "govcloud": "",
    "applicant": "",
    "stranger": "",
}
_START_S: Final = 300.0
_STOP_S: Final = 5.0
_CALL_S: Final = 120.0
"""A server on a busy machine may take its time; nobody waits for one that is down."""
_CONTROLLERS: Final = (
    "namespace-controller",
    "resourcequota-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
    "garbage-collector-controller",
    "clusterrole-aggregation-controller",
    "persistentvolumeclaim-protection-controller",
)


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the three programs are."""

    etcd: Path
    apiserver: Path
    manager: Path


def find_programs() -> Programs | str:
    """Return the programs, or the sentence that says what is missing."""
    folder = Path(os.environ.get(ASSETS) or DEFAULT_ASSETS)
    etcd = folder / "etcd"
    if not etcd.is_file():
        etcd = Path(shutil.which("etcd") or etcd)
    found = Programs(etcd, folder / "kube-apiserver", folder / "kube-controller-manager")
    names = (found.etcd, found.apiserver, found.manager)
    missing = [file.name for file in names if not os.access(file, os.X_OK)]
    if missing:
        return f"no {', '.join(missing)} in {folder} ({ASSETS})"
    return found


@dataclass(slots=True)
class ControlPlane:
    """A running control plane; `kubeconfig` is its administrator's."""

    programs: Programs
    folder: Path
    ports: Mapping[str, int]
    ca_file: Path
    _commands: dict[str, Sequence[str]] = field(default_factory=dict)
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def start(cls, programs: Programs, *options: str) -> Iterator[Self]:
        """Start all three in a new folder, and stop and remove them at the end.

        `options` are added to the API server's command line.
        """
        with _held_ports("etcd", "peer", "api", "manager") as ports:
            folder = Path(tempfile.mkdtemp(prefix="govcloud-k8s-"))
            authority = Authority(folder)
            plane = cls(programs, folder, ports, authority.file)
            plane._prepare(authority, options)
            try:
                for name in ("etcd", "apiserver", "manager"):
                    plane.run(name)
                yield plane
            finally:
                for name in list(plane._running):
                    plane.kill(name)
                shutil.rmtree(folder, ignore_errors=True)

    # --- Who it lets in ---

    @property
    def url(self) -> str:
        """Where the API server listens."""
        return f"https://{LOOPBACK}:{self.ports['api']}"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig; its context is called `admin`."""
        return self.folder / "kubeconfig"

    def token_file(self, user: str = ADMIN) -> Path:
        """Return the file with the token of one of the users that it knows."""
        return self.folder / f"{user}.token"

    def connection(self, user: str = ADMIN) -> dict[str, str]:
        """Return what a `Cloud` document says of it, with a token file and its CA."""
        return {
            "endpoint": self.url,
            "ca-file": str(self.ca_file),
            "token-file": str(self.token_file(user)),
            "timeout": str(_CALL_S),
        }

    def call(
        self, method: str, path: str, body: object = None, *, user: str = ADMIN, kind: str = ""
    ) -> Any:
        """Make a call past the driver and return the JSON; raises urllib's HTTPError."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, method=method)  # noqa: S310 (loopback)
        request.add_header("Authorization", f"Bearer {self.token_file(user).read_text()}")
        if data is not None:
            request.add_header("Content-Type", kind or "application/json")
        context = ssl.create_default_context(cafile=str(self.ca_file))
        try:
            with urllib.request.urlopen(request, timeout=_CALL_S, context=context) as answer:  # noqa: S310
                text = answer.read().decode()
        except urllib.error.HTTPError as error:
            error.close()
            raise
        return json.loads(text) if text.startswith("{") else text

    def look(self, path: str) -> Any:
        """Return what is at a path, or None where nothing is."""
        try:
            return self.call("GET", path)
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return None

    # --- Its processes: etcd, apiserver, manager ---

    def run(self, name: str) -> None:
        """Start a process and wait until it answers."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603 (programs of the control plane)
                [*_dying(), *self._commands[name]], stdout=log, stderr=log, cwd=self.folder
            )
        deadline = time.monotonic() + _START_S
        while not self._answers(name):
            if self._running[name].poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} did not start:\n{self.log(name)}")
            time.sleep(0.1)

    def stop(self, name: str) -> None:
        """Ask a process to end, and end it if it does not within a few seconds."""
        process = self._running.pop(name)
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self, name: str) -> None:
        """End a process at once."""
        process = self._running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def restart(self, name: str) -> None:
        """End a process at once and start it again."""
        self.kill(name)
        self.run(name)

    def log(self, name: str) -> str:
        """Return the end of what a process wrote."""
        return (self.folder / f"{name}.log").read_text("utf-8", "replace")[-4000:]

    def _answers(self, name: str) -> bool:
        if name == "manager":
            with socket.socket() as probe:
                probe.settimeout(1)
                return probe.connect_ex((LOOPBACK, self.ports["manager"])) == 0
        try:
            if name == "etcd":
                url = f"http://{LOOPBACK}:{self.ports['etcd']}/health"
                with urllib.request.urlopen(url, timeout=1) as answer:
                    return bool(answer.status == 200)
            return bool(self.call("GET", "/readyz") == "ok")
        except (OSError, urllib.error.URLError):
            return False

    def _prepare(self, authority: Authority, options: Sequence[str]) -> None:
        certificate, key = authority.server("apiserver")
        accounts = signing_key(self.folder / "accounts.key")
        lines = []
        for user, group in _GROUPS.items():
            token = os.urandom(16).hex()
            self.token_file(user).write_text(token)
            lines.append(f'{token},{user},{user},"{group}"')
        (self.folder / "tokens.csv").write_text("\n".join(lines) + "\n")
        self.kubeconfig.write_text(json.dumps(self._kubeconfig()))
        etcd, peer = (f"http://{LOOPBACK}:{self.ports[name]}" for name in ("etcd", "peer"))
        self._commands = {
            "etcd": [
                str(self.programs.etcd),
                f"--data-dir={self.folder / 'etcd'}",
                f"--listen-client-urls={etcd}",
                f"--advertise-client-urls={etcd}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=default={peer}",
                "--unsafe-no-fsync",
                "--log-level=warn",
            ],
            "apiserver": [
                str(self.programs.apiserver),
                f"--etcd-servers={etcd}",
                f"--bind-address={LOOPBACK}",
                f"--secure-port={self.ports['api']}",
                f"--tls-cert-file={certificate}",
                f"--tls-private-key-file={key}",
                f"--service-account-key-file={accounts}",
                f"--service-account-signing-key-file={accounts}",
                "--service-account-issuer=https://kubernetes.default.svc",
                "--api-audiences=https://kubernetes.default.svc",
                "--service-cluster-ip-range=10.0.0.0/24",
                f"--token-auth-file={self.folder / 'tokens.csv'}",
                "--authorization-mode=RBAC",
                "--endpoint-reconciler-type=none",
                "--profiling=false",
                *options,
            ],
            "manager": [
                str(self.programs.manager),
                f"--kubeconfig={self.kubeconfig}",
                f"--bind-address={LOOPBACK}",
                f"--secure-port={self.ports['manager']}",
                f"--cert-dir={self.folder / 'manager'}",
                f"--service-account-private-key-file={accounts}",
                f"--root-ca-file={self.ca_file}",
                f"--controllers={','.join(_CONTROLLERS)}",
                "--leader-elect=false",
                "--use-service-account-credentials=false",
                "--concurrent-namespace-syncs=50",
                "--kube-api-qps=1000",
                "--kube-api-burst=2000",
                "--profiling=false",
            ],
        }

    def _kubeconfig(self) -> dict[str, object]:
        return kubeconfig(self.url, self.ca_file, self.token_file().read_text())


def _dying() -> Sequence[str]:
    """Return what lets a process end with this one, also if this one is killed."""
    program = shutil.which("setpriv")
    return [program, "--pdeathsig", "KILL"] if program else []


def kubeconfig(url: str, ca_file: Path, token: str) -> dict[str, object]:
    """Return a kubeconfig with one context, `admin`."""
    cluster = {"server": url, "certificate-authority": str(ca_file)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": ADMIN, "user": {"token": token}}],
        "contexts": [{"name": ADMIN, "context": {"cluster": "test", "user": ADMIN}}],
        "current-context": ADMIN,
    }


@contextmanager
def _held_ports(*names: str) -> Iterator[Mapping[str, int]]:
    """Hold a port of loopback for each name, also while the program that listens there is down.

    A socket that is bound and does not listen keeps the system from giving its port to others;
    programs in Go may listen there all the same, because they do not mind an address in use.
    """
    with ExitStack() as held:
        ports = {}
        for name in names:
            holder = held.enter_context(socket.socket())
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind((LOOPBACK, 0))
            ports[name] = holder.getsockname()[1]
        yield ports


class ExistingCluster(ControlPlane):
    """A cluster that was there before: its processes are not ours, and it knows no test users."""

    @property
    def url(self) -> str:
        """Where the API server listens."""
        return self._commands["url"][0]

    def token_file(self, user: str = ADMIN) -> Path:
        """Return the file with the administrator's token; no other user is known."""
        if user != ADMIN:
            raise SkipTest(f"{KUBECONFIG} has no user {user}")
        return super().token_file(user)

    def run(self, name: str) -> None:
        """Leave out what starts and ends processes."""
        raise SkipTest(f"the {name} of {KUBECONFIG} is not ours")

    kill = stop = restart = run


@contextmanager
def control_plane_or_reason(*options: str) -> Iterator[ControlPlane | str]:
    """Give the cluster that tests may use, or the sentence that says why there is none."""
    named = os.environ.get(KUBECONFIG)
    if named:
        with _existing(Path(named)) as found:
            yield found
        return
    programs = find_programs()
    if isinstance(programs, str):
        yield programs
        return
    with ControlPlane.start(programs, *options) as plane:
        yield plane


@contextmanager
def _existing(kubeconfig_file: Path) -> Iterator[ControlPlane | str]:
    from kubernetes import client, config

    if os.environ.get(WRITABLE) != "yes":
        yield f"{KUBECONFIG} is not written to unless {WRITABLE}=yes"
        return
    found = client.Configuration()
    config.load_kube_config(  # type: ignore[no-untyped-call]
        str(kubeconfig_file), client_configuration=found, persist_config=False
    )
    said = found.auth_settings().get("BearerToken")
    if not said or not found.ssl_ca_cert:
        yield f"{KUBECONFIG} needs a user with a token, and a CA"
        return
    folder = Path(tempfile.mkdtemp(prefix="govcloud-k8s-"))
    nothing = Programs(Path(), Path(), Path())
    place: dict[str, Sequence[str]] = {"url": [found.host]}
    cluster = ExistingCluster(nothing, folder, {}, Path(found.ssl_ca_cert), place)
    (folder / f"{ADMIN}.token").write_text(str(said["value"]).removeprefix("Bearer "))
    try:
        yield cluster
    finally:
        shutil.rmtree(folder, ignore_errors=True)
