"""Editing an object in one's own editor; what is saved becomes a request, or is applied."""

from typing import Annotated, Any, Final

import typer

from cli import complete, output, refs
from cli.commands.draft import Draft, Editor
from cli.commands.submit import announce, confirm, losses, show_proposal
from cli.options import Department, Format, Output, Yes
from cli.render import as_yaml
from cli.session import client
from cli.speech import t
from govcloud.errors import Exit, GovcloudError, UsageError

WRITTEN: Final = ("name", "department", "displayName", "labels", "annotations")
"""What users write of the metadata; the rest is the program's."""
MENDED_BY_EDITING: Final = (Exit.INVALID, Exit.POLICY, Exit.QUOTA)


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
    editor = Editor.chosen(unattended=yes)
    (reference,) = references
    found = client().get(reference.path, department=reference.department)
    draft = Draft.of(reference.name, as_yaml(written(found)))
    content: dict[str, Any] = {}
    if not found["metadata"].get("department"):
        version = found["metadata"]["version"]
        content["seen"] = [{"kind": found["kind"], "name": reference.name, "version": version}]
    with draft.kept_unless_done():
        while draft.opened_in(editor):
            files = {"files": [{"name": draft.file.name, "text": draft.text}]}
            try:
                return _send(content | files, title, justification, form, yes=yes)
            except GovcloudError as error:
                # What another edit cannot mend, and what nobody is there to mend, ends here.
                if error.exit_code not in MENDED_BY_EDITING or not output.interactive():
                    raise
                draft.refused(error)
        if draft.refusal is not None:
            raise draft.refusal
        return output.note(t("edit_unchanged"))


def written(item: dict[str, Any]) -> dict[str, Any]:
    """Return an object as its users write it, without what the program owns."""
    meta = {name: item["metadata"][name] for name in WRITTEN if item["metadata"].get(name)}
    return {
        "apiVersion": item["apiVersion"],
        "kind": item["kind"],
        "metadata": meta,
        "spec": item["spec"],
    }


def _send(
    content: dict[str, Any], title: str, justification: str, form: Output, *, yes: bool
) -> None:
    if "seen" in content:
        told = client().post("/v1/apply", content | {"dryRun": not yes})
        show_proposal(told, form, done=yes)
        if not yes:
            confirm(t("ask_apply"))
            client().post("/v1/apply", content)
            output.note(t("applied"))
        return
    content |= {"releases": []}
    if not yes:
        planned = client().post("/v1/plan", content)
        show_proposal(planned, form)
        lost = losses(planned)
        confirm(t("ask_replace", objects=lost) if lost else t("ask_submit"))
        content |= {"allowReplace": lost}
    content |= {"title": title, "justification": justification}
    announce(client().post("/v1/requests", content), form)
