"""What people wish of migrations that run: by a system, by several, by a wave."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from cli import acting, complete, failures, output, render, views
from cli.client import path
from cli.commands.migrate_inventory import m
from cli.commands.submit import confirm
from cli.options import Department, DryRun, Format, Note, Output, Yes
from cli.output import emit
from cli.session import client
from govcloud.errors import NotFoundError, QuotaExceededError, UsageError

System = tuple[str, str]
Systems = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SYSTEM…]", help=m("arg_systems"), autocompletion=complete.references),
]
Wave = Annotated[str | None, typer.Option("--wave", metavar="NAME", help=m("opt_wave"))]


class Disposal(StrEnum):
    """What becomes of a source that is off."""

    REASSIGNED = "reassigned"
    SCRAPPED = "scrapped"
    REUSED = "reused"
    HOSTED = "hosted"


def _plain(verb: str) -> Callable[..., None]:
    """Return the command of a wish that takes nothing but a note."""

    def command(
        *,
        systems: Systems = None,
        wave: Wave = None,
        department: Department = None,
        note: Note = "",
        dry_run: DryRun = False,
        form: Format = Output.TABLE,
    ) -> None:
        wish(verb, chosen(systems, wave, department), {"note": note}, form, dry_run=dry_run)

    return command


run: Final = _plain("run")
"""Begin migrations, or begin anew after a rollback."""
pause: Final = _plain("pause")
"""Let migrations stand still where they are."""
resume: Final = _plain("resume")
"""Go on after a pause, or after something was mended."""
verify: Final = _plain("verify")
"""Compare source and target now; the journal says what came of it."""
accept: Final = _plain("accept")
"""Sign the acceptance, for the party that your role stands for."""


def cutover(
    *,
    systems: Systems = None,
    wave: Wave = None,
    department: Department = None,
    backup: Annotated[
        str | None, typer.Option("--backup", metavar="INSTANT", help=m("opt_backup"))
    ] = None,
    waive: Annotated[
        str, typer.Option("--waive-backup", metavar="REASON", help=m("opt_waive"))
    ] = "",
    note: Note = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    form: Format = Output.TABLE,
) -> None:
    """Cut over as soon as the window and all gates are open."""
    found = chosen(systems, wave, department)
    if not (yes or dry_run):
        confirm(m("ask_cutover", systems=[shown(one) for one in found]))
    said = {"note": note, "waiver": waive} | ({"backup": backup} if backup else {})
    wish("cutover", found, said, form, dry_run=dry_run)


def rollback(
    *,
    systems: Systems = None,
    wave: Wave = None,
    department: Department = None,
    note: Note = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    form: Format = Output.TABLE,
) -> None:
    """Take everything back to the former state."""
    found = chosen(systems, wave, department)
    if not (yes or dry_run):
        confirm(m("ask_rollback", systems=[shown(one) for one in found]))
    wish("rollback", found, {"note": note}, form, dry_run=dry_run)


def abandon(
    *,
    system: Annotated[
        str,
        typer.Argument(metavar="SYSTEM", help=m("arg_system"), autocompletion=complete.references),
    ],
    part: Annotated[str, typer.Option("--part", metavar="NAME", help=m("opt_part"))],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help=m("opt_part_reason"))],
    department: Department = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    form: Format = Output.TABLE,
) -> None:
    """Give up taking back a part that cannot be taken back, so that the rollback ends."""
    found = chosen([system], None, department)
    if not (yes or dry_run):
        confirm(m("ask_abandon_part", part=part, system=shown(found[0])))
    wish("abandon", found, {"note": reason, "part": part}, form, dry_run=dry_run)


def source_off(
    *,
    system: Annotated[
        str,
        typer.Argument(metavar="SYSTEM", help=m("arg_system"), autocompletion=complete.references),
    ],
    host: Annotated[str, typer.Option("--host", metavar="NAME", help=m("opt_host"))],
    wiped: Annotated[str, typer.Option("--wiped", metavar="TEXT", help=m("opt_wiped"))],
    disposal: Annotated[
        Disposal,
        typer.Option(
            "--disposal", metavar="reassigned|scrapped|reused|hosted", help=m("opt_disposal")
        ),
    ],
    asset: Annotated[str, typer.Option("--asset", metavar="TEXT", help=m("opt_asset"))],
    off: Annotated[str | None, typer.Option("--off", metavar="DATE", help=m("opt_off"))] = None,
    department: Department = None,
    note: Note = "",
    dry_run: DryRun = False,
    form: Format = Output.TABLE,
) -> None:
    """Record that a source is off, with the evidence."""
    said: dict[str, Any] = {
        "note": note,
        "host": host,
        "wiped": wiped,
        "disposal": disposal.value,
        "asset": asset,
    }
    found = chosen([system], None, department)
    wish("source-off", found, said | ({"off": off} if off else {}), form, dry_run=dry_run)


def close_room(
    *,
    room: Annotated[str, typer.Argument(metavar="ROOM", help=m("arg_room"))],
    evidence: Annotated[str, typer.Option("--evidence", metavar="TEXT", help=m("opt_evidence"))],
    confirmed_by: Annotated[
        str, typer.Option("--confirmed-by", metavar="USER", help=m("opt_confirmed"))
    ],
    department: Department = None,
    form: Format = Output.TABLE,
) -> None:
    """Record that a server room is closed, where its definition holds."""
    whose, name = named(room, department)
    body = {"evidence": evidence, "confirmedBy": confirmed_by}
    done = client().post(path("migrations", whose, "rooms", name, "close"), body)
    if form in (Output.JSON, Output.YAML):
        render.structured(done, form)
    else:
        emit(done["room"] if form is Output.NAME else m("room_closed", room=done["room"]))


# --- What they share ------------------------------------------------------------------------------


def named(word: str, department: str | None) -> System:
    """Return department and name of `DEPARTMENT/NAME`, or of a name in the caller's department."""
    whose, slash, name = word.removeprefix("system/").partition("/")
    if slash:
        return whose, name
    owner = department or client().get("/v1/whoami")["department"]
    if not owner:
        raise UsageError("migrate.whose_system", system=word)
    return str(owner), word


def chosen(systems: Sequence[str] | None, wave: str | None, department: str | None) -> list[System]:
    """Return the systems that are named, or those of a wave."""
    if bool(systems) == (wave is not None):
        raise UsageError("migrate.systems_or_wave")
    if systems:
        return [named(word, department) for word in systems]
    items = client().get("/v1/migrations", wave=wave, department=department)["items"]
    if not items:
        raise NotFoundError("migrate.empty_wave", wave=wave)
    return [(item["department"], item["system"]) for item in items]


def shown(system: System) -> str:
    """Return a system as users write it."""
    return "/".join(system)


def wish(
    verb: str, systems: Sequence[System], said: Mapping[str, Any], form: Output, *, dry_run: bool
) -> None:
    """Wish something of several systems; one that refuses does not keep the others from it."""
    body = {**said, "dryRun": dry_run}
    done, failed = acting.attempt(
        systems, shown, lambda system: client().post(path("migrations", *system, verb), body)
    )
    weighed = _weighed(systems) if verb == "run" and dry_run else {}
    _tell(verb, done, form, weighed, dry_run=dry_run)
    refusals = weighed.get("refusals")
    if refusals and failed is None:
        raise QuotaExceededError(refusals)
    if refusals:
        failures.show(QuotaExceededError(refusals))
    if failed is not None:
        raise typer.Exit(failed.exit_code)


_STRUCTURED: Final = (Output.JSON, Output.YAML)


def _weighed(systems: Sequence[System]) -> dict[str, Any]:
    """Return what the machines that systems lack would come to, requested all at once."""
    named = [{"department": department, "system": system} for department, system in systems]
    found: dict[str, Any] = client().post("/v1/migrations/weigh", {"systems": named})
    return found


def _tell(
    verb: str,
    done: Sequence[Mapping[str, Any]],
    form: Output,
    weighed: Mapping[str, Any],
    *,
    dry_run: bool,
) -> None:
    if form in _STRUCTURED:
        sums = {name: weighed[name] for name in ("quota", "refusals") if name in weighed}
        items = done[0] if len(done) == 1 else {"items": list(done)}
        render.structured({**items, **sums}, form)
        return
    for item in done:
        key = shown((item["department"], item["system"]))
        if form is Output.NAME:
            emit(key)
        elif dry_run:
            emit(m("would", verb=m(f"verb_{verb.replace('-', '_')}"), system=key))
            for line in _steps(item):
                emit(f"  {line}")
        else:
            emit(m("wished", verb=m(f"verb_{verb.replace('-', '_')}"), system=key, run=item["run"]))
    if weighed.get("systems") and form is not Output.NAME:
        emit()
        emit(m("weighed", count=weighed["systems"]))
        views.room(weighed["quota"])
    if done and not dry_run:
        output.hint(m("hint_wished"))


def _steps(item: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is still to be done, a line a step."""
    for step in item.get("steps", ()):
        if step["state"] != "done" and step["step"] != "check":
            parts = [step_word(step["step"]), step["part"], step["role"]]
            yield "  ".join(part for part in parts if part)


def step_word(step: str) -> str:
    """Return the word for a step."""
    return m(f"step_{step.replace('-', '_')}")
