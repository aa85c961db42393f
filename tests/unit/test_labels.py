"""What values are called: every enumeration and every reason has its word in both languages."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest

import govcloud
import provisioners
import quotas
from cli import labels, speech
from govcloud.domain import schema
from govcloud.domain.base import LabelledEnum
from govcloud.domain.kinds.registry import KINDS
from govcloud.messages import catalogue

ROOT = Path(__file__).parents[2]
LANGUAGES = ("zh", "en")
OTHER_NAMES = {
    "govcloud.domain.kinds.systems.Phase": "project-phase",
    "govcloud.plan.phases.Phase": "phase",
    "govcloud.plan.drift.Whole": "drift-field",
    "govcloud.policy.context.Action": "action",
    "govcloud.ports.cloud.State": "resource-state",
    "govcloud.ports.ledger.Obstacle": "reason",
    "govcloud.requests.life.State": "request",
    "govcloud.requests.life.Verdict": "verdict",
    "govcloud.api.doctor.Health": "doctor",
}
"""Areas that are not called as the enumeration is."""
ELSEWHERE = {
    "govcloud.figures.verdict.Verdict": "words of reports, in the catalogue `reports`",
    "govcloud.figures.verdict.Why": "words of reports, in the catalogue `reports`",
    "govcloud.figures.movement.Step": "words of reports, in the catalogue `reports`",
    "quotas.ledger.holds.Phase": "inside the ledger",
    "quotas.ledger.holds.Action": "inside the ledger",
}
NO_REASONS = re.compile(
    r"Config|Continue|Limit|Bearer|Gi|Rule|Role|Reject|Withdraw|FaultKind|StorageClass|Kind|Parameter|Spec|Ground"
    r"|Error|ValidationError"
)
"""Words in capitals that are neither reasons nor types nor kinds."""


def words(language: str) -> set[str]:
    return set(catalogue(language, "labels"))


def enumerations() -> Iterator[type[StrEnum]]:
    for package in (govcloud, provisioners, quotas):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" not in module.name and ".testing" not in module.name:
                importlib.import_module(module.name)
    waiting: list[type[StrEnum]] = [StrEnum]
    while waiting:
        for found in waiting.pop().__subclasses__():
            waiting.append(found)
            if found.__module__.partition(".")[0] in ("govcloud", "provisioners", "quotas"):
                yield found


def area_of(found: type[StrEnum]) -> str:
    name = f"{found.__module__}.{found.__qualname__}"
    return OTHER_NAMES.get(name) or re.sub(r"(?<!^)(?=[A-Z])", "-", found.__qualname__).lower()


@pytest.mark.guarantee("P4")
def test_every_value_of_every_enumeration_has_a_word() -> None:
    needed = {
        f"{area_of(found)}.{member.value}"
        for found in enumerations()
        if f"{found.__module__}.{found.__qualname__}" not in ELSEWHERE
        for member in found
    }
    for language in LANGUAGES:
        assert needed - words(language) == set()


@pytest.mark.guarantee("P4")
def test_chinese_words_are_understood_where_they_are_read() -> None:
    zh = catalogue("zh", "labels")
    for found in enumerations():
        if issubclass(found, LabelledEnum):
            for member in found:
                assert found(zh[f"{area_of(found)}.{member.value}"]) is member


def reasons() -> dict[str, str]:
    """Every word in capitals that the code says of objects and clouds, with its place.

    Drivers speak of their clouds' own kinds in such words too: of theirs, those count that errors
    are made of.
    """
    found: dict[str, str] = {}
    for folder in ("govcloud/plan", "govcloud/reconcile", "govcloud/requests", "govcloud/api",
                   "provisioners"):  # fmt: skip
        for file in (ROOT / folder).rglob("*.py"):
            table = folder != "provisioners" or file.name in ("errors.py", "faults.py")
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                for value in said(node) if table or makes_an_error(node) else ():
                    found[value] = f"{file.relative_to(ROOT)}:{value}"
    return found


def makes_an_error(node: ast.AST) -> bool:
    """Whether this is a call that makes an error of a cloud."""
    name = getattr(node, "func", None)
    return str(getattr(name, "id", getattr(name, "attr", ""))).endswith("CloudError")


def said(node: ast.AST) -> Iterator[str]:
    """The constants of a call, a tuple or an assignment that look like a reason."""
    if isinstance(node, ast.Call):
        parts = [*node.args, *(keyword.value for keyword in node.keywords)]
    elif isinstance(node, ast.Tuple | ast.Set | ast.List):
        parts = node.elts
    elif isinstance(node, ast.Dict):
        parts = node.values
    elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        parts = [node.value]
    else:
        parts = []
    for part in parts:
        value = part.value if isinstance(part, ast.Constant) else None
        if isinstance(value, str) and re.fullmatch(r"[A-Z][a-z]+([A-Z][a-z0-9]+)*", value):
            yield value


def defined() -> set[str]:
    """Names of classes and type variables, which annotations quote."""
    names: set[str] = set()
    for folder in ("govcloud", "provisioners", "quotas", "migration"):
        for file in (ROOT / folder).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            names |= set(re.findall(r"^\s*class (\w+)", text, re.MULTILINE))
            names |= set(re.findall(r"^(\w+)(?:: \w+)? = ", text, re.MULTILINE))
    return names


@pytest.mark.guarantee("P4")
def test_every_reason_has_a_word() -> None:
    found, names = reasons(), set(KINDS) | defined()
    for language in LANGUAGES:
        known = {name.partition(".")[2] for name in words(language)
                 if name.startswith(("reason.", "event-type."))}  # fmt: skip
        missing = {
            value: place
            for value, place in found.items()
            if value not in known | names and not NO_REASONS.fullmatch(value)
        }
        assert missing == {}


def test_the_fields_with_words_are_those_of_the_models() -> None:
    for kind in KINDS:
        wanted = dict(enumerated(schema.below(schema.document_root(kind), "spec") or {}))
        told = {
            path: area for path, area in labels.FIELDS.get(kind, {}).items()
            if area not in ("kind", "step", "source") and not path.endswith("role")
        }  # fmt: skip
        assert told == wanted, kind


def enumerated(part: schema.Schema, path: str = "") -> Iterator[tuple[str, str]]:
    """The paths of all enumerations below, with the areas of their words."""
    while part.get("type") == "array":
        part = schema.resolve(part["items"])
    if "enum" in part:
        by_words = {frozenset(found): area_of(found) for found in enumerations()}
        yield path, by_words[frozenset(part.get("x-labels") or part["enum"])]
        return
    for name in part.get("properties", {}):
        below = schema.below(part, name)
        if below is not None:
            yield from enumerated(below, f"{path}.{name}".lstrip("."))
    free = part.get("additionalProperties")
    if isinstance(free, dict):
        yield from enumerated(schema.resolve(free), f"{path}.*")


@pytest.mark.parametrize(
    ("kind", "path", "value", "words"),
    [
        ("Zone", "spec.type", "dmz", "DMZ区"),
        ("ServerRoom", "pains", ["security", "storage"], ["安全", "存储容量"]),
        ("VirtualMachine", "spec.network.allow[0].source", "department", "本部门"),
        ("VirtualMachine", "", {"network": {"allow": [{"source": "internet"}]}},
         {"network": {"allow": [{"source": "互联网"}]}}),
        ("VirtualMachine", "network.allow", [{"source": "10.0.0.0/8"}],
         [{"source": "10.0.0.0/8"}]),
        ("Policy", "checks", {"NET-09": "warning"}, {"NET-09": "警告"}),
        ("Flavor", "spec.arch", "x86_64", "x86_64"),
    ],
)  # fmt: skip
def test_values_as_people_read_them(kind: str, path: str, value: object, words: object) -> None:
    before = speech.language()
    speech.speak("zh")
    try:
        assert labels.shown(kind, path, value) == words
        speech.speak("en")
        assert labels.shown(kind, path, value) == value
    finally:
        speech.speak(before)


def test_words_are_understood_in_either_language() -> None:
    assert labels.meaning("phase", "使用中") == "active"
    assert labels.meaning("phase", "active") == "active"
    assert labels.meaning("phase", "nothing") == "nothing"
