"""The rights in deploy/ are what the driver needs, and what is missing is named."""

import contextlib
import email
import json
import socket
import socketserver
import threading
import urllib.error
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config

from govcloud.errors import CloudError, TransientCloudError
from govcloud.messages import render
from govcloud.ports.cloud import CloudAddress
from govcloud.testing.certificates import Authority
from govcloud.testing.cluster import Cluster, namespace_order
from govcloud.testing.contracts import differences, one
from govcloud.testing.kubernetes import ControlPlane
from govcloud.testing.meanwhile import wait_until
from provisioners.kubernetes import rights
from provisioners.kubernetes.driver import KubernetesProvisioner, open_cluster
from provisioners.kubernetes.settings import Settings

RIGHTS = Path(__file__).parents[2] / "deploy/kubernetes/rights.yaml"
APPLY = "application/apply-patch+yaml"
USER = "govcloud"
PATHS = {
    "Namespace": "/api/v1/namespaces/{name}",
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts/{name}",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles/{name}",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{name}",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles/{name}",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings/{name}",
}


def apply(plane: ControlPlane, document: dict[str, Any]) -> None:
    """Apply a document as an administrator; the user of the tests stands for the account."""
    for subject in document.get("subjects", ()):
        subject.clear()
        subject |= {"kind": "User", "name": USER, "apiGroup": "rbac.authorization.k8s.io"}
    path = PATHS[document["kind"]].format(**document["metadata"])
    plane.call("PATCH", f"{path}?fieldManager=test&force=true", document, kind=APPLY)


def documents() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(RIGHTS.read_text("utf-8")))


@pytest.fixture
def cluster(control_plane: ControlPlane) -> Iterator[Cluster]:
    cluster = Cluster(control_plane)
    yield cluster
    cluster.close()


Opener = Callable[..., KubernetesProvisioner]


@pytest.fixture
def open_at(cluster: Cluster) -> Iterator[Opener]:
    """Opens drivers at what a `Cloud` document says, straight and not through the proxy."""
    opened = []

    def open_(connection: dict[str, str]) -> KubernetesProvisioner:
        address = CloudAddress("k8s", connection, f"test-{cluster.department}", "")
        opened.append(open_cluster(address))
        return opened[-1]

    yield open_
    for driver in opened:
        driver.close()


@pytest.fixture
def open_as(cluster: Cluster, open_at: Opener) -> Opener:
    """Opens drivers as a user of the cluster."""

    def open_(user: str, **connection: str) -> KubernetesProvisioner:
        return open_at({**cluster.plane.connection(user), **connection})

    return open_


@pytest.fixture
def granted(cluster: Cluster, open_as: Opener) -> KubernetesProvisioner:
    """A driver with exactly the rights of deploy/."""
    for document in documents():
        apply(cluster.plane, document)
    driver = open_as(USER)
    # The authorizer learns of new roles by a watch of its own.
    wait_until(lambda: not driver.report().problems)
    return driver


def test_the_rights_in_deploy_are_those_that_are_needed() -> None:
    granted = {
        (verb, group, resource, document["metadata"].get("namespace", ""), name)
        for document in documents()
        for rule in document.get("rules", ())
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
    }
    settings = Settings(endpoint="https://cluster.test")
    needed = {
        (right.verb, right.group, right.resource, right.namespace, right.name)
        for right in rights.needed(settings)
    }
    assert granted == needed


def test_a_namespace_lives_and_dies_with_these_rights(
    granted: KubernetesProvisioner, cluster: Cluster
) -> None:
    order = namespace_order(1, department=cluster.department, access={"admin": ["head"]})
    resources = granted.resources(order)
    for resource in resources:
        granted.create(resource)
    cluster.settle()
    wanted = granted.resources(replace(order, spec={**order.spec, "pods": 10}))
    quota = next(r for r in wanted if r.part == "quota")
    found = one(granted, quota)
    granted.change(found, quota, differences(found, quota))
    assert {item.uid for page in granted.observe() for item in page} >= {order.uid}
    given = granted.admit(order.uid, "admin")
    assert given["expires_at"]
    for resource in resources:
        granted.delete(one(granted, resource))
    cluster.settle()


@pytest.mark.usefixtures("granted")
def test_a_context_of_a_kubeconfig_says_where_the_cluster_is(
    cluster: Cluster, open_at: Opener, tmp_path: Path
) -> None:
    known = yaml.safe_load(cluster.plane.kubeconfig.read_text("utf-8"))
    known["contexts"].append({"name": "dead", "context": {"cluster": "dead", "user": "nobody"}})
    known["current-context"] = "dead"
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(known), "utf-8")
    driver = open_at({"kubeconfig": str(file), "context": "admin"})
    assert driver.report().problems == ()
    order = namespace_order(1, department=cluster.department)
    driver.create(driver.resources(order)[0])
    assert one(driver, driver.resources(order)[0])


@pytest.mark.usefixtures("granted")
def test_inside_the_cluster_its_own_account_and_address_are_used(
    cluster: Cluster, open_at: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane = cluster.plane
    for variable, value in zip(("HOST", "PORT"), plane.url[8:].split(":"), strict=True):
        monkeypatch.setenv(f"KUBERNETES_SERVICE_{variable}", value)
    # Where a kubelet mounts them is the client library's constant.
    mounted = config.incluster_config
    monkeypatch.setattr(mounted, "SERVICE_TOKEN_FILENAME", str(plane.token_file()))
    monkeypatch.setattr(mounted, "SERVICE_CERT_FILENAME", str(plane.ca_file))
    assert open_at({"in-cluster": "true"}).report().problems == ()


def test_what_is_missing_is_named_with_verb_and_resource(open_as: Opener) -> None:
    found = open_as("nobody").report().problems
    problems = [render(one.key, "en", one.params) for one in found]
    assert {render(one.key, "zh", one.params)[:5] for one in found} == {"缺少权限："}
    assert "no right to create networkpolicies.networking.k8s.io" in problems
    assert "no right to bind clusterroles.rbac.authorization.k8s.io/edit" in problems
    assert "no right to create serviceaccounts/token in govcloud-access" in problems
    with pytest.raises(TransientCloudError) as caught:
        open_as("nobody").find(["a"])
    assert caught.value.reason == "Forbidden"


def test_a_token_that_nobody_knows_is_said(open_as: Opener, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("wrong")
    with pytest.raises(CloudError) as caught:
        open_as("admin", **{"token-file": str(file)}).find(["a"])
    assert caught.value.reason == "Unauthenticated"


def test_a_kubeconfig_that_was_replaced_is_read_anew_when_its_token_is_refused(
    cluster: Cluster, open_at: Opener, tmp_path: Path
) -> None:
    ca = {"certificate-authority": str(cluster.plane.ca_file)}
    file = Path(written(tmp_path, cluster, "config", **ca))
    good = file.read_text()
    file.write_text(good.replace(cluster.plane.token_file().read_text().strip(), "expired"))
    driver = open_at({"kubeconfig": str(file)})
    with pytest.raises(CloudError) as caught:
        driver.find(["a"])
    assert caught.value.reason == "Unauthenticated"
    file.write_text(good)
    assert driver.find(["a"]) == []


def test_a_ca_that_did_not_sign_is_not_trusted(open_as: Opener, tmp_path: Path) -> None:
    with pytest.raises(CloudError) as caught:
        open_as("admin", **{"ca-file": str(Authority(tmp_path).file)}).find(["a"])
    assert caught.value.reason == "Untrusted"


def status_of(document: dict[str, Any], path: str, tmp_path: Path, method: str = "GET") -> int:
    """Return the HTTP status of a call with a kubeconfig, as a person's kubectl would make it."""
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(document))
    configuration = client.Configuration()
    config.load_kube_config(str(file), client_configuration=configuration, persist_config=False)
    token = configuration.auth_settings()["BearerToken"]["value"]
    with client.ApiClient(configuration) as api:
        answer = api.rest_client.pool_manager.request(
            method, configuration.host + path, headers={"Authorization": token}
        )
    return int(answer.status)


def written(tmp_path: Path, cluster: Cluster, name: str, **server: Any) -> str:
    """Return a kubeconfig file that trusts the control plane as `server` says."""
    token = cluster.plane.token_file().read_text().strip()
    document = {
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": cluster.plane.url, **server}}],
        "users": [{"name": "u", "user": {"token": token}}],
    }
    (tmp_path / name).write_text(json.dumps(document))
    return str(tmp_path / name)


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_members_find_and_trust_the_server_as_we_do_or_as_is_said(
    granted: KubernetesProvisioner, cluster: Cluster, open_at: Opener, tmp_path: Path
) -> None:
    order = namespace_order(1, department=cluster.department)
    for resource in granted.resources(order):
        granted.create(resource)
    url, ca = cluster.plane.url, str(cluster.plane.ca_file)
    named = url.replace("127.0.0.1", "localhost")
    insecure = written(tmp_path, cluster, "insecure", **{"insecure-skip-tls-verify": True})
    other_name = {"server": named, "certificate-authority": ca, "tls-server-name": "127.0.0.1"}
    renamed = written(tmp_path, cluster, "renamed", **other_name)
    both = {"insecure-skip-tls-verify": True, "tls-server-name": "gov.test"}
    loose = written(tmp_path, cluster, "loose", **both)
    held = {"certificate-authority-data": b64encode(Path(ca).read_bytes()).decode()}
    holding = written(tmp_path, cluster, "holding", **held)
    theirs = Authority(tmp_path).file
    inside = {"kubeconfig": insecure, "members-endpoint": "https://gov.test:6443"}
    known = b64encode(Path(ca).read_bytes()).decode()
    other = b64encode(theirs.read_bytes()).decode()
    for connection, wanted in (
        ({"kubeconfig": insecure}, {"server": url, "insecure-skip-tls-verify": True}),
        ({"kubeconfig": loose}, {"server": url, **both}),
        ({"kubeconfig": holding}, {"server": url, **held}),
        (
            {"kubeconfig": renamed},
            {
                "server": named,
                "tls-server-name": "127.0.0.1",
                "certificate-authority-data": known,
            },
        ),
        (
            {**inside, "members-ca-file": str(theirs)},
            {"server": "https://gov.test:6443", "certificate-authority-data": other},
        ),
        (
            {**inside, "kubeconfig": renamed},
            {"server": "https://gov.test:6443", "certificate-authority-data": known},
        ),
    ):
        driver = open_at(connection)
        document = driver.admit(order.uid, "edit")["kubeconfig"]
        assert document["clusters"][0]["cluster"] == wanted
        if "gov.test" not in str(wanted):
            path = f"/api/v1/namespaces/{driver.resources(order)[0].tenant}/secrets"
            wait_until(lambda d=document, p=path: status_of(d, p, tmp_path) == 200)
    with pytest.raises(TransientCloudError) as caught:
        open_at({**inside, "members-ca-file": "/no/such/ca"}).admit(order.uid, "edit")
    assert caught.value.reason == "NoCredentials"


class Tunnel(socketserver.StreamRequestHandler):
    """A forward proxy: opens the connection that is asked for and passes on both ways."""

    def handle(self) -> None:
        target = self.rfile.readline().split()[1].decode()
        head = email.message_from_string(
            "".join(iter(lambda: self.rfile.readline().decode(), "\r\n"))
        )
        self.server.asked.append((target, head["Proxy-Authorization"]))  # type: ignore[attr-defined]
        host, port = target.split(":")
        with socket.create_connection((host, int(port))) as there:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=pass_on, args=(there, self.connection), daemon=True)
            back.start()
            pass_on(self.connection, there)
            back.join()


def pass_on(here: socket.socket, there: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := here.recv(65536):
            there.sendall(piece)
        there.shutdown(socket.SHUT_WR)


@pytest.fixture
def tunnel() -> Iterator[Any]:
    """A forward proxy on loopback that knows who came and where to."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnel) as server:
        server.daemon_threads = True
        server.asked = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_members_go_through_the_proxy_that_leads_to_the_cluster(
    granted: KubernetesProvisioner,
    cluster: Cluster,
    open_at: Opener,
    tunnel: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order = namespace_order(1, department=cluster.department)
    for resource in granted.resources(order):
        granted.create(resource)
    proxy = f"127.0.0.1:{tunnel.server_address[1]}"
    ca = {"certificate-authority": str(cluster.plane.ca_file)}
    url = {"proxy-url": f"http://govcloud:SECRET@{proxy}"}
    through = {"kubeconfig": written(tmp_path, cluster, "through", **ca, **url)}
    document = open_at(through).admit(order.uid, "edit")["kubeconfig"]
    server = cluster.plane.url.removeprefix("https://")
    ours = f"Basic {b64encode(b'govcloud:SECRET').decode()}"
    assert set(tunnel.asked) == {(server, ours)}
    assert document["clusters"][0]["cluster"]["proxy-url"] == f"http://{proxy}"
    assert "SECRET" not in json.dumps(document)
    tunnel.asked.clear()
    path = f"/api/v1/namespaces/{granted.resources(order)[0].tenant}/secrets"
    wait_until(lambda: status_of(document, path, tmp_path) == 200)
    assert set(tunnel.asked) == {(server, None)}

    elsewhere = {**through, "members-endpoint": "https://gov.test:6443"}
    assert "proxy-url" not in str(open_at(elsewhere).admit(order.uid, "edit"))
    # What the environment says is about this machine and not about the cluster.
    monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy}")
    plain = {"kubeconfig": written(tmp_path, cluster, "plain", **ca)}
    assert "proxy-url" not in str(open_at(plain).admit(order.uid, "edit"))


@pytest.mark.guarantee("P1")
def test_a_members_kubeconfig_reaches_its_namespace_and_no_other(
    granted: KubernetesProvisioner, cluster: Cluster, tmp_path: Path
) -> None:
    own, other = (
        namespace_order(n, department=cluster.department, access={"view": ["a"], "edit": ["b"]})
        for n in (1, 2)
    )
    for order in (own, other):
        for resource in granted.resources(order):
            granted.create(resource)
    cluster.settle()
    names = [granted.resources(order)[0].tenant for order in (own, other)]
    secrets = [f"/api/v1/namespaces/{name}/secrets" for name in names]
    pods = [f"/api/v1/namespaces/{name}/pods" for name in names]
    viewer = granted.admit(own.uid, "view")["kubeconfig"]
    editor = granted.admit(own.uid, "edit")["kubeconfig"]
    for document in (viewer, editor):
        wait_until(lambda d=document: status_of(d, pods[0], tmp_path) == 200)
    assert [status_of(viewer, path, tmp_path) for path in pods] == [200, 403]
    assert [status_of(viewer, path, tmp_path) for path in secrets] == [403, 403]
    assert [status_of(editor, path, tmp_path) for path in secrets] == [200, 403]
    for outside in (
        "/api/v1/namespaces/govcloud-access/serviceaccounts",
        "/api/v1/namespaces",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    ):
        assert status_of(editor, outside, tmp_path) == 403


def test_a_members_account_goes_with_its_namespace(
    granted: KubernetesProvisioner, cluster: Cluster
) -> None:
    order = namespace_order(1, department=cluster.department)
    for resource in granted.resources(order):
        granted.create(resource)
    granted.admit(order.uid, "edit")
    name = granted.resources(order)[0].tenant
    account = f"/api/v1/namespaces/govcloud-access/serviceaccounts/{name}.edit"
    assert cluster.plane.look(account)
    granted.delete(one(granted, granted.resources(order)[0]))
    cluster.settle()
    wait_until(lambda: cluster.plane.look(account) is None)


def test_nobody_else_may_ask_for_such_a_token(
    granted: KubernetesProvisioner, cluster: Cluster
) -> None:
    order = namespace_order(1, department=cluster.department)
    for resource in granted.resources(order):
        granted.create(resource)
    granted.admit(order.uid, "edit")
    name = granted.resources(order)[0].tenant
    path = f"/api/v1/namespaces/govcloud-access/serviceaccounts/{name}.edit/token"
    with pytest.raises(urllib.error.HTTPError) as caught:
        cluster.plane.call("POST", path, {"spec": {}}, user="applicant")
    assert caught.value.code == 403
