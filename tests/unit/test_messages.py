"""The catalogues: both languages complete, same placeholders, every key that code uses is there."""

import ast
import string
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from govcloud.messages import catalogue, lookup, render

ROOT = Path(__file__).parents[2]
PACKAGES = ("govcloud", "cli", "quotas", "provisioners", "migration")
MESSAGES = resources.files("govcloud.messages")
ENGLISH_IN_MODELS = {"fields"}
"""Areas whose English stands in the models' field descriptions."""


def areas(language: str) -> set[str]:
    return {f.name.removesuffix(".toml") for f in MESSAGES.joinpath(language).iterdir()}


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


@pytest.mark.guarantee("P4")
def test_both_languages_have_the_same_keys() -> None:
    assert areas("zh") - ENGLISH_IN_MODELS == areas("en") - ENGLISH_IN_MODELS
    for area in areas("en"):
        zh, en = catalogue("zh", area), catalogue("en", area)
        assert set(zh) == set(en), f"{area}: {sorted(set(zh) ^ set(en))}"


@pytest.mark.guarantee("P4")
def test_both_languages_have_the_same_placeholders() -> None:
    for area in areas("en"):
        for key, sentence in catalogue("en", area).items():
            other = catalogue("zh", area)[key]
            assert placeholders(sentence) == placeholders(other), f"{area}.{key}"


def keys_in_code() -> Iterator[tuple[str, str]]:
    """Every literal first argument of an error, a Text or a Diagnostic, with its place."""
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and node.args and _makes_a_message(node.func):
                    first = node.args[0]
                    if isinstance(first, ast.Constant) and isinstance(first.value, str):
                        yield first.value, f"{file.relative_to(ROOT)}:{node.lineno}"


def _makes_a_message(function: ast.expr) -> bool:
    name = getattr(function, "id", getattr(function, "attr", ""))
    if name.endswith("CloudError"):
        return False
    return name in {"Text", "Diagnostic", "render"} or (
        name.endswith("Error") and name.removesuffix("Error") in OURS
    )


OURS = {
    "Usage",
    "TooLarge",
    "NotFound",
    "Unauthenticated",
    "Forbidden",
    "Conflict",
    "Unavailable",
    "WaitTimeout",
    "Verification",
}


def test_every_key_that_code_uses_is_in_the_catalogues() -> None:
    missing = [
        f"{place}: {key}"
        for key, place in keys_in_code()
        for language in ("zh", "en")
        if "." in key and key.partition(".")[2] not in catalogue(language, key.partition(".")[0])
    ]
    assert not missing, "\n".join(missing)


def test_every_error_says_what_to_do() -> None:
    silent = [
        key
        for key in catalogue("en", "errors")
        if not key.endswith("_remedy") and lookup(f"errors.{key}_remedy", "en") is None
    ]
    assert not silent


def test_a_missing_parameter_shows_the_placeholder_and_an_unknown_key_itself() -> None:
    assert "{count}" in render("errors.invalid", "en")
    assert render("nothing.here", "zh", {"a": 1}) == "nothing.here (a=1)"


@pytest.mark.guarantee("P4")
def test_values_inside_sentences_are_in_their_language() -> None:
    params = {"part": "server-0", "verb": "create", "reason": "NoCapacity", "detail": "-"}
    assert "创建" in render("controller.refused", "zh", params)
    assert "容量不足" in render("controller.refused", "zh", params)
    assert "create" in render("controller.refused", "en", params)
    found = {"count": 2, "fields": ["missing", "vcpu"]}
    assert "缺失、CPU" in render("controller.drift_found", "zh", found)
    late = {"end": "2026-01-01", "days": 30, "environment": "emergency"}
    assert "应急" in render("policy.LIFE-1", "zh", late)
    assert "审计员" in render("requests.may_not_submit", "zh", {"role": "auditor"})
    assert "自由说明" in render("controller.abandoned", "zh", {"reason": "自由说明"})
