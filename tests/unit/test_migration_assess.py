"""The verdict on a system: risk, complexity, strategy, blockers; and the shipped questionnaire."""

import pytest

from migration.assessment.assess import Readiness, assess
from migration.assessment.facts import database_kind
from migration.assessment.questionnaire import QuestionnaireSpec, Risk, Strategy, Window
from migration.papers import parse, shipped

QUESTIONNAIRE = parse(shipped("questionnaire.yaml"), "Questionnaire", QuestionnaireSpec).spec
FACTS = {
    "classified": False, "mlpsLevel": 2, "filing": True, "assessed": True, "arch": "x86_64",
    "osEnded": False, "database": "open", "dataGiB": 100, "dailyChangeMiB": 10, "dependencies": 1,
}  # fmt: skip
GIVEN = {
    "xinchuang": "not-required", "containers": "stay", "licence": "free", "dongle": "none",
    "coupled": "separate", "addresses": "names", "window": "rest-day", "operation": "own",
    "test": "possible", "future": "keep",
}  # fmt: skip


def test_a_simple_system_is_ready():
    found = assess(QUESTIONNAIRE, FACTS, GIVEN)
    assert found.readiness is Readiness.READY
    assert (found.risk, found.complexity, found.strategy) == (Risk.GREEN, "A", Strategy.REHOST)
    assert found.window is Window.REST_DAY
    assert not found.warnings


@pytest.mark.parametrize(
    ("facts", "given", "question"),
    [
        ({"classified": True}, {}, "classified"),
        ({"mlpsLevel": 4}, {}, "mlps"),
        ({"mlpsLevel": 1}, {}, "mlps"),
        ({"mlpsLevel": 3, "filing": False}, {}, "filing"),
        ({"arch": "other"}, {}, "architecture"),
        ({}, {"dongle": "required"}, "dongle"),
        ({}, {"window": "never"}, "window"),
        ({}, {"licence": "refused"}, "licence"),
        ({"classified": True}, {"classified": "unclassified"}, "classified"),
    ],
)
def test_a_blocker_blocks_and_is_not_answered_away(facts, given, question):
    found = assess(QUESTIONNAIRE, FACTS | facts, GIVEN | given)
    assert question in {remark.question for remark in found.blockers}
    assert not found.ready
    assert found.readiness is Readiness.NOT_READY


@pytest.mark.parametrize("question", ["dongle", "window"])
def test_what_must_be_known_blocks_until_it_is(question):
    given = {name: answer for name, answer in GIVEN.items() if name != question}
    found = assess(QUESTIONNAIRE, FACTS, given)
    assert found.readiness is Readiness.UNKNOWN
    assert not found.ready
    assert found.unanswered == (question,)


@pytest.mark.parametrize(
    ("facts", "given", "exempted", "strategy"),
    [
        ({"zombie": True}, {"future": ""}, False, Strategy.RETIRE),
        ({}, {"future": "shared"}, False, Strategy.REPLACE),
        ({}, {"containers": "ready"}, False, Strategy.REPLATFORM),
        ({}, {"coupled": "inseparable"}, False, Strategy.RETAIN),
        ({}, {}, True, Strategy.RETAIN),
    ],
)
def test_strategies(facts, given, exempted, strategy):
    found = assess(QUESTIONNAIRE, FACTS | facts, GIVEN | given, exempted=exempted)
    assert found.strategy is strategy
    assert found.moves is (strategy is Strategy.REPLATFORM)


def test_what_stays_needs_an_exemption_and_with_one_nothing_blocks():
    given = GIVEN | {"coupled": "inseparable"}
    without = assess(QUESTIONNAIRE, FACTS, given)
    assert {remark.question for remark in without.blockers} == {"coupled", "exemption"}
    assert not assess(QUESTIONNAIRE, FACTS, given, exempted=True).blockers


def test_risk_follows_the_shares():
    assert assess(QUESTIONNAIRE, {}, {}).risk is Risk.RED
    yellow = {"licence": "bound", "dongle": "network", "addresses": "addresses"}
    yellow |= {"operation": "nobody", "test": "impossible", "xinchuang": "adaptable"}
    assert assess(QUESTIONNAIRE, FACTS, GIVEN | yellow).risk is Risk.GREEN
    more = FACTS | {"database": "commercial"}
    found = assess(QUESTIONNAIRE, more, GIVEN | yellow)
    assert (found.risk, found.complexity) == (Risk.YELLOW, "C")
    assert found.readiness is Readiness.CONDITIONS


def test_an_answer_that_contradicts_the_facts_is_remarked():
    found = assess(QUESTIONNAIRE, FACTS, GIVEN | {"database": "commercial"})
    assert [remark.question for remark in found.warnings] == ["database", "database"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("Oracle 11g", "commercial"), ("达梦8", "domestic"), ("openGauss 5", "domestic"),
     ("MySQL 5.7", "open"), ("自研库", None)],
)  # fmt: skip
def test_kinds_of_databases(name, kind):
    assert database_kind(name) == kind
