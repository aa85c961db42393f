"""Proposing how a system moves: a `MigrationPlan` to be completed, from what its hosts tell."""

import textwrap
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import complete, files, output, render
from cli.client import path
from cli.commands import migrate_assess
from cli.commands.migrate_inventory import m
from cli.options import Department
from cli.output import emit
from cli.session import client
from govcloud.errors import NotFoundError

if TYPE_CHECKING:
    from govcloud.errors import Text
    from migration.assessment.facts import LegacySystem
    from migration.running.prepare import Load


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
    whole: Annotated[
        list[str] | None, typer.Option("--whole-disk", metavar="HOST", help=m("opt_whole"))
    ] = None,
    scanned: Annotated[
        str | None,
        typer.Option(
            "--scan", metavar="FOLDER", help=m("opt_scanned"), autocompletion=complete.files
        ),
    ] = None,
    department: Department = None,
) -> None:
    """Propose how a system moves, as YAML to be completed and applied."""
    chosen = migrate_assess.chosen(system, department)
    for host in whole or ():
        if host not in chosen.running:
            known = sorted(chosen.running)
            raise NotFoundError("migrate.prepare_no_host", host=host, known=known)
    carried = _carried(chosen, scanned) if scanned else {}
    document = _document(chosen, zone, image, whole or (), carried)
    text = "".join(f"# {line}\n" for line in m("move_head").strip().splitlines())
    text += _noted(render.as_yaml(document), carried)
    if write is None:
        emit(text)
        return
    files.write(write, text.encode())
    output.note(m("move_written", file=write))


def _carried(system: "LegacySystem", folder: str) -> dict[str, "Sequence[Load]"]:
    """Return what a scan found on the system's hosts; those that it has not read are named."""
    from migration.inventory.scan.folder import Folder
    from migration.inventory.scan.loads import loads

    records = Folder(folder).records()
    found: dict[str, Sequence[Load]] = {}
    for name, host in system.running.items():
        record = records.get(host.address or "")
        found[name] = loads(record) if record else []
        if not found[name]:
            output.note(m("prepare_unscanned", host=name, folder=folder))
    return found


def _noted(text: str, carried: "Mapping[str, Sequence[Load]]") -> str:
    """Return the YAML with a comment above each workload that something is to be said of."""
    notes = {load.name(host): load.notes for host, all_ in carried.items() for load in all_}
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        margin, mark, name = line.partition("- name: ")
        if mark and not margin.strip():
            for note in notes.pop(name.strip(), ()):
                lines += _comment(note, margin)
        lines.append(line)
    return "".join(lines)


def _comment(note: "Text", margin: str) -> list[str]:
    said = " ".join(m(note.key.removeprefix("migrate."), **note.params).split())
    wrapped = textwrap.wrap(said, 98 - len(margin), break_long_words=False)
    return [f"{margin}# {line}\n" for line in wrapped]


def _document(
    system: "LegacySystem",
    zone: str,
    image: str,
    whole: Collection[str],
    carried: "Mapping[str, Sequence[Load]]",
) -> dict[str, Any]:
    from migration.assessment.sizing import size
    from migration.estate import flavors_of
    from migration.running.prepare import proposal

    flavors = flavors_of(client().items(path("objects", "flavor")))
    sizes = [size(name, host, flavors, measured=True) for name, host in system.running.items()]
    (document,) = migrate_assess.plan_documents([system], {}, {}, {})
    proposed = proposal(
        system.name, system.running, sizes, zone, image, whole=whole, carried=carried
    )
    spec = document["spec"]
    if not (system.running or spec.get("move")):
        raise NotFoundError("migrate.prepare_no_hosts", system=system.name)
    return {**document, "spec": {**spec, "move": spec.get("move") or proposed}}
