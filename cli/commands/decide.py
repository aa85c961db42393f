"""Deciding on requests: the change and the quota are shown before anything is said."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from cli import acting, complete, output, views
from cli.client import path
from cli.commands.submit import confirm
from cli.labels import meaning
from cli.options import Department, Format, Note, Output, Timeout, Wait, Yes
from cli.session import client
from cli.speech import t, word
from govcloud.errors import UsageError

Requests = Annotated[
    list[str] | None,
    typer.Argument(metavar="[REQUEST…]", help=t("arg_requests"), autocompletion=complete.requests),
]
User = Annotated[str | None, typer.Option("--user", metavar="NAME", help=t("opt_to_user"))]
Role = Annotated[
    str | None,
    typer.Option("--role", metavar="ROLE", help=t("opt_to_role"), autocompletion=complete.roles),
]
Every = Annotated[bool, typer.Option("--all", help=t("opt_all_requests"))]


def approve(
    *,
    requests: Requests = None,
    every: Every = False,
    department: Department = None,
    note: Note = "",
    condition: Annotated[
        str | None, typer.Option("--condition", metavar="TEXT", help=t("opt_condition"))
    ] = None,
    by: Annotated[str | None, typer.Option("--by", metavar="DATE", help=t("opt_by"))] = None,
    yes: Yes = False,
    wait: Wait = False,
    timeout: Timeout = "10m",
    form: Format = Output.TABLE,
) -> None:
    """Approve requests at the step where they wait."""
    ids = _chosen(requests, department, every=every)
    said = {"note": note, "condition": condition, "by": by}
    _decide("approve", ids, said, form, yes=yes)
    if wait:
        from cli.commands.wait import fulfilled

        fulfilled(ids, timeout)


def reject(
    *,
    requests: Requests = None,
    every: Every = False,
    department: Department = None,
    note: Note = "",
    yes: Yes = False,
    form: Format = Output.TABLE,
) -> None:
    """Reject requests; the note says why."""
    _decide("reject", _chosen(requests, department, every=every), {"note": note}, form, yes=yes)


def return_(
    requests: Requests = None,
    note: Note = "",
    yes: Yes = False,
    form: Format = Output.TABLE,
) -> None:
    """Send requests back for correction; the note says what to correct."""
    _decide("return", _chosen(requests), {"note": note}, form, yes=yes)


def withdraw(
    requests: Requests = None,
    note: Note = "",
    yes: Yes = False,
    form: Format = Output.TABLE,
) -> None:
    """Take back requests of one's own department."""
    _decide("withdraw", _chosen(requests), {"note": note}, form, yes=yes)


def reassign(
    *,
    requests: Requests = None,
    user: User = None,
    role: Role = None,
    note: Note = "",
    yes: Yes = False,
    form: Format = Output.TABLE,
) -> None:
    """Give the step at which requests wait to somebody else."""
    said = {"note": note, "user": user, "role": _role(role)}
    _decide("reassign", _chosen(requests), said, form, yes=yes)


def add_reviewer(
    *,
    requests: Requests = None,
    user: User = None,
    role: Role = None,
    note: Note = "",
    yes: Yes = False,
    form: Format = Output.TABLE,
) -> None:
    """Have somebody else decide before the step at which requests wait."""
    said = {"note": note, "user": user, "role": _role(role)}
    _decide("add-reviewer", _chosen(requests), said, form, yes=yes)


def send_back(
    *,
    requests: Requests = None,
    step: Annotated[
        str | None, typer.Option("--step", metavar="STEP", help=t("opt_back_to"))
    ] = None,
    note: Note = "",
    yes: Yes = False,
    form: Format = Output.TABLE,
) -> None:
    """Have an earlier step of requests taken again; the note says why."""
    _decide("send-back", _chosen(requests), {"note": note, "step": step}, form, yes=yes)


def confirm_condition(
    *,
    requests: Requests = None,
    number: Annotated[
        int | None, typer.Option("--number", metavar="N", min=1, help=t("opt_number"))
    ] = None,
    note: Note = "",
    yes: Yes = False,
    form: Format = Output.TABLE,
) -> None:
    """Say that what requests were approved on condition of has been done."""
    _decide("confirm-condition", _chosen(requests), {"note": note, "number": number}, form, yes=yes)


def _role(typed: str | None) -> str | None:
    return meaning("role", typed) if typed else None


def _chosen(
    requests: list[str] | None, department: str | None = None, *, every: bool = False
) -> list[str]:
    if requests and not every:
        return requests
    if not every or requests:
        raise UsageError("cli.which_requests")
    found = client().items("/v1/requests", state="review", department=department)
    return sorted(str(item["id"]) for item in found)


def _decide(verdict: str, ids: list[str], said: dict[str, Any], form: Output, *, yes: bool) -> None:
    acting.each(ids, str, lambda identity: _one(verdict, identity, said, form, yes=yes), form)


def _one(
    verdict: str, identity: str, said: dict[str, Any], form: Output, *, yes: bool
) -> dict[str, Any]:
    # What was looked at is what is decided on: its version and digest travel with the decision.
    body = {name: value for name, value in said.items() if value is not None}
    if not yes:
        seen = client().get(path("requests", identity))
        _to_stderr(lambda: views.request(seen))
        confirm(t(f"ask_{verdict}", id=identity))
        body |= {"version": seen.get("version"), "digest": seen.get("digest")}
    done: dict[str, Any] = client().post(path("requests", identity, verdict), body)
    if form in (Output.TABLE, Output.WIDE, Output.CSV):
        from cli.columns import request_state

        output.emit(f"{done['id']}  {word('done', verdict)}  ({request_state(done)})")
    elif form is Output.NAME:
        output.emit(str(done["id"]))
    return done


def _to_stderr(show: Callable[[], None]) -> None:
    from contextlib import redirect_stdout
    from sys import stderr

    with redirect_stdout(stderr):
        show()
