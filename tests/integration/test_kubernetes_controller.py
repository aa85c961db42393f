"""The controller on a real API server: what is approved stands, is healed and is given back."""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from govcloud.clock import SystemClock
from govcloud.errors import CloudConflictError, TerminalCloudError
from govcloud.ports.cloud import Observed
from govcloud.reconcile import recover
from govcloud.store.engine import Database
from govcloud.store.unit import Store
from govcloud.testing.cluster import Cluster, path_of
from govcloud.testing.kubelab import KubeLab
from govcloud.testing.kubernetes import ControlPlane
from govcloud.testing.lab import ADMIN, CLOUD, QUICK
from govcloud.testing.meanwhile import running, wait_until
from govcloud.testing.proxy import Answer, Rule, too_many
from provisioners.kubernetes.objects import RBAC
from provisioners.kubernetes.reading import observed
from provisioners.kubernetes.session import APPLY
from provisioners.kubernetes.types import BY_WORD

pytestmark = pytest.mark.slow
PARTS = {
    "access-edit",
    "access-view",
    "limits",
    "namespace",
    "policy-allow",
    "policy-deny",
    "policy-dns",
    "quota",
}


@pytest.fixture
def cluster(control_plane: ControlPlane) -> Iterator[Cluster]:
    cluster = Cluster(control_plane, pageSize="500")
    yield cluster
    cluster.close()


@pytest.fixture
def connection() -> dict[str, str]:
    """What a test's Cloud document says beside where the cluster is."""
    return {}


@pytest.fixture
def limits() -> dict[str, int]:
    """What a test's Cloud document says of how often and how fast it is asked."""
    return {}


@pytest.fixture
def lab(
    sqlite_template: Path,
    cluster: Cluster,
    tmp_path: Path,
    connection: dict[str, str],
    limits: dict[str, int],
) -> Iterator[KubeLab]:
    file = tmp_path / "lab.db"
    shutil.copyfile(sqlite_template, file)
    database = Database(f"sqlite:///{file}")
    there = cluster.connection() | connection
    lab = KubeLab(Store(database, SystemClock()), there, settings=QUICK)
    yield lab.found(limits=limits)
    lab.remove_all(cluster.plane)
    database.close()


def part(lab: KubeLab, uid: str, name: str) -> Observed:
    (found,) = (item for item in lab.there(uid) if item.part == name)
    return found


def seen(item: Any, name: str) -> Observed:
    kind = BY_WORD[name.partition("-")[0]]
    return observed(item, kind, "")


def approved(item: Any) -> Any:
    """What of an object no controller of the cluster itself writes."""
    about = {name: item["metadata"].get(name) for name in ("labels", "annotations")}
    return {name: item.get(name) for name in ("spec", "subjects", "roleRef")} | about


def ready(lab: KubeLab, uid: str) -> bool:
    row = lab.row(uid)
    return row is not None and row.ready


@pytest.mark.guarantee("R3")
@pytest.mark.guarantee("Q3")
def test_from_approval_to_release(lab: KubeLab, cluster: Cluster) -> None:
    uid = lab.namespace()
    lab.controller().run_once()
    row = lab.row(uid)
    assert row is not None
    assert (row.ready, row.reason) == (True, "Ready")
    assert {item.part for item in lab.there(uid)} == PARTS
    assert {item.tags["digest"] for item in lab.there(uid)} == {row.digest}
    assert lab.charged()["k8s-cpu"] == (4000, 0)

    lab.change(uid, pods=40, network={"fromCidrs": []}, access={"admin": ["head"]})
    lab.controller("two").run_once()
    assert ready(lab, uid)
    assert part(lab, uid, "quota").props["hard.pods"] == 40
    assert {item.part for item in lab.there(uid) if item.type == "access"} == {"access-admin"}
    assert lab.charged()["k8s-pods"] == (40, 0)

    lab.release(uid)
    lab.controller("three").run_once()
    assert lab.row(uid) is None
    assert lab.there(uid) == []
    assert lab.charged() == {}


@pytest.mark.guarantee("Q3")
def test_quota_is_given_back_when_the_namespace_is_gone_and_not_before(
    lab: KubeLab, cluster: Cluster
) -> None:
    uid = lab.namespace()
    lab.controller().run_once()
    hold = {"metadata": {"name": "kept", "finalizers": ["backup.example.com/keep"]}}
    place = f"/api/v1/namespaces/{lab.called()}/configmaps"
    cluster.plane.call("POST", place, hold)
    lab.release(uid)
    controller = lab.controller("two")

    def held() -> bool:
        controller.work_once(CLOUD)
        row = lab.row(uid)
        assert row is not None
        return "backup.example.com/keep" in row.message

    wait_until(held)
    row = lab.row(uid)
    assert row is not None
    assert row.reason == "Releasing"
    assert lab.charged()["k8s-cpu"] == (4000, 0)
    borders = {item.part for item in lab.there(uid)}
    assert "access-edit" not in borders
    release = {"metadata": {"finalizers": None}}
    cluster.plane.call("PATCH", f"{place}/kept", release, kind="application/merge-patch+json")
    lab.controller("three").run_once()
    assert lab.row(uid) is None
    assert lab.charged() == {}


def test_what_holds_data_goes_only_when_somebody_says_so(lab: KubeLab, cluster: Cluster) -> None:
    uid = lab.namespace()
    lab.controller().run_once()
    cluster.pod(lab.called())
    claim = {
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "ssd",
            "resources": {"requests": {"storage": "20Gi"}},
        },
    }
    place = f"/api/v1/namespaces/{lab.called()}/persistentvolumeclaims"
    cluster.plane.call("POST", place, claim)
    wait_until(lambda: "20Gi" in str(part(lab, uid, "quota").info.get("holds")))
    lab.release(uid)
    lab.controller("two").run_once()
    row = lab.row(uid)
    assert row is not None
    assert (row.reason, row.progressing) == ("HoldsData", False)
    assert "pods: 1, requests.storage: 20Gi" in row.message
    assert {item.part for item in lab.there(uid)} == PARTS
    with lab.store.unit(ADMIN) as unit:
        recover.confirm(unit, uid, "copied to the archive")
    lab.controller("three").run_once()
    assert lab.row(uid) is None
    assert lab.charged() == {}


def _without_quota(cluster: Cluster, quota: Observed) -> None:
    cluster.remove(quota)


def _without_pods(cluster: Cluster, quota: Observed) -> None:
    cluster.patch(quota, {"spec": {"hard": {"pods": None}}})
    wait_until(lambda: "pods" not in cluster.plane.look(path_of(quota))["status"]["hard"])


def _ending(cluster: Cluster, quota: Observed) -> None:
    """Let the quota count the pod, and then be on its way out."""
    wait_until(lambda: cluster.plane.look(path_of(quota))["status"]["used"]["pods"] == "1")
    cluster.patch(quota, {"metadata": {"finalizers": ["backup.example.com/keep"]}})
    cluster.plane.call("DELETE", path_of(quota))


@pytest.mark.parametrize("tamper", [_without_quota, _without_pods, _ending])
def test_what_no_quota_counts_is_held_all_the_same(
    lab: KubeLab, cluster: Cluster, tamper: Callable[[Cluster, Observed], None]
) -> None:
    uid = lab.namespace(drift="report")
    lab.controller().run_once()
    cluster.pod(lab.called(), "kept")
    tamper(cluster, part(lab, uid, "quota"))
    lab.release(uid)
    lab.controller("two").run_once()
    row = lab.row(uid)
    assert row is not None
    assert (row.reason, row.progressing) == ("HoldsData", False)
    assert "pods: kept" in row.message
    assert "access-edit" in {item.part for item in lab.there(uid)}
    if tamper is _ending:
        cluster.patch(part(lab, uid, "quota"), {"metadata": {"finalizers": None}})
    with lab.store.unit(ADMIN) as unit:
        recover.confirm(unit, uid, "copied to the archive")
    lab.controller("three").run_once()
    assert lab.row(uid) is None


def test_what_is_empty_without_a_quota_goes_by_itself(lab: KubeLab, cluster: Cluster) -> None:
    uid = lab.namespace(drift="report")
    lab.controller().run_once()
    cluster.remove(part(lab, uid, "quota"))
    lab.release(uid)
    lab.controller("two").run_once()
    assert lab.row(uid) is None


def test_what_was_taken_over_in_part_is_held(lab: KubeLab, cluster: Cluster) -> None:
    """Something of theirs is called as our quota would be, so that ours never came about."""
    name = cluster.namespace(f"half-{lab.installation}")["metadata"]["name"]
    place = f"/api/v1/namespaces/{name}"
    wait_until(lambda: cluster.plane.look(f"{place}/serviceaccounts/default") is not None)
    cluster.pod(name, "theirs")
    quota = {"metadata": {"name": "govcloud"}, "spec": {"hard": {"pods": "5"}}}
    cluster.plane.call("POST", f"{place}/resourcequotas", quota)
    standing = lab.cluster().inspect(name)
    uid = lab.namespace(adopts={"tenant": standing.tenant, "parts": dict(standing.parts)})
    lab.controller().run_once()
    row = lab.row(uid)
    assert row is not None
    assert row.reason == "NameTaken"
    lab.release(uid)
    lab.controller("two").run_once()
    row = lab.row(uid)
    assert row is not None
    assert row.reason == "HoldsData"
    assert cluster.plane.look(f"{place}/pods/theirs")["metadata"].get("deletionTimestamp") is None


def test_where_nothing_may_be_looked_at_it_counts_as_held(lab: KubeLab, cluster: Cluster) -> None:
    uid = lab.namespace()
    lab.controller().run_once()
    cluster.proxy.add(Rule(method="GET", path=r"/pods$", answer=Answer(403), times=None))
    lab.release(uid)
    lab.controller("two").run_once()
    row = lab.row(uid)
    assert row is not None
    assert row.reason == "HoldsData"
    assert "pods: ?" in row.message
    cluster.proxy.clear()
    lab.controller("three").run_once()
    row = lab.row(uid)
    assert row is not None
    assert row.reason == "HoldsData"
    with lab.store.unit(ADMIN) as unit:
        recover.retry(unit, uid)
    lab.controller("four").run_once()
    assert lab.row(uid) is None


TAMPERING: dict[str, tuple[str, Any]] = {
    "a limit": ("quota", {"spec": {"hard": {"pods": "1000"}}}),
    "a limit taken away": ("quota", {"spec": {"hard": {"limits.cpu": None}}}),
    "a default": ("limits", {"spec": {"limits": [{"type": "Container", "max": {"cpu": "64"}}]}}),
    "a border": ("policy-deny", {"spec": {"ingress": [{}]}}),
    "names": ("policy-dns", {"spec": {"egress": None}}),
    "a door": ("policy-allow", {"spec": {"ingress": [{"from": [{"podSelector": {}}]}]}}),
    "people": ("access-edit", {"subjects": []}),
    "a tag": ("namespace", {"metadata": {"labels": {"govcloud.io/zone": "internet"}}}),
    "a tag taken off": ("quota", {"metadata": {"labels": {"govcloud.io/department": None}}}),
    "the mark's label": ("quota", {"metadata": {"labels": {"govcloud.io/uid": None}}}),
    "whose it is": ("namespace", {"metadata": {"labels": {"govcloud.io/installation": None}}}),
    "who manages it": (
        "policy-deny",
        {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}},
    ),
    "the mark's note": ("access-view", {"metadata": {"annotations": {"govcloud.io/mark": None}}}),
    "which limits are ours": ("quota", {"metadata": {"annotations": {"govcloud.io/hard": None}}}),
    "a note": ("namespace", {"metadata": {"annotations": {"govcloud.io/lease-end": "2099"}}}),
    "security": (
        "namespace",
        {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}},
    ),
}


@pytest.mark.guarantee("R4")
def test_whatever_is_ours_is_healed(lab: KubeLab, cluster: Cluster) -> None:
    uids = {word: lab.namespace(n) for n, word in enumerate(TAMPERING)}
    lab.controller().run_once()
    before = {word: {i.part: i.props for i in lab.there(uid)} for word, uid in uids.items()}
    for word, (name, body) in TAMPERING.items():
        cluster.patch(part(lab, uids[word], name), body)
    (found,) = lab.controller("two").run_once().found
    assert found.differing == len(TAMPERING)
    for word, uid in uids.items():
        after = {item.part: item.props for item in lab.there(uid)}
        assert after == before[word], word
        assert ready(lab, uid), word
    again = lab.controller("three").pass_once(CLOUD)
    assert again is not None
    assert (again.differing, again.enqueued) == (0, 0)


def test_whoever_changed_it_is_named(lab: KubeLab, cluster: Cluster) -> None:
    uid = lab.namespace()
    lab.controller().run_once()
    wrong = {"spec": {"hard": {"pods": "1000"}}}
    cluster.patch(part(lab, uid, "quota"), wrong, manager="somebodys-operator")
    lab.controller("two").run_once()
    assert part(lab, uid, "quota").props["hard.pods"] == 30
    said = [event.message for event in lab.told(uid) if event.reason == "Drift"]
    assert "somebodys-operator" in said[-1]
    assert "hard.pods" in said[-1]


@pytest.mark.parametrize("connection", [{"conflicts": "take"}, {"conflicts": "leave"}])
def test_a_field_that_somebody_else_manages_is_taken_back_or_left_and_said(
    lab: KubeLab, cluster: Cluster, connection: dict[str, str]
) -> None:
    takes = connection["conflicts"] == "take"
    uid = lab.namespace()
    lab.controller().run_once()
    theirs = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "govcloud"},
        "spec": {"hard": {"pods": "1000"}},
    }
    path = path_of(part(lab, uid, "quota"))
    apply = f"{path}?fieldManager=somebodys-operator&force=true"
    cluster.plane.call("PATCH", apply, theirs, kind="application/apply-patch+yaml")
    lab.controller("two").run_once()
    pods = cluster.plane.look(path)["spec"]["hard"]["pods"]
    assert pods == ("30" if takes else "1k")
    row = lab.row(uid)
    assert row is not None
    assert row.ready == takes
    said = " ".join(event.message for event in lab.told(uid)) + row.message
    assert "somebodys-operator" in said


@pytest.mark.guarantee("R4")
@pytest.mark.parametrize("name", sorted(PARTS - {"namespace"}))
def test_whatever_is_removed_is_made_again(lab: KubeLab, cluster: Cluster, name: str) -> None:
    uid = lab.namespace()
    lab.controller().run_once()
    cluster.remove(part(lab, uid, name))
    lab.controller("two").run_once()
    assert {item.part for item in lab.there(uid)} == PARTS
    assert ready(lab, uid)


@pytest.mark.guarantee("R4")
def test_a_namespace_that_was_deleted_out_of_band_is_built_again(
    lab: KubeLab, cluster: Cluster
) -> None:
    uid = lab.namespace()
    lab.controller().run_once()
    cluster.plane.call("DELETE", path_of(part(lab, uid, "namespace")))
    lab.controller("two").run_once()
    assert {item.part for item in lab.there(uid)} == PARTS
    assert ready(lab, uid)


@pytest.mark.guarantee("R4")
def test_what_keeps_a_namespace_that_others_remove_is_said(lab: KubeLab, cluster: Cluster) -> None:
    uid = lab.namespace()
    lab.controller().run_once()
    hold = {"metadata": {"name": "kept", "finalizers": ["backup.example.com/keep"]}}
    place = f"/api/v1/namespaces/{lab.called()}/configmaps"
    cluster.plane.call("POST", place, hold)
    cluster.plane.call("DELETE", path_of(part(lab, uid, "namespace")))
    controller = lab.controller("two")

    def held() -> bool:
        controller.pass_once(CLOUD)
        controller.work_once(CLOUD)
        row = lab.row(uid)
        return row is not None and "backup.example.com/keep" in row.message

    wait_until(held)
    off = {"metadata": {"finalizers": None}}
    cluster.plane.call("PATCH", f"{place}/kept", off, kind="application/merge-patch+json")
    lab.controller("three").run_once()
    assert {item.part for item in lab.there(uid)} == PARTS
    assert ready(lab, uid)


@pytest.mark.guarantee("R4")
@pytest.mark.guarantee("Q5")
def test_a_limit_that_was_raised_and_is_in_use_keeps_nothing_else_from_being_healed(
    lab: KubeLab, cluster: Cluster
) -> None:
    uid = lab.namespace(pods=1)
    lab.controller().run_once()
    quota = part(lab, uid, "quota")
    cluster.patch(quota, {"spec": {"hard": {"pods": "10"}}})
    wait_until(lambda: cluster.plane.look(path_of(quota))["status"]["hard"]["pods"] == "10")
    pods = [cluster.pod(lab.called())["metadata"]["name"] for _ in range(2)]
    wait_until(lambda: cluster.plane.look(path_of(quota))["status"]["used"]["pods"] == "2")
    lab.controller("two").run_once()
    row = lab.row(uid)
    assert row is not None
    assert (row.ready, row.progressing, row.reason) == (False, False, "BelowUsage")

    door = part(lab, uid, "policy-allow")
    for name in ("policy-deny", "limits", "access-edit"):
        cluster.remove(part(lab, uid, name))
    cluster.patch(door, {"spec": {"ingress": [{}]}})
    lab.controller("three").run_once()
    assert {item.part for item in lab.there(uid)} == PARTS - {"access-edit"}  # borders first
    assert part(lab, uid, "policy-allow").props == door.props
    lab.controller("four").run_once()
    assert {item.part for item in lab.there(uid)} == PARTS
    row = lab.row(uid)
    assert row is not None
    assert row.reason == "BelowUsage"
    said = {drift.field for drift in lab.drift() if drift.uid == uid}
    assert said == {"hard.pods", "missing"}

    for name in pods:
        place = f"/api/v1/namespaces/{lab.called()}/pods/{name}?gracePeriodSeconds=0"
        cluster.plane.call("DELETE", place)
    wait_until(lambda: cluster.plane.look(path_of(quota))["status"]["used"]["pods"] == "0")
    lab.controller("five").run_once()
    assert ready(lab, uid), lab.row(uid)
    assert part(lab, uid, "quota").props["hard.pods"] == 1
    assert not [drift for drift in lab.drift() if drift.uid == uid]


@pytest.fixture
def classes(cluster: Cluster) -> Iterator[Callable[[str], str]]:
    """Makes storage classes of the cluster and returns their names; removed at the end."""
    place, made = "/apis/storage.k8s.io/v1/storageclasses", []

    def make(word: str) -> str:
        name = f"{word}-{cluster.department}"
        cluster.plane.call("POST", place, {"metadata": {"name": name}, "provisioner": "csi.test"})
        made.append(name)
        return name

    yield make
    for name in made:
        cluster.plane.call("DELETE", f"{place}/{name}")


def claim(cluster: Cluster, namespace: str, of: str) -> int:
    """Ask for a volume of a class; return the status."""
    resources = {"requests": {"storage": "10Gi"}}
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": of, "resources": resources}
    place = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    try:
        cluster.plane.call("POST", place, {"metadata": {"generateName": "v-"}, "spec": spec})
    except HTTPError as error:
        return error.code
    return 201


@pytest.mark.guarantee("Q1")
def test_of_storage_classes_that_nobody_named_nothing_is_to_be_had(
    lab: KubeLab, cluster: Cluster, classes: Callable[[str], str]
) -> None:
    unnamed = classes("nvme")
    uid = lab.namespace()
    lab.controller().run_once()
    assert ready(lab, uid)
    assert claim(cluster, lab.called(), unnamed) == 403
    assert claim(cluster, lab.called(), "ssd") == 201

    later = classes("tape")
    assert claim(cluster, lab.called(), later) == 201
    second = lab.controller("two")
    second.run_once()
    row = lab.row(uid)
    assert row is not None
    assert row.reason == "BelowUsage"
    assert f"{later}.storageclass.storage.k8s.io/requests.storage: 0 < 10Gi" in row.message
    assert claim(cluster, lab.called(), unnamed) == 403

    place = f"/api/v1/namespaces/{lab.called()}/persistentvolumeclaims"
    for item in cluster.plane.call("GET", place)["items"]:
        cluster.plane.call("DELETE", f"{place}/{item['metadata']['name']}")
    wait_until(lambda: not cluster.plane.call("GET", place)["items"])
    lab.controller("three").run_once()
    assert ready(lab, uid), lab.row(uid)
    assert claim(cluster, lab.called(), later) == 403
    lab.change(uid, pods=31)
    lab.controller("four").run_once()
    assert claim(cluster, lab.called(), later) == 403
    quiet = lab.controller("five").pass_once(CLOUD)
    assert quiet is not None
    assert (quiet.differing, quiet.enqueued) == (0, 0)


@pytest.mark.guarantee("Q5")
def test_a_limit_that_cannot_be_lowered_keeps_no_other_from_being_healed(
    lab: KubeLab, cluster: Cluster
) -> None:
    uid = lab.namespace(pods=1)
    lab.controller().run_once()
    quota = part(lab, uid, "quota")
    cluster.patch(quota, {"spec": {"hard": {"pods": "10", "limits.cpu": "400"}}})
    wait_until(lambda: cluster.plane.look(path_of(quota))["status"]["hard"]["pods"] == "10")
    for _ in range(2):
        cluster.pod(lab.called())
    wait_until(lambda: cluster.plane.look(path_of(quota))["status"]["used"]["pods"] == "2")
    lab.controller("two").run_once()
    row = lab.row(uid)
    assert row is not None
    assert row.reason == "BelowUsage"
    now = part(lab, uid, "quota").props
    assert (now["hard.pods"], now["hard.limits.cpu"]) == (10, 4000)


@pytest.mark.guarantee("Q5")
def test_people_get_in_where_an_approved_limit_is_below_what_is_in_use(
    lab: KubeLab, cluster: Cluster
) -> None:
    uid = lab.namespace(pods=2)
    lab.controller().run_once()
    quota = part(lab, uid, "quota")
    for _ in range(2):
        cluster.pod(lab.called())
    wait_until(lambda: cluster.plane.look(path_of(quota))["status"]["used"]["pods"] == "2")
    lab.change(uid, pods=1, access={"view": ["auditor"], "admin": ["head"]})
    lab.controller("two").run_once()  # borders first
    lab.controller("three").run_once()
    row = lab.row(uid)
    assert row is not None
    assert row.reason == "BelowUsage"
    people = {item.part for item in lab.there(uid) if item.type == "access"}
    assert people == {"access-view", "access-admin"}


@pytest.mark.guarantee("R4")
@pytest.mark.parametrize("note", [None, "pods foo"])
def test_limits_stand_whatever_the_note_says_that_is_only_reported(
    lab: KubeLab, cluster: Cluster, note: str | None
) -> None:
    rules = [
        {"kind": "Namespace", "field": "hard", "mode": "report"},
        {"kind": "Namespace", "field": "hard.limits.cpu", "mode": "report"},
    ]
    with lab.store.unit(ADMIN) as unit:
        said = {"version": "1", "effectiveFrom": "2020-01-01", "drift": rules}
        lab.put(unit, "Policy", "city", said)
    uid = lab.namespace()
    lab.controller().run_once()
    quota = part(lab, uid, "quota")
    hard = {"pods": "1000", "limits.cpu": None, "count/foos.example.com": "3"}
    about = {"annotations": {"govcloud.io/hard": note}}
    cluster.patch(quota, {"metadata": about, "spec": {"hard": hard}})
    lab.controller("two").run_once()
    assert ready(lab, uid), lab.row(uid)
    wanted = {name: value for name, value in quota.props.items() if name != "hard.limits.cpu"}
    theirs = {"hard": note or "", "hard.count/foos.example.com": 3}
    assert part(lab, uid, "quota").props == wanted | theirs
    reported = {drift.field for drift in lab.drift() if drift.uid == uid}
    assert reported == {"hard", "hard.limits.cpu"}


UNSEEN = {"who manages it"}
"""Lists do not show what is not said to be ours: it is missed, and only then looked for."""


@pytest.mark.guarantee("R4")
@pytest.mark.parametrize("mode", ["report", "ignore"])
def test_whatever_is_ours_is_only_reported_or_ignored_where_the_object_says_so(
    lab: KubeLab, cluster: Cluster, mode: str
) -> None:
    uids = {word: lab.namespace(n, drift=mode) for n, word in enumerate(TAMPERING)}
    lab.controller().run_once()
    changed = {}
    for word, (name, body) in TAMPERING.items():
        changed[word] = cluster.patch(part(lab, uids[word], name), body)
    lab.controller("two").run_once()
    for word, uid in uids.items():
        kind = TAMPERING[word][0]
        now = cluster.plane.look(path_of(seen(changed[word], kind)))
        assert approved(now) == approved(changed[word]), word
        said = [row for row in lab.drift() if row.uid == uid]
        assert bool(said) == (mode == "report"), word
        assert ready(lab, uid), word
    if mode == "report":
        (drift,) = [row for row in lab.drift() if row.uid == uids["a limit"]]
        assert (drift.field, drift.wanted, drift.found) == ("hard.pods", "30", "1000")
        (drift,) = [row for row in lab.drift() if row.uid == uids["the mark's label"]]
        assert (drift.field, drift.found) == ("mark", "without govcloud.io/uid")


@pytest.mark.guarantee("R2")
def test_a_namespace_of_the_same_name_that_is_not_ours_stays_as_it_is(
    lab: KubeLab, cluster: Cluster
) -> None:
    theirs = cluster.namespace(lab.called(), team="other")
    uid = lab.namespace()
    lab.controller().run_once()
    row = lab.row(uid)
    assert row is not None
    assert (row.ready, row.progressing, row.reason) == (False, False, "NameTaken")
    path = f"/api/v1/namespaces/{lab.called()}"
    assert cluster.plane.call("GET", path)["metadata"] == theirs["metadata"]
    assert lab.there(uid) == []


def test_a_namespace_is_taken_over_with_what_runs_in_it(lab: KubeLab, cluster: Cluster) -> None:
    theirs = cluster.namespace(f"legacy-{lab.installation}", team="old")
    name, key = theirs["metadata"]["name"], theirs["metadata"]["uid"]
    quota = {"metadata": {"name": "old"}, "spec": {"hard": {"limits.cpu": "6", "pods": "12"}}}
    cluster.plane.call("POST", f"/api/v1/namespaces/{name}/resourcequotas", quota)
    cluster.plane.call("POST", f"/api/v1/namespaces/{name}/configmaps", {"metadata": {"name": "x"}})
    standing = lab.cluster().inspect(key)
    assert (standing.name, standing.spec) == (name, {"cpu": "6", "pods": 12})
    adopts = {"tenant": standing.tenant, "parts": dict(standing.parts)}
    uid = lab.namespace(adopts=adopts)
    lab.controller().run_once()
    assert ready(lab, uid), lab.row(uid)
    found = lab.there(uid)
    assert {item.part for item in found} == PARTS
    assert {item.tenant for item in found} == {name}
    assert part(lab, uid, "namespace").id == key
    assert cluster.plane.look(f"/api/v1/namespaces/{name}/configmaps/x")
    assert cluster.plane.look(f"/api/v1/namespaces/{name}/resourcequotas/old")
    labels = cluster.plane.look(f"/api/v1/namespaces/{name}")["metadata"]["labels"]
    assert labels["team"] == "old"
    with pytest.raises(CloudConflictError) as caught:
        lab.cluster().inspect(key)
    assert caught.value.reason == "Taken"


@pytest.mark.parametrize("connection", [{}, {"conflicts": "leave"}])
def test_a_namespace_that_somebody_else_manages_is_taken_over_or_left_and_said(
    lab: KubeLab, cluster: Cluster, connection: dict[str, str]
) -> None:
    name = f"helm-{lab.installation}"
    path = f"/api/v1/namespaces/{name}"
    labels = {"app.kubernetes.io/managed-by": "Helm"}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    cluster.plane.call("PATCH", f"{path}?fieldManager=helm", body, kind=APPLY)
    standing = lab.cluster().inspect(name)
    changing = {"app.kubernetes.io/managed-by": ("Helm", "govcloud")}
    assert standing.marking == {"namespace": changing}
    uid = lab.namespace(adopts={"tenant": standing.tenant, "parts": dict(standing.parts)})
    lab.controller().run_once()
    found = cluster.plane.call("GET", path)["metadata"]["labels"]
    row = lab.row(uid)
    assert row is not None
    if connection:
        assert (row.ready, row.reason) == (False, "FieldManager"), row.message
        assert "helm" in row.message
        assert found["app.kubernetes.io/managed-by"] == "Helm"
    else:
        assert row.ready, row.message
        assert found["app.kubernetes.io/managed-by"] == "govcloud"


@pytest.fixture
def busy(lab: KubeLab, cluster: Cluster) -> str:
    """Return the name of a namespace of others', in use, with doors that they have opened."""
    name = str(cluster.namespace(f"busy-{lab.installation}")["metadata"]["name"])
    wait_until(lambda: cluster.plane.look(f"/api/v1/namespaces/{name}/serviceaccounts/default"))
    for _ in range(2):
        cluster.pod(name, cpu="3", memory="6Gi")
    volume = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "nvme",
        "resources": {"requests": {"storage": "200Gi"}},
    }
    everything = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}
    role = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "admin"}
    stranger = {"kind": "User", "apiGroup": RBAC, "name": "stranger"}
    for path, body in (
        (f"/api/v1/namespaces/{name}/persistentvolumeclaims", {"spec": volume}),
        (f"/apis/networking.k8s.io/v1/namespaces/{name}/networkpolicies", {"spec": everything}),
        (
            f"/apis/{RBAC}/v1/namespaces/{name}/rolebindings",
            {"roleRef": role, "subjects": [stranger]},
        ),
    ):
        cluster.plane.call("POST", path, {"metadata": {"name": "theirs"}, **body})
    return name


def test_what_stays_of_others_and_what_is_in_use_is_said_before(lab: KubeLab, busy: str) -> None:
    standing = lab.cluster().inspect(busy)
    said = {beside.type: (beside.name, beside.text) for beside in standing.beside}
    assert said["NetworkPolicy"][0] == "theirs"
    assert "ingress=[{}]" in said["NetworkPolicy"][1]
    assert said["RoleBinding"] == ("theirs", 'role=ClusterRole/admin subjects=["User:stranger"]')
    assert standing.used is not None
    used = {word: standing.used[word] for word in ("k8s-cpu", "k8s-memory", "k8s-pods")}
    assert used == {"k8s-cpu": 6000, "k8s-memory": 12288, "k8s-pods": 2}
    assert standing.used["k8s-storage.nvme"] == 200


@pytest.mark.guarantee("Q5")
@pytest.mark.parametrize("over", [False, True])
def test_limits_below_what_is_in_use_keep_a_namespace_from_being_taken_over(
    lab: KubeLab, cluster: Cluster, busy: str, over: bool
) -> None:
    standing = lab.cluster().inspect(busy)
    adopts = {"tenant": standing.tenant, "parts": dict(standing.parts)}
    uid = lab.namespace(adopts=adopts, pods=1, allowOverQuota=over)
    lab.controller().run_once()
    row = lab.row(uid)
    assert row is not None
    labels = cluster.plane.call("GET", f"/api/v1/namespaces/{busy}")["metadata"]["labels"]
    if over:
        assert row.ready, row.message
        return
    assert (row.ready, row.progressing, row.reason) == (False, False, "BelowUsage")
    assert "pods: 1 < 2" in row.message
    assert "requests.storage: 50Gi < 200Gi" in row.message
    assert "govcloud.io/uid" not in labels


@pytest.mark.parametrize("name", ["kube-system", "kube-public", "default", "govcloud-access"])
def test_what_belongs_to_the_cluster_itself_is_not_taken_over(
    lab: KubeLab, cluster: Cluster, name: str
) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    path = f"/api/v1/namespaces/{name}?fieldManager=test"
    there = cluster.plane.call("PATCH", path, body, kind=APPLY)
    with pytest.raises(TerminalCloudError) as caught:
        lab.cluster().inspect(name)
    assert caught.value.reason == "NotAdoptable"
    key = there["metadata"]["uid"]
    uid = lab.namespace(adopts={"tenant": name, "parts": {"namespace": key}})
    lab.controller().run_once()
    row = lab.row(uid)
    assert row is not None
    assert (row.ready, row.reason) == (False, "NotAdoptable")


@pytest.mark.guarantee("R5")
def test_a_pass_in_which_nothing_changed_costs_pages_and_writes_nothing(
    lab: KubeLab, cluster: Cluster
) -> None:
    lab.namespace(0)
    lab.controller().run_once()

    def calls_of_a_pass() -> int:
        cluster.proxy.clear()
        found = lab.controller("pass").pass_once(CLOUD)
        assert found is not None
        assert (found.differing, found.enqueued) == (0, 0)
        assert not cluster.proxy.writes()
        return len(cluster.proxy.calls)

    calls_of_a_pass()
    few = calls_of_a_pass()
    for number in range(1, 9):
        lab.namespace(number)
    lab.controller("more").run_once()
    calls_of_a_pass()
    assert calls_of_a_pass() == few


SELDOM = pytest.mark.parametrize("limits", [{"resyncSeconds": 3600}])
"""Compared so seldom that what is healed is healed because of what the streams tell."""


@SELDOM
@pytest.mark.guarantee("R4")
def test_a_removed_quota_is_healed_by_watch(lab: KubeLab, cluster: Cluster) -> None:
    uid = lab.namespace()
    with running(lab.controller()):
        wait_until(lambda: ready(lab, uid))
        wait_until(lambda: cluster.watches() >= 5)
        quota = path_of(part(lab, uid, "quota"))
        cluster.plane.call("DELETE", quota)
        wait_until(lambda: cluster.plane.look(quota) is not None)


@pytest.mark.guarantee("R1")
def test_what_the_streams_tell_is_waited_for_in_one_attempt(lab: KubeLab, cluster: Cluster) -> None:
    """The quota is counted a moment after it was made; nothing is begun anew for that."""
    claimed: list[str] = []

    def step(name: str, about: str) -> None:
        begun = about.split(",") if name == "claimed" else ()
        claimed.extend(uid for uid in begun if not ready(lab, uid))  # others are only looked at

    uid = lab.namespace()
    controller = lab.controller(settings=replace(QUICK, hold_s=600, lease_s=600), on_step=step)
    with running(controller):
        wait_until(lambda: ready(lab, uid))
        listened = lab.drivers[-1]
        wait_until(lambda: listened.recall(part(lab, uid, "quota")) is not None)
        second = lab.namespace(2)
        wait_until(lambda: ready(lab, second))
    assert claimed.count(second) == 1
    assert {item.part for item in lab.there(second)} == PARTS


@SELDOM
@pytest.mark.guarantee("R4")
def test_what_was_lost_while_nobody_listened_is_healed_when_somebody_begins(
    lab: KubeLab, cluster: Cluster
) -> None:
    uid = lab.namespace()
    with running(lab.controller()):
        wait_until(lambda: ready(lab, uid))
    quota = path_of(part(lab, uid, "quota"))
    cluster.plane.call("DELETE", quota)
    with running(lab.controller("next")):
        wait_until(lambda: cluster.plane.look(quota) is not None)


@pytest.mark.guarantee("R6")
def test_what_a_busy_server_asks_is_honoured(lab: KubeLab, cluster: Cluster) -> None:
    uid = lab.namespace()
    cluster.proxy.add(Rule(method="PATCH", answer=too_many(1)))
    began = time.monotonic()
    lab.controller().run_once()
    assert ready(lab, uid)
    assert time.monotonic() - began >= 1
    patches = [call.path for call in cluster.proxy.calls if call.method == "PATCH"]
    assert len(patches) == len(PARTS) + 1


def test_losing_every_answer_once_makes_nothing_twice(lab: KubeLab, cluster: Cluster) -> None:
    uid = lab.namespace()
    for number in range(len(PARTS)):
        cluster.proxy.add(Rule(method="PATCH", skip=number, lost=True))
    lab.controller().run_once()
    assert ready(lab, uid)
    assert sorted(item.part for item in lab.there(uid)) == sorted(PARTS)
