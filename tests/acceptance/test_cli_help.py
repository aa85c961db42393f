"""What people learn from the program itself: knowledge without a workspace, completion, whoami."""

import csv
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from govcloud.errors import Exit

PROGRAM = [sys.executable, "-c", "from cli.main import main; main()"]


@pytest.mark.parametrize(
    "words",
    [
        ("explain",),
        ("explain", "vm.network", "--lang", "zh"),
        ("explain", "WavePlan.spec.settings"),
        ("schema", "WavePlan"),
        ("schema",),
        ("schema", "vm"),
        ("completion", "fish"),
        ("version",),
        ("version", "--client", "-o", "json"),
        ("--help",),
        ("get", "--help"),
    ],
)
def test_knowledge_needs_no_workspace(govcloud, tmp_path, monkeypatch, words):
    """Who writes YAML at home has neither."""
    monkeypatch.chdir(tmp_path)
    ended = govcloud(*words)
    assert ended.out
    assert ended.err == ""


def test_a_mistyped_field_is_guessed_without_a_workspace(govcloud, tmp_path, monkeypatch):
    """The same sentences as a server's."""
    monkeypatch.chdir(tmp_path)
    assert "network" in govcloud("explain", "vm.netwrk", code=None).err
    assert "vm" in govcloud("schema", "vmm", code=Exit.NOT_FOUND).err


def test_whoami_says_who_and_what(city, govcloud):
    """Of the credential that speaks."""
    assert govcloud("whoami", "-o", "name").lines == ["admin"]
    shown = govcloud("--as", "hrss", "whoami").out
    assert "hrss" in shown
    assert "read_own" in govcloud("--as", "hrss", "whoami", "-o", "csv").out


def test_tokens_are_listed_with_role_and_scope(city, govcloud):
    """Whoever looks for a token that may too much must see what it may."""
    (line,) = [line for line in govcloud("token", "list").lines if " hrss " in line]
    assert "applicant" in line
    assert "full" in line


def complete(shell: str, line: str, folder: Path, workspace: Path | None) -> list[str]:
    """Ask the program as the shell's script does; return what the shell would offer."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GOVCLOUD_")}
    place = {"GOVCLOUD_WORKSPACE": str(workspace)} if workspace else {}
    protocol = {"_GOVCLOUD_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": line}
    if shell == "fish":
        protocol["_TYPER_COMPLETE_FISH_ACTION"] = "get-args"
    done = subprocess.run(
        PROGRAM,
        cwd=folder,
        env={**kept, **place, **protocol, "GOVCLOUD_LANG": "en"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    if shell == "zsh":
        text = done.stdout.strip().removeprefix("_arguments '*: :((").removesuffix("))'")
        return [word.partition(":")[0].strip('"') for word in text.splitlines()]
    return [word.partition("\t")[0] for word in done.stdout.splitlines() if word]


def with_program(folder: Path, workspace: Path | None) -> dict[str, str]:
    """Put the program in a folder; return an environment in which a shell finds it there."""
    program = folder / "govcloud"
    program.write_text(f"#!{sys.executable}\nfrom cli.main import main\nmain()\n")
    program.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GOVCLOUD_")}
    place = {"GOVCLOUD_WORKSPACE": str(workspace)} if workspace else {}
    return {**kept, **place, "GOVCLOUD_LANG": "en", "PATH": f"{folder}:{kept['PATH']}"}


def complete_in_bash(line: list[str], folder: Path, workspace: Path | None) -> list[str]:
    """Let bash itself run the completion function on the words of a line."""
    words = " ".join(f"'{word}'" for word in line)
    script = (
        f'eval "$(govcloud completion bash)"; COMP_WORDS=({words}); COMP_CWORD={len(line) - 1};'
        ' _govcloud_completion govcloud 2>/dev/null; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=with_program(folder, workspace),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def tab_in_bash(typed: str, folder: Path, workspace: Path) -> str:
    """Type into a bash on a terminal, press Tab and go on with `|`; return the line that stands."""
    beginning = folder / "bashrc"
    beginning.write_text(
        'eval "$(govcloud completion bash)"; bind "set enable-bracketed-paste off"; PS1="ready> "\n'
    )
    words = ["bash", "--noprofile", "--rcfile", str(beginning), "-i"]
    master, slave = pty.openpty()
    with subprocess.Popen(
        words, cwd=folder, env={**with_program(folder, workspace), "TERM": "dumb"},
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    ) as shell:  # fmt: skip
        os.close(slave)
        read_until(master, "ready> ")
        os.write(master, f"govcloud {typed}\t|".encode())
        line = read_until(master, "|")
        shell.kill()
    os.close(master)
    return line


def read_until(terminal: int, end: str) -> str:
    """Return what a terminal shows, up to and with `end`."""
    shown = ""
    while not shown.endswith(end):
        shown += os.read(terminal, 1).decode("utf-8", "replace")
    return shown


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_shells_offer_what_there_is(city, tmp_path, shell):
    """Commands, flags, their values, kinds, names, departments."""

    def offered(line: str) -> list[str]:
        return complete(shell, line, tmp_path, city)

    assert offered("govcloud who") == ["whoami"]
    assert {"vm", "vms", "volumes"} <= set(offered("govcloud get v"))
    assert offered("govcloud get vm so") == ["social-insurance-app"]
    assert offered("govcloud get vm -d h") == ["hrss"]
    assert "--department" in offered("govcloud get vm --d")
    assert offered("govcloud get vm -o js") == ["json"]
    assert offered("govcloud --lang zh describe vm/so") == ["vm/social-insurance-app"]
    assert offered("govcloud completion f") == ["fish"]
    assert offered("govcloud token create x --role app") == ["applicant", "approver"]


def test_bash_offers_what_there_is(city, tmp_path):
    """As typed: bash runs the function that the script defines."""

    def offered(*line: str) -> list[str]:
        return complete_in_bash(["govcloud", *line], tmp_path, city)

    assert {"vm", "volumes"} <= set(offered("get", "v"))
    assert offered("get", "vm", "so") == ["social-insurance-app"]
    assert "apply" in offered("")
    assert "--department" in offered("get", "vm", "--d")
    assert offered("describe", "virtualmachine") == ["virtualmachines/"]
    assert offered("describe", "virtualmachines/so") == ["virtualmachines/social-insurance-app"]


@pytest.mark.parametrize(
    ("typed", "stands"),
    [("describe virtualm", "virtualmachines/|"), ("get virtualm", "virtualmachines |")],
)
def test_bash_adds_no_blank_where_a_name_is_still_to_come(city, tmp_path, typed, stands):
    """As a person sees it: a shell on a terminal, a Tab, and what is typed after it."""
    assert tab_in_bash(typed, tmp_path, city).endswith(stands)


def test_kinds_are_offered_without_a_workspace(tmp_path):
    """They are the program's own knowledge."""
    assert "vm" in complete_in_bash(["govcloud", "get", "v"], tmp_path, None)
    assert "vm" in complete("fish", "govcloud explain v", tmp_path, None)
    assert complete("fish", "govcloud get vm s", tmp_path, None) == []


@pytest.mark.guarantee("P3")
def test_forms_for_programs_hold_nothing_else(city, govcloud):
    """What is asked for as CSV, JSON or names is that, also from commands that print prose."""
    assert json.loads(govcloud("explain", "-o", "json").out)["items"]
    assert json.loads(govcloud("explain", "vm", "-o", "json").out)["path"]
    govcloud("explain", "vm", "-o", "csv", code=Exit.USAGE)
    heading, *rows = csv.reader(govcloud("doctor", "-o", "csv").lines)
    assert len(heading) == 4
    assert {len(row) for row in rows} == {4}
    assert "program" in govcloud("doctor", "-o", "name").lines
    assert govcloud("audit", "verify", "-o", "csv").lines == ["SEQ,WHAT,MESSAGE"]
    assert govcloud("audit", "verify", "-o", "name").out == ""
