"""The city of Changshu: built from its tables, valid, with the totals that the plan states."""

import csv
import subprocess
import sys
from collections import Counter
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from govcloud.domain.kinds.estate import HostState
from govcloud.domain.kinds.governance import PolicySpec, SurveySpec
from govcloud.domain.kinds.platform import DepartmentSpec, QuotaSpec
from govcloud.domain.kinds.systems import SystemSpec, VirtualMachineSpec
from govcloud.domain.manifest import Manifest, SourceFile, load
from govcloud.policy.context import Action, Setting, Subject
from govcloud.policy.evaluate import evaluate

CITY = Path(__file__).parents[2] / "examples" / "changshu"
REFERENCES = {
    "zone": "Zone", "flavor": "Flavor", "image": "Image", "cloud": "Cloud", "wave": "Wave",
    "industryCloud": "Cloud",
}  # fmt: skip
TODAY = date(2026, 7, 1)


@cache
def manifests() -> tuple[Manifest, ...]:
    files = [*CITY.glob("platform/*.yaml"), *CITY.glob("departments/*/*.yaml")]
    loaded = load([SourceFile(str(path), path.read_bytes()) for path in sorted(files)])
    assert not loaded.diagnostics
    return loaded.manifests


def of(kind: str) -> list[Manifest]:
    return [manifest for manifest in manifests() if manifest.kind.name == kind]


def city_policy() -> PolicySpec:
    (manifest,) = of("Policy")
    assert isinstance(manifest.spec, PolicySpec)
    return manifest.spec


def by_name(kind: str) -> dict[str, Manifest]:
    return {manifest.metadata.name: manifest for manifest in of(kind)}


def table(name: str) -> list[dict[str, str]]:
    with (CITY / "data" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def cloud_users() -> set[str]:
    return {str(m.metadata.department) for m in manifests() if m.kind.allocates}


def unit_of(title: str) -> str:
    return next(row["unit"] for row in table("units") if row["surveyed_as"] == title)


def test_the_generator_writes_what_is_committed(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(CITY / "build.py"), str(tmp_path)], check=True)
    for part in ("platform", "departments", "requests"):
        made = {p.relative_to(tmp_path): p.read_bytes() for p in (tmp_path / part).rglob("*.*")}
        kept = {p.relative_to(CITY): p.read_bytes() for p in (CITY / part).rglob("*.*")}
        assert made == kept


def test_the_totals_are_those_that_the_plan_states() -> None:
    headline = {row["figure"]: float(row["value"]) for row in table("headline")}
    machines, namespaces = of("VirtualMachine"), of("Namespace")
    assert len(cloud_users()) == headline["units_on_cloud"]
    systems = {(m.metadata.department, m.plain["system"]) for m in [*machines, *namespaces]}
    assert len(systems) == headline["projects_on_cloud"]
    assert sum(m.plain["count"] for m in machines) == headline["virtual_machines"]
    assert len(namespaces) == 36
    assert len(of("ServerRoom")) == headline["units_with_own_room"]
    assert len(of("PrivateNetwork")) == 12, "13 are stated, 12 distinct units are named"
    assert len(of("Target")) == 20


def test_the_named_units_are_as_surveyed() -> None:
    rooms = {m.metadata.department for m in of("ServerRoom")}
    networks = {m.metadata.department for m in of("PrivateNetwork")}
    rows = table("survey")
    for row in rows:
        unit = unit_of(row["unit"])
        assert (unit in cloud_users()) == (row["uses_government_cloud"] == "yes")
        assert (unit in rooms) == (row["keeps_self_built_room"] == "yes")
        assert (unit in networks) == (row["own_private_network"] == "yes")
    assert {unit_of(n) for n in ("发改委", "人社局", "住建局", "应急管理局")} == (
        rooms & cloud_users()
    )
    (survey,) = of("Survey")
    assert isinstance(survey.spec, SurveySpec)
    assert (survey.spec.sample_size, len(survey.spec.units)) == (23, len(rows))
    assert sum(unit.keeps_self_built_room for unit in survey.spec.units) == 11
    assert sum(unit.uses_government_cloud for unit in survey.spec.units) == 9, "11 are stated"


def test_every_reference_leads_somewhere() -> None:
    systems = {(m.metadata.department, m.metadata.name) for m in of("System")}
    names = {kind: set(by_name(kind)) for kind in ("Zone", "Flavor", "Image", "Cloud", "Wave")}
    departments = by_name("Department")
    for manifest in manifests():
        spec, owner = manifest.plain, manifest.metadata.department
        owner = owner or spec.get("department")
        if owner is not None:
            assert owner in departments
        if "system" in spec:
            assert (owner, spec["system"]) in systems, manifest.key
        for field, kind in REFERENCES.items():
            assert spec.get(field) is None or spec[field] in names[kind], manifest.key
    for department in departments.values():
        parent = department.plain.get("parent")
        assert (parent in departments) or department.metadata.name == "changshu"


def test_legacy_systems_stand_in_their_own_rooms() -> None:
    hosts = of("LegacyHost")
    running = {(m.metadata.department, m.plain["system"]) for m in hosts
               if m.plain["state"] == HostState.RUNNING}  # fmt: skip
    hosted = {(m.metadata.department, m.plain["system"]) for m in manifests() if m.kind.allocates}
    off_cloud = {
        (m.metadata.department, m.metadata.name)
        for m in of("System")
        if m.plain["origin"] == "legacy" and "industryCloud" not in m.plain
    } - hosted
    assert off_cloud == running - hosted
    assert len(off_cloud) == 35
    assert len(running & hosted) == 4, "half moved"
    counted = Counter(m.metadata.department for m in hosts)
    for room in of("ServerRoom"):
        assert room.plain["servers"] == counted[room.metadata.department]


def test_limits_hold_what_is_asked_for_and_children_fit_their_parents() -> None:
    quotas = {m.plain["department"]: m.spec for m in of("Quota")}
    departments = {m.metadata.name: m.spec for m in of("Department")}
    used: Counter[str] = Counter()
    for machine in of("VirtualMachine"):
        used[str(machine.metadata.department)] += machine.plain["count"]
    granted: Counter[str] = Counter()
    for unit, quota in quotas.items():
        assert isinstance(quota, QuotaSpec)
        assert used[unit] <= quota.limits["vms"]
        above = departments[unit]
        assert isinstance(above, DepartmentSpec)
        while above.parent and above.parent not in quotas:
            above = departments[above.parent]
            assert isinstance(above, DepartmentSpec)
        if above.parent:
            granted.update({f"{above.parent}/{name}": n for name, n in quota.limits.items()})
    for line, total in granted.items():
        parent, _, name = line.partition("/")
        quota = quotas[parent]
        assert isinstance(quota, QuotaSpec)
        assert total <= quota.limits[name], line


def subjects(unit: str) -> list[Subject]:
    made = []
    own = [m for m in manifests() if m.metadata.department == unit]
    systems = {m.metadata.name: m.spec for m in own if m.kind.name == "System"}
    hosted = {m.plain["system"] for m in own if m.kind.allocates}
    rooms = {m.metadata.name: m.spec for m in own if m.kind.name == "ServerRoom"}
    zones, clouds = by_name("Zone"), by_name("Cloud")
    flavors, images = by_name("Flavor"), by_name("Image")
    for m in own:
        found: dict[str, object] = {}
        name = m.metadata.name if m.kind.name == "System" else str(m.plain.get("system", ""))
        if m.kind.allocates:
            zone = zones[m.plain["zone"]]
            cloud = clouds[zone.plain["cloud"]]
            found = {"zone_name": zone.metadata.name, "zone": zone.spec,
                     "cloud_name": cloud.metadata.name, "cloud": cloud.spec}  # fmt: skip
        if isinstance(m.spec, VirtualMachineSpec):
            found |= {
                "flavor": flavors[str(m.spec.flavor)].spec,
                "image": images[m.spec.image].spec,
            }
        made.append(
            Subject(
                Action.CREATE,
                m.key,
                m.spec,
                grows=True,
                hosted=name in hosted,
                system_included=True,
                system_name=name,
                system=systems.get(name),
                room=rooms.get(str(m.plain.get("room"))),
                **found,  # type: ignore[arg-type]
            )
        )
    return made


@pytest.mark.parametrize(
    "unit", sorted({str(m.metadata.department) for m in manifests()} - {"None"})
)
def test_policy_denies_nothing_of_what_the_units_hand_in(unit: str) -> None:
    departments = by_name("Department")
    owner = departments[unit].spec
    assert isinstance(owner, DepartmentSpec)
    parent = departments[str(owner.parent)].spec
    assert isinstance(parent, DepartmentSpec)
    levels = {
        m.spec.security.mlps_level for m in of("System")
        if m.metadata.department == unit and isinstance(m.spec, SystemSpec)
    }  # fmt: skip
    setting = Setting(
        TODAY,
        unit,
        owner,
        parent.level,
        frozenset(level for level in levels if level),
        {name: m.spec for name, m in by_name("Flavor").items()},  # type: ignore[misc]
        exemptions=[m.spec for m in of("Exemption")],  # type: ignore[misc]
        waivers={m.metadata.name: m.spec for m in of("Waiver")},  # type: ignore[misc]
        census_until=city_policy().census_until,
    )
    findings = evaluate(subjects(unit), setting, {})
    assert [f for f in findings if f.denies] == []
    quiet = {"NET-10", "NET-01", "NET-03"}
    assert {f.rule for f in findings} <= quiet, "warnings that a city would clear up first"


def test_no_file_is_long_and_nobody_is_named() -> None:
    for path in CITY.glob("departments/*/*.yaml"):
        assert len(path.read_text(encoding="utf-8").splitlines()) < 200, path
    contacts = {str(m.plain.get("contacts")) for m in manifests()}
    allowed = {"分管领导", "信息化联络员", "网络安全责任人"}
    names = {
        word for text in contacts for word in text.split("'") if "\u4e00" <= word[:1] <= "\u9fff"
    }
    assert names <= allowed


def test_the_request_over_quota_asks_for_more_than_its_unit_has() -> None:
    folder = CITY / "requests" / "over-quota"
    unit = (folder / "UNIT").read_text(encoding="utf-8").strip()
    files = [SourceFile(path.name, path.read_bytes()) for path in folder.glob("*.yaml")]
    loaded = load(files)
    assert not loaded.diagnostics
    assert {m.metadata.department for m in loaded.manifests} == {unit}
    (quota,) = [m.spec for m in of("Quota") if m.plain["department"] == unit]
    assert isinstance(quota, QuotaSpec)
    asked = sum(m.spec.count for m in loaded.manifests if isinstance(m.spec, VirtualMachineSpec))
    assert asked > quota.limits["vms"]
