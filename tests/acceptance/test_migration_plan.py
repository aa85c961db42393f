"""Waves as people make them: computed, read, edited, checked, moved, put into the register."""

import json
from pathlib import Path

import pytest
import yaml

from govcloud.errors import Exit

POLICY = """
apiVersion: govcloud.io/v1
kind: Policy
metadata: {name: city}
spec:
  version: "1"
  effectiveFrom: 2026-01-01
  censusUntil: 2099-12-31
  holidays: [2027-01-07]
  approval: [{steps: [{name: review, role: approver}]}]
"""
ROOM = """
apiVersion: govcloud.io/v1
kind: ServerRoom
metadata: {name: room, department: hrss}
spec: {baseline: true}
"""
SYSTEM = """
---
apiVersion: govcloud.io/v1
kind: System
metadata: {{name: {name}, department: hrss, displayName: {name}}}
spec:
  code: {name}
  origin: legacy
  dependsOn: [{depends}]
  security: {{classified: false, mlpsLevel: 2, filingNo: "1"}}
  contacts: {{tech: {{name: 经办人}}}}
---
apiVersion: govcloud.io/v1
kind: LegacyHost
metadata: {{name: {name}-1, department: hrss}}
spec:
  room: room
  system: {name}
  address: 10.9.0.{number}
  vcpu: {vcpu}
  memory: 4Gi
  storage: 100Gi
  facts: {{arch: x86_64, databases: [MySQL 5.7], data: 50Gi, dailyChange: 1Gi, connectsTo: [{to}]}}
"""
SYSTEMS = (  # Name, what it depends on, whom its host talks to, vCPU.
    ("portal", "", "10.9.0.2", 4),
    ("case", "", "", 4),
    ("archive", "", "", 4),
    ("gate", "archive2", "", 4),
    ("archive2", "", "", 4),
    ("big", "", "", 36),
)
ANSWERS = {
    "xinchuang": "not-required", "containers": "stay", "licence": "free", "dongle": "none",
    "coupled": "separate", "addresses": "names", "window": "any-night", "operation": "own",
    "test": "possible", "future": "keep", "os": "supported",
}  # fmt: skip


@pytest.fixture
def legacy(city, govcloud, tmp_path):
    """A city with six systems off the cloud, one of which has a dongle."""
    documents = [POLICY]
    for name, *_ in SYSTEMS:
        answers = ANSWERS | ({"dongle": "required"} if name == "gate" else {})
        spec = {"department": "hrss", "system": name, "answers": answers}
        plan = {"kind": "MigrationPlan", "metadata": {"name": f"hrss-{name}"}, "spec": spec}
        documents.append(yaml.safe_dump({"apiVersion": "govcloud.io/v1", **plan}))
    text = ROOM
    for number, (name, depends, to, vcpu) in enumerate(SYSTEMS, start=1):
        text += SYSTEM.format(name=name, depends=depends, to=to, vcpu=vcpu, number=number)
    (tmp_path / "legacy.yaml").write_text(text, "utf-8")
    (tmp_path / "policy.yaml").write_text(documents[0], "utf-8")
    (tmp_path / "plans.yaml").write_text("---\n".join(documents[1:]), "utf-8")
    govcloud("apply", "-f", str(tmp_path / "policy.yaml"))
    request = govcloud("--as", "hrss", "submit", "-f", str(tmp_path / "legacy.yaml")).out.strip()
    govcloud("--as", "approver", "approve", request, "--yes")
    govcloud("apply", "-f", str(tmp_path / "plans.yaml"))
    return city


@pytest.fixture
def written(legacy, govcloud, tmp_path) -> Path:
    """A plan of waves, as it is written."""
    file = tmp_path / "waves.yaml"
    govcloud("migrate", "plan", "--begin", "2027-01-04", "--write", str(file))
    return file


def waves(file: Path) -> dict[str, list[str]]:
    """What moves in which wave."""
    plan = yaml.safe_load(file.read_text("utf-8"))["spec"]
    return {wave["name"]: [one["system"] for one in wave["systems"]] for wave in plan["waves"]}


def test_the_plan_says_why(written, govcloud):
    plan = yaml.safe_load(written.read_text("utf-8"))["spec"]
    first = plan["waves"][0]
    assert waves(written) == {"w01": ["hrss/archive", "hrss/case", "hrss/portal"]}
    assert str(first["window"]) == "2027-01-04"
    said = {one["system"]: one["why"] for one in first["systems"]}
    assert "hrss/case" in said["hrss/portal"]
    held = {one["system"]: one["because"] for one in plan["held"]}
    assert set(held) == {"hrss/gate", "hrss/archive2", "hrss/big"}
    assert "dongle" in held["hrss/gate"]
    assert "hrss/gate" in held["hrss/archive2"]
    assert "quota" in held["hrss/big"]

    table = govcloud("migrate", "plan", "-f", str(written), "--lang", "zh")
    assert "风险" in table.out
    assert "hrss/gate" in table.err
    again = govcloud("migrate", "plan", "--begin", "2027-01-04", "-o", "json").out
    assert json.loads(again)["spec"]["waves"][0]["systems"] == first["systems"]


def test_what_an_edit_breaks_is_told_where_it_stands(written, govcloud):
    text = written.read_text("utf-8")
    plan = yaml.safe_load(text)
    plan["spec"]["settings"]["freezes"] = [
        {"first": "2027-01-11", "last": "2027-01-17", "reason": "年终决算"}
    ]
    plan["spec"]["waves"] += [
        {"name": "w02", "window": "2027-01-12", "systems": [{"system": "hrss/portal"}]},
        {"name": "w02", "window": "2027-01-13", "systems": [{"system": "hrss/gate"}]},
    ]
    plan["spec"]["waves"][0]["systems"] = [{"system": "hrss/case"}, {"system": "hrss/no-such"}]
    edited = yaml.safe_dump(plan, allow_unicode=True, sort_keys=False)
    written.write_text(edited, "utf-8")
    ended = govcloud("migrate", "plan", "-f", str(written), code=Exit.INVALID)
    for part in (
        "spec.waves[0].systems[1].system: There is no legacy system hrss/no-such",
        "spec.waves[1].window: No window may open on 2027-01-12",
        "spec.waves[1].systems[0].system: hrss/portal is connected to hrss/case, which moves in",
        "spec.waves[2].systems[0].system: The system hrss/gate cannot move",
        "spec.waves[2].name: Two waves are called w02",
        "hrss/archive could move and is in no wave",
    ):
        assert part in ended.err
    number = next(n for n, row in enumerate(edited.splitlines(), 1) if "hrss/no-such" in row)
    assert f"waves.yaml:{number}:" in ended.err


def test_moving_a_system_shows_what_it_breaks(written, govcloud):
    before = written.read_text("utf-8")
    plan = yaml.safe_load(before)
    plan["spec"]["waves"].append({"name": "w02", "window": "2027-01-11", "systems": []})
    written.write_text(yaml.safe_dump(plan, allow_unicode=True, sort_keys=False), "utf-8")
    words = ("migrate", "plan", "-f", str(written))
    ended = govcloud(*words, "--move", "hrss/portal=w02", code=Exit.INVALID)
    assert "hrss/case, which moves in w01" in ended.err
    assert waves(written)["w02"] == []
    govcloud(*words, "--move", "hrss/portal=w02", "--move", "hrss/case=w02")
    assert waves(written) == {"w01": ["hrss/archive"], "w02": ["hrss/case", "hrss/portal"]}
    govcloud(*words)
    govcloud(*words, "--move", "hrss/archive=w09", code=Exit.USAGE)
    forced = govcloud(*words, "--move", "hrss/gate=w02", "--force")
    assert "cannot move" in forced.err
    assert "hrss/gate" in waves(written)["w02"]


def test_machines_that_a_plan_names_count_as_they_are(written, govcloud, tmp_path):
    """What will be requested holds, not what its hosts would need; what stands is not asked again.

    Of 32 vCPU that are free, three systems of 4 were planned.
    """
    named = []
    for name, vcpu in (("archive", 20), ("case", 20)):
        machine = {"system": name, "zone": "extranet", "image": "debian-12", "vcpu": vcpu}
        document = {"apiVersion": "govcloud.io/v1", "kind": "VirtualMachine"}
        document |= {"metadata": {"name": f"{name}-new"}, "spec": machine | {"memory": "8Gi"}}
        ends = {"source": f"{name}-1", "target": f"{name}-new"}
        move = {
            "sources": [{"host": f"{name}-1"}],
            "targets": [{"machine": f"{name}-new"}],
            "machines": [document],
            "workloads": [{"name": "w", "role": "files", "settings": {"paths": ["/srv"]}} | ends],
        }
        spec = {"department": "hrss", "system": name, "answers": ANSWERS, "move": move}
        plan = {"kind": "MigrationPlan", "metadata": {"name": f"hrss-{name}"}, "spec": spec}
        named.append(yaml.safe_dump({"apiVersion": "govcloud.io/v1", **plan}))
    (tmp_path / "named.yaml").write_text("---\n".join(named), "utf-8")
    govcloud("apply", "-f", str(tmp_path / "named.yaml"))
    ended = govcloud("migrate", "plan", "-f", str(written), code=Exit.INVALID)
    assert "needs 44" in ended.err
    assert "; 32 are free" in ended.err

    (tmp_path / "there.yaml").write_text(
        yaml.safe_dump(document | {"metadata": {"name": "case-new", "department": "hrss"}})
        .replace("vcpu: 20", "vcpu: 20\n  justification: measured")
        .replace("system: case", "system: social-insurance"),
        "utf-8",
    )
    request = govcloud("--as", "hrss", "submit", "-f", str(tmp_path / "there.yaml")).out.strip()
    govcloud("--as", "approver", "approve", request, "--yes")
    ended = govcloud("migrate", "plan", "-f", str(written), code=Exit.INVALID)
    assert "needs 24" in ended.err
    assert "; 12 are free" in ended.err


def test_a_cut_lets_go_and_settings_are_kept(written, govcloud):
    plan = yaml.safe_load(written.read_text("utf-8"))
    cut = {"one": "hrss/gate", "other": "hrss/archive2", "reason": "按月交换文件，可中断"}
    plan["spec"]["settings"] |= {"cuts": [cut], "windows": "rest-day", "systems": 2}
    written.write_text(yaml.safe_dump(plan, allow_unicode=True, sort_keys=False), "utf-8")
    govcloud("migrate", "plan", "-f", str(written), "--again", "--write", str(written))
    found = yaml.safe_load(written.read_text("utf-8"))["spec"]
    assert found["settings"]["cuts"] == [cut]
    assert waves(written) == {
        "w01": ["hrss/case", "hrss/portal"],
        "w02": ["hrss/archive", "hrss/archive2"],
    }
    # The eve of a holiday in the middle of the week, then of a weekend.
    assert [str(wave["window"]) for wave in found["waves"]] == ["2027-01-06", "2027-01-15"]


def test_what_is_applied_stands_in_the_register(written, govcloud):
    words = ("migrate", "plan", "-f", str(written), "--apply")
    govcloud(*words, "--dry-run")
    assert govcloud("get", "waves", "-o", "name").out == ""
    govcloud(*words)
    (wave,) = json.loads(govcloud("get", "waves", "-o", "json").out)["items"]
    window = {"opens": "2027-01-04T20:00:00+08:00", "hours": 8}
    assert wave["spec"] == {
        "start": "2026-12-28",
        "end": "2027-01-04",
        "window": window,
        "parallel": 10,
    }
    plans = json.loads(govcloud("get", "mig", "-o", "json").out)["items"]
    portal = next(one["spec"] for one in plans if one["spec"]["system"] == "portal")
    assert portal["wave"] == "w01"
    assert portal["state"] == "assessed"
    assert portal["plannedDate"] == "2027-02-03"
    assert portal["answers"] == ANSWERS
    gate = next(one["spec"] for one in plans if one["spec"]["system"] == "gate")
    assert "wave" not in gate
    assert "0" in govcloud(*words, "--dry-run").out


def test_planning_again_leaves_alone_what_runs(written, govcloud, tmp_path):
    """The first wave has begun: it keeps its window, and what it moves is not planned anew."""
    govcloud("migrate", "plan", "-f", str(written), "--apply")
    move = {
        "sources": [{"host": "case-1"}],
        "targets": [{"machine": "case-new", "address": "10.9.1.1"}],
        "workloads": [
            {"name": "w", "role": "files", "settings": {"paths": ["/srv"]}}
            | {"source": "case-1", "target": "case-new"}
        ],
    }
    spec = {"department": "hrss", "system": "case", "answers": ANSWERS, "move": move}
    spec |= {"wave": "w01", "state": "assessed"}
    plan = {"kind": "MigrationPlan", "metadata": {"name": "hrss-case"}, "spec": spec}
    (tmp_path / "case.yaml").write_text(
        yaml.safe_dump({"apiVersion": "govcloud.io/v1", **plan}), "utf-8"
    )
    govcloud("apply", "-f", str(tmp_path / "case.yaml"))
    govcloud("migrate", "run", "hrss/case")

    second = tmp_path / "second.yaml"
    govcloud("migrate", "plan", "--begin", "2027-02-01", "--write", str(second))
    assert waves(second) == {"w02": ["hrss/archive", "hrss/portal"]}
    govcloud("migrate", "plan", "-f", str(second), "--apply")
    found = json.loads(govcloud("get", "waves", "-o", "json").out)["items"]
    opens = {one["metadata"]["name"]: one["spec"]["window"]["opens"][:10] for one in found}
    assert opens == {"w01": "2027-01-04", "w02": "2027-02-01"}
    # A wave that has not begun keeps its name when it is computed anew.
    govcloud("migrate", "plan", "-f", str(second), "--again", "--write", str(second))
    assert list(waves(second)) == ["w02"]

    second.write_text(second.read_text("utf-8").replace("w02", "w01"), "utf-8")
    for force in ((), ("--force",)):
        words = ("migrate", "plan", "-f", str(second), "--apply", *force)
        refused = govcloud(*words, code=Exit.INVALID).err
        assert "spec.waves[0].name: The wave w01 has begun: hrss/case moves." in refused


def test_wrong_words_are_told(legacy, govcloud, tmp_path):
    govcloud("migrate", "plan", "--again", code=Exit.USAGE)
    govcloud("migrate", "plan", "--begin", "soon", code=Exit.USAGE)
    file = tmp_path / "waves.yaml"
    file.write_text(
        "apiVersion: govcloud.io/v1\nkind: WavePlan\nspec:\n"
        "  settings: {begin: 2027-01-04, host: 3, windows: daily}\n"
    )
    ended = govcloud("migrate", "plan", "-f", str(file), code=Exit.INVALID)
    assert "waves.yaml:4:" in ended.err
    assert "hosts" in ended.err
