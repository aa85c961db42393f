"""The operator's ways out of what is stuck: try again, build again, give up, let a cloud heal."""

from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from cli import acting, columns, complete, output, refs, render
from cli.client import path
from cli.commands.submit import confirm
from cli.options import Department, Format, Output, Yes
from cli.session import client
from cli.speech import t, word

SHOWN: Final = 20
"""So many of the resources that are left behind are named; `govcloud drift` has them all."""

Target = Annotated[
    str, typer.Argument(metavar="KIND/NAME", help=t("arg_edit"), autocompletion=complete.references)
]


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

    def ask(reference: refs.Reference) -> dict[str, Any]:
        found = acting.post(reference, "retry")
        if form not in (Output.JSON, Output.YAML):
            acting.tell(found, "retried", form)
        return found

    acting.each(refs.parse(objects, department), lambda reference: reference.shown, ask, form)


def rebuild(
    *,
    target: Target,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help=t("opt_rebuild_reason"))],
    machine: Annotated[
        list[int] | None,
        typer.Option("--machine", "-m", metavar="NUMBER", help=t("opt_rebuild_machine")),
    ] = None,
    allow_replace: Annotated[
        list[str] | None,
        typer.Option("--allow-replace", metavar="KIND/NAME[:DISK]", help=t("opt_allow_replace")),
    ] = None,
    department: Department = None,
    yes: Yes = False,
    form: Format = Output.TABLE,
) -> None:
    """Remove what has failed of an object, or machines that are named, and build them again."""
    reference = _sure(target, department, "ask_rebuild", yes=yes or bool(machine))
    body = {"reason": reason, "machines": machine or [], "allowReplace": allow_replace or []}
    if not yes and machine:
        found = acting.post(reference, "rebuild", body | {"dryRun": True})["remake"]
        output.complain(t("remake_parts", parts=", ".join(found["parts"])))
        output.complain(t("remake_lost", lost=" ".join(found["lost"])))
        confirm(t("ask_remake", object=reference.shown))
    acting.tell(acting.post(reference, "rebuild", body), "rebuilt", form)


def confirm_release(
    *,
    target: Target,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help=t("opt_confirm_reason"))],
    department: Department = None,
    yes: Yes = False,
    form: Format = Output.TABLE,
) -> None:
    """Let an object that is being given back go with what it still holds."""
    reference = _sure(target, department, "ask_confirm", yes=yes)
    _insist(reference, "confirm", reason, "confirmed", form)


def force(
    *,
    target: Target,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help=t("opt_force_reason"))],
    department: Department = None,
    yes: Yes = False,
    form: Format = Output.TABLE,
) -> None:
    """Go on removing an object whose release is stuck, whatever forbids it."""
    reference = _sure(target, department, "ask_force", yes=yes)
    _insist(reference, "force", reason, "forced", form)


def abandon(
    *,
    target: Target,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help=t("opt_abandon_reason"))],
    department: Department = None,
    yes: Yes = False,
    form: Format = Output.TABLE,
) -> None:
    """Forget an object that is stuck, although the cloud has not confirmed that it is gone."""
    reference = _sure(target, department, "ask_abandon", _leftovers, yes=yes)
    found = _insist(reference, "abandon", reason, "abandoned", form)
    if yes and form not in (Output.JSON, Output.YAML) and not output.quiet():
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


def _sure(
    target: str,
    department: str | None,
    question: str,
    show: Callable[[dict[str, Any]], None] = lambda _: None,
    *,
    yes: bool,
) -> refs.Reference:
    """Return what is meant; unless `yes` was said, show how it is and ask whether to go on."""
    (reference,) = refs.parse([target], department)
    if yes:
        return reference
    seen = client().get(reference.path, department=reference.department)
    output.complain(str(seen["status"].get("message") or columns.status(seen)))
    show(seen)
    confirm(t(question, object=reference.shown))
    return reference


def _insist(
    reference: refs.Reference, verb: str, reason: str, done: str, form: Output
) -> dict[str, Any]:
    found = acting.post(reference, verb, {"reason": reason})
    acting.tell(found, done, form)
    return found


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
