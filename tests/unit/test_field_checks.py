"""Fields that a cloud would misunderstand or that nobody may write: refused where they stand."""

import base64
from typing import Any

import pytest

from govcloud import messages
from govcloud.domain.manifest import Loaded, Manifest, SourceFile, load
from govcloud.errors import Diagnostic

BASES = {
    "VirtualMachine": "{system: records, zone: public, flavor: small, image: kylin, %s}",
    "Namespace": "{system: records, zone: public, cpu: 4, memory: 8Gi, %s}",
    "Volume": "{system: records, zone: public, size: 10Gi, %s}",
    "LegacyHost": "{room: basement, %s}",
    "Flavor": "{vcpu: 2, memory: 4Gi, %s}",
    "Cloud": "{provider: simulated, %s}",
}
OWNED = {"VirtualMachine", "Namespace", "Volume", "LegacyHost"}


def read(kind: str, spec: str, name: str = "web", department: str = "health") -> Loaded:
    owner = f", department: {department}" if kind in OWNED else ""
    text = (
        f"apiVersion: govcloud.io/v1\nkind: {kind}\nmetadata: {{name: {name}{owner}}}\n"
        f"spec: {BASES[kind] % spec if '%s' in BASES[kind] else spec}\n"
    )
    return load([SourceFile("a.yaml", text)])


def whole(kind: str, spec: str) -> Loaded:
    owner = ", department: health" if kind in OWNED else ""
    head = f"apiVersion: govcloud.io/v1\nkind: {kind}\nmetadata: {{name: web{owner}}}\n"
    return load([SourceFile("a.yaml", f"{head}spec: {spec}\n")])


def faults(loaded: Loaded) -> list[tuple[str, str | None]]:
    for found in loaded.diagnostics:
        complete(found)
    return [(d.key.removeprefix("input."), d.field) for d in loaded.diagnostics]


def complete(found: Diagnostic) -> None:
    """A fault has a place, and a sentence with a remedy in both languages."""
    assert None not in (found.file, found.line, found.column)
    for language in ("zh", "en"):
        assert "{" not in messages.render(found.key, language, found.params)
        assert messages.remedy(found.key, language, found.params)


def one(loaded: Loaded) -> Manifest:
    assert not loaded.diagnostics, loaded.diagnostics
    return loaded.manifests[0]


def test_networks_must_be_cidrs_of_either_family() -> None:
    bad = "network: {fromCidrs: [banana, 10.0.0.1, 10.0.0.5/8, 300.1.1.1/8, 'fe80::%1/64']}"
    assert faults(read("Namespace", bad)) == [
        ("bad_cidr", "spec.network.fromCidrs[0]"),
        ("cidr_without_length", "spec.network.fromCidrs[1]"),
        ("cidr_with_host", "spec.network.fromCidrs[2]"),
        ("bad_cidr", "spec.network.fromCidrs[3]"),
        ("bad_cidr", "spec.network.fromCidrs[4]"),
    ]
    assert faults(read("Namespace", "network: {toCidrs: ['2001:db8::1/32']}")) == [
        ("cidr_with_host", "spec.network.toCidrs[0]")
    ]
    good = one(read("Namespace", "network: {toCidrs: [10.0.0.0/8, '2001:DB8:0::/48']}"))
    assert good.plain["network"]["toCidrs"] == ["10.0.0.0/8", "2001:db8::/48"]


def test_the_remedy_of_a_network_names_the_network() -> None:
    (found,) = read("Namespace", "network: {toCidrs: [10.0.0.5/8]}").diagnostics
    assert "10.0.0.0/8" in str(messages.remedy(found.key, "zh", found.params))
    (found,) = read("Namespace", "network: {toCidrs: ['2001:db8::1']}").diagnostics
    assert "2001:db8::1/128" in str(messages.remedy(found.key, "en", found.params))


def opening(source: str) -> Loaded:
    return read("VirtualMachine", f"network: {{allow: [{{ports: [443], source: {source}}}]}}")


@pytest.mark.parametrize("source", ["300.1.1.1/8", "everybody", "10.0.0.1/8"])
def test_an_opening_is_a_word_or_a_network(source: str) -> None:
    ((key, field),) = faults(opening(source))
    assert (key, field) == (
        "cidr_with_host" if "10." in source else "bad_source",
        "spec.network.allow[0].source",
    )


def test_an_opening_may_be_written_in_chinese() -> None:
    words = {"本部门": "department", "本系统": "system", "互联网": "internet"}
    for word, stored in words.items():
        assert one(opening(word)).plain["network"]["allow"][0]["source"] == stored
    assert one(opening("10.1.0.0/16")).plain["network"]["allow"][0]["source"] == "10.1.0.0/16"


@pytest.mark.parametrize("address", ["10.1.2.300", "2001:db8::zz", "a b", "-host", "1.2.3"])
def test_the_address_of_a_host_is_an_address_or_a_name(address: str) -> None:
    assert faults(read("LegacyHost", f"address: '{address}'")) == [("bad_address", "spec.address")]


@pytest.mark.parametrize("address", ["10.1.2.3", "2001:db8::1", "db-1.health.local"])
def test_addresses_of_hosts(address: str) -> None:
    assert one(read("LegacyHost", f"address: '{address}'")).plain["address"] == address


def public_key(name: str = "ssh-ed25519", inside: str = "", size: int = 32) -> str:
    inner = (inside or name).encode()
    body = len(inner).to_bytes(4, "big") + inner + size.to_bytes(4, "big") + bytes(size)
    return f"{name} {base64.b64encode(body).decode()}"


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("hello", "bad_public_key"),
        ("ssh-dss " + public_key().split()[1], "public_key_type"),
        ("ssh-ed25519 not*base64", "bad_public_key"),
        (public_key("ssh-ed25519", inside="ssh-rsa"), "bad_public_key"),
        (public_key()[:-20], "bad_public_key"),
        (public_key() + " a\\n" + public_key(), "bad_public_key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "private_key"),
    ],
)
def test_the_key_of_a_machine_is_a_public_key(key: str, fault: str) -> None:
    assert faults(read("VirtualMachine", f'key: "{key}"')) == [(fault, "spec.key")]


def test_a_private_key_is_not_repeated_in_the_fault() -> None:
    (found,) = read("VirtualMachine", 'key: "-----BEGIN RSA PRIVATE KEY----- MIIabc"').diagnostics
    assert "MIIabc" not in messages.render(found.key, "en", found.params) + str(found.params)


def test_public_keys_of_usual_types_and_lengths() -> None:
    for key in (public_key(), public_key("ssh-rsa", size=513), f"{public_key()} post@unit"):
        assert one(read("VirtualMachine", f"key: '{key}'")).plain["key"] == key


@pytest.mark.parametrize(
    ("name", "department"),
    [
        ("default", "health"), ("kube-system", "health"), ("openstack", "health"),
        ("openstack-ingress", "health"), ("system", "kube"), ("govcloud-system", "health"),
    ],
)  # fmt: skip
def test_names_that_a_cluster_keeps_for_itself(name: str, department: str) -> None:
    found = faults(read("Namespace", "pods: 5", name, department))
    assert found == [("reserved_name", "metadata.name")]
    assert not read("Volume", "type: ssd", name, department).diagnostics


@pytest.mark.parametrize(
    ("kind", "spec", "field"),
    [
        ("Volume", "{system: a, zone: b, size: 0Gi}", "spec.size"),
        ("Namespace", "{system: a, zone: b, cpu: 0, memory: 8Gi}", "spec.cpu"),
        ("Namespace", "{system: a, zone: b, cpu: 0m, memory: 8Gi}", "spec.cpu"),
        ("Namespace", "{system: a, zone: b, cpu: 1, memory: 0Mi}", "spec.memory"),
        ("Namespace", "{system: a, zone: b, cpu: 1, memory: 1Gi, storage: {ssd: 0Gi}}",
         "spec.storage.ssd"),
        ("VirtualMachine", "{system: a, zone: b, image: c, vcpu: 1, memory: 0Gi}", "spec.memory"),
        ("VirtualMachine", "{system: a, zone: b, image: c, flavor: d, dataDisks: [{size: 0Gi}]}",
         "spec.dataDisks[0].size"),
        ("Flavor", "{vcpu: 1, memory: 0Gi}", "spec.memory"),
    ],
)  # fmt: skip
def test_nothing_has_no_size(kind: str, spec: str, field: str) -> None:
    assert faults(whole(kind, spec)) == [("zero_quantity", field)]


@pytest.mark.parametrize("size", ["-5Gi", "-1", "-0.5"])
def test_nothing_is_smaller_than_nothing(size: str) -> None:
    found = faults(whole("Namespace", f"{{system: a, zone: b, cpu: '{size}', memory: 1Gi}}"))
    assert found == [("not_a_quantity", "spec.cpu")]


def test_counts_begin_at_one() -> None:
    assert faults(read("Namespace", "pods: 0")) == [("too_small", "spec.pods")]
    assert faults(read("VirtualMachine", "count: -1")) == [("too_small", "spec.count")]
    assert faults(read("LegacyHost", "vcpu: 0")) == [("too_small", "spec.vcpu")]


@pytest.mark.parametrize("role", ["view", "edit", "admin"])
def test_the_cluster_s_own_subjects_are_not_given_rights(role: str) -> None:
    found = faults(read("Namespace", f"access: {{{role}: [somebody, 'system:masters']}}"))
    assert found == [("system_subject", f"spec.access.{role}[1]")]


SECRETS: list[tuple[str, str]] = [
    ("password", "hunter2"),
    ("application-credential-secret", "abc"),
    ("applicationCredentialSecret", "abc"),
    ("token", "abc"),
    ("client-key-data", "abc"),
    ("private_key", "abc"),
    ("auth-url", "https://user:hunter2@keystone.example/v3"),
    ("ca-file", "-----BEGIN CERTIFICATE-----"),
    ("config-file", "clouds:\\n  city: {}"),
]


@pytest.mark.parametrize(("name", "value"), SECRETS)
def test_a_cloud_holds_no_secret(name: str, value: str) -> None:
    loaded = read("Cloud", f'connection: {{region: a, {name}: "{value}"}}')
    assert faults(loaded) == [("literal_secret", f"spec.connection.{name}")]
    (found,) = loaded.diagnostics
    said = [messages.render(found.key, tongue, found.params) for tongue in ("en", "zh")]
    said += [str(messages.remedy(found.key, tongue, found.params)) for tongue in ("en", "zh")]
    assert not any(value in sentence for sentence in said), "a secret is not repeated"
    assert all("-file" in remedy and "-env" in remedy for remedy in said[2:])


def test_a_long_secret_is_called_a_secret() -> None:
    loaded = read("Cloud", f"connection: {{token: {'a' * 900}, password: b}}")
    assert [key for key, _ in faults(loaded)] == ["literal_secret"] * 2


def test_references_to_secrets_are_accepted() -> None:
    connection: dict[str, Any] = {
        "cloud": "city",
        "config-file": "/etc/openstack/clouds.yaml",
        "auth-url": "https://keystone.example:5000/v3",
        "application-credential-id": "21dced0fd20347869b93710d2b98aae0",
        "application-credential-id-env": "OS_APPLICATION_CREDENTIAL_ID",
        "application-credential-secret-file": "/run/secrets/cloud",
        "application-credential-secret-env": "OS_APPLICATION_CREDENTIAL_SECRET",
        "ca-file": "/etc/ssl/ca.pem",
        "region": "RegionOne",
        "kubeconfig": "/etc/kubernetes/admin.conf",
        "context": "city",
        "in-cluster": "true",
        "endpoint": "https://10.0.0.1:6443",
        "token-file": "/run/secrets/token",
        "token-env": "K8S_TOKEN",
    }
    words = ", ".join(f"{name}: '{value}'" for name, value in connection.items())
    assert one(read("Cloud", f"connection: {{{words}}}")).plain["connection"] == connection
