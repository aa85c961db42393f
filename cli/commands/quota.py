"""Quota: the tree, one department's effective limits, setting limits, the recount."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from cli import complete, output, render, views
from cli.client import ApiError, path
from cli.columns import at
from cli.commands.submit import show_proposal
from cli.labels import resource
from cli.options import Cloud, DryRun, Force, Format, Output, Zone
from cli.output import emit, paint
from cli.render import Column
from cli.session import client
from cli.speech import language, t
from govcloud.domain.classes import CLASSES
from govcloud.domain.suggest import nearest
from govcloud.errors import Exit, NotFoundError, UsageError

USUAL: Final = ("vms", "vcpu", "memory", "disk", "namespaces")
"""The classes of the tree where none are chosen; `disk` is the sum of its storage classes."""

Node = Mapping[str, Any]
Classes = Annotated[list[str] | None, typer.Option("--class", metavar="CLASS", help=t("opt_class"))]
Whose = Annotated[
    str,
    typer.Argument(
        metavar="DEPARTMENT", help=t("arg_department"), autocompletion=complete.departments
    ),
]


def tree(
    classes: Classes = None,
    department: Annotated[
        str | None,
        typer.Option(
            "--department",
            "-d",
            metavar="NAME",
            help=t("opt_subtree"),
            autocompletion=complete.departments,
        ),
    ] = None,
    cloud: Cloud = None,
    zone: Zone = None,
    form: Format = Output.TABLE,
) -> None:
    """Show the organisation tree with allocated, reserved and limit of each class."""
    found = client().get("/v1/quota/tree", cloud=cloud, zone=zone)
    nodes = subtree(ordered(found["nodes"]), department)
    if form in (Output.JSON, Output.YAML):
        render.structured({"nodes": nodes}, form)
        return
    chosen = classes or list(USUAL)
    known_classes(nodes, chosen)
    if form in (Output.CSV, Output.NAME):
        _flat(nodes, form)
        return
    nodes = scoped(nodes, cloud, zone)
    headings = [t("col_department"), *(_heading(nodes, name) for name in chosen)]
    rows = [
        [_branch(node, nodes, index), *(_cell(node, name) for name in chosen)]
        for index, node in enumerate(nodes)
    ]
    columns = [Column("department", at("department"))]
    columns += [Column(name, at("x"), right=True, style=_over) for name in chosen]
    render.table(headings, rows, columns)
    output.hint(t("hint_quota_tree"))


def ordered(nodes: Sequence[Node]) -> list[Node]:
    """Return the nodes depth first, each with its `depth`, whatever order they came in."""
    below: dict[str | None, list[Node]] = {}
    names = {node["department"] for node in nodes}
    for node in nodes:
        parent = node.get("parent")
        below.setdefault(parent if parent in names else None, []).append(node)
    result: list[Node] = []
    waiting = [(node, 0) for node in reversed(below.get(None, []))]
    while waiting:
        node, depth = waiting.pop()
        result.append({**node, "depth": depth})
        waiting += [(child, depth + 1) for child in reversed(below.pop(node["department"], []))]
    return result


def subtree(nodes: Sequence[Node], department: str | None) -> list[Node]:
    """Return a department and what is below it; all nodes where none is named."""
    if department is None:
        return list(nodes)
    for index, node in enumerate(nodes):
        if node["department"] == department:
            below = index + 1
            while below < len(nodes) and nodes[below]["depth"] > node["depth"]:
                below += 1
            return list(nodes[index:below])
    meant = nearest(department, [str(node["department"]) for node in nodes])
    if meant:
        raise NotFoundError("cli.not_in_tree_meant", department=department, meant=meant)
    raise NotFoundError("cli.not_in_tree", department=department)


def known_classes(nodes: Iterable[Node], chosen: Sequence[str]) -> None:
    """Raise UsageError for a class that there is not, or a storage class that nobody has."""
    seen = {str(line["class"]) for node in nodes for line in node["lines"]}
    for name in chosen:
        if name not in CLASSES and name not in seen:
            known = sorted({*CLASSES, *seen})
            meant = nearest(name, known)
            key = "errors.unknown_word_meant" if meant else "errors.unknown_word"
            raise UsageError(key, name="--class", word=name, known=known, meant=meant)


def _branch(node: Node, nodes: Sequence[Node], index: int) -> str:
    name = node["department"]
    shown = f"{node['displayName']} ({name})" if node.get("displayName") else name
    depth = node["depth"] - nodes[0]["depth"]
    if depth <= 0:
        return str(shown)
    arms = "".join("│  " if _continues(nodes, index, level) else "   " for level in range(1, depth))
    return f"{arms}{'├─ ' if _continues(nodes, index, depth) else '└─ '}{shown}"


def _continues(nodes: Sequence[Node], index: int, level: int) -> bool:
    # Whether a later sibling stands at this level before the branch ends.
    base = nodes[0]["depth"]
    for node in nodes[index + 1 :]:
        depth = node["depth"] - base
        if depth <= level:
            return bool(depth == level)
    return False


def scoped(nodes: Sequence[Node], cloud: str | None, zone: str | None) -> list[Node]:
    """Return the nodes with the lines of one scope only: what a zone holds, its cloud holds too."""
    wanted = (cloud or "", zone or "")
    if zone and not cloud:
        return [
            {**n, "lines": [line for line in n["lines"] if line["zone"] == zone]} for n in nodes
        ]
    return [
        {**n, "lines": [line for line in n["lines"] if (line["cloud"], line["zone"]) == wanted]}
        for n in nodes
    ]


def _lines(node: Node, name: str) -> list[Mapping[str, Any]]:
    return [
        line
        for line in node["lines"]
        if line["class"] == name or line["class"].startswith(f"{name}.")
    ]


def _cell(node: Node, name: str) -> str:
    lines = _lines(node, name)
    if not lines:
        return "-"
    if len(lines) == 1:
        return _numbers(lines[0])
    totals: dict[str, Any] = {"class": lines[0]["class"]}
    totals["limited"] = any(line.get("limited", True) for line in lines)
    for part in ("allocated", "reserved", "borrowed", "over", "limit"):
        values = [line.get(part) for line in lines]
        totals[part] = (
            None if part == "limit" and None in values else sum(value or 0 for value in values)
        )
    return _numbers(totals)


def _numbers(line: Mapping[str, Any]) -> str:
    allocated, reserved = int(line["allocated"] or 0), int(line["reserved"] or 0)
    limit = line["limit"]
    borrowed, over = int(line.get("borrowed") or 0), " !" if line.get("over") else ""
    lent = t("borrowed", amount=_beside(borrowed, line)) if borrowed else ""
    held = f"+{_beside(reserved, line)}" if reserved else ""
    shown = views.limitless(line) if limit is None else _amount(line, "limit")
    return f"{_beside(allocated, line)}{held}/{shown}{lent}{over}"


def _beside(number: int, line: Mapping[str, Any]) -> str:
    """Return an amount in the unit of the line's limit, so that the two compare at sight."""
    exact = views.amount(str(line["class"]), number)
    if not line["limit"] or not number:
        return exact
    limit = _amount(line, "limit")
    figures = limit.rstrip("KMGTPim")
    if exact.rstrip("KMGTPim") + limit.removeprefix(figures) == exact:
        return exact
    scaled = int(figures) * number / line["limit"]
    if scaled < 1 and scaled != round(scaled, 1):  # rounded, little would look like nothing
        return exact
    shown = f"{scaled:.0f}" if scaled.is_integer() else f"{scaled:.1f}"
    return shown + limit.removeprefix(figures)


def _amount(line: Mapping[str, Any], part: str) -> str:
    return views.amount(str(line["class"]), int(line.get(part) or 0))


def _over(cell: str) -> str | None:
    return "red" if cell.rstrip().endswith("!") else None


def _heading(nodes: Iterable[Node], name: str) -> str:
    if language() == "en":
        return name.upper()
    found = (line for node in nodes for line in _lines(node, name))
    label = next(found, {}).get("label") or resource(name)
    return str(label).partition("(")[0].partition("（")[0]


def _flat(nodes: Sequence[Node], form: Output) -> None:
    rows = [
        {**line, "department": node["department"]}
        for node in nodes
        for line in node.get("lines") or []
    ]
    render.show(rows, LINES, form, name=lambda line: f"{line['department']}/{line['class']}")


def _shown(part: str) -> Column:
    return Column(
        part,
        lambda line: None if line[part] is None else _amount(line, part),
        right=True,
        style=_over,
    )


_PLACE: Final = (
    Column("resource", views.resource),
    Column("place", views.place),
)
LINES: Final = (
    Column("department", at("department")),
    *_PLACE,
    *(_shown(part) for part in ("limit", "allocated", "reserved", "borrowed", "available")),
)


def _telling(line: Mapping[str, Any]) -> bool:
    """Whether a line says what the wider ones do not: a limit of its own, or of its scope."""
    binding = line.get("binding")
    if not line["cloud"] and not line["zone"]:
        return bool(binding or line["allocated"] or line["reserved"])
    return line["limit"] is not None or bool(binding and (binding["cloud"] or binding["zone"]))


def _left(line: Mapping[str, Any]) -> str:
    return _amount(line, "left") if line.get("binding") else views.limitless(line)


def _binding(line: Mapping[str, Any]) -> str | None:
    found = line.get("binding")
    if not found:
        return None
    limit, place = (found.get("show") or {}).get("limit"), views.place(found)
    key = "bound_by" if place == "-" else "bound_by_in"
    return t(key, department=found.get("department"), limit=limit, place=place)


BINDING: Final = (
    *_PLACE,
    *(_shown(part) for part in ("limit", "allocated", "reserved", "borrowed")),
    Column("left", _left, right=True),
    Column("binding", _binding),
)


def show(whose: Whose, form: Format = Output.TABLE) -> None:
    """Show what a department may still use, and which level binds it."""
    found = client().get(path("quota", whose))
    rows = [line for line in found["lines"] if form is not Output.TABLE or _telling(line)]
    name = "{class}".format_map
    render.show(rows, BINDING, form, name=name, whole=found, empty=t("no_quota", department=whose))


def set_(
    *,
    whose: Whose,
    limits: Annotated[list[str], typer.Argument(metavar="CLASS=AMOUNT…", help=t("arg_limits"))],
    cloud: Annotated[
        str | None, typer.Option("--cloud", metavar="NAME", help=t("opt_quota_cloud"))
    ] = None,
    zone: Annotated[
        str | None, typer.Option("--zone", metavar="NAME", help=t("opt_quota_zone"))
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help=t("opt_quota_reason"))
    ] = None,
    force: Force = False,
    dry_run: DryRun = False,
    form: Format = Output.TABLE,
) -> None:
    """Set limits of a department; those of other classes stay as they are."""
    wanted = dict(_limit(text) for text in limits)
    document = _document(whose, cloud, zone)
    spec = document["spec"]
    spec["limits"] = {**spec.get("limits", {}), **wanted}
    if reason:
        spec["reason"] = reason
    # JSON is YAML in which what was typed stays as it was: `1e3` is a word there, and no number.
    files = [{"name": document["metadata"]["name"], "text": json.dumps(document)}]
    try:
        found = client().post("/v1/apply", {"files": files, "dryRun": dry_run, "force": force})
    except ApiError as error:
        typed = {f"spec.limits.{text.partition('=')[0]}": text for text in limits}
        error.diagnostics = [
            {**fault, "file": typed.get(str(fault.get("field"))), "line": None, "column": None}
            for fault in error.diagnostics
        ]
        raise
    show_proposal(found, form, done=not dry_run)
    if dry_run:
        output.note(t("only_dry_run"))


def _limit(text: str) -> tuple[str, object]:
    name, equals, amount = text.partition("=")
    if not equals or not name or not amount:
        raise UsageError("cli.bad_limit", text=text)
    return name, int(amount) if amount.isdecimal() and amount.isascii() else amount


def _document(department: str, cloud: str | None, zone: str | None) -> dict[str, Any]:
    from cli.commands.edit import written

    for item in client().items(path("objects", "quota")):
        spec = item["spec"]
        same = (spec.get("department"), spec.get("cloud"), spec.get("zone")) == (
            department,
            cloud,
            zone,
        )
        if same and spec.get("type", "limit") == "limit" and not spec.get("validUntil"):
            return written(item)
    place = {name: value for name, value in (("cloud", cloud), ("zone", zone)) if value}
    name = "-".join((department, *place.values()))
    return {
        "apiVersion": "govcloud.io/v1",
        "kind": "Quota",
        "metadata": {"name": name},
        "spec": {"department": department, **place, "limits": {}},
    }


def _pair(amounts: Mapping[str, int]) -> str:
    return f"{amounts['allocated']}+{amounts['reserved']}"


DIFFERENCES: Final = (
    Column("department", at("department")),
    Column("resource", at("class")),
    Column("place", views.place),
    Column("kept", lambda item: _pair(item["kept"])),
    Column("counted", lambda item: _pair(item["counted"])),
)


def check(form: Format = Output.TABLE) -> None:
    """Recount all entries and compare with the kept balances; the difference must be none."""
    found = client().post("/v1/quota/check")
    differences = found["differences"]
    if form in (Output.JSON, Output.YAML):
        render.structured(found, form)
    elif not differences:
        emit(t("quota_whole"))
    else:
        emit(paint(t("quota_differs", count=len(differences)), "red"))
        render.show(differences, DIFFERENCES, form, name="{department}/{class}".format_map)
    if differences:
        raise typer.Exit(Exit.VERIFICATION)
