"""What a cluster should hold for a namespace: the manifests, and reading them back."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from govcloud.errors import InvalidInputError
from govcloud.ports.cloud import Resource, State
from govcloud.testing.cluster import namespace_order
from provisioners.kubernetes import quantities, use
from provisioners.kubernetes.counting import in_use
from provisioners.kubernetes.marks import namespace_name
from provisioners.kubernetes.objects import manifest, resources, to_be_had
from provisioners.kubernetes.reading import observed
from provisioners.kubernetes.settings import Settings, read_settings
from provisioners.kubernetes.shrinking import below_usage, too_low
from provisioners.kubernetes.types import BY_WORD

SETTINGS = Settings(endpoint="https://cluster.test")
INSTALLATION = "gc-0123456789ab"


def parts(**spec: Any) -> dict[str, Resource]:
    return {r.part: r for r in resources(namespace_order(1, **spec), SETTINGS, INSTALLATION)}


def bodies(**spec: Any) -> dict[str, Any]:
    return {part: manifest(r, INSTALLATION) for part, r in parts(**spec).items()}


def served(body: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a manifest as an API server would give it back."""
    item: dict[str, Any] = json.loads(json.dumps(body))
    item["metadata"] |= {"uid": "11111111-2222-3333-4444-555555555555", "resourceVersion": "7"}
    return item | more


def test_a_namespace_is_all_that_was_approved() -> None:
    assert sorted(bodies()) == [
        "access-edit",
        "access-view",
        "limits",
        "namespace",
        "policy-allow",
        "policy-deny",
        "policy-dns",
        "quota",
    ]


def test_each_part_says_whose_it_is() -> None:
    for body in bodies().values():
        labels, annotations = body["metadata"]["labels"], body["metadata"]["annotations"]
        assert labels["govcloud.io/installation"] == INSTALLATION
        assert labels["govcloud.io/uid"] == "hrss-0001"
        assert labels["govcloud.io/department"] == "hrss"
        assert labels["govcloud.io/zone"] == "public"
        assert labels["govcloud.io/mlps"] == "3"
        assert labels["govcloud.io/environment"] == "production"
        assert annotations["govcloud.io/project"] == "某市政务云一期 (2026)"
        assert annotations["govcloud.io/lease-end"] == "2027-06-30"
        assert annotations["govcloud.io/digest"].startswith("sha256:")


def test_quota_counts_every_class_and_forbids_what_was_not_asked_for() -> None:
    assert bodies()["quota"]["spec"]["hard"] == {
        "limits.cpu": "4",
        "limits.memory": "8Gi",
        "pods": "30",
        "requests.cpu": "4",
        "requests.memory": "8Gi",
        "requests.nvidia.com/gpu": "0",
        "requests.storage": "50Gi",
        "secrets": "20",
        "ssd.storageclass.storage.k8s.io/requests.storage": "50Gi",
    }
    hard = bodies(objects={"deployments.apps": 5}, gpu=2)["quota"]["spec"]["hard"]
    assert hard["count/deployments.apps"] == "5"
    assert hard["requests.nvidia.com/gpu"] == "2"


def test_storage_of_classes_that_nobody_approved_is_none() -> None:
    def of(storage: dict[str, int], **there: str) -> dict[str, str]:
        settings = replace(SETTINGS, storage=there)
        order = namespace_order(1, storage=storage)
        quota = next(r for r in resources(order, settings, INSTALLATION) if r.part == "quota")
        hard = manifest(quota, INSTALLATION)["spec"]["hard"]
        word = ".storageclass.storage.k8s.io/requests.storage"
        return {name.removesuffix(word): size for name, size in hard.items() if "storage" in name}

    there = {"ssd": "nvme", "hdd": "ceph", "sata": "ceph"}
    assert of({"hdd": 50}, **there) == {"ceph": "50Gi", "nvme": "0", "requests.storage": "50Gi"}
    both = {"ceph": "70Gi", "nvme": "0", "requests.storage": "70Gi"}
    assert of({"hdd": 50, "sata": 20}, **there) == both
    assert of({}, **there) == {"requests.storage": "0"}


def test_a_class_that_is_not_limited_is_bounded_by_the_sum_alone() -> None:
    def of(**limits: int) -> dict[str, Any]:
        word = ".storageclass.storage.k8s.io/requests.storage"
        return {"requests.storage": 50} | {f"{name}{word}": n for name, n in limits.items()}

    assert to_be_had(of(ssd=50)) == "ssd"
    assert to_be_had(of(ssd=50, hdd=0), ["ssd", "hdd", "nvme"]) == "nvme ssd"
    assert to_be_had(of(ssd=50, nvme=7), ["ssd"]) == "nvme ssd"
    assert to_be_had({"requests.storage": 0}, ["nvme"]) == ""


def test_container_sizes_are_filled_in_as_the_server_would() -> None:
    (rule,) = bodies(containers={"max": {"cpu": 2000}})["limits"]["spec"]["limits"]
    assert rule == {
        "type": "Container",
        "default": {"cpu": "2"},
        "defaultRequest": {"cpu": "2"},
        "max": {"cpu": "2"},
    }


def test_borders_are_closed_both_ways_but_for_names_and_what_is_allowed() -> None:
    found = bodies()
    assert found["policy-deny"]["spec"] == {
        "podSelector": {},
        "policyTypes": ["Egress", "Ingress"],
        "ingress": [],
        "egress": [],
    }
    (names,) = found["policy-dns"]["spec"]["egress"]
    assert {port["port"] for port in names["ports"]} == {53}
    allowed = found["policy-allow"]["spec"]
    assert allowed["egress"] == [{"to": [{"podSelector": {}}]}]
    (inward,) = allowed["ingress"]
    assert {"ipBlock": {"cidr": "10.1.0.0/16"}} in inward["from"]
    assert {"ipBlock": {"cidr": "fd00:1::/64"}} in inward["from"]
    assert {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}
    } in inward["from"]
    zone = {"govcloud.io/installation": INSTALLATION, "govcloud.io/zone": "public"}
    assert {"namespaceSelector": {"matchLabels": zone}} in inward["from"]


def test_nothing_comes_in_or_goes_out_where_nothing_is_allowed() -> None:
    closed = bodies(network={"internal": False})["policy-allow"]["spec"]
    assert (closed["ingress"], closed["egress"]) == ([], [])


def test_a_namespace_is_named_within_its_department_or_beyond() -> None:
    network = {"toNamespaces": ["data", "health/records", "cluster:monitoring"]}
    (outward,) = bodies(network=network)["policy-allow"]["spec"]["egress"]
    chosen = [
        peer["namespaceSelector"]["matchLabels"]
        for peer in outward["to"]
        if "namespaceSelector" in peer
    ]
    whose = [("hrss", "data"), ("health", "records")]
    ours = [
        {
            "govcloud.io/installation": INSTALLATION,
            "govcloud.io/department": department,
            "govcloud.io/name": name,
        }
        for department, name in whose
    ]
    assert chosen == [{"kubernetes.io/metadata.name": "monitoring"}, *ours]


def test_a_reference_opens_to_its_namespace_and_to_none_of_the_same_name() -> None:
    """Also to one that was taken over and is called otherwise; never to `hrss-a` and `x`."""
    network = {"fromNamespaces": ["a-x"]}
    (inward,) = bodies(network=network)["policy-allow"]["spec"]["ingress"]
    (chosen,) = (
        p["namespaceSelector"]["matchLabels"]
        for p in inward["from"]
        if len(p) == 1 and "namespaceSelector" in p
    )

    def opens_to(department: str, name: str, **spec: Any) -> bool:
        order = namespace_order(1, department=department, **spec)
        found = resources(replace(order, name=name, tags=order.tags), SETTINGS, INSTALLATION)[0]
        labels = manifest(found, INSTALLATION)["metadata"]["labels"]
        return chosen.items() <= labels.items()

    assert opens_to("hrss", "a-x")
    assert opens_to("hrss", "a-x", adopts={"tenant": "legacy", "parts": {"namespace": "u"}})
    assert not opens_to("hrss-a", "x")
    assert not opens_to("hrss", "a")


def test_people_get_their_roles_and_the_account_for_short_tokens() -> None:
    body = bodies(access={"admin": ["zhang.san", "group:ops"]})["access-admin"]
    assert body["roleRef"]["name"] == "admin"
    assert {(who["kind"], who["name"]) for who in body["subjects"]} == {
        ("User", "zhang.san"),
        ("Group", "ops"),
        ("ServiceAccount", "hrss-portal-1.admin"),
    }
    accounts = [who for who in body["subjects"] if who["kind"] == "ServiceAccount"]
    assert accounts[0]["namespace"] == "govcloud-access"


def test_nobody_gets_in_before_the_borders_stand() -> None:
    ranks = {part: resource.rank for part, resource in parts().items()}
    borders = {rank for part, rank in ranks.items() if part.startswith(("policy", "quota"))}
    people = {rank for part, rank in ranks.items() if part.startswith("access")}
    assert ranks["namespace"] < min(borders) <= max(borders) < min(people)


@pytest.mark.parametrize("part", sorted(parts()))
def test_what_is_applied_is_read_back_as_wanted(part: str) -> None:
    resource = parts()[part]
    item = served(manifest(resource, INSTALLATION))
    seen = observed(item, BY_WORD[resource.type], INSTALLATION)
    assert (seen.uid, seen.part, seen.tenant) == (resource.uid, part, "hrss-portal-1")
    assert {name: seen.props.get(name) for name in resource.props} == resource.props
    assert {name: seen.tags.get(name) for name in resource.tags} == resource.tags


def test_the_mark_of_another_installation_is_none() -> None:
    item = served(bodies()["namespace"])
    assert observed(item, BY_WORD["namespace"], "gc-other").uid == ""


def test_a_quota_is_ready_when_it_is_enforced() -> None:
    body = bodies()["quota"]
    kind = BY_WORD["quota"]
    hard = body["spec"]["hard"]
    assert observed(served(body), kind, INSTALLATION).state is State.BUILDING
    behind = {"hard": {**hard, "pods": "10"}}
    assert observed(served(body, status=behind), kind, INSTALLATION).state is State.CHANGING
    used = {"hard": {**hard, "requests.cpu": "4000m"}, "used": {"pods": "3"}}
    seen = observed(served(body, status=used), kind, INSTALLATION)
    assert seen.state is State.READY
    assert seen.info["used.pods"] == 3


def test_a_limit_that_somebody_added_is_theirs() -> None:
    """Only what govcloud applied is compared; applying would not remove it, nor should it."""
    item = served(bodies()["quota"])
    item["spec"]["hard"]["services"] = "1"
    seen = observed(item, BY_WORD["quota"], INSTALLATION)
    assert seen.props["hard"] == parts()["quota"].props["hard"]


def test_an_ending_namespace_says_what_holds_it() -> None:
    item = served(bodies()["namespace"])
    item["metadata"] |= {"deletionTimestamp": "2026-11-21T00:00:00Z"}
    item["status"] = {
        "phase": "Terminating",
        "conditions": [
            {
                "type": "NamespaceFinalizersRemaining",
                "status": "True",
                "message": "Some content in the namespace has finalizers remaining: "
                "backup.example.com/keep in 1 resource instances",
            }
        ],
    }
    seen = observed(item, BY_WORD["namespace"], INSTALLATION)
    assert seen.state is State.DELETING
    assert "backup.example.com/keep" in seen.fault


@pytest.mark.guarantee("Q5")
def test_a_limit_below_its_use_is_refused_with_the_numbers() -> None:
    body = bodies()["quota"]
    used = {"hard": body["spec"]["hard"], "used": {"pods": "12", "requests.cpu": "3"}}
    seen = observed(served(body, status=used), BY_WORD["quota"], INSTALLATION)
    fields = ["hard.pods", "hard.requests.cpu", "hard.limits.cpu"]
    over = too_low(seen, parts(pods=10, cpu=2500)["quota"], fields)
    assert over.keys() == {"hard.pods", "hard.requests.cpu"}
    error = below_usage(over)
    assert error.reason == "BelowUsage"
    assert error.message == "pods: 10 < 12, requests.cpu: 2500m < 3"
    assert not too_low(seen, parts(pods=12)["quota"], ["hard.pods"])
    assert not too_low(seen, parts(pods=10, allowOverQuota=True)["quota"], ["hard.pods"])


def needs(**amounts: str) -> dict[str, Any]:
    return {"resources": {"requests": amounts, "limits": amounts}}


def pod(*containers: dict[str, Any], phase: str = "Running", **spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": list(containers), **spec}, "status": {"phase": phase}}


def claim(size: str, name: str | None = None, given: str = "0") -> dict[str, Any]:
    spec = {"storageClassName": name, "resources": {"requests": {"storage": size}}}
    return {"metadata": {}, "spec": spec, "status": {"allocatedResources": {"storage": given}}}


def test_what_is_in_use_is_counted_as_a_quota_would() -> None:
    one = needs(cpu="1", memory="1Gi")
    start, beside = needs(cpu="4", memory="64Mi"), {**one, "restartPolicy": "Always"}
    pods = [
        pod(one, {"resources": {}}),
        pod(needs(cpu="100m", memory="500M", **{"nvidia.com/gpu": "2"})),
        pod(one, initContainers=[beside, start], overhead={"cpu": "250m"}),
        pod(one, resources={"limits": {"cpu": "3"}}),
        pod(needs(cpu="64"), phase="Succeeded"),
    ]
    claims = [claim("10Gi", "ssd"), claim("1G", "ssd", given="2G"), claim("5Gi")]
    used = in_use(pods, claims, "nvidia.com/gpu")
    assert used["pods"] == 4
    assert used["requests.cpu"] == 1000 + 100 + (1000 + 4000 + 250) + 1000
    assert used["limits.cpu"] == 1000 + 100 + (1000 + 4000 + 250) + 3000
    assert used["limits.memory"] == 1024 + (2 * 1024) + 1024 + 477  # 500M is no whole MiB
    assert used["requests.nvidia.com/gpu"] == 2
    assert used["persistentvolumeclaims"] == 3
    assert used["ssd.storageclass.storage.k8s.io/requests.storage"] == 12
    assert used["requests.storage"] == 17
    with pytest.raises(ValueError, match="much"):
        in_use([pod(needs(cpu="much"))], [], "gpu")


@pytest.mark.guarantee("Q5")
def test_use_that_is_no_whole_number_of_units_counts_up() -> None:
    body = bodies(memory=1430, storage={"ssd": 1})["quota"]
    used = {"limits.memory": "1500M", "requests.cpu": "500u", "requests.storage": "500Mi"}
    status = {"hard": body["spec"]["hard"], "used": used}
    seen = observed(served(body, status=status), BY_WORD["quota"], INSTALLATION)
    assert seen.info["used.limits.memory"] == 1431
    assert seen.info["used.requests.cpu"] == 1
    assert seen.info["holds"] == "requests.storage: 1Gi"
    assert seen.info["over_quota"] == "limits.memory"
    assert use.of(seen, SETTINGS).used["k8s-memory"] == 1431
    assert not too_low(seen, parts(memory=1431)["quota"], ["hard.limits.memory"])
    over = too_low(seen, parts(memory=1430)["quota"], ["hard.limits.memory"])
    assert over == {"hard.limits.memory": "limits.memory: 1430Mi < 1431Mi"}


def test_a_limit_in_other_units_that_is_used_up_is_not_over() -> None:
    body = bodies()["quota"]
    status = {"hard": {"limits.memory": "1500M"}, "used": {"limits.memory": "1500M"}}
    seen = observed(served(body, status=status), BY_WORD["quota"], INSTALLATION)
    assert "over_quota" not in seen.info


@pytest.mark.parametrize("name", ["nvidia.com/gpu", "huawei.com/Ascend910"])
def test_use_is_told_in_the_words_of_the_ledger(name: str) -> None:
    settings = replace(SETTINGS, gpu_resource=name, storage={"ssd": "csi-rbd"})
    order = namespace_order(1, gpu=4, storage={"ssd": 50})
    (quota,) = (r for r in resources(order, settings, INSTALLATION) if r.type == "quota")
    body = manifest(quota, INSTALLATION)
    used = {
        f"requests.{name}": "3",
        "csi-rbd.storageclass.storage.k8s.io/requests.storage": "20Gi",
        "hdd.storageclass.storage.k8s.io/requests.storage": "1Gi",
    }
    status = {"hard": body["spec"]["hard"], "used": used}
    said = use.of(observed(served(body, status=status), BY_WORD["quota"], INSTALLATION), settings)
    assert (said.limits["gpu"], said.used["gpu"]) == (4, 3)
    assert said.limits["k8s-storage.ssd"] == 50
    assert said.used["k8s-storage.ssd"] == 20
    assert said.used["k8s-storage.hdd"] == 1


def test_other_kinds_are_not_built_here() -> None:
    order = namespace_order(1)
    machine = type(order)(**{f: getattr(order, f) for f in order.__slots__} | {"kind": "Volume"})
    assert resources(machine, SETTINGS, INSTALLATION) == ()


def test_long_names_are_cut_and_stay_apart() -> None:
    one, other = (namespace_name("d" * 40, "n" * 39 + end) for end in "ab")
    assert len(one) <= 63
    assert one != other
    assert one == namespace_name("d" * 40, "n" * 39 + "a")


@given(
    st.sampled_from(["limits.cpu", "requests.memory", "requests.storage", "pods"]),
    st.integers(0, 10**7),
)
def test_quantities_come_back(name: str, amount: int) -> None:
    assert quantities.read(name, quantities.show(name, amount)) == amount


@pytest.mark.parametrize(
    ("name", "text", "amount"),
    [
        ("limits.cpu", "0.5", 500),
        ("limits.cpu", "2k", 2_000_000),
        ("requests.memory", "1073741824", 1024),
        ("requests.memory", "128974848", 123),
        ("requests.memory", "1e9", "1e9"),
        ("requests.storage", "1Ti", 1024),
        ("requests.storage", "500Mi", "500Mi"),
        ("pods", "1k", 1000),
        ("pods", "many", "many"),
    ],
)
def test_every_way_to_write_a_quantity_is_read(name: str, text: str, amount: object) -> None:
    assert quantities.read(name, text) == amount


@pytest.mark.parametrize(
    ("connection", "faults"),
    [
        ({}, ["one_way_in"]),
        ({"kubeconfig": "a", "endpoint": "https://b"}, ["one_way_in"]),
        ({"endpoint": "cluster:6443", "password": "x"}, ["bad_setting", "unknown_setting"]),
        ({"in-cluster": "yes"}, ["bad_setting"]),
        ({"endpoint": "https://a", "pageSize": "0", "conflicts": "win"}, ["bad_setting"] * 2),
    ],
)
def test_a_connection_that_is_unclear_is_refused(
    connection: dict[str, str], faults: list[str]
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_settings(connection)
    assert sorted(d.key for d in caught.value.diagnostics) == [f"kubernetes.{f}" for f in faults]
