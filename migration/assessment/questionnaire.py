"""The questionnaire as data: sections, questions, answers with risk, rationale and mitigation.

An answer may be given by the facts: all its conditions must hold. One that `blocks` keeps a system
out of every wave until it no longer holds.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Self

from pydantic import Field, field_validator, model_validator

from govcloud.domain.base import Count, Flag, LabelledEnum, Line, Model, Name, Prose

Fact = str | int | bool | None
Facts = Mapping[str, Fact]


class Risk(LabelledEnum):
    """How much can go wrong."""

    GREEN = "green", "低"
    YELLOW = "yellow", "中"
    RED = "red", "高"
    UNKNOWN = "unknown", "未知"


class Strategy(LabelledEnum):
    """What becomes of a system; the first that any answer asks for wins."""

    RETAIN = "retain", "暂缓、免迁"
    RETIRE = "retire", "下线"
    REPLACE = "replace", "共用平台替代"
    REPLATFORM = "replatform", "容器化改造"
    REHOST = "rehost", "平移"


MOVES: Final = frozenset({Strategy.REHOST, Strategy.REPLATFORM})
"""Strategies by which a system itself moves onto the cloud."""


class Window(LabelledEnum):
    """On which nights a system may be cut over."""

    ANY = "any", "任意夜间"
    REST_DAY = "rest-day", "休息日前夜"
    WORKDAY = "workday", "工作日前夜"


class Words(Model):
    """A sentence in both languages."""

    zh: Prose = Field(description="Chinese.")
    en: Prose = Field(description="English.")

    def spoken(self, language: str) -> str:
        """Return the sentence in a language."""
        return self.zh if language == "zh" else self.en


class Condition(Model):
    """What a fact must be; one that is not known fulfils nothing."""

    fact: Line = Field(description="Name of the fact.")
    equals: str | int | bool | None = Field(None, description="Its value.")
    at_least: int | None = Field(None, description="Its least value.")
    below: int | None = Field(None, description="A value that it stays below.")

    def holds(self, facts: Facts) -> bool:
        """Whether the facts fulfil it."""
        value = facts.get(self.fact)
        if value is None:
            return False
        if self.equals is not None and value != self.equals:
            return False
        if self.at_least is None and self.below is None:
            return True
        number = value if isinstance(value, int) else -1
        return (self.at_least is None or number >= self.at_least) and (
            self.below is None or number < self.below
        )


class Answer(Model):
    """One answer to a question."""

    id: Name = Field(description="What it is called in files.")
    text: Words = Field(description="What people read.")
    risk: Risk = Field(Risk.GREEN, description="Its risk.")
    points: Count = Field(0, description="How much it adds to the complexity.")
    blocks: Flag = Field(False, description="Nothing moves while it holds.")
    strategy: Strategy | None = Field(None, description="What it makes of the system.")
    window: Window | None = Field(None, description="When it lets the system be cut over.")
    rationale: Words | None = Field(None, description="Why it is a risk.")
    mitigation: Words | None = Field(None, description="What to do about it.")
    when: list[Condition] = Field(default_factory=list, description="Facts that give it.")


class Question(Model):
    """One question."""

    id: Name = Field(description="What it is called in files.")
    text: Words = Field(description="What people read.")
    required: Flag = Field(False, description="Nothing moves until it is answered.")
    answers: Annotated[list[Answer], Field(min_length=2)] = Field(description="Its answers.")

    def answer(self, name: str) -> Answer | None:
        """Return the answer of that id."""
        return next((answer for answer in self.answers if answer.id == name), None)

    def automatic(self, facts: Facts) -> Answer | None:
        """Return the first answer that the facts give."""
        return next(
            (a for a in self.answers if a.when and all(one.holds(facts) for one in a.when)), None
        )


class Section(Model):
    """Questions of one subject."""

    id: Name = Field(description="What it is called.")
    title: Words = Field(description="What people read.")
    questions: Annotated[list[Question], Field(min_length=1)] = Field(description="Its questions.")


Percentage = Annotated[int, Field(strict=True, ge=0, le=100)]


class QuestionnaireSpec(Model):
    """The whole questionnaire, with what its sums mean."""

    version: Line = Field(description="Version, kept with each assessment.")
    unknown_percent: Percentage = Field(20, description="More unknown than this is a high risk.")
    yellow_percent: Percentage = Field(30, description="More yellow than this is a medium risk.")
    complexity_b: Count = Field(description="Points from which a system is of complexity B.")
    complexity_c: Count = Field(description="Points from which a system is of complexity C.")
    sections: Annotated[list[Section], Field(min_length=1)] = Field(description="Its sections.")

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [question.id for question in self.questions()]
        if len(set(names)) != len(names):
            raise ValueError("questions_twice")
        return self

    def questions(self) -> Iterator[Question]:
        """Yield the questions of all sections."""
        for section in self.sections:
            yield from section.questions


class AnswersSpec(Model):
    """What a department answers for one system."""

    system: Line | None = Field(None, description="The system, `department/name`.")
    answers: dict[Line, Line] = Field(default_factory=dict, description="Answers by question.")

    @field_validator("answers", mode="before")
    @classmethod
    def _none_yet(cls, given: object) -> object:
        """Take the untouched template, of which all answers are comments, for no answers."""
        return {} if given is None else given
