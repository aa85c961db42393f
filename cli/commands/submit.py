"""What departments do with their YAML: plan, submit, release."""

from typing import Annotated, Any

import typer

from cli import complete, files, output, refs, render, views
from cli.asking import agreed
from cli.options import Department, DryRun, Files, Format, Output, Timeout, Wait, Yes
from cli.session import client
from cli.speech import t
from govcloud.errors import Exit, UsageError

Releases = Annotated[
    list[str] | None,
    typer.Option(
        "--release", metavar="KIND/NAME", help=t("opt_release"), autocompletion=complete.references
    ),
]
Title = Annotated[str, typer.Option("--title", metavar="TEXT", help=t("opt_title"))]
Reason = Annotated[
    str, typer.Option("--justification", metavar="TEXT", help=t("opt_justification"))
]
Urgent = Annotated[bool, typer.Option("--urgent", help=t("opt_urgent"))]
Recursive = Annotated[
    bool,
    typer.Option("--recursive/--no-recursive", "-R", help=t("opt_recursive"), show_default=False),
]


def plan(
    *,
    filename: Files = [],  # noqa: B006 - Typer copies it
    release: Releases = None,
    department: Department = None,
    recursive: Recursive = True,
    urgent: Urgent = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help=t("opt_detailed_exitcode"))
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help=t("opt_all_changes"))] = False,
    form: Format = Output.TABLE,
) -> None:
    """Show what a request would change, without asking for it."""
    content = body(filename, release, department, recursive=recursive)
    found = client().post("/v1/plan", content | {"urgent": urgent})
    show_proposal(found, form, everything=everything)
    _refused(found)
    changed = any(found["summary"].get(name) for name in ("create", "change", "release"))
    lost = losses(found)
    if lost:
        flags = " ".join(f"--allow-replace {name}" for name in lost)
        output.hint(t("hint_replace", flags=flags))
    elif changed:
        output.hint(t("hint_submit"))
    if changed and detailed_exitcode:
        raise typer.Exit(Exit.CHANGES)


def _refused(found: dict[str, Any]) -> None:
    """End with the code with which a submission of this would be refused, if it would."""
    if any(
        entry.get("severity") == "error" and not entry.get("waiver") for entry in found["findings"]
    ):
        raise typer.Exit(Exit.POLICY)
    if found["refusals"]:
        raise typer.Exit(Exit.QUOTA)


def rehearse(content: dict[str, Any], form: Output) -> None:
    """Show what a submission would come to, and end as it would."""
    found = client().post("/v1/plan", content)
    show_proposal(found, form)
    output.note(t("only_dry_run"))
    _refused(found)
    if found["lost"]:
        named = sorted({*found["lost"], *content.get("allowReplace", ())})
        flags = " ".join(f"--allow-replace {name}" for name in named)
        raise UsageError("requests.would_replace", objects=found["lost"], flags=flags)
    if found["held"]:
        raise typer.Exit(Exit.CONFLICT)


def submit(
    *,
    filename: Files = [],  # noqa: B006 - Typer copies it
    release: Releases = None,
    department: Department = None,
    recursive: Recursive = True,
    title: Title = "",
    justification: Reason = "",
    urgent: Urgent = False,
    replaces: Annotated[
        str | None,
        typer.Option(
            "--replaces",
            metavar="REQUEST",
            help=t("opt_replaces"),
            autocompletion=complete.requests,
        ),
    ] = None,
    allow_replace: Annotated[
        list[str] | None,
        typer.Option("--allow-replace", metavar="KIND/NAME[:DISK]", help=t("opt_allow_replace")),
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option("--idempotency-key", metavar="KEY", help=t("opt_idempotency_key"))
    ] = None,
    dry_run: DryRun = False,
    wait: Wait = False,
    timeout: Timeout = "10m",
    form: Format = Output.TABLE,
) -> None:
    """Submit a change set for approval."""
    content = body(filename, release, department, recursive=recursive) | {"urgent": urgent}
    content |= {"title": title, "justification": justification}
    content |= {"replaces": replaces, "idempotencyKey": idempotency_key}
    content |= {"allowReplace": allow_replace or []}
    if dry_run:
        rehearse(content, form)
        return
    request = client().post("/v1/requests", content)
    announce(request, form)
    if wait and request["id"]:
        from cli.commands.wait import fulfilled

        fulfilled([str(request["id"])], timeout)


def release(
    *,
    objects: Annotated[
        list[str],
        typer.Argument(
            metavar="KIND/NAME…", help=t("arg_objects"), autocompletion=complete.references
        ),
    ],
    department: Department = None,
    title: Title = "",
    justification: Reason = "",
    snapshot: Annotated[bool, typer.Option("--snapshot", help=t("opt_snapshot"))] = False,
    keep_volumes: Annotated[
        bool, typer.Option("--keep-volumes", help=t("opt_keep_volumes"))
    ] = False,
    wipe_volumes: Annotated[
        bool, typer.Option("--wipe-volumes", help=t("opt_wipe_volumes"))
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    form: Format = Output.TABLE,
) -> None:
    """Ask to give resources back."""
    content: dict[str, Any] = {
        "files": [],
        "releases": [reference.plain() for reference in refs.parse(objects, department)],
        "snapshot": snapshot,
        "keepVolumes": keep_volumes,
        "wipeVolumes": wipe_volumes,
        "title": title,
        "justification": justification,
    }
    if dry_run:
        rehearse(content, form)
        return
    if not yes:
        show_proposal(client().post("/v1/plan", content), form)
        confirm(t("ask_release", count=len(content["releases"])))
    announce(client().post("/v1/requests", content), form)


def body(
    paths: list[str], release: list[str] | None, department: str | None, *, recursive: bool = True
) -> dict[str, Any]:
    """Return what plan and submit send: the files' text, and what is to be given back."""
    if not paths and not release:
        raise UsageError("cli.nothing_given")
    references = [refs.parse([word], department)[0] for word in release or []]
    return {
        "files": files.read(paths, recursive=recursive),
        "releases": [reference.plain() for reference in references],
        "department": department,
    }


def losses(found: dict[str, Any]) -> list[str]:
    """Return what a planned change set would build anew, with the loss of what is on it."""
    return [name for change in found["changes"] for name in change.get("replaced") or ()]


def show_proposal(
    found: dict[str, Any], form: Output, *, everything: bool = False, done: bool | None = None
) -> None:
    """Print a proposal in the form that was asked for."""
    if form in (Output.TABLE, Output.WIDE):
        views.proposal(found, everything=everything or form is Output.WIDE, done=done)
    elif form in (Output.JSON, Output.YAML):
        render.structured(found, form)
    else:
        from cli.columns import full_name

        columns = [
            render.Column("action", lambda item: item["action"]),
            render.Column("kind", lambda item: item["kind"]),
            render.Column("department", lambda item: item.get("department")),
            render.Column("name", lambda item: item["name"]),
        ]
        render.show(
            found["changes"],
            columns,
            form,
            name=lambda c: full_name(c["kind"], c["name"], c.get("department")),
        )


def announce(request: dict[str, Any], form: Output) -> None:
    """Print a request that was just submitted: its number on stdout, what comes next on stderr."""
    if form in (Output.JSON, Output.YAML):
        render.structured(request, form)
        return
    if not request["id"]:
        output.note(t("nothing_submitted", count=request["count"]))
        return
    output.emit(str(request["id"]))
    if form is not Output.NAME:
        from cli.columns import change_counts, request_state

        output.note(t("submitted", changes=change_counts(request), state=request_state(request)))
        output.hint(t("hint_after_submit", id=request["id"]))


def confirm(question: str) -> None:
    """Ask a person; UsageError where there is none to ask."""
    if not output.interactive():
        raise UsageError("cli.needs_yes")
    if not agreed(question):
        output.note(t("nothing_done"))
        raise typer.Exit(Exit.FAILURE)
