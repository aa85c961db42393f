"""What stands in the rooms, from the spreadsheets that departments have."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli import complete, failures, files, output, render
from cli.client import path
from cli.commands.submit import Reason, Title, announce, show_proposal
from cli.options import Department, DryRun, Format, Output
from cli.session import client
from cli.speech import language
from govcloud import messages
from govcloud.errors import Diagnostic, Exit, UsageError

if TYPE_CHECKING:
    from migration.inventory.cells import Sheet
    from migration.inventory.documents import Proposal, Register

CHUNK: Final = 400
"""Hosts in one text: what is sent stays below what the API reads of a file."""


def m(name: str, /, **params: object) -> str:
    """Return the sentence `migrate.<name>` in the language of this run."""
    return messages.render(f"migrate.{name}", language(), params)


def import_(
    *,
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help=m("arg_sheet"), autocompletion=complete.files),
    ],
    room: Annotated[str | None, typer.Option("--room", metavar="NAME", help=m("opt_room"))] = None,
    department: Department = None,
    keep_good: Annotated[bool, typer.Option("--keep-good", help=m("opt_keep_good"))] = False,
    proposals: Annotated[
        str | None, typer.Option("--proposals", metavar="FILE", help=m("opt_proposals"))
    ] = None,
    title: Title = "",
    justification: Reason = "",
    dry_run: DryRun = False,
    form: Format = Output.TABLE,
) -> None:
    """Read hosts from a spreadsheet and ask to have them registered."""
    from migration.inventory import documents, sheet
    from migration.inventory.rows import read_rows

    content = sheet.read(file)
    tell_sheet(content)
    known, rooms = register(whose(department))
    reading = read_rows(content, rooms, room_of(room, rooms))
    _tell(reading.faults)
    if reading.ignored:
        output.note(m("ignored", headings=list(reading.ignored)))
    if reading.passed:
        output.note(m("passed", rows=list(reading.passed)))
    hidden = [host.row for host in reading.hosts if host.row in content.hidden]
    if hidden:
        output.note(m("hidden_rows", count=len(hidden)))
    if reading.bad_rows or not reading.hosts:
        output.complain(m("rows", good=len(reading.hosts), bad=reading.bad_rows))
    if not reading.hosts or (reading.bad_rows and not keep_good):
        if reading.hosts:
            output.hint(m("hint_keep_good"))
        raise typer.Exit(Exit.INVALID)
    found = documents.host_documents(reading.hosts, known)
    for name, other in documents.alike(found, known):
        output.note(m("alike", host=name, other=other))
    body: dict[str, Any] = {
        "files": list(texts(file, found)),
        "releases": [],
        "department": known.department,
    }
    if dry_run:
        show_proposal(client().post("/v1/plan", body), form)
    else:
        body |= {"title": title or m("title", file=Path(file).name), "justification": justification}
        announce(client().post("/v1/requests", body), form)
    _propose(documents.proposals(reading.hosts, known), proposals)
    if reading.bad_rows:
        raise typer.Exit(Exit.INCOMPLETE)


def tell_sheet(content: "Sheet") -> None:
    """Say which of a file's sheets is read, where it has others."""
    if content.others:
        output.note(m("other_sheets", sheet=content.name, others=list(content.others)))


def whose(department: str | None) -> str:
    """Return the department whose hosts are meant."""
    whose = department or client().get("/v1/whoami")["department"]
    if not whose:
        raise UsageError("migrate.no_department")
    return str(whose)


def register(department: str) -> "tuple[Register, dict[str, str]]":
    """Return what a department has, and the names of its rooms by what they are called."""
    from migration.inventory.documents import Register

    hosts, systems, rooms = (
        list(client().items(path("objects", kind), department=department))
        for kind in ("legacyhost", "system", "serverroom")
    )
    names = {item["metadata"]["name"]: item["metadata"]["name"] for item in rooms}
    shown = {
        item["metadata"]["displayName"]: item["metadata"]["name"]
        for item in rooms
        if item["metadata"].get("displayName")
    }
    return Register(department, hosts, systems), shown | names


def room_of(room: str | None, rooms: dict[str, str]) -> str | None:
    """Return the name of a room that is called so; of the only one where none is called."""
    if room is None:
        # Whoever has one room need not say which.
        named = set(rooms.values())
        return next(iter(named)) if len(named) == 1 else None
    if room not in rooms:
        raise UsageError("migrate.unknown_room", room=room, known=sorted(rooms.values()) or ["-"])
    return rooms[room]


def _tell(faults: Iterable[Diagnostic]) -> None:
    for fault in faults:
        for line in failures.diagnostic(failures.localised(fault)):
            output.complain(line)


def texts(file: str, found: Sequence[dict[str, Any]]) -> Iterator[dict[str, str]]:
    """Yield documents as files that are small enough for the API."""
    for first in range(0, len(found), CHUNK):
        text = "---\n".join(render.as_yaml(one) for one in found[first : first + CHUNK])
        yield {"name": f"{file}.{first // CHUNK + 1}.yaml", "text": text}


def _propose(found: "Sequence[Proposal]", to: str | None) -> None:
    if not found:
        return
    if to is None:
        names = [proposal.document["metadata"]["displayName"] for proposal in found]
        output.note(m("unregistered", systems=names))
        output.hint(m("hint_proposals"))
        return
    propose(found, to)
    output.hint(m("hint_confirm", file=to))


def propose(found: "Sequence[Proposal]", to: str) -> None:
    """Write systems that somebody has to confirm."""
    files.write(to, "---\n".join(_proposal(one) for one in found).encode())
    output.note(m("proposed", count=len(found), file=to))


def _proposal(proposal: "Proposal") -> str:
    lines = [m("proposal_hosts", hosts=list(proposal.hosts))]
    if proposal.missing:
        lines.append(m("proposal_missing", fields=list(proposal.missing)))
    comments = "".join(f"# {render.clean(line)}\n" for line in lines)
    return comments + render.as_yaml(proposal.document)
