"""Approvals on a condition (限期完善, APP-5): what is to be done until when, and that it is."""

from datetime import date
from typing import Any

from govcloud.errors import ConflictError, Diagnostic, InvalidInputError
from govcloud.policy.context import city_day
from govcloud.requests.judging import Judgement, change
from govcloud.requests.life import answers_for
from govcloud.requests.records import note
from govcloud.requests.steps import conditions
from govcloud.store.tables import RequestRow
from govcloud.store.unit import Unit


def condition(judgement: Judgement, today: date) -> dict[str, Any]:
    """Return a condition as its step keeps it; InvalidInputError where it is none."""
    text, by = (judgement.condition or "").strip(), judgement.by
    if not text:
        raise InvalidInputError([Diagnostic("requests.reason_required", {}, field="condition")])
    if by is None or by < today:
        raise InvalidInputError([Diagnostic("requests.condition_needs_day", {}, field="by")])
    return {"text": text, "due": by.isoformat()}


def confirm(unit: Unit, row: RequestRow, judgement: Judgement) -> None:
    """Keep that a condition is met; of several open ones the judgement says which."""
    number, index = _meant(unit, row, judgement)
    met = {"metBy": unit.actor.name, "metOn": city_day(unit.now).isoformat()}
    steps = [dict(step) for step in row.steps]
    steps[index]["condition"] = steps[index]["condition"] | met
    change(unit, row, {"steps": steps})
    note(unit, row, judgement, row.policy_version, step=steps[index]["name"], number=number)


def _meant(unit: Unit, row: RequestRow, judgement: Judgement) -> tuple[int, int]:
    """Return the number of the condition that is meant, and the place of its step."""
    numbered = enumerate(conditions(row), 1)
    mine = {
        number: index
        for number, (index, step) in numbered
        if "metBy" not in step["condition"] and answers_for(unit.actor, row, step)
    }
    number = next(iter(mine), None) if len(mine) == 1 else None
    number = judgement.number or number
    if number not in mine:
        known = [str(each) for each in mine] or ["-"]
        raise ConflictError("requests.which_condition", request=row.id, known=known)
    return number, mine[number]
