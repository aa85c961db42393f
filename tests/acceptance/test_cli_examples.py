"""The examples of the help pages: every one is understood, and those that only look are run."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from cli import app
from govcloud.errors import Exit

MESSAGES = Path(__file__).parents[2] / "govcloud" / "messages"
LOOKING = ("get", "describe", "requests", "quota tree", "quota show", "quota check", "events")
LOOKING += ("drift", "audit", "explain", "schema", "doctor", "whoami", "version", "token list")
LOOKING += ("report", "simulate list", "completion bash")
FOUND = (Exit.OK, Exit.NOT_FOUND)
"""The examples name a web server that the small city does not have."""


def examples(language: str) -> list[list[str]]:
    """Return the words of each example, without what belongs to the shell."""
    file = MESSAGES / language / "cli.toml"
    said = tomllib.loads(file.read_text(encoding="utf-8"))
    lines = [line for key in said if key.startswith("examples_") for line in said[key].splitlines()]
    found = []
    for line in lines:
        match = re.search(r"\bgovcloud (.*?)(?: [>|] .*)?$", line)
        if match:
            found.append(shlex.split(match[1]))
    return found


@pytest.mark.guarantee("P2")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_example_is_understood(city, govcloud, monkeypatch, language):
    """Commands, options and values are those of the program; nothing is carried out."""
    understood = []
    monkeypatch.setattr(app.Command, "invoke", lambda self, _: understood.append(self.path))
    lines = [line for line in examples(language) if line != ["--install-completion"]]
    for words in lines:
        govcloud(*words, code=Exit.OK)
    assert len(understood) == len(lines)
    assert len(lines) > 60


@pytest.mark.parametrize("language", ["en", "zh"])
def test_examples_that_look_can_be_typed_as_they_are(
    city, govcloud, monkeypatch, tmp_path, language
):
    """They end well, or say that the object of the example is not there."""
    monkeypatch.chdir(tmp_path)
    lines = [words for words in examples(language) if " ".join(words).startswith(LOOKING)]
    for words in lines:
        if "--watch" in words or "--head" in words:
            continue
        if words[0] == "drift":  # it vouches for nothing that was looked at too long ago
            govcloud("controller", "run", "--once")
        ended = govcloud(*words, code=None)
        assert ended.code in FOUND, f"{' '.join(words)}: {ended.code}\n{ended.err}"
    assert len(lines) > 30
