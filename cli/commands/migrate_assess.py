"""Whether and how a system moves: the questionnaire, its verdict, the sizes of its target."""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli import complete, files, output, render
from cli.client import path
from cli.commands.migrate_inventory import m
from cli.commands.submit import show_proposal
from cli.options import Department, Format, Output
from cli.output import emit, paint
from cli.session import client
from cli.speech import language
from govcloud import messages
from govcloud.errors import ConflictError, Exit, InvalidInputError, NotFoundError, Text

if TYPE_CHECKING:
    from migration.assessment.assess import Assessment, Remark
    from migration.assessment.facts import LegacySystem
    from migration.assessment.questionnaire import QuestionnaireSpec, Words
    from migration.assessment.sizing import Size
    from migration.estate import Estate

STYLES: Final = {"red": "red", "yellow": "yellow", "green": "green"}
Questions = Annotated[
    str | None, typer.Option("--questionnaire", metavar="FILE", help=m("opt_questionnaire"))
]


class Sizing(StrEnum):
    """How targets are sized."""

    AS_IS = "as-is"
    MEASURED = "measured"


def assess(
    *,
    system: Annotated[
        str,
        typer.Argument(metavar="SYSTEM", help=m("arg_system"), autocompletion=complete.references),
    ],
    department: Department = None,
    answers: Annotated[
        str | None, typer.Option("--answers", metavar="FILE", help=m("opt_answers"))
    ] = None,
    template: Annotated[bool, typer.Option("--template", help=m("opt_template"))] = False,
    questionnaire: Questions = None,
    sizing: Annotated[
        Sizing, typer.Option("--sizing", metavar="as-is|measured", help=m("opt_sizing"))
    ] = Sizing.MEASURED,
    comfort: Annotated[
        float, typer.Option("--comfort", metavar="FACTOR", min=1, max=5, help=m("opt_comfort"))
    ] = 1.3,
    save: Annotated[bool, typer.Option("--save", help=m("opt_save"))] = False,
    form: Format = Output.TABLE,
) -> None:
    """Assess a legacy system by the questionnaire and by what is known of it."""
    from migration.assessment.assess import assess as judge
    from migration.assessment.facts import facts_of

    asked = questionnaire_of(questionnaire)
    found = estate(_split(system, department)[0])
    meant = _chosen(found, system, department)
    facts = facts_of(meant, len(found.neighbours()[meant.key]), today())
    given = {**meant.answers, **(_given(answers, asked, meant) if answers else {})}
    verdict = judge(asked, facts, given, exempted=meant.exempted)
    if template:
        emit(_template(meant, verdict))
        return
    sizes = _sizes(meant, measured=sizing is Sizing.MEASURED, comfort=comfort)
    if form in (Output.JSON, Output.YAML):
        render.structured(_plain(meant, verdict, sizes), form)
    else:
        _show(meant, verdict, sizes, wide=form is Output.WIDE)
    if save:
        _save(meant, verdict, given)
    if verdict.blockers:
        raise typer.Exit(Exit.POLICY)


def today() -> date:
    """Return the day by the clock on the city's wall."""
    from govcloud.policy.context import city_day

    return city_day(datetime.now(UTC))


def questionnaire_of(file: str | None) -> "QuestionnaireSpec":
    """Return the questionnaire of a file, or the one that comes with the program."""
    from govcloud.domain.yamltext import SourceFile
    from migration import papers
    from migration.assessment.questionnaire import QuestionnaireSpec

    if file is None:
        source = papers.shipped("questionnaire.yaml")
    else:
        (read,) = files.read([file])
        source = SourceFile(read["name"], read["text"])
    return papers.parse(source, "Questionnaire", QuestionnaireSpec).spec


def estate(department: str | None = None, *, besides: Collection[str] = ()) -> "Estate":
    """Return what is off the cloud, of one department or of all that the caller may see.

    The systems `besides` are left out.
    """
    from migration.estate import estate as made

    door = client()
    owned = {kind: door.items(path("objects", kind), department=department) for kind in OWNED}
    free = {kind: door.items(path("objects", kind)) for kind in ("migrationplan", "exemption")}
    return made(
        owned["system"],
        owned["legacyhost"],
        free["migrationplan"],
        free["exemption"],
        today(),
        besides=besides,
    )


OWNED: Final = ("system", "legacyhost")


def _split(word: str, department: str | None) -> tuple[str | None, str]:
    whose, slash, name = word.removeprefix("system/").partition("/")
    return (whose, name) if slash else (department, whose)


def _chosen(found: "Estate", word: str, department: str | None) -> "LegacySystem":
    whose, name = _split(word, department)
    matching = [
        one
        for one in found.systems.values()
        if one.name == name and whose in (None, one.department)
    ]
    if len(matching) > 1:
        raise ConflictError("migrate.several_systems", system=name, known=[s.key for s in matching])
    if not matching:
        raise NotFoundError("migrate.no_system", system=word)
    return matching[0]


def chosen(word: str, department: str | None) -> "LegacySystem":
    """Return the legacy system that is meant, and that is not on the cloud yet."""
    return _chosen(estate(_split(word, department)[0]), word, department)


def _given(file: str, asked: "QuestionnaireSpec", system: "LegacySystem") -> Mapping[str, str]:
    from govcloud.domain.suggest import nearest
    from govcloud.domain.yamltext import SourceFile
    from migration import papers
    from migration.assessment.questionnaire import AnswersSpec

    (read,) = files.read([file])
    paper = papers.parse(SourceFile(read["name"], read["text"]), "Answers", AnswersSpec)
    questions = {question.id: question for question in asked.questions()}
    faults = []
    if paper.spec.system not in (None, system.key):
        params = {"found": paper.spec.system, "system": system.key}
        faults.append(paper.fault("migrate.other_system", "system", **params))
    for name, answer in paper.spec.answers.items():
        question = questions.get(name)
        if question is None:
            meant = nearest(name, questions) or "-"
            faults.append(
                paper.fault("migrate.no_question", "answers", name, question=name, meant=meant)
            )
        elif question.answer(answer) is None:
            known = [one.id for one in question.answers]
            faults.append(
                paper.fault("migrate.no_answer", "answers", name, answer=answer, known=known)
            )
    if faults:
        raise InvalidInputError(faults)
    return paper.spec.answers


def _sizes(system: "LegacySystem", *, measured: bool, comfort: float) -> "list[Size]":
    from migration.assessment.sizing import size
    from migration.estate import flavors_of

    flavors = flavors_of(client().items(path("objects", "flavor")))
    exact = Fraction(str(comfort))
    return [
        size(
            name,
            host,
            flavors,
            measured=measured,
            comfort=exact,
            xinchuang=system.spec.xinchuang,
        )
        for name, host in sorted(system.running.items())
    ]


def spoken(words: "Words | Text | None") -> str | None:
    """Return a sentence of the questionnaire or of a catalogue in the language of this run."""
    if words is None:
        return None
    if isinstance(words, Text):
        return messages.render(words.key, language(), words.params)
    return words.spoken(language())


def _plain(system: "LegacySystem", verdict: "Assessment", sizes: "Sequence[Size]") -> object:
    return {
        "system": system.key,
        "questionnaire": verdict.version,
        "readiness": verdict.readiness.value,
        "risk": verdict.risk.value,
        "complexity": verdict.complexity,
        "points": verdict.points,
        "strategy": verdict.strategy.value,
        "window": verdict.window.value,
        "blockers": [_remark(one) for one in verdict.blockers],
        "warnings": [_remark(one) for one in verdict.warnings],
        "answers": [
            {
                "question": one.question.id,
                "answer": one.answer.id if one.answer else None,
                "origin": one.origin.value,
                "risk": one.answer.risk.value if one.answer else "unknown",
            }
            for one in verdict.answers
        ],
        "targets": [
            {
                "host": one.host,
                "vcpu": one.vcpu,
                "memoryMiB": one.memory,
                "storageGiB": one.storage,
                "sizing": "measured" if one.measured else "as-is",
                "flavor": one.flavor,
            }
            for one in sizes
        ],
    }


def _remark(remark: "Remark") -> dict[str, str | None]:
    return {
        "question": remark.question,
        "message": spoken(remark.why),
        "remedy": spoken(remark.remedy),
    }


def _show(
    system: "LegacySystem", verdict: "Assessment", sizes: "Sequence[Size]", *, wide: bool
) -> None:
    emit(paint(f"{render.clean(system.display_name)} ({system.key})", "bold"))
    emit(
        m(
            "verdict",
            readiness=m(f"readiness_{verdict.readiness.value}"),
            risk=m(f"risk_{verdict.risk.value}"),
            complexity=verdict.complexity,
            points=verdict.points,
            strategy=m(f"strategy_{verdict.strategy.value}"),
            window=m(f"window_{verdict.window.value}"),
        )
    )
    for name, remarks, style in (
        ("blockers", verdict.blockers, "red"),
        ("warnings", verdict.warnings, "yellow"),
    ):
        if remarks:
            emit()
            emit(paint(m(name), style))
        for remark in remarks:
            emit(f"  {remark.question}: {spoken(remark.why)}")
            if remark.remedy is not None:
                emit(paint(f"    → {spoken(remark.remedy)}", "dim"))
    if wide:
        _show_answers(verdict)
    if sizes and verdict.moves:
        _show_sizes(sizes)
    if not verdict.blockers:
        output.hint(m("hint_assessed"))


def _show_answers(verdict: "Assessment") -> None:
    rows = [
        [
            one.question.id,
            spoken(one.question.text) or "",
            (spoken(one.answer.text) or "") if one.answer else "-",
            m(f"origin_{one.origin.value}"),
            m(f"risk_{one.answer.risk.value if one.answer else 'unknown'}"),
        ]
        for one in verdict.answers
    ]
    emit()
    headings = [m(f"heading_{name}") for name in ("id", "question", "answer", "origin", "risk")]
    render.table(headings, rows, whole=True)


def _show_sizes(sizes: "Sequence[Size]") -> None:
    from govcloud.domain.quantity import show_memory, show_storage

    rows = [
        [
            one.host,
            render.text_of(one.vcpu),
            show_memory(one.memory) if one.memory else "-",
            show_storage(one.storage) if one.storage else "-",
            m("measured" if one.measured else "as_is"),
            render.text_of(one.flavor),
        ]
        for one in sizes
    ]
    emit()
    names = ("host", "vcpu", "memory", "storage", "sizing", "flavor")
    render.table([m(f"heading_{name}") for name in names], rows)


def _template(system: "LegacySystem", verdict: "Assessment") -> str:
    """Return an answers file to be completed: what the facts answer stands as a comment."""
    return "\n".join(_template_lines(system, verdict)) + "\n"


def _template_lines(system: "LegacySystem", verdict: "Assessment") -> Iterator[str]:
    yield "apiVersion: govcloud.io/v1"
    yield "kind: Answers"
    yield "spec:"
    yield f"  system: {system.key}"
    yield "  answers:"
    for one in verdict.answers:
        mark = " *" if one.question.required else ""
        yield f"    # {spoken(one.question.text)}{mark}"
        yield "    #   " + "; ".join(f"{a.id}: {spoken(a.text)}" for a in one.question.answers)
        if one.origin.value == "given" and one.answer:
            yield f"    {one.question.id}: {one.answer.id}"
        elif one.answer:
            yield f"    # {one.question.id}: {one.answer.id}  # {m('origin_automatic')}"
        else:
            yield f"    # {one.question.id}:"


def _save(system: "LegacySystem", verdict: "Assessment", given: Mapping[str, str]) -> None:
    documents = list(plan_documents([system], {}, {system.key: verdict}, {system.key: given}))
    text = render.as_yaml(documents[0])
    answer = client().post(
        "/v1/apply",
        {"files": [{"name": "assessment.yaml", "text": text}], "dryRun": False, "force": False},
    )
    show_proposal(answer, Output.NAME, done=True)
    output.note(m("saved", system=system.key))


def plan_documents(
    systems: "Sequence[LegacySystem]",
    waves: Mapping[str, tuple[str, str]],
    verdicts: "Mapping[str, Assessment]",
    given: Mapping[str, Mapping[str, str]],
) -> Iterator[dict[str, Any]]:
    """Yield a `MigrationPlan` for each system, over what is there; states only move forward.

    `waves` gives the wave and the planned date of acceptance of a system.
    """
    from govcloud.domain.kinds.governance import MigrationState

    existing = {
        f"{item['spec']['department']}/{item['spec']['system']}": item
        for item in client().items(path("objects", "migrationplan"))
    }
    order = list(MigrationState)
    taken = {item["metadata"]["name"] for item in existing.values()}
    for system in systems:
        former = existing.get(system.key, {})
        name = former.get("metadata", {}).get("name")
        name = name or _free(f"{system.department}-{system.name}", taken)
        spec = {
            **former.get("spec", {}),
            "department": system.department,
            "system": system.name,
        }
        if system.key in given:
            spec["answers"] = dict(given[system.key])
        if system.key in waves:
            spec["wave"], spec["plannedDate"] = waves[system.key]
        verdict = verdicts.get(system.key)
        ready = verdict is not None and not verdict.blockers
        if ready and order.index(system.state) < order.index(MigrationState.ASSESSED):
            spec["state"] = MigrationState.ASSESSED.value
        kept = {k: v for k, v in former.get("metadata", {}).items() if k in _KEPT and v}
        yield {
            "apiVersion": "govcloud.io/v1",
            "kind": "MigrationPlan",
            "metadata": {"displayName": system.display_name, **kept, "name": name},
            "spec": spec,
        }


def _free(words: str, taken: set[str]) -> str:
    """Return a name that no plan has yet, and take it: names joined may be another's."""
    name = words[:63].rstrip("-")
    for number in itertools.count(2):
        if name not in taken:
            break
        name = f"{words[:58].rstrip('-')}-{number}"
    taken.add(name)
    return name


_KEPT: Final = ("displayName", "labels", "annotations")
