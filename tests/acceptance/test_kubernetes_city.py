"""A city on a real API server, as its people type it: from the registration to the release."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from kubernetes import client, config

from govcloud.errors import Exit
from govcloud.ports.cloud import CloudAddress
from govcloud.testing.cluster import Cluster
from govcloud.testing.kubernetes import ControlPlane
from govcloud.testing.meanwhile import wait_until
from provisioners.kubernetes.driver import open_cluster

pytestmark = pytest.mark.slow
Typed = Callable[..., Any]
RIGHTS = Path(__file__).parents[2] / "deploy" / "kubernetes" / "rights.yaml"
APPLY = "application/apply-patch+yaml"
LIMITS = {"namespaces": 20, "k8s-cpu": "100", "k8s-memory": "200Gi", "k8s-pods": 500}


def document(kind: str, name: str, department: str = "", **spec: Any) -> dict[str, Any]:
    about = {"name": name} | ({"department": department} if department else {})
    return {"apiVersion": "govcloud.io/v1", "kind": kind, "metadata": about, "spec": spec}


def quota(department: str) -> dict[str, Any]:
    limits = LIMITS | {"k8s-storage.ssd": "500Gi"}
    return document("Quota", department) | {"spec": {"department": department, "limits": limits}}


def platform(connection: dict[str, str], departments: list[str]) -> list[dict[str, Any]]:
    cloud = {"provider": "kubernetes", "kinds": ["Namespace"], "connection": connection}
    return [
        document("Department", "city", level="city", type="area"),
        *(document("Department", d, level="department", parent="city") for d in departments),
        document("Cloud", "k8s", **cloud, limits={"resyncSeconds": 60}),
        document("Zone", "extranet", cloud="k8s", type="政务外网公共区", mlpsLevel=3),
        *(quota(d) for d in departments),
    ]


def system(department: str, number: int) -> dict[str, Any]:
    security = {"classified": False, "mlpsLevel": 3, "filingNo": f"000000-26-000{number}"}
    project = {"id": f"XM-2026-00{number}", "phase": "实施"}
    spec = {"code": f"{department}-1", "security": security, "project": project}
    return document("System", "portal", department, **spec)


@dataclass
class City:
    """The workspace, its cluster, and short words for what is typed again and again."""

    folder: Path
    cluster: Cluster
    departments: list[str]
    type: Typed

    @property
    def own(self) -> str:
        """The department that the tests act for."""
        return self.departments[0]

    def called(self, name: str = "web") -> str:
        """What a namespace is called in the cluster."""
        return f"{self.own}-{name}"

    def write(self, *documents: dict[str, Any]) -> str:
        file = self.folder / f"{uuid4().hex}.yaml"
        file.write_text(yaml.safe_dump_all(documents, allow_unicode=True), encoding="utf-8")
        return str(file)

    def namespace(self, name: str = "web", **spec: Any) -> dict[str, Any]:
        size = {"cpu": "4", "memory": "8Gi", "pods": 10, "storage": {"ssd": "50Gi"}}
        access = {"access": {"admin": ["clerk"], "view": ["viewer"]}}
        base = {"system": "portal", "zone": "extranet", **size, **access}
        return document("Namespace", name, self.own, **{**base, **spec})

    def build(self, *documents: dict[str, Any]) -> None:
        """Submit as the department, approve, and let the controller work."""
        number = self.type("--as", "clerk", "submit", "-f", self.write(*documents)).lines[-1]
        self.approve(number)

    def approve(self, number: str, code: int = Exit.OK) -> None:
        self.type("--as", "approver", "approve", number, "--yes")
        self.type("controller", "run", "--once", code=code)

    def one(self, name: str = "web") -> dict[str, Any]:
        shown = self.type("--as", "clerk", "get", f"ns/{name}", "-o", "json")
        found: dict[str, Any] = json.loads(shown.out)
        return found["items"][0] if "items" in found else found

    def path(self, name: str = "web", kind: str = "", part: str = "govcloud") -> str:
        base = f"/api/v1/namespaces/{self.called(name)}"
        return f"{base}/{kind}/{part}" if kind else base


@pytest.fixture
def cluster(control_plane: ControlPlane) -> Iterator[Cluster]:
    cluster = Cluster(control_plane, pageSize="500")
    for item in yaml.safe_load_all(RIGHTS.read_text(encoding="utf-8")):
        put(control_plane, item)
    # The authorizer learns of new roles by a watch of its own.
    address = CloudAddress("k8s", control_plane.connection("govcloud"), "test", "")
    with closing(open_cluster(address)) as driver:
        wait_until(lambda: not driver.report().problems)
    yield cluster
    cluster.close()


def put(plane: ControlPlane, item: dict[str, Any]) -> None:
    """Apply one document of the rights, with the service user of the tests as its subject."""
    if item["kind"].endswith("RoleBinding"):
        group = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "govcloud"}
        item["subjects"] = [group]
    about = item["metadata"]
    group, plural = item["apiVersion"], f"{item['kind'].lower()}s"
    base = f"/apis/{group}" if "/" in group else f"/api/{group}"
    inside = f"namespaces/{about['namespace']}/" if "namespace" in about else ""
    path = f"{base}/{inside}{plural}/{about['name']}?fieldManager=test&force=true"
    plane.call("PATCH", path, item, kind=APPLY)


@pytest.fixture
def city(
    cluster: Cluster, tmp_path: Path, govcloud: Typed, monkeypatch: pytest.MonkeyPatch
) -> City:
    """A workspace whose cluster is reached with the rights of `deploy/` and no others."""
    folder = tmp_path / "city"
    govcloud("init", str(folder))
    monkeypatch.setenv("GOVCLOUD_WORKSPACE", str(folder))
    departments = [cluster.department, f"{cluster.department}x"]
    city = City(tmp_path, cluster, departments, govcloud)
    connection = cluster.connection() | {
        "token-file": str(cluster.plane.token_file("govcloud")),
        "pageSize": "500",
    }
    govcloud("apply", "-f", city.write(*platform(connection, departments)))
    govcloud("token", "create", "approver", "--role", "approver", "--save")
    for user, department in (
        ("clerk", departments[0]),
        ("viewer", departments[0]),
        ("passer-by", departments[0]),
        ("stranger", departments[1]),
    ):
        govcloud("token", "create", user, "--role", "applicant", "-d", department, "--save")
    return city


def test_doctor_needs_no_more_than_deploy_grants(city: City) -> None:
    checks = json.loads(city.type("doctor", "-o", "json", code=None).out)["checks"]
    (found,) = (check for check in checks if check["check"] == "cloud/k8s")
    assert found["status"] == "ok", found
    assert "v1." in found["message"]


def test_from_the_request_to_the_way_in(city: City) -> None:
    city.build(system(city.own, 1), city.namespace())
    assert city.one()["status"]["ready"]

    for number in range(9):
        city.cluster.pod(city.called(), f"pod-{number}")
    quota = city.path(kind="resourcequotas", part="govcloud")
    wait_until(lambda: city.cluster.plane.look(quota)["status"]["used"]["pods"] == "9")
    wide = city.type("--as", "clerk", "get", "ns", "-o", "wide").out
    assert "9/10 90%!" in wide
    assert "900m/4 22%" in wide

    way = {}
    for who in ("clerk", "viewer"):
        shown = city.type("--as", who, "kubeconfig", "web")
        way[who] = let_in(yaml.safe_load(shown.out))
        api = client.CoreV1Api(way[who])
        wait_until(lambda a=api: may_list_pods(a, city.called()))
        assert len(api.list_namespaced_pod(city.called()).items) == 9
    secret = {"metadata": {"name": "s"}, "stringData": {"a": "b"}}
    client.CoreV1Api(way["clerk"]).create_namespaced_secret(city.called(), secret)
    with pytest.raises(client.ApiException) as refused:
        client.CoreV1Api(way["viewer"]).create_namespaced_secret(city.called(), secret)
    assert refused.value.status == 403
    with pytest.raises(client.ApiException) as outside:
        client.CoreV1Api(way["clerk"]).list_namespaced_pod("kube-system")
    assert outside.value.status == 403

    denied = city.type("--as", "passer-by", "kubeconfig", "web", code=Exit.FORBIDDEN)
    assert "passer-by" in denied.err
    unknown = city.type("--as", "stranger", "kubeconfig", "web", "-d", city.own, code=None)
    assert unknown.code in (Exit.FORBIDDEN, Exit.NOT_FOUND)
    assert "token" not in unknown.out


def let_in(document: dict[str, Any]) -> client.ApiClient:
    found = client.Configuration()
    config.load_kube_config_from_dict(document, client_configuration=found)
    return client.ApiClient(found)


def may_list_pods(api: client.CoreV1Api, namespace: str) -> bool:
    """Whether somebody may list the pods of a namespace by now."""
    try:
        api.list_namespaced_pod(namespace)
    except client.ApiException as error:
        if error.status != 403:
            raise
        return False
    return True


@pytest.mark.guarantee("Q5")
def test_fewer_than_are_in_use_are_refused_or_forced(city: City) -> None:
    city.build(system(city.own, 1), city.namespace())
    for number in range(4):
        city.cluster.pod(city.called(), f"pod-{number}")
    quota = city.path(kind="resourcequotas")
    wait_until(lambda: city.cluster.plane.look(quota)["status"]["used"]["pods"] == "4")

    smaller = city.write(city.namespace(pods=3, cpu="300m"))
    for verb in ("plan", "submit"):
        refused = city.type("--as", "clerk", verb, "-f", smaller, code=Exit.POLICY)
        said = refused.out + refused.err
        assert "k8s-pods: 3 < 4" in said
        assert "k8s-cpu: 300m < 400m" in said
        assert "allowOverQuota" in said
    assert city.cluster.plane.look(quota)["spec"]["hard"]["pods"] == "10"

    fitting = city.write(city.namespace(pods=4))
    city.type("--as", "clerk", "plan", "-f", fitting)

    city.build(city.namespace(pods=3, allowOverQuota=True))
    assert city.cluster.plane.look(quota)["spec"]["hard"]["pods"] == "3"
    assert "4/3 133%!" in city.type("--as", "clerk", "get", "ns", "-o", "wide").out
    shown = city.type("--as", "clerk", "describe", "ns/web").out
    assert "over" in shown.lower()


@pytest.mark.guarantee("Q5")
def test_what_taking_over_a_namespace_does_is_shown_before(city: City) -> None:
    city.build(system(city.own, 1))
    name, plane = f"{city.own}-legacy", city.cluster.plane
    city.cluster.namespace(name, **{"app.kubernetes.io/managed-by": "Helm"})
    base = f"/api/v1/namespaces/{name}"
    wait_until(lambda: plane.look(f"{base}/serviceaccounts/default"))
    city.cluster.pod(name, cpu="2", memory="1Gi")
    everything = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}
    policies = f"/apis/networking.k8s.io/v1/namespaces/{name}/networkpolicies"
    plane.call("POST", policies, {"metadata": {"name": "open"}, "spec": everything})
    limits = {"limits.cpu": "1", "limits.memory": "1Gi", "pods": "5"}
    quota = {"metadata": {"name": "old"}, "spec": {"hard": limits}}
    plane.call("POST", f"{base}/resourcequotas", quota)

    whose = ("-d", city.own, "-s", "portal")
    shown = city.type("adopt", "k8s", name, "--into", "ns/old", *whose, "--dry-run", code=None)
    said = shown.out + shown.err
    assert "app.kubernetes.io/managed-by: Helm → govcloud" in said
    assert "= NetworkPolicy open" in said
    assert "ingress=[{}]" in said
    assert "k8s-cpu 2" in said
    assert "k8s-cpu: 1 < 2" in said, "QUO-9"
    assert "govcloud.io/uid" not in plane.look(base)["metadata"]["labels"]


def test_a_cloud_that_is_silent_lets_plans_be_made(city: City) -> None:
    city.build(system(city.own, 1), city.namespace())
    city.cluster.break_down()
    planned = city.type("--as", "clerk", "plan", "-f", city.write(city.namespace(pods=3)))
    assert "does not say now what is in use" in planned.out + planned.err


@pytest.mark.guarantee("R2")
def test_a_cloud_that_is_silent_is_named_where_use_is_shown(city: City) -> None:
    city.build(system(city.own, 1), city.namespace())
    city.cluster.break_down()
    wide = city.type("--as", "clerk", "get", "ns", "-o", "wide")
    assert "k8s does not answer" in wide.err
    assert " ? " in wide.out


def test_what_stands_is_taken_over_after_its_difference_was_shown(city: City) -> None:
    city.build(system(city.own, 1))
    name = f"legacy-{city.own}"
    city.cluster.namespace(name, team="old")
    old = {
        "metadata": {"name": "old"},
        "spec": {"hard": {"limits.cpu": "6", "limits.memory": "8Gi"}},
    }
    city.cluster.plane.call("POST", f"/api/v1/namespaces/{name}/resourcequotas", old)
    city.cluster.pod(name, "running")
    path = f"/api/v1/namespaces/{name}"
    before = city.cluster.plane.look(path)

    city.type("controller", "run", "--once")
    assert name in city.type("unmanaged").out
    words = ("adopt", "k8s", name, "--into", "ns/legacy", "-d", city.own, "-s", "portal")
    shown = city.type(*words, "--dry-run").out
    assert "cpu: '6'" in shown
    for line in ("+ quota", "+ policy-deny", "~ namespace", "pod_security.enforce"):
        assert line in shown
    assert city.cluster.plane.look(path) == before

    number = city.type(*words, "--yes").lines[-1]
    assert city.cluster.plane.look(path) == before
    city.approve(number)
    after = city.cluster.plane.look(path)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["labels"]["team"] == "old"
    assert after["metadata"]["labels"]["govcloud.io/department"] == city.own
    assert city.cluster.plane.look(f"{path}/pods/running")
    assert city.one("legacy")["status"]["ready"]
    city.type(*words, "--dry-run", code=Exit.CONFLICT)


def test_what_holds_something_goes_when_somebody_says_so_and_it_is_kept(city: City) -> None:
    city.build(system(city.own, 1), city.namespace())
    city.cluster.pod(city.called(), "running")
    quota = city.path(kind="resourcequotas")
    wait_until(lambda: city.cluster.plane.look(quota)["status"]["used"]["pods"] == "1")
    number = city.type("--as", "clerk", "release", "ns/web", "--yes").lines[-1]
    city.approve(number, Exit.INCOMPLETE)
    assert city.one()["status"]["reason"] == "HoldsData"
    assert city.cluster.plane.look(city.path())
    assert "pods: 1" in city.type("--as", "clerk", "describe", "ns/web").out
    assert charged(city) == 4000

    city.type("confirm", "ns/web", "-d", city.own, "--reason", "copied to the archive", "--yes")
    city.type("controller", "run", "--once")
    assert city.cluster.plane.look(city.path()) is None
    assert charged(city) == 0
    log = city.type("audit", "log", "-o", "json").out
    assert "copied to the archive" in log


def charged(city: City) -> int:
    """What the department is charged for CPU in namespaces."""
    (shown,) = json.loads(city.type("quota", "tree", "-d", city.own, "-o", "json").out)["nodes"]
    found = [one for one in shown["lines"] if one["class"] == "k8s-cpu" and not one["cloud"]]
    return sum(one["allocated"] + one["reserved"] for one in found)
