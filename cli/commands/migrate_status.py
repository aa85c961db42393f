"""How far migrations are, live or once, and what their journals say."""

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli import complete, render
from cli.client import path
from cli.columns import moment
from cli.commands.migrate_inventory import m
from cli.commands.migrate_run import System, Systems, Wave, chosen, named, shown, step_word
from cli.options import Department, Format, Output, Watch
from cli.output import emit
from cli.render import Column
from cli.session import client
from cli.speech import word
from govcloud.errors import NotFoundError

if TYPE_CHECKING:
    from rich.tree import Tree

Item = Mapping[str, Any]
INTERVAL_S: Final = 1.0
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_MARKS: Final = {
    "done": "✓",
    "doing": "▶",
    "open": "·",
    "failed": "✗",
    "unreachable": "…",
    "broken-off": "…",
}


def status(
    *,
    systems: Systems = None,
    wave: Wave = None,
    department: Department = None,
    watch: Watch = False,
    form: Format = Output.TABLE,
) -> None:
    """Show how far migrations are; of one system, every step."""
    one = chosen(systems, None, department) if systems else None
    if watch:
        _watch(one, wave, department, form)
        return
    if one is not None and len(one) == 1 and form in (Output.TABLE, Output.WIDE):
        _show_one(_whole(one[0]))
        return
    _list(_found(one, wave, department), form)


def log(
    *,
    system: Annotated[
        str,
        typer.Argument(metavar="SYSTEM", help=m("arg_system"), autocompletion=complete.references),
    ],
    evidence: Annotated[
        int | None, typer.Option("--evidence", metavar="NUMBER", min=1, help=m("opt_step"))
    ] = None,
    department: Department = None,
    form: Format = Output.TABLE,
) -> None:
    """Show the journal of a migration, or what one of its steps told."""
    whose = named(system, department)
    if evidence is not None:
        told = client().get(path("migrations", *whose, "evidence", str(evidence)))["items"]
        for line in told:
            emit(line if isinstance(line, str) else render.as_json(line))
        return
    items = client().get(path("migrations", *whose, "journal"))["items"]
    render.show(items, LOG, form, name=lambda item: str(item["number"]), empty=m("no_journal"))


def _key(item: Item) -> str:
    return shown((item["department"], item["system"]))


# --- Cells ----------------------------------------------------------------------------------------


def size(count: object) -> str:
    """Return a number of bytes as people read it."""
    if not isinstance(count, int | float):
        return ""
    amount, unit = float(count), 0
    while amount >= 1024 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    digits = 0 if amount >= 100 or not unit else 1
    return f"{amount:.{digits}f}{_UNITS[unit]}"


def lasting(seconds: object) -> str:
    """Return seconds as `1h05m`, `4m10s`, `12s`."""
    if not isinstance(seconds, int | float):
        return ""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{whole % 60:02}s" if minutes else f"{whole}s"


def progress(item: Item) -> str:
    """Return counted bytes, rate and remaining time of what runs."""
    if item.get("bytesDone") is None:
        return ""
    of = f"/{size(item['bytesTotal'])}" if item.get("bytesTotal") else ""
    rate = f" {size(item['kibPerSecond'] * 1024)}/s" if item.get("kibPerSecond") else ""
    left = lasting(item.get("remainingSeconds"))
    return f"{size(item['bytesDone'])}{of}{rate}" + (f" {m('left', time=left)}" if left else "")


def doing(item: Item) -> str:
    """Return what a migration does or waits for."""
    if item["doing"] == "doing" and item.get("step"):
        parts = (step_word(item["step"]), item.get("part"))
        return " ".join(part for part in parts if part)
    return m(f"doing_{item['doing']}") if item["doing"] else "-"


def state(item: Item) -> str:
    """Return the word for a state."""
    return word("migration-state", str(item["state"]))


STATUS: Final = (
    Column("system", _key),
    Column("wave", lambda item: item.get("wave") or "-"),
    Column("state", state),
    Column("doing", doing),
    Column("progress", progress),
    Column("message", lambda item: item.get("message") or ""),
    Column("run", lambda item: item["run"], wide=True, right=True),
    Column("task", lambda item: item.get("task") or "", wide=True),
)


def _what(item: Item) -> str:
    if item["outcome"] == "wished":
        return m(f"verb_{item['what'].replace('-', '_')}")
    return step_word(str(item["what"]))


def _pairs(detail: Item) -> str:
    return ", ".join(f"{name}={value}" for name, value in detail.items())


LOG: Final = (
    Column("number", lambda item: item["number"], right=True),
    Column("at", lambda item: moment(item["at"])),
    Column("what", _what),
    Column("part", lambda item: item["part"] or ""),
    Column("outcome", lambda item: m(f"outcome_{item['outcome'].replace('-', '_')}")),
    Column("actor", lambda item: item["by"]),
    Column("message", lambda item: item["note"] or ""),
    Column("detail", lambda item: _pairs(item["detail"]), wide=True),
    Column("ended", lambda item: moment(item["ended"]), wide=True),
)


# --- Lists and trees ------------------------------------------------------------------------------


def _found(
    one: list[System] | None, wave: str | None, department: str | None
) -> list[dict[str, Any]]:
    if one is not None:
        return [_whole(system) for system in one]
    found: list[dict[str, Any]] = client().get("/v1/migrations", wave=wave, department=department)[
        "items"
    ]
    if wave is not None and not found:
        raise NotFoundError("migrate.empty_wave", wave=wave)
    return found


def _whole(system: System) -> dict[str, Any]:
    found: dict[str, Any] = client().get(path("migrations", *system))
    return found


def _list(items: Iterable[Item], form: Output) -> None:
    render.show(
        items,
        STATUS,
        form,
        name=_key,
        empty=m("no_migrations"),
    )


def _show_one(item: Item) -> None:
    emit(f"{_key(item)}  {state(item)}  {doing(item)}")
    for line in _facts(item):
        emit(f"  {line}")
    for step in item.get("steps", ()):
        emit(f"  {step_line(step, item)}")


def _facts(item: Item) -> Iterator[str]:
    if item.get("message"):
        yield str(item["message"])
    if progress(item):
        yield progress(item)
    if item.get("request"):
        yield m("fact_request", request=item["request"])
    if item.get("window"):
        window = item["window"]
        yield m("fact_window", opens=moment(window["opens"]), closes=moment(window["closes"]))
    if item.get("live") and item["state"] == "syncing":
        yield from (f"- {gate}" for gate in item.get("gates", ()))
    if item.get("trialEnds"):
        yield m("fact_trial", at=moment(item["trialEnds"]))
    for party, signed in (item.get("signatures") or {}).items():
        yield m("fact_signed", party=m(f"party_{party}"), by=signed["by"], at=moment(signed["at"]))
    if differs := item.get("differs"):
        yield m("fact_differs", at=moment(differs["at"]), part=differs["part"])
    if item.get("downtimeSeconds") is not None:
        yield m("fact_downtime", time=lasting(item["downtimeSeconds"]))


def step_line(step: Item, item: Item) -> str:
    """Return one step as a line: mark, name, part, bytes, what went wrong."""
    mark = _MARKS.get(step["state"], "?")
    parts = [mark, step_word(step["step"]), step["part"] or "", size(step["bytes"])]
    if step["state"] == "doing" and step["step"] == item.get("step"):
        parts.append(progress(item))
    if step["state"] in ("failed", "unreachable"):
        parts.append(step["message"] or "")
    return "  ".join(part for part in parts if part)


def _watch(
    one: list[System] | None, wave: str | None, department: str | None, form: Output
) -> None:
    """Show it again and again: a live tree on a terminal, else the lines that have changed."""
    if form is Output.TABLE and sys.stdout.isatty():
        _live(one, wave, department)
        return
    seen: dict[str, Item] = {}
    while True:
        items = _found(one, wave, department)
        fresh = [item for item in items if seen.get(_key(item)) != item]
        if fresh:
            _list(fresh, form)
        seen = {_key(item): item for item in items}
        sys.stdout.flush()
        time.sleep(INTERVAL_S)


def _live(one: list[System] | None, wave: str | None, department: str | None) -> None:
    from rich.live import Live

    with Live(auto_refresh=False) as live:
        while True:
            live.update(tree(_found(one, wave, department)), refresh=True)
            time.sleep(INTERVAL_S)


def tree(items: Iterable[Item]) -> "Tree":
    """Return waves, their systems, and the steps of those that are looked at in full."""
    from rich.text import Text
    from rich.tree import Tree

    root = Tree(Text(m("tree")))
    waves: dict[str, Tree] = {}
    for item in items:
        name = item.get("wave") or m("no_wave")
        if name not in waves:
            waves[name] = root.add(Text(name))
        head = (
            _key(item),
            state(item),
            doing(item),
            progress(item),
        )
        branch = waves[name].add(Text("  ".join(part for part in head if part)))
        if item.get("message"):
            branch.add(Text(str(item["message"])))
        for step in item.get("steps", ()):
            branch.add(Text(step_line(step, item)))
    return root
