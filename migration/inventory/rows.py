"""From a sheet's rows to hosts: each cell that cannot be understood is a fault at its name, `D17`.

A row is good if each of its cells is; what is wrong with one row says nothing about the others.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from govcloud.domain.faults import faults_of
from govcloud.domain.kinds.estate import LegacyHostSpec
from govcloud.domain.yamltext import Node
from govcloud.errors import Diagnostic
from migration.inventory import cells
from migration.inventory.cells import CellError, Sheet
from migration.inventory.columns import Column, Part, column_of, is_number, unit

TITLE_ROWS: Final = 20
"""How far down the headings may be."""
_FEWEST: Final = 2
"""Headings that must be known for a row to be that of the headings."""
_NOTHING: Final = frozenset({"", "-", "--", "/", "无", "—", "——", "n/a", "N/A", "未知", "不详"})
_SIZED: Final = re.compile("[KMGTP]", re.IGNORECASE)


_NO_HOST: Final = re.compile(
    r"(?:\w{0,20}[小合总共]计|(?:填表|填报|制表|审核|审批)(?:人|日期|时间|单位))(?:[:(].*)?"
)
"""What begins the rows below the hosts: sums, and who filled in the form."""


@dataclass(frozen=True, slots=True)
class Host:
    """One good row: the parts of its columns' values by field."""

    row: int
    host: Mapping[str, Any]
    facts: Mapping[str, Any]
    system: Mapping[str, Any]
    notes: Mapping[str, str]

    @property
    def spec(self) -> dict[str, Any]:
        """What its `LegacyHost` says, but for the system it belongs to."""
        named = {"name", "asset"}
        spec = {name: value for name, value in self.host.items() if name not in named}
        return spec | ({"facts": dict(self.facts)} if self.facts else {})


@dataclass(frozen=True, slots=True)
class Reading:
    """What a sheet says: good rows, faults by cell, headings that mean nothing here."""

    hosts: Sequence[Host]
    faults: Sequence[Diagnostic]
    ignored: Sequence[str]
    bad_rows: int
    passed: Sequence[int] = ()
    """Rows of sums and signatures."""


@dataclass(slots=True)
class _Reader:
    sheet: Sheet
    rooms: Mapping[str, str]
    room: str | None
    faults: list[Diagnostic] = field(default_factory=list)
    seen: dict[tuple[str, str, str], int] = field(default_factory=dict)
    systems: dict[tuple[str, str], tuple[int, object]] = field(default_factory=dict)

    def fault(self, key: str, where: str, **params: object) -> None:
        self.faults.append(Diagnostic(key, params, file=self.sheet.file, field=where))


def read_rows(sheet: Sheet, rooms: Mapping[str, str], room: str | None) -> Reading:
    """Read hosts from a sheet.

    `rooms` gives a room's name for what it is called in the sheet; `room` is where hosts stand of
    which the sheet does not say.
    """
    reader = _Reader(sheet, rooms, room)
    found = headings(sheet.rows)
    if found is None:
        reader.fault("migrate.no_headings", "A1")
        return Reading((), tuple(reader.faults), (), 0)
    at, columns = found
    titles = sheet.rows[at]
    ignored = [
        cells.line(str(title))
        for index, title in enumerate(titles)
        if title is not None and index not in columns and not is_number(str(title))
    ]
    hosts: list[Host] = []
    bad = 0
    passed: list[int] = []
    for number, row in enumerate(sheet.rows[at + 1 :], start=at + 2):
        texts = {index: cells.folded(row[index]) for index in columns if index < len(row)}
        if _is_no_host(row, texts, columns):
            passed.append(number)
            continue
        unstored = [index for index in columns if (number, index + 1) in sheet.unstored]
        for index in unstored:
            reader.fault("migrate.cell_formula", cell_name(index, number))
        if unstored:
            bad += 1
            continue
        if not any(texts.values()):
            continue
        before = len(reader.faults)
        host = _host(reader, number, row, columns, titles)
        if len(reader.faults) == before and host is not None:
            hosts.append(host)
        else:
            bad += 1
    return Reading(tuple(hosts), tuple(reader.faults), tuple(ignored), bad, tuple(passed))


def _is_no_host(
    row: Sequence[cells.Value], texts: Mapping[int, str], columns: Mapping[int, Column]
) -> bool:
    """Whether a row is one of sums or signatures; one with an address or asset number is a host."""
    named = {
        column.field: texts.get(index, "")
        for index, column in columns.items()
        if column.part is Part.HOST
    }
    if any(named.get(part, "") not in _NOTHING for part in ("asset", "address")):
        return False
    first = next(filter(None, map(cells.folded, row)), "")
    # The number of the row, or nothing, may stand before the word.
    words = (re.sub(r"\s", "", word) for word in (first, named.get("name", "")))
    return any(_NO_HOST.fullmatch(word) for word in words)


def headings(rows: Sequence[Sequence[cells.Value]]) -> tuple[int, Mapping[int, Column]] | None:
    """Return the row of headings, below titles and remarks, and the columns that are known."""
    best: tuple[int, dict[int, Column]] | None = None
    for at, row in enumerate(rows[:TITLE_ROWS]):
        columns: dict[int, Column] = {}
        for index, title in enumerate(row):
            column = column_of(str(title)) if title is not None else None
            if column is not None and column not in columns.values():
                columns[index] = column
        if len(columns) >= _FEWEST and (best is None or len(columns) > len(best[1])):
            best = at, columns
    return best


def _host(
    reader: _Reader,
    number: int,
    row: Sequence[cells.Value],
    columns: Mapping[int, Column],
    titles: Sequence[object],
) -> Host | None:
    parts: dict[Part, dict[str, Any]] = {part: {} for part in Part}
    places: dict[str, str] = {}
    for index, column in columns.items():
        value = row[index] if index < len(row) else None
        text, where = cells.folded(value), cell_name(index, number)
        places[column.field] = where
        if text in _NOTHING:
            continue
        try:
            cells.stated(value, column.parse)
            parts[column.part][column.field] = column.parse(_with_unit(text, titles[index], column))
        except CellError as error:
            reader.fault(error.key, where, **error.params)
    row_place = cell_name(min(columns), number)
    _place(reader, parts[Part.HOST], places.get("room", row_place))
    host = Host(number, parts[Part.HOST], parts[Part.FACTS], parts[Part.SYSTEM], parts[Part.NOTE])
    _identity(reader, host, places, row_place)
    _validated(reader, host, places, row_place)
    _agrees(reader, host, columns, number)
    return host


def _with_unit(text: str, title: object, column: Column) -> str:
    sized = column.parse in (cells.memory, cells.storage)
    if not sized:
        return text
    named = unit(str(title), column) or ""
    parts = (part.rstrip() for part in text.split("+"))
    return "+".join(
        part + named if part[-1:].isdigit() and not _SIZED.search(part) else part for part in parts
    )


def _place(reader: _Reader, host: dict[str, Any], where: str) -> None:
    word = host.get("room")
    if word is None and reader.room is not None:
        host["room"] = reader.room
    elif word is None:
        reader.fault("migrate.no_room", where)
    elif word in reader.rooms:
        host["room"] = reader.rooms[word]
    else:
        known = sorted(set(reader.rooms.values()))
        reader.fault("migrate.unknown_room", where, room=word, known=known or ["-"])


def identities(host: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what a host is known by, the surest first: asset number, address, name."""
    for name in ("asset", "address", "name"):
        if host.get(name):
            yield name, str(host[name]).lower()


def host_name(host: Mapping[str, Any]) -> str | None:
    """Return the name of a new host's object; None where nothing gives one in Latin letters."""
    if named := cells.slug(str(host.get("name", ""))):
        return named
    words = (cells.slug(str(host.get(part, ""))) for part in ("address", "asset"))
    return next((f"host-{word}"[: cells.NAME_LENGTH].strip("-") for word in words if word), None)


def _identity(reader: _Reader, host: Host, places: Mapping[str, str], row_place: str) -> None:
    found = list(identities(host.host))
    if not any(name in ("address", "name") for name, _ in found):
        reader.fault("migrate.no_identity", row_place)
    elif host_name(host.host) is None and not host.host.get("address"):
        where = places.get("name", row_place)
        reader.fault("migrate.no_latin_name", where, value=str(host.host["name"]))
    for identity in found:
        # Names of machines repeat (`localhost`); only where nothing surer is told do they clash.
        if identity[0] == "name" and len(found) > 1:
            continue
        # Addresses and names repeat from room to room; asset numbers do not.
        where_it_holds = "" if identity[0] == "asset" else str(host.host.get("room"))
        earlier = reader.seen.setdefault((*identity, where_it_holds), host.row)
        if earlier != host.row:
            where = places.get(identity[0], row_place)
            reader.fault("migrate.same_host", where, value=identity[1], row=earlier)


def _validated(reader: _Reader, host: Host, places: Mapping[str, str], row_place: str) -> None:
    spec = {"room": "room"} | host.spec
    try:
        LegacyHostSpec.model_validate(spec)
    except ValidationError as error:
        for fault in faults_of(error, LegacyHostSpec, "spec", Node(None, 1, 1), None):
            steps = (fault.field or "").replace("facts.", "").split(".")
            where = places.get(steps[1].partition("[")[0] if len(steps) > 1 else "", row_place)
            reader.fault(fault.key, where, **fault.params)


def _agrees(reader: _Reader, host: Host, columns: Mapping[int, Column], number: int) -> None:
    """Note where a row says something else of a system than an earlier one."""
    system = host.system.get("name")
    if system is None:
        return
    for index, column in columns.items():
        if column.part is not Part.SYSTEM or column.field not in host.system:
            continue
        value = host.system[column.field]
        row, first = reader.systems.setdefault((system, column.field), (number, value))
        if first != value:
            reader.fault(
                "migrate.differs",
                cell_name(index, number),
                system=system,
                row=row,
                value=str(first),
            )


def cell_name(column: int, row: int) -> str:
    """Return `D17` for column 3 (from 0) and row 17 (from 1)."""
    letters, rest = "", column + 1
    while rest:
        rest, digit = divmod(rest - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return f"{letters}{row}"
