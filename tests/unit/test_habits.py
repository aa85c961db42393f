"""Habits that are checked: package names, typed markers, guarantee ids, no traces of machines."""

import re
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOP_LEVEL = ("govcloud", "cli", "quotas", "provisioners", "migration", "playbooks", "templates")


def test_no_other_distribution_ships_one_of_our_package_names() -> None:
    intruders = {
        f"{distribution.name}: {file}"
        for distribution in metadata.distributions()
        if distribution.name != "govcloud"
        for file in distribution.files or ()
        if len(file.parts) > 1 and file.parts[0] in TOP_LEVEL
    }
    assert not intruders


def test_code_packages_are_typed_and_tests_are_no_packages() -> None:
    for package in TOP_LEVEL[:5]:
        assert (ROOT / package / "py.typed").is_file()
    folders = {folder for test in (ROOT / "tests").rglob("test_*.py") for folder in test.parents}
    assert not [folder for folder in folders if (folder / "__init__.py").exists()]


def documented_guarantees() -> set[str]:
    text = (ROOT / "docs/guarantees.md").read_text("utf-8")
    return set(re.findall(r"^\| ([QRMFP]\d) \|", text, re.MULTILINE))


def test_every_guarantee_mark_names_a_documented_guarantee() -> None:
    documented = documented_guarantees()
    used = {
        mark
        for file in (ROOT / "tests").rglob("*.py")
        for mark in re.findall(r'guarantee\(\s*"([A-Z]\d)"', file.read_text("utf-8"))
    }
    assert used <= documented


def test_every_documented_guarantee_has_a_test() -> None:
    documented = documented_guarantees()
    text = "\n".join(f.read_text("utf-8") for f in (ROOT / "tests").rglob("*.py"))
    unproven = {guarantee for guarantee in documented if f'guarantee("{guarantee}")' not in text}
    assert not unproven


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")
def test_no_file_names_a_registry_or_is_binary() -> None:
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    for name in filter(None, files):
        path = ROOT / name
        if not path.is_file():
            continue
        content = path.read_bytes()
        assert b"\0" not in content, f"{name} is binary"
        assert not re.search(rb"https?://\S+/(simple|pool/main)/", content), name
