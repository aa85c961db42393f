"""What administrators do to platform objects: apply, delete."""

from typing import Annotated

import typer

from cli import complete, files, output, refs
from cli.commands.submit import Recursive, confirm, show_proposal
from cli.options import DryRun, Files, Force, Format, Output, Yes
from cli.session import client
from cli.speech import t
from govcloud.errors import UsageError


def apply(
    filename: Files = [],  # noqa: B006 - Typer copies it
    recursive: Recursive = True,
    dry_run: DryRun = False,
    force: Force = False,
    form: Format = Output.TABLE,
) -> None:
    """Bring platform objects to what files say."""
    if not filename:
        raise UsageError("cli.nothing_given")
    body = {"files": files.read(filename, recursive=recursive), "dryRun": dry_run, "force": force}
    show_proposal(client().post("/v1/apply", body), form, done=not dry_run)
    if dry_run:
        output.note(t("only_dry_run"))


def delete(
    objects: Annotated[
        list[str],
        typer.Argument(
            metavar="KIND/NAME…", help=t("arg_objects"), autocompletion=complete.references
        ),
    ],
    dry_run: DryRun = False,
    force: Annotated[bool, typer.Option("--force", help=t("opt_force_delete"))] = False,
    yes: Yes = False,
    form: Format = Output.TABLE,
) -> None:
    """Delete platform objects that nothing refers to."""
    references = refs.parse(objects)
    named = [{"kind": r.kind, "name": r.name} for r in references]
    body = {"objects": named, "dryRun": dry_run, "force": force}
    if not dry_run and not yes:
        confirm(t("ask_delete", objects=", ".join(reference.shown for reference in references)))
    show_proposal(client().post("/v1/delete", body), form, done=not dry_run)
    if dry_run:
        output.note(t("only_dry_run"))
