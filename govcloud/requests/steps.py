"""Which steps a request takes on its way (APP-2), as the city's policy says; pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from govcloud.domain.kinds.governance import ApprovalRule, PolicySpec, Step
from govcloud.policy.calendar import due
from govcloud.policy.context import Subject

DEFAULT: Final = (Step.model_validate({"name": "admin-review", "role": "approver"}),)
"""The steps where the policy names none: one review by an approver."""


def steps_for(subjects: Iterable[Subject], policy: PolicySpec) -> tuple[Mapping[str, Any], ...]:
    """Return the steps of the first approval rule that matches a change set, in plain form."""
    subjects = tuple(subjects)
    matching = (rule.steps for rule in policy.approval if _matches(rule, subjects))
    return tuple(step.plain() for step in next(matching, DEFAULT))


def begun(
    steps: Sequence[Mapping[str, Any]], index: int, policy: PolicySpec, today: date
) -> list[dict[str, Any]]:
    """Return the steps with the day on which one of them began, and that by which it is due."""
    marked = [dict(step) for step in steps]
    if index < len(marked):
        marked[index]["since"] = today.isoformat()
        within = marked[index].get("within")
        if within:
            marked[index]["due"] = due(today, within, policy).isoformat()
    return marked


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
