"""How the on-cloud rate looks on a terminal. The figures are the report's; nothing is computed."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from cli import render
from cli.columns import at, moment
from cli.labels import shown
from cli.options import Output
from cli.output import emit, note, paint
from cli.render import Column, Item, text_of
from cli.speech import language, t, word
from cli.views import pairs
from govcloud import messages

NOTHING: Final = "—"


def percent(value: object) -> str:
    """Return a percentage with one decimal, `—` where there is none."""
    return NOTHING if value is None else f"{value:.1f}%"


def points(value: object) -> str:
    """Return a difference of percentages, with its sign."""
    return NOTHING if value is None else f"{value:+.1f}"


def _percent(path: str) -> Callable[[Item], str]:
    return lambda item: percent(at(path)(item))


def _name(item: Item) -> str:
    name = item.get("displayName") or item["department"] or t("report_total")
    return str(name)


def _number(heading: str, path: str) -> Column:
    def figure(item: Item) -> object:
        value = at(path)(item)
        return f"{value:g}" if isinstance(value, float) else value

    return Column(heading, figure, right=True)


def _share(item: Item) -> str:
    if item.get("components") is None:
        return ""
    return f"{item['componentsOnCloud']}/{item['components']}"


ROWS: Final = (
    Column("department", _name),
    _number("registered", "registered"),
    _number("classified", "classified"),
    _number("exempt", "exempt"),
    _number("industry", "industryCloud"),
    _number("eligible", "eligible"),
    _number("on_cloud", "onCloud"),
    _number("partial", "partial"),
    _number("not_on_cloud", "notOnCloud"),
    Column("rate", _percent("rate.value"), right=True),
    Column("rate_with_partial", _percent("rateWithPartial.value"), right=True),
    Column("rate_thorough", _percent("rateThorough.value"), right=True),
    Column("change", lambda item: points(item.get("change")), right=True),
    Column("goal", _percent("target"), right=True),
    Column("gap", lambda item: points(item.get("gap")), right=True),
    Column("rank", at("rank"), right=True),
)
METRICS: Final = (
    Column("metric", at("id")),
    Column("indicator", lambda item: _word("metric", item["id"])),
    Column("value", _percent("value"), right=True),
    Column("fraction", lambda item: f"{item['numerator']}/{item['denominator']}", right=True),
    Column("unit", lambda item: _word("counted", item["unit"])),
    Column("goal", _percent("target"), right=True),
    Column("gap", lambda item: points(item.get("gap")), right=True),
)
BESIDE: Final = (*METRICS[:2], Column("definition", at("definition")), *METRICS[2:5])
HEADLINE: Final = (
    Column("figure", lambda item: _word("figure", item["figure"])),
    _number("stated", "stated"),
    _number("listed", "listed"),
    _number("counted", "counted"),
)
LINES: Final = (
    Column("department", at("department")),
    Column("kind", at("kind"), wide=True),
    Column("name", at("name")),
    Column("display_name", at("displayName")),
    Column("verdict", lambda item: _word("verdict", item["verdict"])),
    Column("components", _share, right=True),
    Column("why", lambda item: _word("why", item["why"])),
    Column("step", lambda item: _word("column.step", item.get("step") or ""), wide=True),
    Column("records", lambda item: [_record(one) for one in item["records"]], wide=True),
)
FACT: Final = (
    Column("fact", at("fact"), right=True),
    Column("kind", at("kind")),
    Column("department", at("department")),
    Column("name", at("name")),
    Column("from", at("from")),
    Column("until", at("until")),
    Column("request", at("requestId")),
    Column("field", at("field")),
    Column("value", lambda item: text_of(item["value"])),
)
CHANGES: Final = (
    Column("field", at("field")),
    Column("before", lambda item: text_of(_plain(item["before"]))),
    Column("after", lambda item: text_of(_plain(item["after"]))),
)
AUDIT: Final = (
    Column("seq", at("seq"), right=True),
    Column("at", lambda item: moment(item["at"])),
    Column("actor", at("actor")),
    Column("action", lambda item: word("audit-action", item["action"])),
    Column("target", at("target")),
    Column("request", at("requestId")),
    Column("hash", at("hash")),
)
OPENING: Final = (
    Column("department", _name),
    _number("requests", "requests"),
    _number("median", "median"),
    _number("p90", "p90"),
    _number("days_1_3", "buckets.1-3"),
    _number("days_4_10", "buckets.4-10"),
    _number("days_11_30", "buckets.11-30"),
    _number("days_31_60", "buckets.31-60"),
    _number("days_61", "buckets.>60"),
)
STEPS: Final = (
    "opening",
    "new",
    "retired",
    "exempted",
    "exemptionEnded",
    "reclassifiedIn",
    "reclassifiedOut",
    "transferredIn",
    "transferredOut",
    "closing",
)


def _word(area: str, value: object) -> str:
    """Return a word of the reports' own catalogue; the value itself where it has none."""
    name = str(value).replace("-", "_").lower()
    keys = (f"reports.{area}.{value}", f"reports.{area}.{name}", f"reports.{area}_{name}")
    for key in (str(value), *keys):
        if messages.lookup(key, language()) is not None:
            return messages.render(key, language())
    return str(value)


def _record(record: Item) -> str:
    request = f" {record['requestId']}" if record.get("requestId") else ""
    return f"{record['kind']}/{record['name']}#{record['fact']}{request}"


def show(found: Mapping[str, Any]) -> None:
    """Print the report: rows and total, metrics, movement of the population, cut-off and digest."""
    emit(paint(t("report_as_of", as_of=found["cutoffShown"]), "bold"))
    emit()
    _table([*found["rows"], found["total"]], ROWS)
    _part("metrics", found["metrics"], METRICS)
    _part("beside", list(_beside(found)), BESIDE)
    _part("headline", found.get("headline") or [], HEADLINE)
    _movement(found)
    exclusions = found.get("exclusions") or []
    if exclusions:
        _title("exclusions")
        pairs([(_exclusion(one["reason"]), one["count"]) for one in exclusions], indent="  ")
    for remark in found.get("remarks") or []:
        emit(messages.render(remark["key"], language(), remark.get("params")))
    _foot(found)


def _beside(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each metric under every definition, where there is another one."""
    others = found.get("otherDefinitions") or []
    every = [{"definition": found["definition"], "metrics": found["metrics"]}, *others]
    of_systems = others[0]["metrics"] if others else []
    for place in range(len(of_systems)):
        for one in every:
            yield one["metrics"][place] | {"definition": one["definition"]}


def _exclusion(reason: str) -> str:
    verdict, colon, office = reason.partition(":")
    if not colon:
        return _word("verdict", verdict)
    said = {"reason": _word("exemption", office)}
    return messages.render("reports.exempted_for", language(), said)


def _movement(found: Mapping[str, Any]) -> None:
    total = next((entry for entry in found["movement"] if not entry["department"]), None)
    if total:
        _title("movement")
        steps = [f"{t(f'move_{_snake(name)}')} {total[name]}" for name in STEPS if name in total]
        emit("  " + t("list_comma").join(steps))


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _part(title: str, items: list[dict[str, Any]], columns: tuple[Column, ...]) -> None:
    if items:
        _title(title)
        _table(items, columns)


def _title(name: str) -> None:
    emit()
    emit(paint(t(f"section_{name}"), "bold"))


def _table(items: list[Any], columns: tuple[Column, ...]) -> None:
    render.show(items, columns, Output.TABLE, name=str)


def _foot(found: Mapping[str, Any]) -> None:
    emit()
    emit(t("report_definition", version=found["definition"], digest=found["digest"]))


def show_explanation(found: Mapping[str, Any], form: Output) -> None:
    """Print the objects behind a figure, each with its verdict and why."""
    if form in (Output.TABLE, Output.WIDE):
        metric = found["metric"]
        title = f"{metric['id']} {_word('metric', metric['id'])}"
        fraction = f"{metric['numerator']}/{metric['denominator']}"
        figure = t("state_at", state=title, step=percent(metric["value"]))
        emit(paint(f"{figure} = {fraction}", "bold"))
        emit(t("report_as_of", as_of=found["cutoffShown"]))
        emit()
    render.show(
        found["lines"], LINES, form, name=lambda item: f"{item['kind'].lower()}/{item['name']}"
    )
    if form in (Output.TABLE, Output.WIDE):
        if len(found["lines"]) < found["total"]:
            note(t("more_lines", shown=len(found["lines"]), total=found["total"]))
        _foot(found)


def show_opening_time(found: Mapping[str, Any], form: Output) -> None:
    """Print how long requests took, by department and in all."""
    table = form in (Output.TABLE, Output.WIDE)
    if table:
        span = {"since": found["since"], "as_of": found["cutoffShown"]}
        emit(paint(t("opening_time_as_of", **span), "bold"))
        emit()
    rows = [*found["rows"], found["total"]]
    render.show(rows, OPENING, form, name=lambda row: str(row["department"]), whole=found)
    if table:
        _foot(found)


def show_fact(found: Mapping[str, Any], form: Output) -> None:
    """Print a fact; in lists and CSV each field of what the object was has a line."""
    fields = [{**found, "field": name, "value": value} for name, value in _fact_fields(found)]
    if form not in (Output.TABLE, Output.WIDE):
        name = f"{found['kind'].lower()}/{found['name']}"
        render.show(fields, FACT, form, name=lambda _: name, whole=found)
        return
    who = "/".join(str(found[part]) for part in ("department", "name") if found.get(part))
    emit(paint(f"#{found['fact']} {found['kind']} {who}  {found['displayName'] or ''}", "bold"))
    until = moment(found["until"]) if found["until"] else t("fact_stands")
    span = [("from", moment(found["from"])), ("until", until)]
    rest = [("request", found["requestId"]), ("before", found["factBefore"])]
    pairs([(t(f"fact_{name}"), value) for name, value in (*span, *rest)], indent="  ")
    _title("fact")
    pairs([(field["field"], field["value"]) for field in fields], indent="  ")
    _part("changes", [_in_words(found, change) for change in found["changes"]], CHANGES)
    _part("written_with", found["audit"], AUDIT)


def _fact_fields(found: Mapping[str, Any]) -> list[tuple[str, object]]:
    spec = sorted(found["spec"].items())
    said = ((name, shown(str(found["kind"]), name, value)) for name, value in spec)
    return [
        ("phase", word("phase", found["phase"])),
        *((name, _plain(value)) for name, value in said),
    ]


def _in_words(found: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return a change with its values as people read them."""
    field, kind = str(change["field"]), str(found["kind"])
    said = {name: change[name] for name in ("before", "after")}
    if field == "phase":
        said = {name: word("phase", value) for name, value in said.items()}
    elif field.startswith("spec."):
        said = {name: shown(kind, field, value) for name, value in said.items()}
    return {"field": field, **said}


def _plain(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
