"""When systems move: waves computed, shown, edited in a file, checked, put into the register."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli import complete, files, output, render
from cli.client import path
from cli.commands.migrate_assess import Questions, estate, plan_documents, questionnaire_of, today
from cli.commands.migrate_inventory import m
from cli.commands.submit import show_proposal
from cli.options import DryRun, Force, Format, Output
from cli.output import emit
from cli.session import client
from cli.speech import language
from govcloud import messages
from govcloud.domain import city
from govcloud.errors import Diagnostic, InvalidInputError, UsageError

if TYPE_CHECKING:
    from govcloud.domain.kinds.platform import FlavorSpec
    from migration.assessment.assess import Assessment
    from migration.estate import Estate
    from migration.papers import Paper
    from migration.waves.check import Breach, World
    from migration.waves.compute import Placed, Unplaced
    from migration.waves.load import Load
    from migration.waves.model import PlannedWave, Settings, WavePlanSpec
    from migration.waves.prepare import Prepared

LEAD_DAYS: Final = 14
TRIAL_DAYS: Final = 30
"""Days of trial run before acceptance (MIG-6)."""
SHOWN: Final = 5
"""Names in a sentence: more are counted."""


def plan(
    *,
    file: Annotated[
        str | None,
        typer.Option(
            "--filename", "-f", metavar="FILE", help=m("opt_plan"), autocompletion=complete.files
        ),
    ] = None,
    write: Annotated[
        str | None, typer.Option("--write", metavar="FILE", help=m("opt_write"))
    ] = None,
    begin: Annotated[
        str | None, typer.Option("--begin", metavar="DATE", help=m("opt_begin"))
    ] = None,
    again: Annotated[bool, typer.Option("--again", help=m("opt_again"))] = False,
    move: Annotated[
        list[str] | None, typer.Option("--move", metavar="SYSTEM=WAVE", help=m("opt_move"))
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help=m("opt_apply"))] = False,
    questionnaire: Questions = None,
    dry_run: DryRun = False,
    force: Force = False,
    form: Format = Output.TABLE,
) -> None:
    """Compute waves, or check a plan that a person has edited; move systems; put it to work."""
    paper = _paper(file) if file else None
    if paper is None and (again or move or apply):
        raise UsageError("migrate.plan_needs_file")
    settings = paper.spec.settings if paper else _settings(begin)
    scene = _Scene(settings, questionnaire)
    found = paper.spec if paper and not again else scene.computed(paper.spec if paper else None)
    target = write
    if apply:
        _refuse_begun(scene, found, file, paper if paper and found is paper.spec else None)
    if move:
        found, target = _moved(found, move), write or file
        _refuse(scene, found, file, force=force)
    elif paper is not None and not again:
        _refuse(scene, found, file, paper=paper)
    if target and not dry_run:
        files.write(target, _text(found).encode())
        output.note(m("plan_written", file=target))
    _show(found, scene, form)
    if apply:
        _apply(found, scene, dry_run=dry_run, force=force)


class _Scene:
    """What a plan is made of and held against: estate, verdicts, quota, calendar."""

    def __init__(self, settings: "Settings", questionnaire: str | None) -> None:
        from migration.assessment.assess import assess
        from migration.assessment.facts import facts_of
        from migration.assessment.sizing import size
        from migration.estate import flavors_of
        from migration.waves.budget import budget, capacity, chains
        from migration.waves.prepare import prepare

        door = client()
        asked, day = questionnaire_of(questionnaire), today()
        self.settings = settings
        live = [one for one in door.get("/v1/migrations")["items"] if one["live"]]
        running = {f"{one['department']}/{one['system']}": one["wave"] for one in live}
        self.begun = {wave: key for key, wave in running.items() if wave}
        """Waves of which a system moves, with one such system."""
        self.estate: Estate = estate(besides=running)
        neighbours = self.estate.neighbours()
        self.verdicts: dict[str, Assessment] = {
            key: assess(
                asked,
                facts_of(one, len(neighbours[key]), day),
                one.answers,
                exempted=one.exempted,
            )
            for key, one in self.estate.systems.items()
        }
        flavors = flavors_of(door.items(path("objects", "flavor")))
        sizes = {
            key: [size(name, host, flavors, measured=True) for name, host in one.running.items()]
            for key, one in self.estate.systems.items()
        }
        nodes = door.get("/v1/quota/tree")["nodes"]
        above = chains({node["department"]: node.get("parent") for node in nodes})
        named = _requested(self.estate, flavors)
        self.prepared: Prepared = prepare(
            self.estate, self.verdicts, sizes, above, settings, requested=named
        )
        clouds = capacity(door.items(path("objects", "cloud")), nodes, settings.begin)
        self.budget = clouds | budget(door.items(path("objects", "quota")), nodes, settings.begin)
        self.works = _calendar()

    def computed(self, former: "WavePlanSpec | None") -> "WavePlanSpec":
        """Return the waves, each system with why it is where it is, and what is held back.

        Names of waves that are in the register are not given anew, but for those of a former plan.
        """
        from migration.waves.compute import compute
        from migration.waves.file import planned
        from migration.waves.model import HeldSystem

        ready = self.prepared
        result = compute(ready.loads, ready.edges, self.settings, self.works, self.budget)
        waves = {item["metadata"]["name"] for item in client().items(path("objects", "wave"))}
        again = {wave.name for wave in former.waves} - self.begun.keys() if former else set()
        why = partial(_why, ready.loads)
        found = planned(result, self.settings, why, taken=waves - again)
        said = {key: _said(text) for key, text in ready.held.items()}
        for unplaced in result.unplaced:
            reason = _unplaced(unplaced, ready)
            said |= dict.fromkeys(unplaced.bundle.keys, reason)
        held = [HeldSystem(system=key, because=said[key]) for key in sorted(said)]
        return found.model_copy(update={"held": held})

    def world(self) -> "World":
        """Return what an edited plan is checked against."""
        from migration.waves.check import World

        held = {key: _said(text) for key, text in self.prepared.held.items()}
        ready = self.prepared
        return World(ready.loads, ready.edges, held, self.budget, self.works)


def _requested(estate: "Estate", flavors: "Mapping[str, FlavorSpec]") -> dict[str, Any]:
    """Return what machines need that plans name; which stand already is asked only then."""
    from migration.waves.requested import requested

    naming = [system for system in estate.systems.values() if system.machines]
    there = client().items(path("objects", "virtualmachine")) if naming else ()
    standing = {(one["metadata"]["department"], one["metadata"]["name"]) for one in there}
    return requested(naming, standing, flavors)


def _said(text: Any) -> str:
    return messages.render(text.key, language(), text.params)


def _calendar() -> Any:
    """Return whether a day is worked, by the Policy in force; weekdays, where there is none."""
    from govcloud.policy.calendar import works
    from migration.estate import policy_of

    policy = policy_of(client().items(path("objects", "policy")), today())
    return partial(_works, policy, works)


def _works(policy: Any, works: Any, day: date) -> bool:
    return day.weekday() < 5 if policy is None else bool(works(day, policy))


def _settings(begin: str | None) -> "Settings":
    from pydantic import ValidationError

    from migration.waves.model import Settings

    try:
        first = begin or (today() + timedelta(days=LEAD_DAYS)).isoformat()
        return Settings.model_validate({"begin": first})
    except ValidationError as error:
        raise UsageError("migrate.plan_begin", text=begin) from error


def _paper(file: str) -> "Paper[WavePlanSpec]":
    from govcloud.domain.yamltext import SourceFile
    from migration.papers import parse
    from migration.waves.model import WavePlanSpec

    (read,) = files.read([file])
    return parse(SourceFile(read["name"], read["text"]), "WavePlan", WavePlanSpec)


def _moved(found: "WavePlanSpec", moves: Sequence[str]) -> "WavePlanSpec":
    from migration.waves.moving import moved

    for word in moves:
        system, equals, wave = word.partition("=")
        if not equals:
            raise UsageError("migrate.plan_move", text=word)
        try:
            found = moved(found, system, wave, m("why_moved"))
        except KeyError as error:
            raise UsageError("migrate.plan_not_in_it", word=error.args[0]) from error
    return found


def _refuse(
    scene: _Scene,
    found: "WavePlanSpec",
    file: str | None,
    *,
    paper: "Paper[WavePlanSpec] | None" = None,
    force: bool = False,
) -> None:
    """Raise everything that is wrong with a plan; where it is kept by force, only tell it."""
    from cli import failures
    from migration.waves.check import check

    faults = [_fault(breach, file, paper) for breach in check(found, scene.world())]
    if not faults:
        return
    if not force:
        raise InvalidInputError(faults)
    for fault in faults:
        for line in failures.diagnostic(failures.localised(fault)):
            output.complain(line)


def _refuse_begun(
    scene: _Scene, found: "WavePlanSpec", file: str | None, paper: "Paper[WavePlanSpec] | None"
) -> None:
    """Raise where a plan that is to be put to work has waves of which a system moves already."""
    from migration.waves.check import Breach

    faults = [
        _fault(
            Breach(
                "migrate.plan_begun",
                ("waves", number, "name"),
                {"wave": wave.name, "system": scene.begun[wave.name]},
            ),
            file,
            paper,
        )
        for number, wave in enumerate(found.waves)
        if wave.name in scene.begun
    ]
    if faults:
        raise InvalidInputError(faults)


def _fault(breach: "Breach", file: str | None, paper: "Paper[WavePlanSpec] | None") -> Diagnostic:
    from govcloud.domain.yamltext import field_path

    if paper is not None:
        return paper.fault(breach.key, *breach.path, **breach.params)
    return Diagnostic(
        breach.key, breach.params, file=file, field=field_path(("spec", *breach.path))
    )


def _why(loads: "Mapping[str, Load]", placed: "Placed", key: str) -> str:
    """Return why a system is where it is: its rank, its group, what spoke against earlier."""
    load = loads[key]
    parts = [m("why_rank", risk=m(f"risk_{load.risk.value}"), complexity=load.complexity)]
    others = [one for one in placed.bundle.keys if one != key]
    if others:
        parts.append(m("why_group", others=_some(others), count=len(others)))
    if load.rank != placed.bundle.rank:
        highest = max(placed.bundle.loads, key=lambda one: one.rank)
        risk = m(f"risk_{highest.risk.value}")
        parts.append(m("why_highest", risk=risk, system=highest.key))
    if placed.passed:
        counted = [f"{m(f'limit_{name}')} {count}" for name, count in placed.passed.items()]
        parts.append(m("why_passed", counted=counted))
    return m("why_joint").join(parts)


def _some(keys: Sequence[str]) -> list[str]:
    return [*keys[:SHOWN], "…"] if len(keys) > SHOWN else list(keys)


def _unplaced(unplaced: "Unplaced", ready: "Prepared") -> str:
    from migration.waves.groups import hub

    keys = unplaced.bundle.keys
    params = {
        "count": len(keys),
        "others": _some(keys),
        "limit": m(f"limit_{unplaced.reason}"),
        "subject": unplaced.subject or "-",
        "hub": hub(keys, ready.edges),
    }
    if unplaced.alone:
        return m("held_too_large" if len(keys) > 1 else "held_alone", **params)
    return m("held_no_window", **params)


def _text(found: "WavePlanSpec") -> str:
    """Return the file: its head in the language of this run, then YAML."""
    head = "".join(f"# {line}\n" for line in m("plan_head").strip().splitlines())
    return head + render.as_yaml(_document(found))


def _document(found: "WavePlanSpec") -> dict[str, Any]:
    return {"apiVersion": "govcloud.io/v1", "kind": "WavePlan", "spec": found.plain()}


def _show(found: "WavePlanSpec", scene: _Scene, form: Output) -> None:
    if form in (Output.JSON, Output.YAML):
        render.structured(_document(found), form)
        return
    rows = list(_rows(found, scene))
    names = ("wave", "window", "systems", "hosts", "data", "risk", "departments")
    if form is Output.NAME:
        for row in rows:
            emit(row[0])
    elif form is Output.CSV:
        render.write_csv([m(f"heading_{name}") for name in names], rows)
    else:
        render.table([m(f"heading_{name}") for name in names], rows)
        for held in found.held:
            output.note(m("plan_held_line", system=held.system, because=held.because))
        output.note(
            m("plan_sum", waves=len(found.waves), systems=_count(found), held=len(found.held))
        )


def _count(found: "WavePlanSpec") -> int:
    return sum(len(wave.systems) for wave in found.waves)


def _rows(found: "WavePlanSpec", scene: _Scene) -> Iterator[list[str]]:
    from migration.assessment.questionnaire import Risk

    for wave in found.waves:
        inside = [
            scene.prepared.loads[one.system]
            for one in wave.systems
            if one.system in scene.prepared.loads
        ]
        gib = sum(sum(load.data.values()) for load in inside) // 1024
        counts = {risk: sum(load.risk is risk for load in inside) for risk in Risk}
        risks = [f"{m(f'risk_{risk.value}')} {count}" for risk, count in counts.items() if count]
        yield [
            wave.name,
            wave.window.isoformat(),
            str(len(wave.systems)),
            str(sum(load.hosts for load in inside)),
            f"{gib} GiB",
            ", ".join(risks) or "-",
            str(len({load.department for load in inside})),
        ]


def _wave_document(
    wave: "PlannedWave", settings: "Settings", former: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a wave, with what a person has set of it; its window opens in the evening."""
    from migration.waves.slots import OPENS

    days = timedelta(days=settings.every_days)
    opens = datetime.combine(wave.window, OPENS, city.time())
    spec = {
        "start": (wave.window - days).isoformat(),
        "end": wave.window.isoformat(),
        "window": {"opens": opens.isoformat(), "hours": settings.window_hours},
    }
    return {
        "apiVersion": "govcloud.io/v1",
        "kind": "Wave",
        "metadata": {"name": wave.name},
        "spec": {**former, **spec},
    }


def _apply(found: "WavePlanSpec", scene: _Scene, *, dry_run: bool, force: bool) -> None:
    """Write waves and migration plans into the register."""
    former = {
        item["metadata"]["name"]: item["spec"] for item in client().items(path("objects", "wave"))
    }
    documents = [
        _wave_document(wave, found.settings, former.get(wave.name, {})) for wave in found.waves
    ]
    placed = {
        entry.system: (wave.name, (wave.window + timedelta(days=TRIAL_DAYS)).isoformat())
        for wave in found.waves
        for entry in wave.systems
    }
    systems = [scene.estate.systems[key] for key in sorted(placed) if key in scene.estate.systems]
    documents += plan_documents(systems, placed, scene.verdicts, {})
    body = {
        "files": [
            {"name": f"waves.{number}.yaml", "text": text}
            for number, text in enumerate(_chunks(documents), start=1)
        ],
        "dryRun": dry_run,
        "force": force,
    }
    show_proposal(client().post("/v1/apply", body), Output.TABLE, done=not dry_run)


def _chunks(documents: Sequence[dict[str, Any]]) -> Iterator[str]:
    for first in range(0, len(documents), 1_000):
        yield "---\n".join(render.as_yaml(one) for one in documents[first : first + 1_000])
