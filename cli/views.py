"""How proposals and requests look: changes, findings, quota before and after, price, a summary."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from cli import failures, labels
from cli.labels import shown
from cli.output import emit, paint
from cli.render import Column, Item, table, text_of
from cli.speech import t, word

MARKS: Final[Mapping[str, tuple[str, str]]] = {
    "create": ("+", "green"),
    "change": ("~", "yellow"),
    "release": ("-", "red"),
    "none": (" ", "dim"),
}
FULL_CHANGES: Final = 12
"""So many changes are shown with all fields; of more, creations take one line each."""
SHOWN_CHANGES: Final = 60
"""Changes shown at all; a city's first request has a thousand, and the summary says how many."""
SHOWN_PARTS: Final = 6
"""So many of the parts that are built anew are named."""


def proposal(item: Item, *, everything: bool = False, done: bool | None = None) -> None:
    """Print what a plan found; the summary is the last line."""
    changes(item.get("changes") or [], everything=everything)
    takeovers(item.get("takeovers") or [])
    warnings(item.get("diagnostics") or [])
    findings(item.get("findings") or [])
    quota(item.get("quota") or [])
    refusals(item.get("refusals") or [])
    forced = [{**refused, "remedy": None} for refused in item.get("forced") or []]
    refusals(forced, section="section_forced")  # what to do about it was done
    held(item.get("held") or [])
    price(item.get("price"))
    emit()
    emit(summary(item, done=done))


def changes(listed: Sequence[Item], *, everything: bool = False) -> None:
    """Print the changes, marked as terraform marks them."""
    listed = [change for change in listed if change.get("action") != "none"]
    shown = listed if everything else listed[:SHOWN_CHANGES]
    brief = len(listed) > FULL_CHANGES and not everything
    for change in shown:
        emit("\n".join(_change(change, brief=brief)))
    if len(shown) < len(listed):
        emit(t("more_changes", count=len(listed) - len(shown)))


def _replaced(change: Item) -> str:
    parts = change.get("anew") or ()
    shown = ", ".join(parts[:SHOWN_PARTS]) + (" …" if len(parts) > SHOWN_PARTS else "")
    return t("is_replaced_parts", parts=shown) if parts else t("is_replaced")


def _change(change: Item, *, brief: bool) -> Iterator[str]:
    mark, style = MARKS.get(str(change.get("action")), ("?", "dim"))
    if change.get("replaces"):
        mark = "-/+"
    who = "/".join(str(change[part]) for part in ("department", "name") if change.get(part))
    title = f"  {text_of(change['displayName'])}" if change.get("displayName") else ""
    note = f"  {_replaced(change)}" if change.get("replaces") else ""
    head = f"{mark} {change.get('kind')} {who}"
    if brief and change.get("action") != "change":
        yield f"{paint(head, style)}{title}{note}{_demand(change)}"
        yield from _consequences(change)
        return
    yield f"{paint(head, style)}{title}{note}"
    for field in change.get("fields") or []:
        kind, path = str(change.get("kind")), str(field["path"])
        before, after = (value(shown(kind, path, field.get(name))) for name in ("before", "after"))
        if field.get("before") is None and change.get("action") == "create":
            yield f"    {path}: {after}"
        else:
            yield f"    {path}: {before} → {after}"
    yield from _consequences(change)


def _consequences(change: Item) -> Iterator[str]:
    """Yield what a change means for what stands: machines that go, how something is given back."""
    if change.get("machinesGone"):
        numbers = ", ".join(f"{change['name']}-{number}" for number in change["machinesGone"])
        yield f"    {paint(t('machines_gone', numbers=numbers), 'red')}"
    if change.get("options"):
        options = [word("release-option", option) for option in change["options"]]
        yield f"    {t('released_with', options=options)}"


def _demand(change: Item) -> str:
    demand = change.get("demand") or {}
    parts = [f"{labels.resource(word)} {amount(word, n)}" for word, n in demand.items() if n]
    return f"  ({', '.join(parts)})" if parts else ""


def takeovers(listed: Sequence[Item]) -> None:
    """Print what becomes of things that are taken over: beside them, and of themselves.

    What stays of others' is marked `=`: what it allows is allowed beside what is put there.
    """
    for taken in listed:
        emit()
        emit(t("section_takeover", there=taken["there"], object=taken["object"]))
        for part in taken["parts"]:
            mark, style = MARKS["create" if part["action"] == "create" else "change"]
            head = f"{mark} {part['part']}"
            emit(f"  {paint(head, style)}  {part['name']}")
            for field in part["fields"]:
                before, after = value(field["before"]), value(field["after"])
                emit(f"      {field['field']}: {before} → {after}")
        for other in taken.get("beside") or ():
            emit(f"  = {other['type']} {other['name']}  {other['text']}")
        counted = (taken.get("used") or {}).items()
        if used := [f"{labels.resource(word)} {amount(word, n)}" for word, n in counted if n]:
            emit(f"  {t('takeover_used', used=', '.join(used))}")


def value(plain: object) -> str:
    """Return a value of a field on one line."""
    if plain is None or isinstance(plain, str | bool):
        return text_of(plain)
    import json

    return json.dumps(plain, ensure_ascii=False)


def warnings(listed: Sequence[Item]) -> None:
    """Print what the loader remarked about the files."""
    if listed:
        emit()
        for fault in listed:
            emit("\n".join(failures.diagnostic(fault)))


def findings(listed: Sequence[Item]) -> None:
    """Print the policy findings."""
    if listed:
        emit()
        emit(paint(t("section_findings"), "bold"))
        for found in listed:
            emit("\n".join(failures.finding(found)))


def refusals(listed: Sequence[Item], section: str = "section_refusals") -> None:
    """Print why quota would refuse, or what it was forced to."""
    if listed:
        emit()
        emit(paint(t(section), "red"))
        emit("\n".join(failures.refusals(listed)))


def held(listed: Sequence[Item]) -> None:
    """Print what other open requests hold, and what to do about it."""
    if listed:
        emit()
        emit(paint(t("section_held"), "yellow"))
        for one in listed:
            emit(f"  {one['message']}\n    {one['remedy']}")


def quota(lines: Sequence[Item]) -> None:
    """Print quota at each level, before and after."""
    if not lines:
        return
    emit()
    emit(paint(t("section_quota"), "bold"))
    headings = ("department", "resource", "place", "limit", "before", "requested", "after")
    columns = [Column(name, lambda _: "", right=index > 2) for index, name in enumerate(headings)]
    rows = [_quota_row(line) for line in lines]
    table([t(f"col_{name}") for name in headings], rows, columns, indent="  ")


def _quota_row(line: Item) -> list[str]:
    before = int(line["allocated"]) + int(line["reserved"])
    asked, freed = int(line["requested"]), int(line.get("freed") or 0)
    after = before + asked - freed
    limit = line.get("limit")
    share = f" ({after / limit:.0%})" if limit else ""
    over = " !" if limit is not None and after > limit else ""
    word = line["class"]
    parts = [f"+{amount(word, asked)}"] if asked or not freed else []
    parts += [f"-{amount(word, freed)}"] if freed else []
    return [
        str(line["department"]),
        resource(line),
        place(line),
        limitless(line) if limit is None else amount(word, limit),
        amount(word, before),
        " ".join(parts),
        f"{amount(word, after)}{share}{over}",
    ]


def room(lines: Sequence[Item]) -> None:
    """Print what is free at each level that limits it, what is requested, and what is lacking."""
    headings = ("department", "resource", "place", "limit", "left", "requested", "lacking")
    columns = [Column(name, lambda _: "", right=index > 2) for index, name in enumerate(headings)]
    rows = [
        [str(line["department"]), resource(line), place(line)]
        + [amount(line["class"], line[name]) for name in ("limit", "free", "requested", "lacking")]
        for line in lines
        if line["free"] is not None and line["requested"]
    ]
    table([t(f"col_{name}") for name in headings], rows, columns, indent="  ")


def limitless(line: Item) -> str:
    """Return what stands for a limit where a line has none: what will really happen."""
    return t("limit_above") if line.get("limited", True) else t("limit_nowhere")


def amount(word: str, number: int) -> str:
    """Return an amount of a resource class as users write it."""
    if not number:
        return "0"
    from govcloud.domain import classes

    try:
        return classes.show(word, number)
    except KeyError:
        return str(number)


def resource(line: Item) -> str:
    """Return the word for a line's resource class."""
    return labels.resource(str(line["class"]))


def place(line: Item) -> str:
    """Return `cloud/zone` of a quota line, `-` for everywhere."""
    return "/".join(str(line[part]) for part in ("cloud", "zone") if line.get(part)) or "-"


def price(item: Item | None) -> None:
    """Print the price a month before and after, where there is one."""
    if not item or not (item.get("before") or item.get("after")):
        return
    before, after = float(item.get("before") or 0), float(item.get("after") or 0)
    emit()
    emit(
        t("price", before=f"{before:,.2f}", after=f"{after:,.2f}", delta=f"{after - before:+,.2f}")
    )


def summary(item: Item, *, done: bool | None = None) -> str:
    """Return the last line of a plan; `done` says whether an apply is, None that it is none.

    Platform objects are deleted, what departments have is given back.
    """
    counts = item.get("summary") or {}
    known = {name: counts.get(name, 0) for name in ("create", "change", "release", "unchanged")}
    if not any(known[name] for name in ("create", "change", "release")):
        return t("summary_nothing", **known)
    if done is None:
        return t("summary", **known)
    return t("summary_applied" if done else "summary_to_apply", **known)


def pairs(rows: Iterable[tuple[str, object]], indent: str = "") -> None:
    """Print names and values, one a line, aligned; those without a value are left out."""
    from cli.output import pad, width

    kept = [(name, text_of(cell)) for name, cell in rows if cell not in (None, "", [], {})]
    wide = max((width(name) for name, _ in kept), default=0) + 2
    for name, cell in kept:
        emit(f"{indent}{paint(pad(f'{name}:', wide + 1), 'bold')}{cell}")


def request(item: Item, *, everything: bool = False) -> None:
    """Print a request: who, what, findings, quota, price, decisions."""
    from cli.columns import moment, request_due, request_notices, request_state

    progress: Any = item.get("progress") or {}
    pairs(
        [
            (t("col_id"), item.get("id")),
            (t("col_department"), item.get("department")),
            (t("col_title"), item.get("title")),
            (t("col_justification"), item.get("justification")),
            (t("col_state"), request_state(item)),
            (t("col_due"), request_due(item) if item.get("due") else None),
            (t("col_urgent"), t("urgent_yes") if item.get("urgent") else None),
            (t("col_notices"), request_notices(item) if item.get("notices") else None),
            (t("col_by"), item.get("submittedBy")),
            (t("col_submitted_at"), moment(item.get("createdAt"))),
            (
                t("col_progress"),
                f"{progress['ready']}/{progress['total']}" if progress.get("total") else None,
            ),
            (t("col_digest"), item.get("digest")),
        ]
    )
    emit()
    changes(item.get("changes") or [], everything=everything)
    findings(item.get("findings") or [])
    quota(item.get("quota") or [])
    blocked = item.get("blocked")
    if blocked:
        emit()
        emit(paint(t("section_blocked"), "red"))
        emit("\n".join(_blocked(blocked)))
    shown_price = item.get("price")
    if isinstance(shown_price, Mapping):
        price(shown_price)
    conditions(item.get("conditions") or [])
    decisions(item.get("decisions") or [])
    if item.get("state") == "returned":
        emit()
        emit(t("how_to_replace", id=item["id"]))


def conditions(listed: Sequence[Item]) -> None:
    """Print what a request was approved on condition of, and what of that is met."""
    if listed:
        emit()
        emit(paint(t("section_conditions"), "bold"))
        for found in listed:
            sentence = "condition_met" if found.get("metBy") else "condition_open"
            emit(f"  {t(sentence, **found)}")


def _blocked(blocked: Item) -> Iterator[str]:
    yield f"  {blocked['message']}"
    yield from failures.refusals(blocked.get("refusals") or ())
    for found in blocked.get("findings") or ():
        yield from failures.finding(found)
    for fault in blocked.get("diagnostics") or ():
        yield from failures.diagnostic(fault)


def decisions(listed: Sequence[Item]) -> None:
    """Print who decided what, when and why."""
    if not listed:
        return
    from cli.columns import moment

    emit()
    emit(paint(t("section_decisions"), "bold"))
    for decision in listed:
        parts = [
            moment(decision.get("at")),
            word("step", decision.get("step") or ""),
            word("verdict", decision.get("verdict", "")),
            str(decision.get("actor") or ""),
            _said(decision.get("detail") or {}),
            text_of(decision["note"]) if decision.get("note") else "",
        ]
        emit("  " + "  ".join(part for part in parts if part))


def _said(detail: Item) -> str:
    """Return what was said beside a verdict: to whom a step went, or on what condition."""
    if detail.get("condition"):
        return f"{t('col_condition')}: {text_of(detail['condition'])} ({detail['by']})"
    if detail.get("to"):
        return f"→ {word('step', detail['to'])}"
    if detail.get("role"):
        return f"→ {word('role', detail['role'])}"
    return f"→ {detail['user']}" if detail.get("user") else ""
