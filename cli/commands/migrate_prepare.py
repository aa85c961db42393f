"""Proposing how a system moves: a `MigrationPlan` to be completed, from what its hosts tell."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import complete, files, output, render
from cli.client import path
from cli.commands import migrate_assess
from cli.commands.migrate_inventory import m
from cli.options import Department
from cli.output import emit
from cli.session import client

if TYPE_CHECKING:
    from migration.assessment.facts import LegacySystem


def prepare(
    *,
    system: Annotated[
        str,
        typer.Argument(metavar="SYSTEM", help=m("arg_system"), autocompletion=complete.references),
    ],
    write: Annotated[
        str | None, typer.Option("--write", metavar="FILE", help=m("opt_write_move"))
    ] = None,
    zone: Annotated[str, typer.Option("--zone", metavar="NAME", help=m("opt_zone"))] = "ZONE",
    image: Annotated[str, typer.Option("--image", metavar="NAME", help=m("opt_image"))] = "IMAGE",
    department: Department = None,
) -> None:
    """Propose how a system moves, as YAML to be completed and applied."""
    chosen = migrate_assess.chosen(system, department)
    document = _document(chosen, zone, image)
    text = "".join(f"# {line}\n" for line in m("move_head").strip().splitlines())
    text += render.as_yaml(document)
    if write is None:
        emit(text)
        return
    files.write(write, text.encode())
    output.note(m("move_written", file=write))


def _document(system: "LegacySystem", zone: str, image: str) -> dict[str, Any]:
    from migration.assessment.sizing import size
    from migration.estate import flavors_of
    from migration.running.prepare import proposal

    flavors = flavors_of(client().items(path("objects", "flavor")))
    sizes = [size(name, host, flavors, measured=True) for name, host in system.running.items()]
    (document,) = migrate_assess.plan_documents([system], {}, {}, {})
    proposed = proposal(system.name, system.running, sizes, zone, image)
    spec = document["spec"]
    return {**document, "spec": {**spec, "move": spec.get("move") or proposed}}
