"""Play a city: Changshu on the simulated cloud, with the commands that people would type.

Every step is a real command, shown before it runs, in a workspace (`demo-workspace/`) that stays.
Run by `make demo`; `--lang zh|en` and GOVCLOUD_LANG choose the language.
"""

import contextlib
import io
import os
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.main import run
from govcloud.errors import Exit
from govcloud.messages import preferred, render

ROOT: Final = Path(__file__).parents[2]
CITY: Final = Path(__file__).parent
WORKSPACE: Final = ROOT / "demo-workspace"
SHOWN: Final = "hrss"
"""The unit whose request is shown, and one of whose machines vanishes: 人社局."""
VICTIM: Final = "arbitration-app"
CLOUD: Final = "changshu-vm"
console = Console(stderr=True, highlight=False)


class Demo:
    """The play: each method is one act."""

    def __init__(self, language: str) -> None:
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
            sys.exit(1)
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

    def prepare(self) -> None:
        """Lay the workspace anew and put the platform in place."""
        shutil.rmtree(WORKSPACE, ignore_errors=True)
        self.say("prepare")
        self.type("init", str(WORKSPACE))
        os.environ["GOVCLOUD_WORKSPACE"] = str(WORKSPACE / ".govcloud")
        self.type("apply", "-f", relative(CITY / "platform"), "-o", "name", shown=False)
        console.print(f"[bold]$ govcloud apply -f {relative(CITY / 'platform')}[/]")
        self.type("get", "clouds")
        people = [("approver", "approver", ""), ("auditor", "auditor", "")]
        people += [(unit, "applicant", unit) for unit in units()]
        self.each("accounts", [account(*person) for person in people])

    def submit(self) -> list[str]:
        """Submit each unit's YAML, one of them before the audience, and one that is refused."""
        self.say("plan")
        shown = CITY / "departments" / SHOWN / "arbitration.yaml"
        self.type("--as", SHOWN, "plan", "-f", relative(shown))
        self.say("over_quota")
        refused = CITY / "requests" / "over-quota"
        unit = (refused / "UNIT").read_text(encoding="utf-8").strip()
        self.type("--as", unit, "submit", "-f", relative(refused), expect=(Exit.QUOTA,))
        self.say("submit")
        commands = [
            ("--as", unit, "submit", "-f", relative(CITY / "departments" / unit), "-o", "name")
            for unit in units()
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

    def build(self) -> None:
        """Run the controller until everything is ready."""
        self.say("build")
        self.type("controller", "run", "--once")
        self.type("get", "vm", "--department", SHOWN)
        self.say("quota")
        self.type("quota", "tree")

    def heal(self) -> None:
        """Delete a machine behind the controller's back and see it come back."""
        self.say("tamper", name=VICTIM)
        self.type("simulate", "remove", f"{SHOWN}-{VICTIM}-0", "--cloud", CLOUD)
        self.say("healing")
        self.type("controller", "run", "--once")
        self.type("events", f"vm/{VICTIM}", "--department", SHOWN)

    def report(self) -> None:
        """Print the on-cloud rate, check ledger and audit, and say what to type next."""
        self.say("report")
        self.type("--as", "auditor", "report", "on-cloud-rate")
        self.say("verify")
        self.type("quota", "check")
        self.type("--as", "auditor", "audit", "verify")
        elapsed = time.monotonic() - self.began
        self.say("done", seconds=f"{elapsed:.0f}")
        environment = f"export GOVCLOUD_WORKSPACE={relative(WORKSPACE / '.govcloud')}"
        text = render("demo.next", self.language, {"environment": environment})
        console.print(text, soft_wrap=True, markup=False)


def relative(path: Path) -> str:
    """Return a path as a user in the repository's folder would type it."""
    return os.path.relpath(path)


def units() -> list[str]:
    """Return the units that hand in YAML, by name."""
    return sorted(folder.name for folder in (CITY / "departments").iterdir() if folder.is_dir())


def account(name: str, role: str, department: str) -> tuple[str, ...]:
    """Return the command that makes a user's token and keeps it in the workspace."""
    where = ("--department", department) if department else ()
    return ("token", "create", name, "--role", role, *where, "--save")


def main() -> None:
    """Play all acts in order."""
    os.environ.setdefault("GOVCLOUD_LANG", preferred())
    demo = Demo(preferred())
    demo.prepare()
    requests = demo.submit()
    demo.approve(requests)
    demo.build()
    demo.heal()
    demo.report()


if __name__ == "__main__":
    main()
