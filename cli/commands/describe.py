"""Everything about one object, or one request, on one page."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

import typer

from cli import complete, output, refs, render, views
from cli.columns import differing, drift_field, moment, status
from cli.labels import shown
from cli.options import Department, Format, Output
from cli.session import client
from cli.speech import t, word
from govcloud.errors import GovcloudError

EVENTS = 20


def describe(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="KIND/NAME…", help=t("arg_describe"), autocompletion=complete.references
        ),
    ],
    department: Department = None,
    form: Format = Output.TABLE,
) -> None:
    """Show everything about objects or requests, with what happened to them."""
    from cli.commands import objects

    if words[0].lower() in objects.REQUESTS:
        words = words[1:]
    if words and all(refs.is_request(entry) for entry in words):
        from cli.commands.requests import show

        show(words, form=form)
        return
    found = [(reference, objects.one(reference)) for reference in refs.parse(words, department)]
    if form not in (Output.TABLE, Output.WIDE):
        objects.show([item for _, item in found], form)
        return
    for index, (reference, item) in enumerate(found):
        if index:
            output.emit("\n" + "─" * 40 + "\n")
        _page(item)
        _attached(item)
        _drift(item)
        _events(reference, item)


def _page(item: Mapping[str, Any]) -> None:
    meta, state = item["metadata"], item.get("status") or {}
    views.pairs(
        [
            (t("col_name"), meta["name"]),
            (t("col_kind"), _kind(item["kind"])),
            (t("col_department"), meta.get("department")),
            (t("col_display_name"), meta.get("displayName")),
            (t("col_status"), status(item)),
            (t("col_message"), state.get("message")),
            (t("col_remedy"), state.get("remedy")),
            (t("col_forced"), _forced(state.get("forced"))),
            (t("col_stopped"), _stopped(state.get("stopped"))),
            (t("col_cloud"), state.get("cloud")),
            (t("col_generation"), _generation(meta, state)),
            (t("col_request"), meta.get("requestId")),
            (t("col_created_at"), moment(meta.get("createdAt"))),
            (t("col_labels"), _joined(meta.get("labels"))),
            (t("col_annotations"), _joined(meta.get("annotations"))),
            (t("col_uid"), meta.get("uid")),
        ]
    )
    _section("spec", _flat(shown(item["kind"], "", item.get("spec") or {})))
    resources = state.get("resources") or []
    if resources:
        output.emit()
        output.emit(output.paint(t("section_resources"), "bold"))
        headings = [t(f"col_{name}") for name in ("part", "id", "name", "state", "info")]
        render.table(headings, [_resource(one) for one in resources], indent="  ")


def _forced(said: Mapping[str, Any] | None) -> str | None:
    if not said:
        return None
    return t("forced_by", by=said["by"], at=moment(said["at"]), reason=said["reason"])


def _stopped(said: Mapping[str, Any] | None) -> str | None:
    """Return which machines stand still because somebody asked for it."""
    if not said:
        return None
    if said["all"]:
        return t("stopped_all")
    return t("stopped_some", machines=", ".join(map(str, said["machines"])))


def _attached(item: Mapping[str, Any]) -> None:
    """Print the volumes that are attached to a machine, which are objects of their own."""
    meta, spec = item["metadata"], item.get("spec") or {}
    if item["kind"] != "VirtualMachine":
        return
    where = {"department": meta.get("department"), "system": spec.get("system")}
    found = client().items("/v1/objects/Volume", **where)
    mine = [one for one in found if one["spec"].get("attachTo") == meta["name"]]
    if not mine:
        return
    output.emit()
    output.emit(output.paint(t("section_attached"), "bold"))
    headings = [t(f"col_{name}") for name in ("name", "status", "size", "type")]
    rows = [
        [one["metadata"]["name"], status(one), one["spec"]["size"], one["spec"]["type"]]
        for one in mine
    ]
    render.table(headings, rows, indent="  ")


def _kind(name: str) -> str:
    """Return a kind by its label, with the word that YAML and commands use."""
    label = word("kind", name)
    return name if label.replace(" ", "").lower() == name.lower() else f"{label} ({name})"


def _generation(meta: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    seen = state.get("observedGeneration")
    current = meta.get("generation")
    return (
        str(current)
        if seen in (None, 0, current)
        else t("generation_seen", current=current, seen=seen)
    )


def _resource(one: Mapping[str, Any]) -> list[str]:
    state = word("resource-state", one.get("state"))
    cells = [one.get("part"), one.get("id"), one.get("name"), state]
    info = dict(one.get("info") or {})
    if "created" in info:
        info["created"] = moment(info["created"])
    told = info | ({"fault": one["fault"]} if one.get("fault") else {})
    return [render.text_of(cell) for cell in cells] + [_joined(told)]


def _joined(values: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{name}={render.text_of(value)}" for name, value in (values or {}).items())


def _section(name: str, rows: Iterable[tuple[str, object]]) -> None:
    output.emit()
    output.emit(output.paint(t(f"section_{name}"), "bold"))
    views.pairs(rows, indent="  ")


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, entry in value.items():
        if isinstance(entry, Mapping):
            yield from _flat(entry, f"{prefix}{name}.")
        elif isinstance(entry, list) and any(isinstance(one, Mapping) for one in entry):
            for index, one in enumerate(entry):
                yield from _flat(one, f"{prefix}{name}[{index}].")
        else:
            yield f"{prefix}{name}", views.value(entry) if isinstance(entry, bool) else entry


def _drift(item: Mapping[str, Any]) -> None:
    """Print in what an object differs now from what was approved; what was, the events say."""
    meta, cloud = item["metadata"], (item.get("status") or {}).get("cloud")
    if not cloud and item["kind"] != "System":  # a system's are the limits of its projects
        return
    try:
        found = client().get("/v1/drift", department=meta.get("department"), cloud=cloud)["items"]
    except GovcloudError:
        return
    mine = [one for one in found if one["uid"] == meta["uid"]]
    if not mine:
        return
    output.emit()
    output.emit(output.paint(t("section_drift"), "bold"))
    rows = [
        [
            render.text_of(one["resource"]),
            drift_field(one["field"]),
            render.text_of(differing(one["field"], one["wanted"])),
            render.text_of(differing(one["field"], one["found"])),
            word("drift-mode", one["mode"]),
            moment(one["since"]),
        ]
        for one in mine
    ]
    headings = ("resource_id", "field", "wanted", "found", "mode", "since")
    render.table([t(f"col_{name}") for name in headings], rows, indent="  ")


def _events(reference: refs.Reference, item: Mapping[str, Any]) -> None:
    where = item["metadata"].get("department") or reference.department
    try:
        found = list(client().items(f"{reference.path}/events", limit=EVENTS, department=where))
    except GovcloudError:
        return
    if not found:
        return
    output.emit()
    output.emit(output.paint(t("section_events"), "bold"))
    rows = [
        [
            moment(event.get("at")),
            word("event-type", event.get("type")),
            word("reason", event.get("reason")),
            render.text_of(event.get("message")),
        ]
        for event in found
    ]
    render.table(
        [t(f"col_{name}") for name in ("at", "type", "reason", "message")], rows, indent="  "
    )
