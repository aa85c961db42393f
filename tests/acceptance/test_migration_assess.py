"""Assessing a system as people do it: template, answers, verdict, kept for planning."""

import json
from pathlib import Path

import pytest
import yaml

from govcloud.errors import Exit

DOCUMENTS = """
apiVersion: govcloud.io/v1
kind: System
metadata: {name: approval, department: hrss, displayName: 审批系统}
spec: {code: SP, origin: legacy, security: {classified: false, mlpsLevel: 2}}
---
apiVersion: govcloud.io/v1
kind: ServerRoom
metadata: {name: room, department: hrss}
spec: {baseline: true}
---
apiVersion: govcloud.io/v1
kind: LegacyHost
metadata: {name: web, department: hrss}
spec:
  room: room
  system: approval
  vcpu: 16
  memory: 64Gi
  storage: 1Ti
  facts: {arch: x86_64, cpuPeak: 10, memoryPeak: 8, databases: [Oracle 11g], data: 100Gi}
"""
POLICY = """
apiVersion: govcloud.io/v1
kind: Policy
metadata: {name: city}
spec:
  version: "1"
  effectiveFrom: 2026-01-01
  censusUntil: 2099-12-31
  approval: [{steps: [{name: review, role: approver}]}]
"""


@pytest.fixture
def legacy(city, govcloud, tmp_path):
    """A city with one system off the cloud."""
    (tmp_path / "policy.yaml").write_text(POLICY, "utf-8")
    (tmp_path / "legacy.yaml").write_text(DOCUMENTS, "utf-8")
    govcloud("apply", "-f", str(tmp_path / "policy.yaml"))
    request = govcloud("--as", "hrss", "submit", "-f", str(tmp_path / "legacy.yaml")).out.strip()
    govcloud("--as", "approver", "approve", request, "--yes")
    return city


def answered(template: str, **answers: str) -> str:
    """Fill in a template as a person does."""
    for question, answer in answers.items():
        name = question.replace("_", "-")
        assert f"    # {name}:" in template
        template = template.replace(f"    # {name}:", f"    {name}: {answer}", 1)
    return template


def test_an_untouched_template_is_taken_as_no_answers(legacy, govcloud, tmp_path):
    """All of its answers are comments."""
    template = govcloud("migrate", "assess", "approval", "--template").out
    (tmp_path / "answers.yaml").write_text(template, "utf-8")
    words = ("migrate", "assess", "approval", "--answers", str(tmp_path / "answers.yaml"))
    ended, without = (
        govcloud(*words, code=None),
        govcloud("migrate", "assess", "approval", code=None),
    )
    assert (ended.code, ended.out) == (without.code, without.out)


def test_from_the_template_to_a_verdict_that_is_kept(legacy, govcloud, tmp_path):
    file = tmp_path / "answers.yaml"
    template = govcloud("--as", "hrss", "migrate", "assess", "approval", "--template").out
    ended = govcloud("--as", "hrss", "migrate", "assess", "approval", code=Exit.POLICY)
    assert "Not assessed to the end" in ended.out
    assert "dongle" in ended.out

    file.write_text(answered(template, dongle="none", window="rest-day"), "utf-8")
    words = ("migrate", "assess", "hrss/approval", "--answers", str(file), "-o", "json")
    found = json.loads(govcloud("--as", "hrss", *words).out)
    assert found["readiness"] == "ready-with-conditions"
    assert found["strategy"] == "rehost"
    assert found["window"] == "rest-day"
    assert {"database", "filing"} <= {one["question"] for one in found["warnings"]}
    (target,) = found["targets"]
    assert (target["vcpu"], target["memoryMiB"], target["storageGiB"]) == (3, 6816, 130)
    assert target["flavor"] == "4c8g"
    as_is = json.loads(govcloud("--as", "hrss", *words, "--sizing", "as-is").out)["targets"][0]
    assert (as_is["vcpu"], as_is["memoryMiB"], as_is["flavor"]) == (16, 65536, None)

    govcloud("--as", "hrss", *words, "--save", code=Exit.FORBIDDEN)
    govcloud(*words, "--save")
    plan = yaml.safe_load(govcloud("get", "mig", "-o", "yaml").out)
    assert plan["spec"]["state"] == "assessed"
    assert plan["spec"]["answers"] == {"dongle": "none", "window": "rest-day"}
    assert govcloud("migrate", "assess", "approval").code == 0


def test_a_blocker_is_an_exit_code_with_its_remedy(legacy, govcloud, tmp_path):
    file = tmp_path / "answers.yaml"
    template = govcloud("migrate", "assess", "approval", "--template").out
    file.write_text(answered(template, dongle="required", window="rest-day"), "utf-8")
    words = ("migrate", "assess", "approval", "--answers", str(file), "--lang", "zh")
    ended = govcloud(*words, code=Exit.POLICY)
    assert "不能迁移" in ended.out
    assert "虚拟机上没有这个设备" in ended.out
    assert "网络授权" in ended.out


def test_wrong_answers_are_told_where_they_stand(legacy, govcloud, tmp_path):
    file = tmp_path / "answers.yaml"
    file.write_text(
        "apiVersion: govcloud.io/v1\nkind: Answers\nspec:\n  system: hrss/other\n"
        "  answers:\n    dongel: none\n    window: never-ever\n",
        "utf-8",
    )
    words = ("migrate", "assess", "approval", "--answers", str(file))
    ended = govcloud(*words, code=Exit.INVALID)
    assert "answers.yaml:4:" in ended.err
    assert "answers.yaml:6:" in ended.err
    assert "`dongle`" in ended.err
    assert "answers.yaml:7:" in ended.err
    file.write_text("kind: Answers\n", "utf-8")
    assert "Answers" in govcloud(*words, code=Exit.INVALID).err


def test_what_is_not_there_to_move(legacy, govcloud):
    for name in ("nothing", "social-insurance"):
        assert name in govcloud("migrate", "assess", name, code=Exit.NOT_FOUND).err
    assert Path(legacy).is_dir()
