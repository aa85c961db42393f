"""What stands in a room, from the hosts themselves: asked over SSH, proposed, never registered."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli import complete, files, output, scan_view
from cli.commands import migrate_inventory
from cli.commands.migrate_inventory import m
from cli.commands.wait import seconds
from cli.options import Department, DryRun, Format, Output
from cli.progress import spinner
from govcloud.errors import Exit, InvalidInputError, NotFoundError, Text, UsageError

if TYPE_CHECKING:
    from migration.inventory.documents import Register
    from migration.inventory.scan.asking import Asker, Question
    from migration.inventory.scan.folder import Folder
    from migration.inventory.scan.hearing import Notice
    from migration.inventory.scan.record import Record
    from migration.inventory.scan.targets import Target
    from migration.running.port import Endpoint

_UNREAD: Final = {"login": "scan_lost", "root": "scan_no_root"}
"""Sentences of what leaves all of a host unread."""
_SHEETS: Final = (".csv", ".xlsx", ".txt")
_LONGEST_S: Final = 86_400
_MOST_SAMPLES: Final = 2_000


def scan(
    *,
    room: Annotated[str, typer.Argument(metavar="ROOM", help=m("arg_scan_room"))],
    hosts: Annotated[
        str | None,
        typer.Option(
            "--hosts", "-i", metavar="FILE", help=m("opt_hosts"), autocompletion=complete.files
        ),
    ] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="FOLDER", help=m("opt_to"))] = None,
    limit: Annotated[
        str | None, typer.Option("--limit", metavar="PATTERN", help=m("opt_limit"))
    ] = None,
    missing: Annotated[bool, typer.Option("--missing", help=m("opt_missing"))] = False,
    groups: Annotated[
        list[str] | None, typer.Option("--group", metavar="NAME", help=m("opt_group"))
    ] = None,
    user: Annotated[str, typer.Option("--user", metavar="NAME", help=m("opt_user"))] = "",
    key_file: Annotated[
        str, typer.Option("--key-file", metavar="FILE", help=m("opt_key_file"))
    ] = "",
    known_hosts: Annotated[
        str, typer.Option("--known-hosts", metavar="FILE", help=m("opt_known_hosts"))
    ] = "",
    bastion: Annotated[
        str, typer.Option("--bastion", metavar="USER@HOST:PORT", help=m("opt_bastion"))
    ] = "",
    become: Annotated[bool, typer.Option("--become", help=m("opt_become"))] = False,
    become_password: Annotated[
        str | None,
        typer.Option("--become-password", metavar="REFERENCE", help=m("opt_become_password")),
    ] = None,
    sample: Annotated[str, typer.Option("--sample", metavar="TIME", help=m("opt_sample"))] = "30s",
    every: Annotated[str, typer.Option("--every", metavar="TIME", help=m("opt_every"))] = "5s",
    enough_days: Annotated[
        int, typer.Option("--enough-days", metavar="N", min=1, max=366, help=m("opt_enough_days"))
    ] = 7,
    check: Annotated[bool, typer.Option("--check", help=m("opt_scan_check"))] = False,
    propose: Annotated[bool, typer.Option("--propose", help=m("opt_propose"))] = False,
    department: Department = None,
    dry_run: DryRun = False,
    form: Format = Output.TABLE,
) -> None:
    """Read what stands on a room's hosts over SSH, and propose it for the register."""
    from govcloud.domain.kinds.moving import BASTION, USER
    from migration.inventory.scan.asking import asker
    from migration.inventory.scan.folder import Folder
    from migration.inventory.scan.targets import instead
    from migration.running.login import ways
    from migration.running.port import Endpoint

    register, rooms = migrate_inventory.register(migrate_inventory.whose(department))
    place = migrate_inventory.room_of(room, rooms) or room
    folder = Folder(to or f"{place}.scan")
    ours = _is_ours(hosts)
    through = _formed(bastion, BASTION, "input.bad_bastion")
    keys = (_path(key_file), _path(known_hosts), through)
    name = _formed(user, USER, "input.bad_user") or ("root" if ours else "")
    login = Endpoint("", "", 22, name, *keys, become)
    source = _Source(place, hosts, limit)
    samples, every_s = _sampling(sample, every)
    with asker() as ask:
        inventory, targets = _targets(ask, source, register, rooms, login)
        if not targets:
            raise NotFoundError("migrate.scan_nobody", room=place)
        if missing:
            targets = _unfinished(targets, folder)
            if not targets:
                output.note(m("scan_all_read"))
                return
        if dry_run:
            scan_view.show_targets(targets, login, form)
            return
        if propose:
            known = folder.records()
            found = [known[one.address] for one in targets if one.address in known]
        else:
            question = _question(inventory, targets, samples, every_s, become_password, check=check)
            if not ours:
                question = replace(question, login=instead(login), ways=ways(login, ask.complaints))
            found = _ask(ask, question, targets, None if check else folder)
    if not check:
        _propose(folder, register, place, groups or (), enough_days)
    scan_view.show(found, form, enough_days)
    _end(found)


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the hosts are from: a file, or the register's hosts of the room; which of them."""

    room: str
    file: str | None
    limit: str | None


def _path(text: str) -> str:
    return str(Path(text).expanduser().absolute()) if text else ""


def _formed(text: str, pattern: str, fault: str) -> str:
    if text and not re.fullmatch(pattern, text):
        raise UsageError(fault)
    return text


def _is_ours(file: str | None) -> bool:
    """Whether Ansible's inventory is made here, and not somebody's own."""
    return file is None or Path(file).suffix.lower() in _SHEETS


def _sampling(sample: str, every: str) -> tuple[int, int]:
    """Return how many samples are taken, and how many seconds lie between two."""
    length, apart = int(seconds(sample)), max(1, int(seconds(every)))
    if length > _LONGEST_S:
        raise UsageError("migrate.scan_too_long", longest=_LONGEST_S // 3_600)
    apart = max(apart, -(-length // _MOST_SAMPLES))
    return length // apart + 1, apart


def _targets(
    ask: "Asker",
    source: _Source,
    register: "Register",
    rooms: dict[str, str],
    login: "Endpoint",
) -> "tuple[str, list[Target]]":
    """Return Ansible's inventory, and those of its hosts that are meant."""
    from migration.inventory.scan import targets

    if not _is_ours(source.file):
        inventory = _path(source.file or "")
        if not Path(inventory).exists():
            raise UsageError("cli.unreadable", file=inventory, detail=Text("labels.os.ENOENT"))
        return inventory, targets.of_listing(ask.listing(inventory, source.limit))
    if source.file is None:
        found = targets.of_register(register.hosts, source.room)
    else:
        found = _of_sheet(source.file, source.room, rooms)
    inventory = ask.inventory(targets.inventory(found, login, ask.complaints))
    if source.limit:
        chosen = {one.key for one in targets.of_listing(ask.listing(inventory, source.limit))}
        found = [one for one in found if one.key in chosen]
    return inventory, found


def _unfinished(found: "list[Target]", folder: "Folder") -> "list[Target]":
    """Return the hosts of which something was not read the last time, or nothing yet."""
    known = folder.records()
    return [one for one in found if known.get(one.address, {"missing": "?"})["missing"]]


def _of_sheet(file: str, room: str, rooms: dict[str, str]) -> "list[Target]":
    """Return the hosts of a sheet with headings, or of a list of nothing but addresses."""
    from migration.inventory import sheet
    from migration.inventory.rows import read_rows
    from migration.inventory.scan import targets

    content = sheet.read(file)
    migrate_inventory.tell_sheet(content)
    listed = targets.addresses(content)
    if listed is not None:
        return targets.of_addresses(listed)
    reading = read_rows(content, rooms, room)
    if reading.faults:
        raise InvalidInputError(reading.faults)
    return targets.of_rows(row for row in reading.hosts if row.host["room"] == room)


def _question(
    inventory: str,
    targets: "Sequence[Target]",
    samples: int,
    every_s: int,
    become_password: str | None,
    *,
    check: bool,
) -> "Question":
    from migration.inventory.scan.asking import Question

    question = Question(
        inventory,
        limit=":".join(one.key for one in targets),
        samples=samples,
        every_s=every_s,
        become_password=become_password,
        addresses={one.key: one.address for one in targets},
    )
    return replace(question, subjects=()) if check else question


def _ask(
    ask: "Asker", question: "Question", targets: "Sequence[Target]", folder: "Folder | None"
) -> "list[Record]":
    from migration.inventory.scan.room import scan as ask_hosts

    done: set[str] = set()
    with spinner(m("scan_begins", total=len(targets))) as tell:

        def told(notice: "Notice") -> None:
            if notice.heard.done:
                done.add(notice.heard.host)
            words = {"done": len(done), "total": len(targets), "host": notice.heard.host}
            tell(m("scan_progress", **words, subject=scan_view.subject(notice.subject)))

        return ask_hosts(
            ask, question, targets=targets, folder=folder, now=lambda: datetime.now(UTC), told=told
        )


def _propose(
    folder: "Folder", register: "Register", room: str, groups: Sequence[str], enough_days: int
) -> None:
    """Write what was found as documents that a person may submit; nothing is registered."""
    from migration.inventory import documents
    from migration.inventory.scan.facts import hosts
    from migration.inventory.scan.groups import named

    placed = {
        item["spec"]["address"]: item["spec"]["system"]
        for item in register.hosts
        if item["spec"].get("address") and item["spec"].get("system")
    }
    records = named(list(folder.records().values()), groups, placed)
    found = [replace(one, host={"room": room, **one.host}) for one in hosts(records, enough_days)]
    if not found:
        return
    place = folder.path / "register"
    place.mkdir(exist_ok=True)
    documented = documents.host_documents(found, register)
    for number, text in enumerate(migrate_inventory.texts("hosts", documented), start=1):
        files.write(str(place / f"hosts-{number}.yaml"), text["text"].encode())
    output.note(m("scan_written", count=len(found), folder=str(place)))
    output.hint(m("hint_scan", folder=str(place)))
    proposed = documents.proposals(found, register)
    if proposed:
        migrate_inventory.propose(proposed, systems := str(folder.path / "systems.yaml"))
        output.hint(m("hint_scan_systems", file=systems, room=room))


def _end(found: "Sequence[Record]") -> None:
    """Tell what was not read, and end with the code for it."""
    from migration.inventory.scan.facts import unmeasured
    from migration.inventory.scan.record import unasked

    left = False
    for one in found:
        host = one["name"]
        for subject, reason in one["missing"].items():
            said = _UNREAD.get(subject, "scan_missing")
            why = scan_view.reason(subject, reason)
            output.complain(m(said, host=host, subject=scan_view.subject(subject), reason=why))
        for database, reason in unmeasured(one["found"]):
            output.complain(m("scan_unmeasured", host=host, database=database, reason=reason))
            left = True
        if not (unasked(one) or one["root"]):
            output.note(m("scan_not_root", host=host))
    if found and all(unasked(one) for one in found):
        raise typer.Exit(Exit.UNAVAILABLE)
    if left or any(one["missing"] for one in found):
        raise typer.Exit(Exit.INCOMPLETE)
