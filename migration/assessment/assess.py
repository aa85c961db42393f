"""From answers and facts to a verdict: risk, complexity, strategy, blockers, warnings. Pure.

A blocker blocks: `Assessment.ready` is false while there is one, and nothing plans a system that
is not ready. What the facts say cannot be answered away where it blocks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from govcloud.errors import Text
from migration.assessment.questionnaire import (
    MOVES,
    Answer,
    Facts,
    Question,
    QuestionnaireSpec,
    Risk,
    Strategy,
    Window,
    Words,
)


class Origin(StrEnum):
    """Where an answer comes from."""

    GIVEN = "given"
    AUTOMATIC = "automatic"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Answered:
    """A question with the answer that counts, if there is one."""

    question: Question
    answer: Answer | None
    origin: Origin


@dataclass(frozen=True, slots=True)
class Remark:
    """A blocker or a warning: the question it comes from, why, and what to do."""

    question: str
    why: Words | Text
    remedy: Words | Text | None = None


class Readiness(StrEnum):
    """Whether a system can be planned."""

    READY = "ready"
    CONDITIONS = "ready-with-conditions"
    NOT_READY = "not-ready"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Assessment:
    """The verdict on one system."""

    version: str
    answers: Sequence[Answered]
    risk: Risk
    points: int
    complexity: str
    strategy: Strategy
    window: Window
    blockers: Sequence[Remark]
    warnings: Sequence[Remark]
    unanswered: Sequence[str]
    """Required questions without an answer."""

    @property
    def moves(self) -> bool:
        """Whether the system itself is to move."""
        return self.strategy in MOVES

    @property
    def ready(self) -> bool:
        """Whether it may be planned."""
        return self.moves and not self.blockers

    @property
    def readiness(self) -> Readiness:
        """How ready it is, in four classes."""
        if any(remark.question not in self.unanswered for remark in self.blockers):
            return Readiness.NOT_READY
        if self.unanswered:
            return Readiness.UNKNOWN
        return Readiness.CONDITIONS if self.warnings else Readiness.READY


def assess(
    questionnaire: QuestionnaireSpec,
    facts: Facts,
    given: Mapping[str, str],
    *,
    exempted: bool = False,
) -> Assessment:
    """Return the verdict; `given` are answers by question, of which unknown ones count as none."""
    answered = [_answered(question, facts, given) for question in questionnaire.questions()]
    chosen = [one.answer for one in answered if one.answer is not None]
    strategy = _strategy(chosen, exempted=exempted)
    unanswered = [a.question.id for a in answered if a.question.required and a.answer is None]
    points = sum(answer.points for answer in chosen)
    moving = strategy in MOVES
    return Assessment(
        version=questionnaire.version,
        answers=tuple(answered),
        risk=_risk(answered, questionnaire),
        points=points,
        complexity=_complexity(points, questionnaire),
        strategy=strategy,
        window=next((a.window for a in chosen if a.window is not None), Window.ANY),
        blockers=tuple(_blockers(answered, unanswered if moving else (), strategy, exempted)),
        warnings=tuple(_warnings(answered, facts)),
        unanswered=tuple(unanswered if moving else ()),
    )


def _answered(question: Question, facts: Facts, given: Mapping[str, str]) -> Answered:
    told = question.answer(given.get(question.id, ""))
    found = question.automatic(facts)
    if told is None or (found is not None and found.blocks):
        return Answered(question, found, Origin.AUTOMATIC if found else Origin.NONE)
    return Answered(question, told, Origin.GIVEN)


def _strategy(chosen: Sequence[Answer], *, exempted: bool) -> Strategy:
    if exempted:
        return Strategy.RETAIN
    wanted = {answer.strategy for answer in chosen}
    return next((strategy for strategy in Strategy if strategy in wanted), Strategy.REHOST)


def _risk(answered: Sequence[Answered], questionnaire: QuestionnaireSpec) -> Risk:
    """Any red is red; too much unknown is red; too much yellow is yellow; else green."""
    risks = [one.answer.risk if one.answer else Risk.UNKNOWN for one in answered]
    total = max(1, len(risks))
    if Risk.RED in risks or 100 * risks.count(Risk.UNKNOWN) > questionnaire.unknown_percent * total:
        return Risk.RED
    yellow = 100 * risks.count(Risk.YELLOW) > questionnaire.yellow_percent * total
    return Risk.YELLOW if yellow else Risk.GREEN


def _complexity(points: int, questionnaire: QuestionnaireSpec) -> str:
    if points >= questionnaire.complexity_c:
        return "C"
    return "B" if points >= questionnaire.complexity_b else "A"


_GIVES_UP: Final = frozenset({Strategy.RETIRE, Strategy.REPLACE})


def _blockers(
    answered: Sequence[Answered], unanswered: Sequence[str], strategy: Strategy, exempted: bool
) -> list[Remark]:
    if exempted or strategy in _GIVES_UP:
        return []
    found = [
        Remark(one.question.id, one.answer.rationale or one.answer.text, one.answer.mitigation)
        for one in answered
        if one.answer is not None and one.answer.blocks
    ]
    found += [
        Remark(one.question.id, one.question.text, Text("migrate.answer_first"))
        for one in answered
        if one.question.id in unanswered
    ]
    if strategy is Strategy.RETAIN:
        found.append(
            Remark("exemption", Text("migrate.no_exemption"), Text("migrate.no_exemption_remedy"))
        )
    return found


def _warnings(answered: Sequence[Answered], facts: Facts) -> list[Remark]:
    found = [
        Remark(one.question.id, one.answer.rationale or one.answer.text, one.answer.mitigation)
        for one in answered
        if one.answer and not one.answer.blocks and one.answer.risk in (Risk.YELLOW, Risk.RED)
    ]
    for one in answered:
        automatic = one.question.automatic(facts)
        if one.origin is Origin.GIVEN and automatic is not None and automatic != one.answer:
            params = {"question": one.question.id, "answer": automatic.id}
            found.append(Remark(one.question.id, Text("migrate.contradicts", params)))
    return found
