"""Which columns a table has: headings stand in the catalogue, cells are paths into the JSON."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from cli import use
from cli.labels import resource, shown
from cli.render import Column, Item
from cli.speech import t, word
from govcloud.domain import city


def drift_field(name: str) -> str:
    """Return in what something differs in the reader's words: `power`, `tag:zone`, `quota:vcpu`."""
    base, colon, rest = name.partition(":")
    return word("drift-field", word("drift-prop", base)) + colon + rest


def differing(field: str, value: str | None) -> str | None:
    """Return what was wanted or found of a difference, as people write it."""
    if not value:
        return value
    if field == "power":
        return word("power", value)
    return _amount(field, value) or word("drift-value", value)


def _amount(field: str, value: str) -> str | None:
    """Return an amount with its unit; None where a difference is in something else."""
    if field not in ("memory", "size") or not value.isdigit():
        return None
    from govcloud.domain.quantity import show_memory, show_storage

    return show_memory(int(value)) if field == "memory" else show_storage(int(value))


def at(path: str) -> Callable[[Item], object]:
    """Return what reads a dotted path of an item; None where it ends early."""
    parts = path.split(".")

    def read(item: Item) -> object:
        value: Any = item
        for part in parts:
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    return read


def age(instant: object) -> str:
    """Return how long ago an ISO instant was, in the largest unit that says enough: `3d`, `5h`."""
    if not isinstance(instant, str):
        return "-"
    try:
        seconds = int((datetime.now(UTC) - datetime.fromisoformat(instant)).total_seconds())
    except (ValueError, TypeError):
        return instant
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return word("age", unit, count=seconds // size)
    return word("age", "s", count=max(seconds, 0))


def moment(instant: object) -> str:
    """Return an ISO instant in the city's time with its offset, to the second.

    What two machines show, or one shows today and another year, can be compared and given to
    `--as-of` again, whatever their own time zones are. JSON and YAML keep UTC.
    """
    if not isinstance(instant, str):
        return "-"
    try:
        return city.shown(datetime.fromisoformat(instant))
    except ValueError:
        return instant


def status(item: Item) -> str:
    """Return one word for how an object is: its reason where it is not well."""
    state = item.get("status") or {}
    if (item.get("metadata") or {}).get("releasingSince"):
        return word("status", "releasing")
    if state.get("ready"):
        # What drifted and is only reported still serves, but it is not what was approved.
        return word("status", "ready-drifted" if state.get("reason") == "Drifted" else "ready")
    if state.get("reason"):
        return word("reason", state["reason"])
    return word("status", state.get("phase") or "unknown")


def status_style(text: str) -> str | None:
    """Return the colour of a status word."""
    good = (word("status", "ready"), word("status", "active"))
    return "green" if text.strip() in good else "yellow"


def _size(item: Item) -> object:
    spec = item.get("spec") or {}
    return spec.get("flavor") or f"{spec.get('vcpu')}C {spec.get('memory')}"


def _disks(item: Item) -> str:
    spec = item.get("spec") or {}
    disks = [spec.get("systemDisk") or {}, *(spec.get("dataDisks") or [])]
    return " + ".join(str(disk.get("size")) for disk in disks if disk.get("size"))


def _addresses(item: Item) -> list[str]:
    resources = (item.get("status") or {}).get("resources") or []
    found: list[str] = []
    for one in resources:
        for name, value in (one.get("info") or {}).items():
            if value and ("address" in name.lower() or name.lower() in ("ip", "ipv4", "ipv6")):
                found += [str(entry) for entry in (value if isinstance(value, list) else [value])]
    return list(dict.fromkeys(found))  # a machine and its port both say them


def machines(item: Item) -> dict[int, dict[str, Any]]:
    """Return what is known of an object's machines, by number: addresses, power, host zone."""
    found: dict[int, dict[str, Any]] = {}
    for one in (item.get("status") or {}).get("resources") or []:
        number = str(one.get("part", "")).removeprefix("server-")
        if one.get("type") == "server" and number.isdigit():
            found[int(number)] = {**(one.get("info") or {}), "state": one.get("state")}
    return dict(sorted(found.items()))


def _power(item: Item) -> str | None:
    """Return whether the machines run: all, none, or how many of them."""
    said = [one.get("power") for one in machines(item).values() if one.get("power")]
    running = said.count("on")
    if 0 < running < len(said):
        return t("power_some", running=running, count=len(said))
    return shown("VirtualMachine", "power", said[0]) if said else None


def _host_zones(item: Item) -> list[str] | None:
    """Return in which of the cloud's own zones the machines stand."""
    zones = (one.get("host_zone") for one in machines(item).values())
    return sorted({str(zone) for zone in zones if zone}) or None


def _limits(item: Item) -> str:
    limits = (item.get("spec") or {}).get("limits") or {}
    return ", ".join(f"{resource(name)}={amount}" for name, amount in limits.items())


NAME: Final = Column("name", at("metadata.name"))
DEPARTMENT: Final = Column("department", at("metadata.department"))
TITLE: Final = Column("display_name", at("metadata.displayName"), wide=True)
STATUS: Final = Column("status", status, style=status_style)
AGE: Final = Column("age", lambda item: age(at("metadata.createdAt")(item)))
ALWAYS_TITLE: Final = Column("display_name", at("metadata.displayName"))
REQUEST: Final = Column("request", at("metadata.requestId"), wide=True)


def _spec(heading: str, path: str, *, wide: bool = False, right: bool = False) -> Column:
    read = at(f"spec.{path}")

    def cell(item: Item) -> object:
        return shown(str(item.get("kind")), path, read(item))

    return Column(heading, cell, wide=wide, right=right)


def _since(heading: str, path: str) -> Column:
    return Column(heading, lambda item: moment(at(path)(item)), wide=True)


_PLACE: Final = (_spec("system", "system"), _spec("zone", "zone"))
_BUILT: Final = (
    Column("cloud", at("status.cloud"), wide=True),
    _spec("environment", "environment", wide=True),
    _spec("lease_end", "lease.end", wide=True),
    Column("generation", at("metadata.generation"), wide=True, right=True),
    REQUEST,
    Column("message", at("status.message"), wide=True),
)

OWN: Final[Mapping[str, tuple[Column, ...]]] = {
    "VirtualMachine": (
        *_PLACE,
        Column("size", _size),
        _spec("count", "count", right=True),
        Column("disks", _disks, wide=True),
        _spec("image", "image", wide=True),
        Column("addresses", _addresses, wide=True),
        Column("power", _power, wide=True),
        Column("host_zone", _host_zones, wide=True),
        *_BUILT,
    ),
    "Volume": (
        *_PLACE,
        _spec("size", "size"),
        _spec("type", "type"),
        _spec("attached", "attachTo"),
        *_BUILT,
    ),
    "Namespace": (
        *_PLACE,
        _spec("cpu", "cpu"),
        _spec("memory", "memory"),
        _spec("pods", "pods"),
        Column("in_use", use.shown, wide=True),
        *_BUILT,
    ),
    "System": (
        ALWAYS_TITLE,
        _spec("code", "code"),
        _spec("mlps", "security.mlpsLevel"),
        _spec("lifecycle", "lifecycle"),
        _spec("origin", "origin"),
        _spec("internet", "internet", wide=True),
    ),
    "Department": (
        ALWAYS_TITLE,
        _spec("level", "level"),
        _spec("parent", "parent"),
        _spec("type", "type", wide=True),
    ),
    "Cloud": (
        ALWAYS_TITLE,
        _spec("provider", "provider"),
        _spec("management", "management"),
        _spec("site", "site"),
        _spec("mlps", "mlpsLevel", wide=True),
    ),
    "Zone": (
        ALWAYS_TITLE,
        _spec("cloud", "cloud"),
        _spec("type", "type"),
        _spec("mlps", "mlpsLevel"),
        _spec("ipv6", "ipv6"),
    ),
    "Flavor": (
        _spec("vcpu", "vcpu", right=True),
        _spec("memory", "memory", right=True),
        _spec("gpu", "gpu", right=True),
        _spec("price", "price", right=True),
        _spec("arch", "arch", wide=True),
    ),
    "Image": (_spec("os", "os"), _spec("arch", "arch"), _spec("end_of_support", "endOfSupport")),
    "Quota": (
        _spec("for_department", "department"),
        _spec("type", "type"),
        _spec("cloud", "cloud"),
        _spec("zone", "zone"),
        Column("limits", _limits),
        _spec("valid_until", "validUntil", wide=True),
    ),
    "ServerRoom": (
        ALWAYS_TITLE,
        _spec("room_state", "state"),
        _spec("racks", "racks"),
        _spec("servers", "servers"),
        _spec("planned_closing", "plannedClosing"),
    ),
    "PrivateNetwork": (
        ALWAYS_TITLE,
        _spec("use", "use"),
        _spec("network_state", "state"),
        _spec("classified", "classified"),
    ),
    "LegacyHost": (
        _spec("room", "room"),
        _spec("system", "system"),
        _spec("os", "os"),
        _spec("host_state", "state"),
    ),
    "Exemption": (
        _spec("for_department", "department"),
        _spec("system", "system"),
        _spec("reason", "reason"),
        _spec("approved_by", "approvedBy"),
        _spec("valid_until", "validUntil"),
    ),
    "Waiver": (
        _spec("rule", "rule"),
        _spec("for_department", "department"),
        _spec("system", "system"),
        _spec("valid_until", "validUntil"),
    ),
    "Target": (
        _spec("number", "number", right=True),
        _spec("indicator", "indicator"),
        _spec("value", "value", right=True),
        _spec("unit", "unit"),
        _spec("year", "year"),
        _spec("property", "property"),
    ),
    "MigrationPlan": (
        _spec("for_department", "department"),
        _spec("system", "system"),
        _spec("state", "state"),
        _spec("wave", "wave"),
    ),
    "Wave": (_spec("start", "start"), _spec("end", "end")),
    "Policy": (_spec("version", "version"), _spec("effective_from", "effectiveFrom")),
    "Survey": (
        _spec("title", "title"),
        _spec("taken_on", "takenOn"),
        _spec("sample_size", "sampleSize"),
    ),
}
BUILT: Final = ("VirtualMachine", "Volume", "Namespace")
OWNED: Final = (*BUILT, "System", "ServerRoom", "PrivateNetwork", "LegacyHost")


def of_kind(kind: str) -> tuple[Column, ...]:
    """Return the columns of a kind; one that is not known here gets the common ones."""
    own = OWN.get(kind, (TITLE,))
    owned = (DEPARTMENT,) if kind in OWNED or kind not in OWN else ()
    built = (STATUS,) if kind in BUILT or kind not in OWN else ()
    title = () if any(column.heading == "display_name" for column in own) else (TITLE,)
    return (NAME, *owned, *built, *own, AGE, *title)


def object_name(item: Item) -> str:
    """Return what `-o name` prints and every command takes: `DEPARTMENT/KIND/NAME`."""
    return full_name(item["kind"], item["metadata"]["name"], item["metadata"].get("department"))


def full_name(kind: object, name: object, department: object) -> str:
    """Return the reference of an object; what belongs to nobody is `KIND/NAME`."""
    whose = f"{department}/" if department else ""
    return f"{whose}{str(kind).lower()}/{name}"


def request_state(item: Item) -> str:
    """Return the state of a request, with the step it waits at and whether quota holds it up."""
    state = word("request", item.get("state", ""))
    steps, step = item.get("steps") or [], item.get("step")
    if item.get("state") == "review" and isinstance(step, int) and step < len(steps):
        state = t("state_at", state=state, step=word("step", steps[step].get("name", "")))
    elif item.get("state") in ("provisioning", "fulfilled") and item.get("urgent"):
        state = _afterwards(state, steps, step)
    return f"{state} !" if item.get("blocked") else state


def _afterwards(state: str, steps: list[Item], step: Any) -> str:
    """Return the state of what was built before its review, with what that has come to."""
    if step < len(steps):
        return t("review_afterwards", state=state, step=word("step", steps[step].get("name", "")))
    return t("objected", state=state) if any(each.get("objectedBy") for each in steps) else state


def request_notices(item: Item) -> str:
    """Return what is to be noticed of a request."""
    return ", ".join(word("notice", name) for name in item.get("notices") or ()) or "-"


def request_style(text: str) -> str | None:
    """Return the colour of a request's state."""
    if text.rstrip().endswith("!"):
        return "red"
    good = (word("request", "fulfilled"), word("request", "approved"))
    return "green" if text.strip() in good else None


def request_due(item: Item) -> str:
    """Return by when the step at which a request waits is to be decided, marked when it is past."""
    due = str(item.get("due") or "-")
    return f"{due} !" if item.get("overdue") else due


def change_counts(item: Item) -> str:
    """Return `+3 ~1 -2` of a request's summary or changes."""
    summary = item.get("summary")
    if not summary:
        actions = [change.get("action") for change in item.get("changes") or []]
        summary = {name: actions.count(name) for name in ("create", "change", "release")}
    marks = (("+", "create"), ("~", "change"), ("-", "release"))
    return " ".join(f"{mark}{summary[name]}" for mark, name in marks if summary.get(name)) or "0"


def finding_counts(item: Item) -> str:
    """Return `2 errors, 1 warning` of the findings that no waiver covers."""
    findings = [found for found in item.get("findings") or [] if not found.get("waiver")]
    counts = {
        name: sum(f.get("severity") == name for f in findings) for name in ("error", "warning")
    }
    return (
        ", ".join(t(f"count_{name}", count=count) for name, count in counts.items() if count) or "-"
    )


def worst_quota(item: Item) -> str:
    """Return the fullest quota line after the request: `vcpu 120→184/200`."""
    lines = [line for line in item.get("quota") or [] if line.get("limit")]
    if not lines:
        return "-"

    def after(line: Item) -> float:
        used = sum(int(line.get(name) or 0) for name in ("allocated", "reserved", "requested"))
        return (used - int(line.get("freed") or 0)) / int(line["limit"])

    line = max(lines, key=after)
    return f"{resource(str(line.get('class')))} {after(line):.0%} ({line.get('department')})"


REQUESTS: Final = (
    Column("id", at("id")),
    Column("department", at("department")),
    Column("state", request_state, style=request_style),
    Column("changes", change_counts),
    Column("findings", finding_counts),
    Column("quota_worst", worst_quota),
    Column("title", at("title")),
    Column("by", at("submittedBy"), wide=True),
    Column("age", lambda item: age(item.get("createdAt"))),
    Column("due", request_due, style=request_style),
    Column("notices", request_notices),
    _since("submitted_at", "createdAt"),
    Column("price", at("price"), wide=True, right=True),
)
