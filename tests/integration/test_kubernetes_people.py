"""Namespaces as people use them: the way in, what is in use, each only for whom it concerns."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config

from govcloud.clock import SystemClock
from govcloud.domain.access import Role
from govcloud.testing.cluster import Cluster
from govcloud.testing.kubelab import KubeLab
from govcloud.testing.kubernetes import ControlPlane
from govcloud.testing.lab import DEPARTMENT, QUICK
from govcloud.testing.meanwhile import wait_until

HOME = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "govcloud-access"}}
APPLY = "application/apply-patch+yaml"


@pytest.fixture
def database_kind() -> str:
    """One kind of database: what differs between them is tested elsewhere."""
    return "sqlite"


@pytest.fixture
def clock() -> SystemClock:
    """The time of day: the cluster knows no other."""
    return SystemClock()


@pytest.fixture
def cluster(control_plane: ControlPlane) -> Iterator[Cluster]:
    cluster = Cluster(control_plane, pageSize="500")
    path = "/api/v1/namespaces/govcloud-access?fieldManager=test"
    control_plane.call("PATCH", path, HOME, kind=APPLY)
    yield cluster
    cluster.close()


@pytest.fixture
def lab(api: Any, cluster: Cluster) -> Iterator[KubeLab]:
    lab = KubeLab(
        api.wired.store,
        cluster.connection(),
        installation=api.wired.installation,
        settings=QUICK,
    )
    lab.found()
    for name in ("head", "clerk", "passer-by"):
        api.token(name, Role.APPLICANT, DEPARTMENT)
    api.department("other")
    api.token("stranger", Role.APPLICANT, "other")
    api.token("auditor", Role.AUDITOR)
    api.token("head", Role.APPLICANT, DEPARTMENT, "read")
    yield lab
    lab.remove_all(cluster.plane)


@pytest.fixture
def uid(lab: KubeLab) -> str:
    access = {"admin": ["head", "stranger"], "view": ["clerk"]}
    uid = lab.namespace(access=access, pods=10, cpu="2")
    lab.controller().run_once()
    row = lab.row(uid)
    assert row is not None
    assert row.ready, row.message
    return uid


def way_in(api: Any, lab: KubeLab, who: str, **body: str) -> Any:
    return api.post(who, f"/v1/objects/ns/{lab.name_of()}/kubeconfig?department=hrss", body)


def may(document: Any, lab: KubeLab, tmp_path: Path, resource: str) -> int:
    """Return the status of a list in the namespace with a kubeconfig that was given out."""
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(document))
    configuration = client.Configuration()
    config.load_kube_config(str(file), client_configuration=configuration, persist_config=False)
    token = configuration.auth_settings()["BearerToken"]["value"]
    path = f"/api/v1/namespaces/{lab.called()}/{resource}"
    with client.ApiClient(configuration) as opened:
        answer = opened.rest_client.pool_manager.request(
            "GET", configuration.host + path, headers={"Authorization": token}
        )
    return int(answer.status)


@pytest.mark.guarantee("P1")
def test_members_get_in_by_their_role_and_nobody_else(
    api: Any, lab: KubeLab, uid: str, tmp_path: Path
) -> None:
    given = way_in(api, lab, "head").json()
    assert given["role"] == "admin"
    # The authorizer learns of new roles by a watch of its own.
    wait_until(lambda: may(given["kubeconfig"], lab, tmp_path, "secrets") == 200)
    viewer = way_in(api, lab, "clerk").json()
    assert viewer["role"] == "view"
    wait_until(lambda: may(viewer["kubeconfig"], lab, tmp_path, "pods") == 200)
    assert may(viewer["kubeconfig"], lab, tmp_path, "secrets") == 403
    assert way_in(api, lab, "clerk", role="edit").status_code == 403
    assert way_in(api, lab, "head", role="view").json()["role"] == "view"
    for who, status in (("passer-by", 403), ("auditor", 403), ("admin", 403), ("stranger", 404)):
        assert way_in(api, lab, who).status_code == status, who
    assert way_in(api, lab, "head/read").status_code == 403
    acts = api.get("auditor", "/v1/audit?action=object.kubeconfig").json()["items"]
    assert {(act["actor"], act["detail"]["role"]) for act in acts} == {
        ("head", "admin"),
        ("head", "view"),
        ("clerk", "view"),
    }
    assert "token" not in json.dumps(acts)


def test_use_is_what_the_cluster_counts_now(
    api: Any, lab: KubeLab, cluster: Cluster, uid: str
) -> None:
    for _ in range(3):
        cluster.pod(lab.called(), cpu="600m", memory="256Mi")

    def use() -> Any:
        items = api.get("clerk", f"/v1/use?uids={uid}").json()["items"]
        return items[0]["use"]

    wait_until(lambda: use()["k8s-pods"]["used"] == "3")
    assert use()["k8s-cpu"] == {"limit": "2", "used": "1800m", "percent": 90, "high": True}
    assert use()["k8s-pods"]["high"] is False
    assert use()["k8s-storage.ssd"]["limit"] == "50Gi"
    assert api.get("stranger", f"/v1/use?uids={uid}").json()["items"] == []


def test_a_part_of_a_unit_and_of_a_percent_counts(
    api: Any, lab: KubeLab, cluster: Cluster, uid: str
) -> None:
    cluster.pod(lab.called(), cpu="1608m", memory="500M")

    def use() -> Any:
        items = api.get("clerk", f"/v1/use?uids={uid}").json()["items"]
        return items[0]["use"]

    wait_until(lambda: use()["k8s-pods"]["used"] == "1")
    assert use()["k8s-cpu"] == {"limit": "2", "used": "1608m", "percent": 80, "high": True}
    assert use()["k8s-memory"] == {"limit": "8Gi", "used": "477Mi", "percent": 6, "high": False}


def test_a_cluster_that_is_silent_is_named(
    api: Any, lab: KubeLab, cluster: Cluster, uid: str
) -> None:
    cluster.break_down()
    answer = api.get("clerk", f"/v1/use?uids={uid}")
    assert answer.json() == {"items": [], "silent": ["gov"]}
    cluster.proxy.clear()
