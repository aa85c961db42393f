"""Which steps a request takes, as the city's policy says (APP-2), and the way along them; pure.

What befalls a step stands in it: since when it waits, until when, whom it was given to, who
approved it, on what condition. Steps that are taken again begin without all that.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

from govcloud.domain.kinds.governance import ApprovalRule, PolicySpec, Step
from govcloud.policy.calendar import due
from govcloud.policy.context import PARAMETERS, Subject
from govcloud.store.tables import RequestRow

Steps = list[dict[str, Any]]

DEFAULT: Final = (Step.model_validate({"name": "admin-review", "role": "approver"}),)
"""The steps where the policy names none: one review by an approver."""
_BEFALLEN: Final = frozenset({"since", "due", "approvedBy", "objectedBy", "condition"})


def steps_for(
    subjects: Iterable[Subject], policy: PolicySpec, *, urgent: bool = False
) -> tuple[Mapping[str, Any], ...]:
    """Return the steps of the first approval rule that matches a change set, in plain form.

    An urgent one takes the steps of the emergency path, of which some come after it is built.
    """
    if urgent and policy.emergency is not None:
        within = int(policy.parameters.get("review-days", PARAMETERS["review-days"]))
        after = {"afterwards": True}
        reviews = ({"within": within} | step.plain() | after for step in policy.emergency.reviews)
        return (*(step.plain() for step in policy.emergency.steps), *reviews)
    subjects = tuple(subjects)
    matching = (rule.steps for rule in policy.approval if _matches(rule, subjects))
    return tuple(step.plain() for step in next(matching, DEFAULT))


def begun(steps: Sequence[Mapping[str, Any]], index: int, policy: PolicySpec, today: date) -> Steps:
    """Return the steps with the day on which one of them began, and that by which it is due."""
    marked = [dict(step) for step in steps]
    if index < len(marked):
        marked[index]["since"] = today.isoformat()
        within = marked[index].get("within")
        if within:
            marked[index]["due"] = due(today, within, policy).isoformat()
    return marked


def marked(row: RequestRow, **marks: Any) -> Steps:
    """Return the steps of a request with marks on the one at which it waits."""
    return [
        step | marks if index == row.step else dict(step) for index, step in enumerate(row.steps)
    ]


def anew(steps: Sequence[Mapping[str, Any]], first: int) -> Steps:
    """Return the steps, from one of them on as if nobody had looked at them yet."""
    return [
        {name: value for name, value in step.items() if index < first or name not in _BEFALLEN}
        for index, step in enumerate(steps)
    ]


def waiting_at(row: RequestRow) -> Mapping[str, Any]:
    """Return the step at which a request stands; {} where all are taken."""
    return row.steps[row.step] if row.step < len(row.steps) else {}


def builds_next(row: RequestRow) -> bool:
    """Whether no step is left before building but the one at which the request stands."""
    return all(step.get("afterwards") for step in row.steps[row.step + 1 :])


def urgent(row: RequestRow) -> bool:
    """Whether a request takes the emergency path (APP-11)."""
    return any(step.get("afterwards") for step in row.steps)


def approvers(row: RequestRow) -> set[str]:
    """Return who has approved a step that still counts as taken."""
    return {step["approvedBy"] for step in row.steps[: row.step] if step.get("approvedBy")}


def conditions(row: RequestRow) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the steps that were approved on a condition (APP-5), with their place."""
    for index, step in enumerate(row.steps):
        if step.get("condition"):
            yield index, step


def _matches(rule: ApprovalRule, subjects: tuple[Subject, ...]) -> bool:
    """Whether each criterion that a rule has is met by some change."""
    kinds = {subject.key.kind for subject in subjects}
    environments = {subject.environment for subject in subjects if subject.allocates}
    levels = {subject.mlps_level for subject in subjects}
    return (
        (not rule.kinds or bool(kinds & set(rule.kinds)))
        and (not rule.environments or bool(environments & set(rule.environments)))
        and (not rule.mlps_levels or bool(levels & set(rule.mlps_levels)))
    )
