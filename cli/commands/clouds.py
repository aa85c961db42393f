"""Taking clouds in: what they offer, what in them is nobody's, what is taken over."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cli import columns, complete, output, refs, render
from cli.client import path
from cli.columns import at, moment
from cli.commands.submit import announce, confirm, show_proposal
from cli.options import Cloud, Department, DryRun, Format, Output, Text, TextFormat, Yes
from cli.render import Column
from cli.session import client
from cli.speech import t
from govcloud.errors import Exit, UsageError

UNMANAGED = (
    Column("cloud", at("cloud")),
    Column("type", at("type")),
    Column("name", at("name")),
    Column("resource_id", at("id")),
    Column("tenant", at("tenant")),
    Column("owner_guess", at("owner")),
    Column("size", lambda item: _size(item.get("size") or {})),
    Column("addresses", at("addresses"), wide=True),
    Column("since", lambda item: columns.age(item.get("since"))),
)


def discover(
    *,
    name: Annotated[str, typer.Argument(metavar="CLOUD", help=t("arg_cloud"))],
    form: TextFormat = Text.TEXT,
) -> None:
    """Read what a cloud offers and print the documents that map it."""
    found = client().get(path("clouds", name, "discovery"))
    if form is Text.TEXT:
        for line in str(found["text"]).splitlines():
            output.emit(line)
    else:
        render.structured(found, Output(form.value))


def unmanaged(*, cloud: Cloud = None, form: Format = Output.TABLE) -> None:
    """List what clouds hold that nobody here has asked for; it is never touched."""
    found = client().get("/v1/unmanaged", cloud=cloud)
    whole = {name: found[name] for name in ("items", "clouds")}
    render.show(
        found["items"],
        UNMANAGED,
        form,
        name=lambda item: str(item["id"]),
        whole=whole,
        empty=t("no_unmanaged"),
    )
    unseen = [one for one in found["clouds"] if one["sight"] != "current"]
    if form in (Output.TABLE, Output.WIDE):
        for one in unseen:
            when = moment(one["lookedAt"])
            key = f"sight_{one['sight']}"
            output.complain(t(key, cloud=one["cloud"], at=when, error=one["error"] or "-"))
    if unseen:
        raise typer.Exit(Exit.INCOMPLETE)


def adopt(
    *,
    cloud: Annotated[str, typer.Argument(metavar="CLOUD", help=t("arg_cloud"))],
    resource: Annotated[str, typer.Argument(metavar="ID|NAME", help=t("arg_stranger"))],
    become: Annotated[
        str,
        typer.Option(
            "--into",
            metavar="KIND/NAME",
            help=t("opt_adopt_into"),
            autocompletion=complete.references,
        ),
    ],
    department: Department = None,
    system: Annotated[
        str | None, typer.Option("--system", "-s", metavar="NAME", help=t("opt_adopt_system"))
    ] = None,
    zone: Annotated[
        str | None, typer.Option("--zone", metavar="NAME", help=t("opt_adopt_zone"))
    ] = None,
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help=t("opt_title"))] = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    form: Format = Output.TABLE,
) -> None:
    """Ask to take over something that stands in a cloud and is nobody's."""
    (reference,) = refs.parse([become], department)
    if not reference.department or not system:
        raise UsageError("cli.adopt_whose")
    body = {
        "resource": resource,
        "kind": reference.kind,
        "name": reference.name,
        "department": reference.department,
        "system": system,
        "zone": zone,
    }
    found = client().post(path("clouds", cloud, "adoption"), body)
    text = render.as_yaml(found["document"])
    if dry_run and form in (Output.JSON, Output.YAML):
        render.structured(found if form is Output.JSON else found["document"], form)
        return
    output.emit(text.rstrip())
    if found["missing"]:
        _complain(found["missing"])
        raise typer.Exit(Exit.INVALID)
    content = {"files": [{"name": f"{reference.name}.yaml", "text": text}], "releases": []}
    if dry_run or not yes:
        show_proposal(client().post("/v1/plan", content), Output.TABLE)
        if dry_run:
            return
        confirm(t("ask_adopt", resource=found["found"]["name"] or resource, cloud=cloud))
    announce(client().post("/v1/requests", {**content, "title": title}), form)


def _complain(missing: Mapping[str, Any]) -> None:
    """Name the fields that a person has to fill in, with what the cloud says."""
    for field, there in missing.items():
        key = "adopt_no_zone" if field == "spec.zone" else "adopt_missing"
        output.complain(t(key, field=field, there=there or "-"))


def _size(size: Mapping[str, Any]) -> str:
    counts = {word: size[word] for word in ("servers", "volumes", "addresses") if word in size}
    parts = [t("size_inside", **counts)] if counts else []
    if size.get("vcpu"):
        parts.append(f"{size['vcpu']}C {int(size.get('memory') or 0) / 1024:g}Gi")
    if size.get("size"):
        parts.append(f"{size['size']}Gi {size.get('storage') or ''}".rstrip())
    parts += [str(disk) for disk in size.get("disks") or ()]
    return " + ".join(parts)
