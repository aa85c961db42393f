"""Weights, waivers, and a sentence in both languages for whatever a rule can find."""

import ast
import string
from datetime import date
from pathlib import Path

import pytest

from govcloud.domain.keys import ObjectKey
from govcloud.domain.kinds.governance import WaiverSpec
from govcloud.domain.kinds.systems import SystemSpec
from govcloud.errors import Severity
from govcloud.messages import catalogue
from govcloud.policy.context import Action, Setting, Subject, city_day, day_begins
from govcloud.policy.evaluate import RULES, evaluate, weight

POLICY = Path(__file__).parents[2] / "govcloud" / "policy"


def subject(level: int | None = None) -> Subject:
    """A system without a level, and without a cryptography assessment if it has level 3."""
    security = {"classified": False} | ({"mlpsLevel": level} if level else {})
    spec = SystemSpec.model_validate({"code": "H-1", "security": security})
    key = ObjectKey("System", "health", "records")
    return Subject(Action.CREATE, key, spec, hosted=True, system_name="records", system=spec)


def waiver(**fields: object) -> WaiverSpec:
    base = {
        "rule": "NET-02",
        "department": "health",
        "approvedBy": "lead authority",
        "approvedOn": "2026-01-01",
        "validUntil": "2026-12-31",
        "reason": "expert review",
    }
    return WaiverSpec.model_validate(base | fields)


def setting(**waivers: WaiverSpec) -> Setting:
    return Setting(date(2026, 7, 1), "health", waivers=waivers)


def test_a_finding_names_rule_object_source_and_sentence() -> None:
    (finding,) = evaluate([subject()], setting(), {})
    assert finding.plain() == {
        "rule": "NET-02",
        "severity": "error",
        "key": "policy.NET-02",
        "params": {"system": "records"},
        "source": "[S] 002",
        "object": "System health/records",
        "waiver": None,
    }


def test_a_waiver_turns_a_denial_into_an_information_that_names_it() -> None:
    (finding,) = evaluate([subject()], setting(w1=waiver(system="records")), {})
    assert finding.severity is Severity.INFO
    assert finding.waiver == {"name": "w1", "by": "lead authority", "until": "2026-12-31"}


@pytest.mark.parametrize(
    "fields",
    [
        {"rule": "NET-03"},
        {"department": "schools"},
        {"system": "other"},
        {"validUntil": "2026-06-30"},
        {"approvedOn": "2026-07-02"},
    ],
)
def test_a_waiver_of_something_else_does_not_cover(fields: dict[str, object]) -> None:
    (finding,) = evaluate([subject()], setting(w1=waiver(**fields)), {})
    assert finding.denies


def test_what_cannot_be_waived_is_not() -> None:
    spec = SystemSpec.model_validate({"code": "H-1", "security": {"classified": True}})
    key = ObjectKey("System", "health", "records")
    secret = Subject(Action.CREATE, key, spec, hosted=True, system_name="records", system=spec)
    (finding,) = evaluate([secret], setting(w1=waiver(rule="NET-01")), {})
    assert finding.denies


def test_the_city_gives_rules_other_weights() -> None:
    (finding,) = evaluate([subject()], setting(), {"NET-02": Severity.WARNING})
    assert finding.severity is Severity.WARNING
    (finding,) = evaluate([subject(3)], setting(), {"NET-10": Severity.ERROR})
    assert finding.denies


def test_what_a_rule_itself_finds_less_grave_stays_so() -> None:
    rule = RULES["NET-08"]
    assert weight(rule, Severity.WARNING, None) is Severity.WARNING
    assert weight(rule, Severity.WARNING, Severity.ERROR) is Severity.WARNING
    assert weight(rule, Severity.WARNING, Severity.INFO) is Severity.INFO
    assert weight(rule, Severity.ERROR, Severity.INFO) is Severity.INFO


def test_equal_findings_on_the_whole_change_set_are_given_once() -> None:
    changed = [
        Subject(Action.CHANGE, ObjectKey("System", "health", name), subject(3).spec)
        for name in ("a", "b")
    ]
    findings = evaluate(changed, Setting(date(2026, 7, 1), "health", justification=""), {})
    assert [(f.rule, f.object) for f in findings].count(("YAML-6", "")) == 1


def keys_in_rules() -> set[str]:
    """Every sentence that a rule can ask for, read from the source of the rules."""
    keys: set[str] = set()
    for file in POLICY.glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        functions = {f.name: f for f in ast.walk(tree) if isinstance(f, ast.FunctionDef)}
        for function in functions.values():
            for identifier in _ids(function):
                keys |= {f"{identifier}{which}" for which in _whiches(function, functions, set())}
    return keys


def _ids(function: ast.FunctionDef) -> list[str]:
    return [
        decorator.args[0].value
        for decorator in function.decorator_list
        if isinstance(decorator, ast.Call) and isinstance(decorator.args[0], ast.Constant)
    ]


def _whiches(
    function: ast.FunctionDef, functions: dict[str, ast.FunctionDef], seen: set[str]
) -> set[str]:
    """The sentences of a rule and of the helpers beside it that it calls."""
    seen.add(function.name)
    found: set[str] = set()
    for node in ast.walk(function):
        if not isinstance(node, ast.Call):
            continue
        called = getattr(node.func, "id", "")
        if called == "Found":
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            which = given.get("which", node.args[2] if len(node.args) > 2 else None)
            names = (
                [n.value for n in ast.walk(which) if isinstance(n, ast.Constant)] if which else [""]
            )
            found |= {f"_{name}" if name else "" for name in names}
        elif called in functions and called not in seen:
            found |= _whiches(functions[called], functions, seen)
    return found


@pytest.mark.guarantee("P4")
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_sentence_that_a_rule_can_ask_for_is_there_with_its_remedy(language: str) -> None:
    wanted = keys_in_rules()
    assert {key.partition("_")[0] for key in wanted} == set(RULES)
    sentences = catalogue(language, "policy")
    assert {f"{key}{twin}" for key in wanted for twin in ("", "_remedy")} == set(sentences)


def test_every_rule_says_what_it_is_and_where_it_comes_from() -> None:
    for rule in RULES.values():
        assert rule.description
        assert rule.source
        assert rule.description[0] in string.ascii_uppercase


def test_days_begin_at_midnight_of_the_clock_on_the_wall() -> None:
    begins = day_begins(date(2026, 7, 1))
    assert begins.isoformat() == "2026-07-01T00:00:00+08:00"
    assert city_day(begins) == date(2026, 7, 1)
