"""Looking at objects and at what happens to them: get, events."""

import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Annotated, Any, Final

import typer

from cli import columns, complete, refs, render
from cli.client import path
from cli.columns import at, moment
from cli.labels import meaning
from cli.options import (
    AllDepartments,
    Cloud,
    Department,
    Format,
    Labels,
    Limit,
    Output,
    Watch,
    Zone,
)
from cli.output import emit
from cli.render import Column
from cli.session import client
from cli.speech import t, word
from cli.use import with_use

INTERVAL_S: Final = 2.0
"""Between two looks of `--watch`; fast enough to follow, slow enough for many watchers."""

REQUESTS: Final = ("request", "requests", "req")
"""What people call requests, which are no kind of object."""
ALL: Final = "all"

KINDS: Final = (
    Column("name", at("name")),
    Column("plural", at("plural")),
    Column("short", at("short")),
    Column("label", at("label")),
    Column("owned", at("owned")),
    Column("allocates", at("allocates")),
)


def _event_style(text: str) -> str | None:
    return "yellow" if text.strip() == word("event-type", "Warning") else None


def _whose(item: Mapping[str, Any]) -> str:
    """Return what an event is about, as commands name it: `hrss/VirtualMachine/web`."""
    named = "/".join(filter(None, (item.get("department"), item.get("object"))))
    return named or str(item.get("uid"))


EVENTS: Final = (
    Column("at", lambda item: moment(item.get("at"))),
    Column("type", lambda item: word("event-type", item.get("type")), style=_event_style),
    Column("reason", lambda item: word("reason", item.get("reason"))),
    Column("object", _whose),
    Column("message", at("message")),
)


def get(
    *,
    kind: Annotated[
        str,
        typer.Argument(metavar="KIND[/NAME]", help=t("arg_kind"), autocompletion=complete.kinds),
    ],
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME…]", help=t("arg_names"), autocompletion=complete.names),
    ] = None,
    department: Department = None,
    all_departments: AllDepartments = False,
    labels: Labels = None,
    system: Annotated[
        str | None, typer.Option("--system", metavar="NAME", help=t("opt_system"))
    ] = None,
    cloud: Cloud = None,
    zone: Zone = None,
    phase: Annotated[
        str | None, typer.Option("--phase", metavar="PHASE", help=t("opt_phase"))
    ] = None,
    limit: Limit = None,
    watch: Watch = False,
    export: Annotated[bool, typer.Option("--export", help=t("opt_export"))] = False,
    form: Format = Output.TABLE,
) -> None:
    """List objects of a kind, or show some of them."""
    where: dict[str, Any] = {"department": None if all_departments else department}
    if names and kind.lower() in REQUESTS:
        from cli.commands import requests

        requests.show(names, form=form)
        return
    if "/" in kind or names:
        _named([kind, *(names or [])], where["department"], form, export=export)
        return
    if special := _special(kind):
        special(where, limit, form)
        return
    where |= {"labels": labels, "system": system, "cloud": cloud, "zone": zone}
    where["phase"] = meaning("phase", phase) if phase else None
    if "," in kind or kind.lower() == ALL:
        _several(_kinds_of(kind), where, form, limit=limit, export=export)
        return
    if watch:
        _watch(kind, where, form)
    items = client().items(path("objects", kind), limit=limit, **where)
    if export:
        _export(items, form)
    else:
        _list(kind, items, form)


def _kinds_of(words: str) -> list[str]:
    """Return the kinds that are listed by commas; `all` are those for which something is built."""
    if words.lower() != ALL:
        return words.split(",")
    return [kind["plural"] for kind in client().get("/v1/kinds") if kind["allocates"]]


def _several(
    kinds: list[str], where: dict[str, Any], form: Output, *, limit: int | None, export: bool
) -> None:
    """List objects of several kinds: one after the other, or as one list of documents."""
    lists = {
        kind: list(client().items(path("objects", kind), limit=limit, **where)) for kind in kinds
    }
    every = [item for items in lists.values() for item in items]
    if export:
        _export(every, form)
    elif form in (Output.JSON, Output.YAML):
        render.structured({"items": every}, form)
    else:
        held = {kind: items for kind, items in lists.items() if items} or lists
        for number, (kind, items) in enumerate(held.items()):
            if number and form is not Output.NAME:
                emit()
            _list(kind, iter(items), form)


def _export(items: Iterable[dict[str, Any]], form: Output) -> None:
    from cli.commands.edit import written

    chosen = Output.JSON if form is Output.JSON else Output.YAML
    render.structured({"items": [written(item) for item in items]}, chosen)


def _special(kind: str) -> Any:
    # What people will type although it is no kind of object.
    word = kind.lower()
    if word in REQUESTS:
        return _requests
    return _kinds if word in ("kind", "kinds") else None


def _requests(where: dict[str, Any], limit: int | None, form: Output) -> None:
    found = client().items("/v1/requests", limit=limit, state="open", **where)
    render.show(
        found,
        columns.REQUESTS,
        form,
        name=lambda item: str(item["id"]),
        empty=t("no_open_requests"),
    )


def _kinds(where: dict[str, Any], limit: int | None, form: Output) -> None:
    del where, limit
    found = client().get("/v1/kinds")
    render.show(found, KINDS, form, name=lambda item: str(item["name"]))


def _named(words: list[str], department: str | None, form: Output, *, export: bool) -> None:
    found = [one(reference) for reference in refs.parse(words, department)]
    if export:
        _export(found, form)
    else:
        show(found, form)


def show(found: list[dict[str, Any]], form: Output) -> None:
    """Print objects, of whatever kinds: a list for each kind, one document for programs."""
    if form in (Output.JSON, Output.YAML):
        render.structured(found[0] if len(found) == 1 else {"items": found}, form)
        return
    groups: dict[str, list[dict[str, Any]]] = {}
    for item in found:
        groups.setdefault(item["kind"], []).append(item)
    for kind, items in groups.items():
        render.show(items, columns.of_kind(kind), form, name=columns.object_name)


def one(reference: refs.Reference) -> dict[str, Any]:
    """Return the object that is meant."""
    found: dict[str, Any] = client().get(reference.path, department=reference.department)
    return found


def _list(kind: str, items: Iterator[dict[str, Any]], form: Output) -> None:
    first = next(items, None)
    found = columns.of_kind(first["kind"] if first else kind)
    chained: Iterator[dict[str, Any]] = chain([first] if first else [], items)
    if first and first["kind"] == "Namespace" and form is Output.WIDE:
        chained = with_use(chained)
    empty = None if first else t("no_objects", kind=_called(kind))
    render.show(chained, found, form, name=columns.object_name, empty=empty)


def _called(kind: str) -> str:
    """Return what a kind is called, of which there is nothing."""
    from govcloud.domain.kinds.registry import find_kind

    found = find_kind(kind)
    return word("kind", found.name) if found else kind


def _watch(kind: str, where: dict[str, Any], form: Output) -> None:
    # Only rows that changed are printed again, as kubectl does, so that a log of it can be read.
    seen: dict[str, object] = {}
    while True:
        items = list(client().items(path("objects", kind), **where))
        fresh = [item for item in items if seen.get(item["metadata"]["uid"]) != _state(item)]
        if fresh:
            _list(kind, iter(fresh), form)
        seen = {item["metadata"]["uid"]: _state(item) for item in items}
        time.sleep(INTERVAL_S)


def _state(item: dict[str, Any]) -> tuple[object, str]:
    return item["metadata"].get("version"), columns.status(item)


def events(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND/NAME]", help=t("arg_event_target"), autocompletion=complete.references
        ),
    ] = None,
    department: Department = None,
    limit: Limit = 50,
    form: Format = Output.TABLE,
) -> None:
    """Show what happened lately, to everything or to one object."""
    if target is None:
        found = client().items("/v1/events", limit=limit, department=department)
    else:
        (reference,) = refs.parse([target], department)
        found = client().items(
            f"{reference.path}/events", limit=limit, department=reference.department
        )
    render.show(
        found, EVENTS, form, name=lambda item: str(item.get("object", "")), empty=t("no_events")
    )
