"""The operator's ways out of what is stuck: try again, build again, give up, let a cloud heal."""

from typing import Annotated, Any, Final

import typer

from cli import columns, complete, failures, output, refs, render
from cli.client import path
from cli.commands.submit import confirm
from cli.options import Department, Format, Output, Yes
from cli.session import client
from cli.speech import t, word
from govcloud.errors import GovcloudError

SHOWN: Final = 20
"""So many of the resources that are left behind are named; `govcloud drift` has them all."""


def retry(
    *,
    objects: Annotated[
        list[str],
        typer.Argument(
            metavar="KIND/NAME…", help=t("arg_objects"), autocompletion=complete.references
        ),
    ],
    department: Department = None,
    form: Format = Output.TABLE,
) -> None:
    """Let the controller look at objects again now, with their failures forgotten."""
    references = refs.parse(objects, department)
    asked: list[dict[str, Any]] = []
    failed: GovcloudError | None = None
    for reference in references:
        try:
            found = _post(reference, "retry")
        except GovcloudError as error:
            if len(references) == 1:
                raise
            output.complain(f"{reference.shown}:")
            failures.show(error)
            failed = failed or error
            continue
        asked.append(found)
        _say(found, "retried", form)
    if form in (Output.JSON, Output.YAML):
        render.structured(asked[0] if len(references) == 1 else {"items": asked}, form)
    if failed is not None:
        raise typer.Exit(failed.exit_code)


def rebuild(
    *,
    target: Annotated[
        str,
        typer.Argument(metavar="KIND/NAME", help=t("arg_edit"), autocompletion=complete.references),
    ],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help=t("opt_rebuild_reason"))],
    department: Department = None,
    yes: Yes = False,
    form: Format = Output.TABLE,
) -> None:
    """Remove what has failed of an object, with the data in it, and build it again."""
    (reference,) = refs.parse([target], department)
    if not yes:
        seen = client().get(reference.path, department=reference.department)
        output.complain(str(seen["status"].get("message") or columns.status(seen)))
        confirm(t("ask_rebuild", object=reference.shown))
    found = _post(reference, "rebuild", {"reason": reason})
    _say(found, "rebuilt", form)
    if form in (Output.JSON, Output.YAML):
        render.structured(found, form)


def confirm_release(
    *,
    target: Annotated[
        str,
        typer.Argument(metavar="KIND/NAME", help=t("arg_edit"), autocompletion=complete.references),
    ],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help=t("opt_confirm_reason"))],
    department: Department = None,
    yes: Yes = False,
    form: Format = Output.TABLE,
) -> None:
    """Let an object that is being given back go with what it still holds."""
    (reference,) = refs.parse([target], department)
    if not yes:
        seen = client().get(reference.path, department=reference.department)
        output.complain(str(seen["status"].get("message") or columns.status(seen)))
        confirm(t("ask_confirm", object=reference.shown))
    found = _post(reference, "confirm", {"reason": reason})
    _say(found, "confirmed", form)
    if form in (Output.JSON, Output.YAML):
        render.structured(found, form)


def abandon(
    *,
    target: Annotated[
        str,
        typer.Argument(metavar="KIND/NAME", help=t("arg_edit"), autocompletion=complete.references),
    ],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help=t("opt_abandon_reason"))],
    department: Department = None,
    yes: Yes = False,
    form: Format = Output.TABLE,
) -> None:
    """Forget an object that is stuck, although the cloud has not confirmed that it is gone."""
    (reference,) = refs.parse([target], department)
    if not yes:
        seen = client().get(reference.path, department=reference.department)
        output.complain(str(seen["status"].get("message") or columns.status(seen)))
        _leftovers(seen)
        confirm(t("ask_abandon", object=reference.shown))
    found = _post(reference, "abandon", {"reason": reason})
    _say(found, "abandoned", form)
    if form in (Output.JSON, Output.YAML):
        render.structured(found, form)
    elif yes and not output.quiet():
        _leftovers(found)


def resume(
    *,
    cloud: Annotated[str, typer.Argument(metavar="CLOUD", help=t("arg_cloud"))],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help=t("opt_resume_reason"))],
    yes: Yes = False,
    form: Format = Output.TABLE,
) -> None:
    """Confirm that what is missing from a cloud is lost, so that it is built again."""
    if not yes:
        [seen] = client().get("/v1/drift", cloud=cloud)["clouds"]
        confirm(t("ask_resume", cloud=cloud, lost=seen["lost"]))
    found = client().post(path("clouds", cloud, "resume"), {"reason": reason})
    if form in (Output.JSON, Output.YAML):
        render.structured(found, form)
    else:
        output.emit(cloud if form is Output.NAME else f"{cloud}  {word('done', 'resumed')}")


def _post(
    reference: refs.Reference, verb: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    found: dict[str, Any] = client().post(
        f"{reference.path}/{verb}", body, department=reference.department
    )
    return found


def _say(found: dict[str, Any], done: str, form: Output) -> None:
    if form in (Output.JSON, Output.YAML):
        return
    name = columns.object_name(found)
    output.emit(name if form is Output.NAME else f"{name}  {word('done', done)}")


def _leftovers(item: dict[str, Any]) -> None:
    """Say what the cloud may still hold, which is nobody's from now on."""
    state = item["status"]
    resources = state.get("resources") or []
    if not resources:
        return
    output.complain(t("left_behind", count=len(resources), cloud=state.get("cloud")))
    for one in resources[:SHOWN]:
        output.complain(f"  {one.get('type', '')} {one.get('name', '')} {one.get('id', '')}")
    if len(resources) > SHOWN:
        output.complain("  …")
