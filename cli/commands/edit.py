"""Editing an object in one's own editor; what is saved becomes a request, or is applied."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cli import complete, failures, output, refs
from cli.commands.submit import announce, confirm, show_proposal
from cli.options import Department, Format, Output, Yes
from cli.render import as_yaml
from cli.session import client
from cli.speech import t
from govcloud.errors import GovcloudError, UsageError

WRITTEN: Final = ("name", "department", "displayName", "labels", "annotations")
"""What users write of the metadata; the rest is the program's."""


def edit(
    *,
    words: Annotated[
        list[str],
        typer.Argument(metavar="KIND/NAME", help=t("arg_edit"), autocompletion=complete.references),
    ],
    department: Department = None,
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help=t("opt_title"))] = "",
    justification: Annotated[
        str, typer.Option("--justification", metavar="TEXT", help=t("opt_justification"))
    ] = "",
    yes: Yes = False,
    form: Format = Output.TABLE,
) -> None:
    """Open an object in $EDITOR; what is saved is submitted, or applied if it is the platform's."""
    references = refs.parse(words, department)
    if len(references) != 1:
        raise UsageError("cli.edit_one")
    (reference,) = references
    found = client().get(reference.path, department=reference.department)
    before = as_yaml(written(found))
    owned = bool(found["metadata"].get("department"))
    with tempfile.TemporaryDirectory(prefix="govcloud-edit-") as folder:
        file = Path(folder) / f"{reference.name}.yaml"
        file.write_text(f"{t('edit_header')}\n{before}", encoding="utf-8")
        while True:
            after = _edited(file)
            if _content(after) == _content(before):
                output.note(t("edit_unchanged"))
                return None
            content: dict[str, Any] = {"files": [{"name": file.name, "text": after}]}
            if not owned:
                version = found["metadata"]["version"]
                seen = {"kind": found["kind"], "name": reference.name, "version": version}
                content["seen"] = [seen]
            try:
                return _send(content, title, justification, form, owned=owned, yes=yes)
            except GovcloudError as error:
                # Nobody's typing is lost over a mistake in it: show it, and open the file again.
                if not output.interactive():
                    raise
                failures.show(error)
                if not typer.confirm(t("ask_edit_again"), err=True, default=True):
                    raise typer.Exit(error.exit_code) from error


def written(item: dict[str, Any]) -> dict[str, Any]:
    """Return an object as its users write it, without what the program owns."""
    meta = {name: item["metadata"][name] for name in WRITTEN if item["metadata"].get(name)}
    return {
        "apiVersion": item["apiVersion"],
        "kind": item["kind"],
        "metadata": meta,
        "spec": item["spec"],
    }


def _content(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("#")).strip()


def _edited(file: Path) -> str:
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    try:
        subprocess.run([*editor, str(file)], check=True)  # noqa: S603 - the user's own editor
    except (OSError, subprocess.CalledProcessError) as error:
        raise UsageError("cli.editor_failed", editor=editor[0], detail=str(error)) from error
    return file.read_text(encoding="utf-8")


def _send(
    content: dict[str, Any], title: str, justification: str, form: Output, *, owned: bool, yes: bool
) -> None:
    if not owned:
        show_proposal(client().post("/v1/apply", content | {"dryRun": not yes}), form)
        if not yes:
            confirm(t("ask_apply"))
            client().post("/v1/apply", content)
            output.note(t("applied"))
        return
    content |= {"releases": []}
    if not yes:
        show_proposal(client().post("/v1/plan", content), form)
        confirm(t("ask_submit"))
    content |= {"title": title, "justification": justification}
    announce(client().post("/v1/requests", content), form)
