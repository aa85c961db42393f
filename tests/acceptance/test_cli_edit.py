"""Editing: nobody's typing is lost, and mistakes are shown where they can be mended."""

import re
import tempfile
from pathlib import Path

import pytest

from govcloud.errors import Exit

OBJECT = "vm/social-insurance-app"


def change(old: str, new: str) -> str:
    """A line of shell that changes the count."""
    return f"sed -i 's/count: {old}/count: {new}/' \"$1\""


MANY = change("2", "many")


@pytest.fixture
def editor(tmp_path, monkeypatch):
    """Makes an editor of shell lines, which gets the file as `$1`; it logs what it was shown."""

    def make(*sessions: str) -> Path:
        log = tmp_path / "shown"
        cases = "\n".join(f"{number}) {line};;" for number, line in enumerate(sessions, 1))
        script = tmp_path / "my editor"
        script.write_text(
            '#!/bin/sh\n[ "$1" = --wait ] && shift\n'
            f"number=$(($(ls '{log}'.* 2>/dev/null | wc -l) + 1))\n"
            f"cp \"$1\" '{log}'.$number\ncase $number in\n{cases}\nesac\n"
        )
        script.chmod(0o755)
        monkeypatch.setenv("VISUAL", f"'{script}' --wait")
        monkeypatch.setenv("EDITOR", "false")
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "drafts"))
        (tmp_path / "drafts").mkdir(exist_ok=True)
        return log

    return make


@pytest.fixture
def at_terminal(monkeypatch):
    """Let the program take its streams for a terminal's, and the person for one who says yes."""
    monkeypatch.setattr("cli.output.interactive", lambda: True)
    monkeypatch.setattr("cli.commands.submit.agreed", lambda *_, **__: True)


def drafts(tmp_path) -> list[Path]:
    """The texts that were kept."""
    return list((tmp_path / "drafts").iterdir())


@pytest.mark.guarantee("P2")
def test_refused_text_is_opened_again_with_the_faults_above_it(
    city, govcloud, editor, at_terminal, tmp_path
):
    """As kubectl does: faults as comments, their lines as they are in the reopened file."""
    log = editor(MANY, change("many", "3"))
    name = govcloud("--as", "hrss", "edit", OBJECT, "-o", "name").lines[-1]
    assert name.startswith("REQ-")
    again = Path(f"{log}.2").read_text(encoding="utf-8")
    place = re.search(r"^# .*\.yaml:(\d+):.*spec\.count", again, re.MULTILINE)
    assert place, again
    assert again.splitlines()[int(place[1]) - 1].strip() == "count: many"
    assert drafts(tmp_path) == []


def test_giving_up_after_a_refusal_keeps_the_text(city, govcloud, editor, at_terminal, tmp_path):
    """Closed without another change: the error, its code, and where the text is."""
    editor(MANY, "true")
    ended = govcloud("--as", "hrss", "edit", OBJECT, code=Exit.INVALID)
    (kept,) = drafts(tmp_path)
    assert str(kept) in ended.err
    assert "count: many" in kept.read_text(encoding="utf-8")
    assert kept.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("session", "words", "code"),
    [
        (MANY, ["--yes"], Exit.INVALID),
        (f"{change('2', '4')}; exit 3", ["--yes"], Exit.USAGE),
        ("printf '\\377' >> \"$1\"", ["--yes"], Exit.INVALID),
    ],
)
def test_unattended_editing_keeps_what_could_not_be_sent(
    city, govcloud, editor, tmp_path, session, words, code
):
    """In a script nobody mends anything: the text is kept and named."""
    editor(session)
    ended = govcloud("--as", "hrss", "edit", OBJECT, *words, code=code)
    (kept,) = drafts(tmp_path)
    assert str(kept) in ended.err


def test_without_a_terminal_no_editor_is_opened(city, govcloud, editor, monkeypatch):
    """It would hang, or draw its screen into a file."""
    log = editor("true")
    assert "--export" in govcloud("edit", OBJECT, code=Exit.USAGE).err
    assert not Path(f"{log}.1").exists()
    monkeypatch.delenv("VISUAL")
    monkeypatch.delenv("EDITOR")
    assert "terminal" in govcloud("edit", OBJECT, "--yes", code=Exit.USAGE).err


@pytest.mark.parametrize(
    ("editor_", "said"),
    [("no-such-editor -x", "No such file"), ("'unclosed", "quotation"), ("false", "code 1")],
)
def test_an_editor_that_does_not_work_is_told(city, govcloud, monkeypatch, tmp_path, editor_, said):
    """Plain words, and no error of Python's."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("VISUAL", editor_)
    ended = govcloud("edit", OBJECT, "--yes", code=Exit.USAGE)
    assert said in ended.err
    assert "Errno" not in ended.err
