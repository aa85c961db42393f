"""Machines as they run: stop, start, reboot, their consoles, the way into them."""

import os
import shutil
import socket
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from cli import acting, columns, complete, output, refs, render
from cli.commands.submit import confirm
from cli.options import Department, Format, Output, Yes
from cli.session import client
from cli.speech import t, word
from govcloud.errors import ConflictError, Exit, NotFoundError, UsageError

PATIENCE_S: Final = 3.0
"""How long a machine has to answer."""
_WAYS: Final = ("floating_address", "address", "address6")

Target = Annotated[
    str,
    typer.Argument(
        metavar="KIND/NAME", help=t("arg_machine_object"), autocompletion=complete.references
    ),
]
Several = Annotated[
    list[int] | None, typer.Option("--machine", "-m", metavar="NUMBER", help=t("opt_machines"))
]
One = Annotated[
    int | None, typer.Option("--machine", "-m", metavar="NUMBER", help=t("opt_machine"))
]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help=t("opt_power_reason"))]


def stop(
    *,
    target: Target,
    machine: Several = None,
    reason: Why = "",
    department: Department = None,
    yes: Yes = False,
    form: Format = Output.TABLE,
) -> None:
    """Let machines stand still until they are started again; that is no drift."""
    (reference,) = refs.parse([target], department)
    if not yes:
        confirm(t("ask_stop", object=reference.shown))
    found = acting.post(reference, "stop", {"machines": machine or [], "reason": reason})
    acting.tell(found, "stopping", form)


def start(
    *,
    target: Target,
    machine: Several = None,
    reason: Why = "",
    department: Department = None,
    form: Format = Output.TABLE,
) -> None:
    """Let machines run again that were stopped by `govcloud stop`."""
    (reference,) = refs.parse([target], department)
    found = acting.post(reference, "start", {"machines": machine or [], "reason": reason})
    acting.tell(found, "starting", form)


def reboot(
    *,
    target: Target,
    machine: Several = None,
    hard: Annotated[bool, typer.Option("--hard", help=t("opt_hard"))] = False,
    reason: Why = "",
    department: Department = None,
    yes: Yes = False,
    form: Format = Output.TABLE,
) -> None:
    """Let machines start anew, now."""
    (reference,) = refs.parse([target], department)
    if not yes:
        confirm(t("ask_reboot", object=reference.shown))
    body = {"machines": machine or [], "hard": hard, "reason": reason}
    found = acting.post(reference, "reboot", body)
    if form in (Output.JSON, Output.YAML):
        render.structured(found, form)
    else:
        numbers = ", ".join(map(str, found["machines"]))
        output.emit(f"{reference.shown}  {word('done', 'rebooted')} ({numbers})")


def console_log(
    *,
    target: Target,
    machine: One = None,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=1, max=10_000, help=t("opt_lines"))
    ] = 100,
    department: Department = None,
    form: Format = Output.TABLE,
) -> None:
    """Print the last lines of what a machine wrote to its console."""
    (reference,) = refs.parse([target], department)
    found = client().get(
        f"{reference.path}/console-log",
        department=reference.department,
        machine=machine,
        lines=lines,
    )
    if form in (Output.JSON, Output.YAML):
        render.structured(found, form)
        return
    for line in str(found["text"]).splitlines():
        output.emit("".join(c for c in line if c.isprintable() or c == "\t"))


def ssh(
    *,
    target: Target,
    machine: One = None,
    user: Annotated[str, typer.Option("--user", "-l", metavar="NAME", help=t("opt_login"))] = "gov",
    port: Annotated[int, typer.Option("--port", min=1, max=65_535, help=t("opt_ssh_port"))] = 22,
    connect: Annotated[bool, typer.Option("--open", help=t("opt_open"))] = False,
    department: Department = None,
) -> None:
    """Print the command that leads into a machine, and say whether it answers."""
    (reference,) = refs.parse([target], department)
    item = client().get(reference.path, department=reference.department)
    address = _address(item, machine)
    command = ["ssh", *(["-p", str(port)] if port != 22 else []), f"{user}@{address}"]
    output.emit(" ".join(command))
    answers = _answers(address, port)
    say = output.note if answers else output.complain
    say(t("answers" if answers else "answers_not", address=address, port=port))
    if not answers:
        raise typer.Exit(Exit.UNAVAILABLE)
    if connect:
        program = shutil.which("ssh")
        if program is None:
            raise UsageError("cli.no_ssh")
        os.execv(program, command)  # noqa: S606 (what was asked for, and just shown)


def _address(item: Mapping[str, Any], machine: int | None) -> str:
    """Return where a machine is reached; ConflictError where it is not clear which one."""
    machines = columns.machines(item)
    name = str(item["metadata"]["name"])
    if machine is None and len(machines) > 1:
        raise ConflictError("controller.which_machine", name=name, machines=sorted(machines))
    chosen = machines.get(machine) if machine is not None else next(iter(machines.values()), None)
    if chosen is None:
        raise NotFoundError("controller.machine_missing", name=name, machine=machine or 0)
    found = next((str(chosen[way]) for way in _WAYS if chosen.get(way)), "")
    if not found:
        raise ConflictError("cli.no_address", name=name)
    return found


def _answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=PATIENCE_S).close()
    except OSError:
        return False
    return True
