"""What a scan shows: whom it would ask, and what it has found."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cli.options import Output
from cli.render import Column
from cli.render import show as show_items
from cli.speech import language
from govcloud import messages
from migration.running.refusals import explained

if TYPE_CHECKING:
    from migration.inventory.scan.record import Record
    from migration.inventory.scan.targets import Target
    from migration.running.port import Endpoint

_GIB = 1024**3
_MIB = 1024**2


def _word(name: str, **params: object) -> str:
    return messages.render(f"migrate.{name}", language(), params)


def subject(name: str) -> str:
    """Return what a subject is called."""
    return _word(f"scan_subject_{name}") if name else ""


def reason(subject: str, text: str) -> str:
    """Return why something was not read."""
    if text == "?":
        return _word("scan_not_understood")
    refused = explained(text)
    if refused is None and subject == "root":
        return _word("refused_sudo_mute", detail=text)
    return messages.render(refused.key, language(), refused.params) if refused else text


def show_targets(targets: "Iterable[Target]", login: "Endpoint", form: Output) -> None:
    """Print whom a scan would ask, and how it logs in as far as that is no matter of Ansible's."""
    items = [
        {
            "name": one.name,
            "address": one.address,
            "user": login.user or None,
            "bastion": login.bastion or None,
            "groups": list(one.groups),
        }
        for one in targets
    ]
    columns = [
        Column("name", lambda item: item["name"]),
        Column("address", lambda item: item["address"]),
        Column("user", lambda item: item["user"]),
        Column("bastion", lambda item: item["bastion"]),
        Column("groups", lambda item: ", ".join(item["groups"])),
    ]
    show_items(items, columns, form, name=lambda item: str(item["name"]))


def show(records: "Sequence[Record]", form: Output, enough_days: int) -> None:
    """Print what is known of hosts."""
    from migration.inventory.scan.facts import connections

    pairs = list(connections(records))
    items = [_item(record, pairs, enough_days) for record in records]
    show_items(items, _COLUMNS, form, name=lambda item: str(item["name"]))


def _item(
    record: "Record", pairs: Iterable[tuple[str, str, int]], enough_days: int
) -> dict[str, Any]:
    from migration.inventory.scan import facts

    found = record["found"]
    machine = found.get("machine", {})
    return {
        "name": record["name"],
        "address": record["address"],
        "answer": _answer(record),
        "scanned": record["scanned"],
        "missing": record["missing"],
        "os": machine.get("os"),
        "vcpu": machine.get("vcpu"),
        "memoryMiB": machine.get("memory"),
        "dataBytes": facts.data_bytes(found) if "storage" in found else None,
        "growthBytesADay": facts.growth(record),
        "facts": facts.facts(record, pairs, enough_days),
        "sites": found.get("web", {}).get("sites", []),
        "databases": found.get("databases", {}).get("servers", []),
        "listeners": found.get("sockets", {}).get("listeners", []),
        "sampledDays": len(record["use"]),
    }


def _answer(record: "Record") -> str:
    from migration.inventory.scan.record import unasked

    if unasked(record):
        return "unreachable"
    return "partial" if record["missing"] else "read"


def _sized(amount: object) -> str | None:
    """Return bytes as people read them."""
    if not isinstance(amount, int):
        return None
    if abs(amount) < _GIB:
        return f"{amount / _MIB:.0f} MiB"
    return f"{amount / _GIB:.1f} GiB"


def _of_databases(item: Mapping[str, Any]) -> str:
    sizes = (
        f"{one['kind']} {one.get('version', '')} ({_sized(sum(one['databases'].values()))})"
        for one in item["databases"]
    )
    return ", ".join(sizes)


def _sites(item: Mapping[str, Any]) -> str:
    names = [name for site in item["sites"] for name in site["names"] or site["listens"]]
    return ", ".join(dict.fromkeys(names))


_COLUMNS = [
    Column("name", lambda item: item["name"]),
    Column("address", lambda item: item["address"]),
    Column("answer", lambda item: _word(f"scan_answer_{item['answer']}")),
    Column("os", lambda item: item["os"]),
    Column("end_of_support", lambda item: item["facts"].get("osSupportUntil")),
    Column("vcpu", lambda item: item["vcpu"], right=True),
    Column("memory", lambda item: _sized((item["memoryMiB"] or 0) * _MIB or None), right=True),
    Column("data", lambda item: _sized(item["dataBytes"]), right=True),
    Column("growth", lambda item: _sized(item["growthBytesADay"]), right=True, wide=True),
    Column("databases", _of_databases),
    Column("sites", _sites, wide=True),
    Column("connects_to", lambda item: ", ".join(item["facts"].get("connectsTo", ()))),
    Column("sampled_days", lambda item: item["sampledDays"], right=True, wide=True),
]
