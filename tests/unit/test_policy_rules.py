"""Each rule with a case that it finds and one that it lets pass."""

from datetime import date, timedelta
from typing import Any, NamedTuple

import pytest

from govcloud.domain.keys import ObjectKey
from govcloud.domain.kinds.estate import ServerRoomSpec
from govcloud.domain.kinds.governance import ExemptionSpec
from govcloud.domain.kinds.platform import (
    CloudSpec,
    DepartmentSpec,
    FlavorSpec,
    ImageSpec,
    Level,
    ZoneSpec,
)
from govcloud.domain.kinds.systems import SystemSpec
from govcloud.domain.manifest import parse_spec
from govcloud.errors import Severity
from govcloud.policy.context import Action, Pool, Setting, Subject
from govcloud.policy.evaluate import RULES

TODAY = date(2026, 7, 1)
SECURITY = {
    "classified": False,
    "mlpsLevel": 3,
    "filingNo": "3201",
    "assessmentDate": "2026-05-01",
    "cryptoAssessmentDate": "2026-05-01",
}
PROJECT = {"id": "XM-1", "phase": "implementing"}


def system(**fields: Any) -> SystemSpec:
    security = SECURITY | fields.pop("security", {})
    base = {"code": "H-1", "project": PROJECT, "security": security}
    merged = {name: value for name, value in (base | fields).items() if value is not None}
    merged["security"] = {k: v for k, v in security.items() if v is not None}
    return SystemSpec.model_validate(merged)


def zone(**fields: Any) -> ZoneSpec:
    base = {"cloud": "sim", "type": "extranet-public", "mlpsLevel": 3}
    return ZoneSpec.model_validate(base | fields)


def of_system(action: Action = Action.CREATE, hosted: bool = True, **fields: Any) -> Subject:
    """A change of a System."""
    spec = system(**fields)
    return Subject(
        action, ObjectKey("System", "health", "records"), spec, hosted=hosted,
        system_name="records", system=spec,
    )  # fmt: skip


def of_resource(kind: str, spec: dict[str, Any], **about: Any) -> Subject:
    """A change of a resource of the system `records`."""
    base = {"system": "records", "zone": "public"}
    given: dict[str, Any] = {
        "action": Action.CREATE,
        "grows": True,
        "hosted": True,
        "system_name": "records",
        "system": system(),
        "zone_name": "public",
        "zone": zone(),
        "cloud_name": "sim",
        "cloud": CloudSpec.model_validate({"provider": "simulated"}),
    } | about
    key = ObjectKey(kind, "health", "web")
    return Subject(key=key, spec=parse_spec(kind, base | spec), **given)


def vm(spec: dict[str, Any] | None = None, **about: Any) -> Subject:
    """A change of a VirtualMachine."""
    size = {} if "vcpu" in (spec or {}) else {"flavor": "small"}
    flavor = FlavorSpec.model_validate({"vcpu": 2, "memory": "4Gi"})
    image = ImageSpec.model_validate({"os": "Kylin V10"})
    about = {"flavor": flavor, "image": image} | about
    return of_resource("VirtualMachine", {"image": "kylin", **size, **(spec or {})}, **about)


def ns(spec: dict[str, Any] | None = None, **about: Any) -> Subject:
    """A change of a Namespace."""
    return of_resource("Namespace", {"cpu": "4", "memory": "8Gi", **(spec or {})}, **about)


def smaller(spec: dict[str, Any] | None = None) -> Subject:
    """A namespace with fewer pods, no more storage, and other objects than before."""
    size = {"cpu": "4", "memory": "8Gi", "pods": 20, "storage": {"ssd": "10Gi"}}
    base = {"system": "records", "zone": "public", **size, "objects": {"secrets": 5}}
    after = {"pods": 10, "storage": {}, **(spec or {})}
    before = parse_spec("Namespace", base)
    return ns(after, action=Action.CHANGE, grows=False, before=before, uid="n1")


def taken(spec: dict[str, Any] | None = None) -> Subject:
    """A namespace that stands already and is taken over, with ten pods and ten GiB."""
    adopts = {"tenant": "legacy", "parts": {"namespace": "u1"}}
    return ns({"pods": 10, "storage": {"ssd": "10Gi"}, "adopts": adopts, **(spec or {})})


TAKEN = str(taken().key)


def estate(kind: str, action: Action = Action.CREATE, **spec: Any) -> Subject:
    """A change of something off the cloud."""
    about = {name: spec.pop(name) for name in ("before", "room_spec") if name in spec}
    return Subject(
        action,
        ObjectKey(kind, "health", "basement"),
        parse_spec(kind, spec),
        before=about.get("before"),
        room=about.get("room_spec"),
    )


def twin(department: str) -> ObjectKey:
    return ObjectKey("System", department, "twin")


def room(**spec: Any) -> ServerRoomSpec:
    return ServerRoomSpec.model_validate(spec)


def setting(**fields: Any) -> Setting:
    owner = DepartmentSpec.model_validate({"level": "department", "parent": "town"})
    base = {
        "today": TODAY,
        "department": "health",
        "owner": owner,
        "parent_level": Level.COUNTY,
        "flavors": {"small": FlavorSpec.model_validate({"vcpu": 32, "memory": "64Gi"})},
    }
    return Setting(**(base | fields))


def exemption(**fields: Any) -> ExemptionSpec:
    base = {
        "department": "health",
        "system": "records",
        "reason": "legal",
        "approvedBy": "lead authority",
        "approvedOn": "2026-01-01",
        "validFrom": "2026-01-01",
        "validUntil": "2026-12-31",
    }
    return ExemptionSpec.model_validate(base | fields)


E, W, N = Severity.ERROR, Severity.WARNING, Severity.INFO
INTERNET = zone(type="internet", floatingIps=True)
LEASE = {"end": "2026-08-01"}
CENSUS = setting(census_until=TODAY)


class Case(NamedTuple):
    """A rule, what it judges, and what it finds: (which, severity), or None."""

    rule: str
    subject: Subject
    found: tuple[str, Severity] | None
    setting: Setting = setting()


CASES = [
    Case("NET-01", of_system(security={"classified": True}), ("", E)),
    Case("NET-01", of_system(hosted=False, security={"classified": True}), ("", W)),
    Case("NET-01", vm(system=system(security={"classified": True})), ("", E)),
    Case("NET-01", vm(system=system(security={"classified": True}), system_included=True), None),
    Case("NET-01", of_system(), None),
    Case("NET-02", of_system(security={"mlpsLevel": None}), ("", E)),
    Case("NET-02", of_system(security={"mlpsLevel": 1}), ("", E)),
    Case("NET-02", of_system(security={"mlpsLevel": 1}, origin="legacy", hosted=False), ("", W)),
    Case("NET-02", of_system(security={"mlpsLevel": None, "classified": True}), None),
    Case("NET-02", of_system(), None),
    Case("NET-03", of_system(security={"mlpsLevel": 2}), ("", E)),
    Case("NET-03", of_system(security={"mlpsLevel": 2}, extranet=False), None),
    Case("NET-03", of_system(security={"mlpsLevel": 2}), None, setting(parent_level=Level.TOWN)),
    Case("NET-03", of_system(), None),
    Case("NET-04", vm(zone=zone(mlpsLevel=2)), ("", E)),
    Case("NET-04", vm(cloud=CloudSpec.model_validate({"provider": "s", "mlpsLevel": 2})), ("", E)),
    Case("NET-04", vm(), None),
    Case("NET-05", of_system(security={"mlpsLevel": 4}), ("", E)),
    Case("NET-05", of_system(), None),
    Case("NET-06", vm(system=system(security={"mlpsLevel": 2})), ("", E)),
    Case(
        "NET-06",
        vm({"network": {"allow": [{"ports": [443], "source": "department"}]}}),
        ("opening", W),
        setting(mlps_levels=frozenset({2, 3})),
    ),
    Case(
        "NET-06",
        vm({"network": {"allow": [{"ports": [443], "source": "system"}]}}),
        None,
        setting(mlps_levels=frozenset({2, 3})),
    ),
    Case("NET-06", vm(), None),
    Case("NET-07", vm({"network": {"internetAccess": True}}), ("", E)),
    Case("NET-07", vm({"network": {"allow": [{"ports": [80], "source": "0.0.0.0/0"}]}}), ("", E)),
    Case("NET-07", ns({"network": {"toCidrs": ["::/0"]}}), ("", E)),
    Case("NET-07", ns({"network": {"toCidrs": ["10.0.0.0/8"]}}), None),
    Case("NET-07", ns({"network": {"toCidrs": ["0.0.0.0/1", "128.0.0.0/1"]}}), ("", E)),
    Case("NET-07", ns({"network": {"fromCidrs": ["64.0.0.0/3"]}}), ("", E)),
    Case("NET-07", ns({"network": {"fromCidrs": ["2000::/3"]}}), ("", E)),
    Case("NET-07", ns({"network": {"fromCidrs": [f"{n}.0.0.0/9" for n in (3, 4)]}}), ("", E)),
    Case("NET-07", ns({"network": {"fromCidrs": ["::/0"]}}), ("", E)),
    Case("NET-07", vm({"network": {"allow": [
        {"ports": [80], "source": "0.0.0.0/1"}, {"ports": [81], "source": "128.0.0.0/1"}]}}),
        ("", E)),
    Case("NET-07", ns({"network": {"fromCidrs": [
        "59.192.0.0/10", "2409:8000::/20", "fc00::/7", "192.168.0.0/16", "100.64.0.0/10",
        "172.16.0.0/12", "224.0.0.0/4"]}}), None),
    Case("NET-07", vm({"network": {"internetAccess": True}}, zone=INTERNET), None),
    Case("NET-07", vm({"network": {"internetAccess": True}, "tier": "db"}, zone=INTERNET),
         ("database", E)),
    Case("NET-07", vm({"network": {"floatingIp": True}}, zone=zone(type="dmz")), ("floating", E)),
    Case("NET-07", vm({"network": {"floatingIp": True}}, zone=INTERNET), None),
    Case("NET-08", of_system(origin="legacy", security={"filingNo": None}), ("", E)),
    Case("NET-08", of_system(origin="legacy", hosted=False, security={"filingNo": None}), None),
    Case("NET-08", of_system(security={"filingNo": None}, launchedOn="2026-06-08"), ("due", W)),
    Case("NET-08", of_system(security={"filingNo": None}, launchedOn="2026-05-08"),
         ("overdue", W)),
    Case("NET-08", vm(system=system(security={"filingNo": None}, launchedOn="2026-05-08")),
         ("overdue", E)),
    Case("NET-08", of_system(security={"filingNo": None}, launchedOn="2026-06-20"), None),
    Case("NET-09", of_system(security={"assessmentDate": "2025-01-01"}), ("", W)),
    Case("NET-09", vm(system=system(security={"assessmentDate": "2025-01-01"})), ("", E)),
    Case("NET-09", vm(system=system(security={"assessmentDate": "2025-07-10"})), ("due", W)),
    Case("NET-09", vm(system=system(security={"mlpsLevel": 2, "assessmentDate": "2023-01-01"})),
         ("", W)),
    Case("NET-09", vm(), None),
    Case("NET-10", of_system(security={"cryptoAssessmentDate": None}), ("", W)),
    Case("NET-10", of_system(security={"cryptoAssessmentDate": None, "mlpsLevel": 2}), None),
    Case("NET-13", vm(image=ImageSpec.model_validate({"os": "K", "xinchuang": True})), ("", W)),
    Case("NET-13", vm(zone=zone(xinchuang=True)), ("domestic", W)),
    Case("NET-13", vm(), None),
    Case("NET-14", of_system(internet=True, ipv6=False), ("", W)),
    Case("NET-14", vm({"network": {"ipv6": False}}, zone=INTERNET), ("", W)),
    Case("NET-14", vm(zone=INTERNET), None),
    Case("NET-14", of_system(Action.CHANGE, internet=True, ipv6=False), None),
    Case("NET-15", vm(cloud=CloudSpec.model_validate({"provider": "s", "mainland": False})),
         ("", E)),
    Case("NET-15", vm(), None),
    Case("NET-16", vm(action=Action.RELEASE), ("", N)),
    Case("NET-16", vm({"power": "off"}, action=Action.CHANGE, before=vm().spec), ("", N)),
    Case("NET-16", vm(action=Action.CHANGE, before=vm().spec), None),
    Case("NET-17", estate("ServerRoom"), ("room", E)),
    Case("NET-17", estate("ServerRoom", baseline=True), ("room", E), setting()),
    Case("NET-17", estate("ServerRoom", baseline=True), None, CENSUS),
    Case("NET-17", estate("ServerRoom"), ("room_census", E), CENSUS),
    Case("NET-17", estate("ServerRoom", baseline=True), ("room", E),
         setting(census_until=TODAY - timedelta(days=1))),
    Case("NET-17", estate("ServerRoom"), None, setting(exemptions=[exemption()])),
    Case("NET-17", estate("ServerRoom", baseline=True), ("baseline", E),
         setting(exemptions=[exemption()])),
    Case("NET-17", estate("ServerRoom"), ("room", E),
         setting(exemptions=[exemption(approvedBy=None)])),
    Case("NET-17", estate("ServerRoom", onlyNetworkGear=True), None),
    Case("NET-17", estate("ServerRoom", Action.CHANGE, before=room(state="closed")), ("room", E)),
    Case("NET-17", estate("ServerRoom", Action.CHANGE, before=room()), None),
    Case("NET-17", estate("ServerRoom", Action.CHANGE, baseline=True, before=room()),
         ("baseline", E)),
    Case("NET-17", estate("ServerRoom", Action.CHANGE, before=room(baseline=True)),
         ("baseline", E)),
    Case("NET-17", estate("ServerRoom", Action.CHANGE, baseline=True, before=room()), None, CENSUS),
    Case("NET-17", estate("PrivateNetwork", baseline=True), ("baseline", E)),
    Case("NET-17", estate("PrivateNetwork", baseline=True), None, CENSUS),
    Case("NET-17", estate("PrivateNetwork"), None),
    Case("NET-17", estate("LegacyHost", room="r", room_spec=room()), ("host", E), CENSUS),
    Case("NET-17", estate("LegacyHost", room="r", room_spec=room(baseline=True)), ("host", E)),
    Case("NET-17", estate("LegacyHost", room="r", room_spec=room(baseline=True)), None, CENSUS),
    Case("NET-17", estate("LegacyHost", room="r", environment="test"), None),
    Case("NET-19", ns({"podSecurity": "privileged"}), ("", E)),
    Case("NET-19", ns({"podSecurity": "baseline"}), None),
    Case("NET-19", ns(), None),
    Case("NET-17", of_system(origin="legacy", lifecycle="planned", hosted=False), ("", E)),
    Case("NET-17", of_system(origin="legacy", lifecycle="planned", hosted=False), None,
         setting(exemptions=[exemption()])),
    Case("NET-17", of_system(origin="legacy", hosted=False), None, CENSUS),
    Case("NET-17", of_system(origin="legacy", hosted=False), ("", E)),
    Case("NET-17", of_system(origin="legacy", lifecycle="planned"), None),
    Case("YAML-5", vm(image=ImageSpec.model_validate({"os": "K", "arch": "aarch64"})),
         ("arch", E)),
    Case("YAML-5", vm({"systemDisk": {"size": "10Gi"}}), ("disk", E)),
    Case("YAML-5", vm({"lease": {"start": "2026-09-01", "end": "2026-08-01"}}), ("lease", E)),
    Case("YAML-5", of_system(security={"filingDate": "2026-07-02"}), ("future", E)),
    Case("YAML-5", estate("ServerRoom", state="closed"), ("undated", W)),
    Case("YAML-5", estate("ServerRoom", closedOn="2026-01-01"), ("dated", E)),
    Case("YAML-5", estate("LegacyHost", room="r", state="off", offOn="2026-01-01"), None),
    Case("YAML-5", estate("PrivateNetwork", integratedOn="2026-08-01", state="integrated"),
         ("future", E)),
    Case("YAML-5", vm(), None),
    Case("APP-11", vm(), ("", E), setting(urgent=True, emergency_path=True)),
    Case(
        "APP-11",
        vm({"environment": "emergency", "lease": LEASE}),
        ("no-path", E),
        setting(urgent=True),
    ),
    Case(
        "APP-11",
        vm({"environment": "emergency", "lease": LEASE}),
        ("unexplained", E),
        setting(urgent=True, emergency_path=True, justification=" "),
    ),
    Case(
        "APP-11",
        vm({"environment": "emergency", "lease": LEASE}),
        None,
        setting(urgent=True, emergency_path=True, justification="flood"),
    ),
    Case("YAML-6", vm(action=Action.CHANGE), ("", W), setting(justification=" ")),
    Case("YAML-6", vm(action=Action.CHANGE), None, setting(justification="more users")),
    Case("YAML-6", vm(action=Action.CHANGE), None),
    Case("APP-6", vm(system=system(project=None)), ("", E)),
    Case("APP-6", vm({"environment": "test", "lease": LEASE}, system=system(project=None)), None),
    Case("APP-6", vm({"environment": "test"}, system=system(project=None)), ("", E)),
    Case("APP-6", vm(system=system(project={"id": "X", "phase": "declared"})), ("", E)),
    Case("APP-6", vm(system=system(project={"id": "X", "phase": "reviewed"})), ("phase", E)),
    Case("APP-6", vm({"environment": "dev"},
                     system=system(project={"id": "X", "phase": "approved"})), None),
    Case("APP-6", vm(), None),
    Case("LIFE-1", vm({"lease": {"end": "2027-08-01"}}), ("", E)),
    Case("LIFE-1", vm({"environment": "test", "lease": {"end": "2026-10-01"}}), ("", E)),
    Case("LIFE-1", vm({"environment": "test", "lease": {"end": "2026-09-29"}}), None),
    Case("LIFE-1", vm({"environment": "test"}), ("missing", W)),
    Case("LIFE-1", vm({"environment": "emergency"}), ("missing", E)),
    Case("LIFE-1", vm({"lease": {"end": "2026-06-30"}}), ("past", E)),
    Case("LIFE-1", vm({"lease": {"end": "2026-06-30"}}, action=Action.CHANGE,
                      before=vm({"lease": {"end": "2026-06-30"}}).spec), None),
    Case("LIFE-1", vm(), None),
    Case("LIFE-8", vm(action=Action.RELEASE), ("", W)),
    Case("LIFE-8", vm(action=Action.RELEASE, keeps=True), ("", W)),
    Case(
        "LIFE-8",
        vm({"dataDisks": [{"size": "10Gi"}]}, action=Action.RELEASE, keeps=True),
        ("kept", W),
    ),
    Case("LIFE-8", vm({"environment": "dev"}, action=Action.RELEASE), None),
    Case("LIFE-8", vm(system=system(lifecycle="retired")), ("retired", E)),
    Case("LIFE-8", vm(), None),
    Case("QUO-6", vm(), ("", E), setting(pools=[Pool("sim", "vcpu", 0.91)])),
    Case("QUO-6", vm(), ("warning", W), setting(pools=[Pool("sim", "vcpu", 0.81)])),
    Case("QUO-6", vm(), None, setting(pools=[Pool("sim", "vcpu", 0.8), Pool("b", "vcpu", 1)])),
    Case("QUO-8", vm({"vcpu": 64, "memory": "64Gi"}, flavor=None), ("", E)),
    Case("QUO-8", vm({"vcpu": 64, "memory": "64Gi", "justification": "GIS"}, flavor=None),
         ("explained", W)),
    Case("QUO-8", vm({"vcpu": 16, "memory": "64Gi"}, flavor=None), None),
    Case("QUO-9", smaller(), ("", E), setting(used={"n1": {"k8s-pods": 12}})),
    Case("QUO-9", smaller(), None, setting(used={"n1": {"k8s-pods": 10, "k8s-cpu": 9000}})),
    Case("QUO-9", smaller(), ("unknown", W), setting(used={"n1": None})),
    Case("QUO-9", smaller(), None),
    Case("QUO-9", smaller({"allowOverQuota": True}), None, setting(used={"n1": {"k8s-pods": 12}})),
    Case("QUO-9", smaller({"objects": {"secrets": 3}}), ("", E),
         setting(used={"n1": {"objects.secrets": 4}})),
    Case("QUO-9", smaller(), None, setting(used={"n1": {"objects.secrets": 4}})),
    Case("QUO-9", smaller(), ("", E), setting(used={"n1": {"k8s-storage.ssd": 1}})),
    Case("QUO-9", taken(), ("", E), setting(used={TAKEN: {"k8s-pods": 12}})),
    Case("QUO-9", taken(), ("", E), setting(used={TAKEN: {"k8s-storage.hdd": 1}})),
    Case("QUO-9", taken(), None, setting(used={TAKEN: {"k8s-pods": 10, "objects.secrets": 4}})),
    Case("QUO-9", taken(), ("unknown", W), setting(used={TAKEN: None})),
    Case("QUO-9", taken({"allowOverQuota": True}), None, setting(used={TAKEN: {"k8s-pods": 12}})),
    Case("AUD-7", of_system(), ("", W), setting(registered={"H-1": [twin("health")]})),
    Case("AUD-7", of_system(), ("elsewhere", W), setting(registered={"H-1": [twin("schools")]})),
    Case("AUD-7", of_system(), None,
         setting(registered={"H-1": [of_system().key], "H-2": [twin("health")]})),
    Case("DR-1", vm({"backup": "none"}), ("", W)),
    Case("DR-1", vm({"backup": "none", "environment": "dev"}), None),
    Case("DR-1", vm(), None),
]  # fmt: skip


def name(case: Case) -> str:
    return f"{case.rule}-{case.found[0] or 'found' if case.found else 'passes'}"


@pytest.mark.parametrize("case", CASES, ids=name)
def test_rule(case: Case) -> None:
    rule = RULES[case.rule]
    found = [(f.which, f.severity or rule.severity) for f in rule.check(case.subject, case.setting)]
    assert found == ([case.found] if case.found else [])


def test_every_rule_has_a_case_that_it_finds_and_one_that_it_lets_pass() -> None:
    assert {case.rule for case in CASES if case.found} == set(RULES)
    assert {case.rule for case in CASES if not case.found} == set(RULES)
