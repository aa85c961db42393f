"""Whether roles are told what they can be told, by their own specifications. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from govcloud.domain.kinds import moving
from govcloud.domain.kinds.moving import Move, Workload
from govcloud.domain.suggest import nearest
from migration.running.port import Stage

Roles = Mapping[str, Mapping[str, object]]
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "str": (str, int, float),
    "path": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "list": (list,),
    "dict": (dict,),
}
_NEEDED: Final[Mapping[str, tuple[Stage, ...]]] = {
    "workloads": (Stage.PLAN, Stage.SYNC, Stage.VERIFY, Stage.UNDO),
    "switch": (Stage.START, Stage.UNDO),
}
"""Stages that have to be there, by the list of the plan; elsewhere `start` is enough."""
_WORDS: Final = frozenset(
    {
        *("address", "from", "to", "host", "host_name", "source_device", "target_device"),
        *("device", "snapshot", "file", "files", "paths", "databases", "packages"),
        *("user", "users", "username", "target_user", "project"),
        *("names", "service", "services", "time_servers", "time_zone"),
    }
)
"""Settings of roles that become words of commands: names of things, never options."""
_WORD: Final = re.compile(r"[^\x00-\x1f\x7f-][^\x00-\x1f\x7f]*|")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where below `spec.move`."""

    key: str
    field: str
    params: Mapping[str, object]


def faults(move: Move, roles: Roles) -> Iterator[Fault]:
    """Yield each role that there is not and each setting that its role does not take."""
    for field, part in _parts(move):
        told = roles.get(part.role)
        if told is None:
            meant = nearest(part.role, roles)
            yield _fault("no_role", f"{field}.role", value=part.role, meant=meant, known=roles)
        elif (lacking := _lacking(field, told)) is not None:
            params = {"role": part.role, "stage": lacking, "known": _able(lacking, roles)}
            yield Fault("migrate.run_role_unfit", f"{field}.role", params)
        else:
            options = told.get("options")
            given = options if isinstance(options, Mapping) else {}
            yield from _settings(f"{field}.settings", field, part, given)


def _parts(move: Move) -> Iterator[tuple[str, Workload | moving.Task]]:
    lists: list[tuple[str, Iterable[Workload | moving.Task]]] = [
        ("workloads", move.workloads),
        ("configure", move.configure),
        ("switch", move.switch),
        *((f"hooks.{name}", hook) for name, hook in move.hooks.items()),
    ]
    for name, parts in lists:
        for number, part in enumerate(parts):
            yield f"{name}[{number}]", part


def _lacking(field: str, told: Mapping[str, object]) -> str | None:
    """Return the stage that a role has to have in a list of the plan, and has not."""
    needed = _NEEDED.get(field.partition("[")[0], (Stage.START,))
    return next((stage.value for stage in needed if stage not in _stages(told)), None)


def _stages(told: Mapping[str, object]) -> list[str]:
    found = told.get("stages")
    return found if isinstance(found, list) else [stage.value for stage in Stage]


def _able(stage: str, roles: Roles) -> list[str]:
    return sorted(name for name, told in roles.items() if stage in _stages(told))


def _settings(
    field: str, whole: str, part: Workload | moving.Task, options: Mapping[str, object]
) -> Iterator[Fault]:
    given: dict[str, Any] = {**part.settings, **part.secrets}
    for name in given:
        if name not in options:
            meant = nearest(name, options)
            where = f"{field}.{name}" if name in part.settings else f"{whole}.secrets.{name}"
            yield _fault("no_setting", where, value=name, meant=meant, known=options)
    for name, told in options.items():
        option = told if isinstance(told, Mapping) else {}
        if name not in given:
            if option.get("required"):
                yield _fault("setting_missing", field, value=name, meant=None, known=options)
        elif name in part.settings:
            yield from _value(f"{field}.{name}", part.settings[name], option)
            if name in _WORDS:
                yield from _words(f"{field}.{name}", part.settings[name])


def _words(field: str, value: object) -> Iterator[Fault]:
    """Yield what a program on a host would take for an option, or for more than one line."""
    if isinstance(value, list):
        for number, element in enumerate(value):
            yield from _words(f"{field}[{number}]", element)
    elif isinstance(value, str) and not _WORD.fullmatch(value):
        yield _fault("setting_word", field, value=value, meant=None, known=())


def _value(field: str, value: object, option: Mapping[str, Any]) -> Iterator[Fault]:
    kind = str(option.get("type", "str"))
    wanted = _TYPES.get(kind)
    flag = isinstance(value, bool) and kind != "bool"
    if wanted is not None and (flag or not isinstance(value, wanted)):
        yield _fault("setting_type", field, value=kind, meant=None, known=())
        return
    choices = option.get("choices")
    if choices and value not in choices:
        meant = nearest(str(value), [str(one) for one in choices])
        yield _fault("setting_choice", field, value=value, meant=meant, known=choices)
    if isinstance(value, list) and option.get("elements"):
        for number, element in enumerate(value):
            yield from _value(f"{field}[{number}]", element, _element(option))
    elif isinstance(value, dict) and isinstance(option.get("options"), Mapping):
        yield from _inside(field, value, option["options"])


def _element(option: Mapping[str, Any]) -> dict[str, Any]:
    element = {"type": option["elements"]}
    return element | ({"options": option["options"]} if "options" in option else {})


def _inside(field: str, value: Mapping[str, object], options: Mapping[str, Any]) -> Iterator[Fault]:
    for name, inner in value.items():
        if name not in options:
            meant = nearest(name, options)
            yield _fault("no_setting", f"{field}.{name}", value=name, meant=meant, known=options)
        else:
            yield from _value(f"{field}.{name}", inner, options[name])


def _fault(
    key: str, field: str, *, value: object, meant: str | None, known: Iterable[object]
) -> Fault:
    params = {"value": value, "meant": meant or "-", "known": [str(one) for one in known]}
    return Fault(f"migrate.run_{key}", field, params)
