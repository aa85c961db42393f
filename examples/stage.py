"""What demonstrations are played on: commands as people type them, in a workspace that stays."""

import contextlib
import io
import os
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.main import run
from govcloud.errors import Exit
from govcloud.messages import render

console = Console(stderr=True, highlight=False)


class Stage:
    """A city of YAML files (`city`), and what is typed to make it real in a new workspace."""

    def __init__(self, city: Path, workspace: Path, language: str) -> None:
        self.city = city
        self.workspace = workspace
        self.language = language
        self.began = time.monotonic()

    def say(self, key: str, **params: object) -> None:
        """Print one sentence of the play."""
        console.print(f"\n[bold cyan]▸ {render(f'demo.{key}', self.language, params)}[/]")

    def type(self, *words: str, expect: Iterable[int] = (0,), shown: bool = True) -> str:
        """Run one command as a user would; stop the play if it ends otherwise than expected."""
        line = " ".join(f"'{word}'" if " " in word else word for word in words)
        if shown:
            console.print(f"[bold]$ govcloud {line}[/]")
        output, errors = io.StringIO(), io.StringIO()
        if shown:
            code = run(words)
            sys.stdout.flush()
        else:
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
                code = run(words)
        if code not in expect:
            console.print(output.getvalue() + errors.getvalue())
            console.print(f"[bold red]govcloud {line} → {code}[/]")
            sys.exit(Exit.INTERRUPTED if code == Exit.INTERRUPTED else 1)
        return output.getvalue()

    def each(self, key: str, commands: Sequence[tuple[str, ...]]) -> list[str]:
        """Run many like commands behind a progress bar; return what each printed."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
            task = progress.add_task(render(f"demo.{key}", self.language), total=len(commands))
            printed = []
            for words in commands:
                printed.append(self.type(*words, shown=False))
                progress.advance(task)
        return printed

    # --- What every play has ---

    def begin(self) -> None:
        """Lay the workspace anew."""
        shutil.rmtree(self.workspace, ignore_errors=True)
        self.type("init", str(self.workspace))
        os.environ["GOVCLOUD_WORKSPACE"] = str(self.workspace / ".govcloud")

    def people(self) -> None:
        """Make the accounts: an approver, an auditor, an applicant for each unit."""
        people = [("approver", "approver", ""), ("auditor", "auditor", "")]
        people += [(unit, "applicant", unit) for unit in self.units()]
        self.each("accounts", [_account(*person) for person in people])

    def refused(self) -> None:
        """Ask for more than a quota has, and be refused."""
        self.say("over_quota")
        folder = self.city / "requests" / "over-quota"
        unit = (folder / "UNIT").read_text(encoding="utf-8").strip()
        self.type("--as", unit, "submit", "-f", relative(folder), expect=(Exit.QUOTA,))

    def submit(self) -> list[str]:
        """Hand in each unit's YAML; return the names of the requests."""
        self.say("submit")
        commands = [
            ("--as", unit, "submit", "-f", relative(self.city / "departments" / unit), "-o", "name")
            for unit in self.units()
        ]
        printed = self.each("submitting", commands)
        return [line.split("/")[-1].strip() for text in printed for line in text.splitlines()]

    def approve(self, requests: Sequence[str]) -> None:
        """Show the queue and approve it."""
        self.say("approve", count=len(requests))
        self.type("--as", "approver", "requests", "--limit", "5")
        note = render("demo.agreed", self.language)
        commands = [
            ("--as", "approver", "approve", name, "-y", "--note", note) for name in requests
        ]
        self.each("approving", commands)

    def report(self) -> None:
        """Print the on-cloud rate, and check ledger and audit."""
        self.say("report")
        self.type("--as", "auditor", "report", "on-cloud-rate")
        self.say("verify")
        self.type("quota", "check")
        self.type("--as", "auditor", "audit", "verify")

    def end(self, key: str, **params: object) -> None:
        """Say how long it took, and what to type next."""
        self.say("done", seconds=f"{time.monotonic() - self.began:.0f}")
        environment = f"export GOVCLOUD_WORKSPACE={relative(self.workspace / '.govcloud')}"
        text = render(f"demo.{key}", self.language, {"environment": environment, **params})
        console.print(text, soft_wrap=True, markup=False)

    def units(self) -> list[str]:
        """Return the units that hand in YAML, by name."""
        folders = (self.city / "departments").iterdir()
        return sorted(folder.name for folder in folders if folder.is_dir())


def relative(path: Path) -> str:
    """Return a path as a user in the repository's folder would type it."""
    return os.path.relpath(path)


def _account(name: str, role: str, department: str) -> tuple[str, ...]:
    """Return the command that makes a user's token and keeps it in the workspace."""
    where = ("--department", department) if department else ()
    return ("token", "create", name, "--role", role, *where, "--save")
