"""Everything that the command line says exists in both languages, and every command has help."""

import re
import string
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cli.tree import ROOT, Branch, Leaf, key, walk

ROOT_FOLDER = Path(__file__).parents[2]
LANGUAGES = ("zh", "en")
CALLS = (
    r'\bt\(\s*"(\w+)"',
    r'"cli\.(\w+)"',
)
PREFIXED = {
    "col_": (
        r'Column\(\s*"(\w+)"',
        r'_spec\(\s*"(\w+)"',
        r'_shown\(\s*"(\w+)"',
        r'_number\(\s*"(\w+)"',
    ),
    "section_": (r'_section\(\s*"(\w+)"', r'_title\(\s*"(\w+)"', r'_part\(\s*"(\w+)"'),
}


BUILT = (
    *("help_", "more_", "examples_", "explain_", "opt_install_", "opt_show_", "section_"),
    *("request_", "state_", "step_", "verdict_", "done_", "ask_", "check_", "doctor_"),
    *("severity_", "count_", "tampered_", "usage_", "move_", "sight_"),
)
"""Beginnings of keys whose ends are made while the program runs."""


def catalogue(language: str) -> dict[str, str]:
    """The sentences of the area `cli`."""
    file = ROOT_FOLDER / "govcloud" / "messages" / language / "cli.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def sources() -> str:
    """The program's own text."""
    files = (ROOT_FOLDER / "cli").rglob("*.py")
    return "".join(file.read_text(encoding="utf-8") for file in files)


def used() -> set[str]:
    """The keys that the sources name."""
    text = sources()
    found = {name for pattern in CALLS for name in re.findall(pattern, text)}
    for prefix, patterns in PREFIXED.items():
        found |= {prefix + name for pattern in patterns for name in re.findall(pattern, text)}
    return found


def placeholders(sentence: str) -> set[str]:
    """The names in braces."""
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


@pytest.mark.guarantee("P4")
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_is_missing(language):
    """What the sources name is in the catalogue."""
    assert used() - set(catalogue(language)) == set()


@pytest.mark.guarantee("P4")
def test_both_languages_say_the_same():
    """The same keys with the same placeholders."""
    zh, en = catalogue("zh"), catalogue("en")
    assert set(zh) ^ set(en) == set()
    assert {name for name in en if placeholders(en[name]) != placeholders(zh[name])} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_command_has_help_and_examples(language):
    """A line for the list, and at least one example of each."""
    said = catalogue(language)
    for path, _ in walk():
        assert said[f"help_{key(path)}"]
        assert f"govcloud {path[0]}" in said[f"examples_{key(path)}"], path


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_has_a_remedy(language):
    """What is raised by the command line itself says what to do."""
    said = catalogue(language)
    text = sources()
    raised = set(re.findall(r'Error\(\s*"cli\.(\w+)"', text))
    assert raised
    assert {name for name in raised if f"{name}_remedy" not in said} == set()


def test_no_sentence_is_left_over():
    """Sentences that nothing says any more are removed."""
    text = sources()
    words = set(re.findall(r"""["'](?:cli\.)?(\w+)["']""", text))
    said = {name for name in catalogue("en") if not name.startswith(BUILT)}
    said = {name for name in said if name.removesuffix("_remedy") not in said - {name}}
    left = {name for name in said if name not in words and name.partition("_")[2] not in words}
    assert left == set()


def test_every_command_stands_in_one_section_of_the_help():
    """The list of commands leaves none out and names none twice."""
    listed = [name for names in ROOT.sections.values() for name in names]
    assert sorted(listed) == sorted(ROOT.children)


def test_every_command_has_its_function():
    """The table points to functions that are there."""
    from importlib import import_module

    def leaves(branch: Branch) -> list[Leaf]:
        own = [branch.default] if branch.default else []
        for entry in branch.children.values():
            own += [entry] if isinstance(entry, Leaf) else leaves(entry)
        return own

    for leaf in leaves(ROOT):
        module = import_module(f"cli.commands.{leaf.module}")
        assert callable(getattr(module, leaf.function))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_reference_names_every_command_and_explains_every_option(language):
    """Made from the program in a process of its own, as the documentation is."""
    done = subprocess.run(
        [sys.executable, "-m", "cli.reference", "--lang", language],
        cwd=ROOT_FOLDER,
        capture_output=True,
        text=True,
        check=True,
    )
    headings = set(re.findall(r"^## govcloud (.+)$", done.stdout, re.MULTILINE))
    assert headings == {" ".join(path) for path, _ in walk()}
    unexplained = re.findall(r"^\| `(.+)` \|  \|$", done.stdout, re.MULTILINE)
    assert unexplained == []
    if language == "zh":
        assert not re.findall(r"^\| `.+` \| [A-Za-z ,.]+ \|$", done.stdout, re.MULTILINE)
