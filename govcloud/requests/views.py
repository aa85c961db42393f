"""What users see of a request: JSON forms, with sentences in their language."""

from typing import Any

from sqlmodel import Session

from govcloud.messages import remedy, render
from govcloud.requests.changes import Change, summary
from govcloud.requests.deadlines import due
from govcloud.requests.fulfilment import progress
from govcloud.requests.proposal import localised_all, refusal_again
from govcloud.requests.steps import conditions, urgent
from govcloud.store import requests
from govcloud.store.tables import DecisionRow, RequestRow


def brief(row: RequestRow, language: str = "en") -> dict[str, Any]:
    """Return a request as a list shows it; `price` is the difference, yuan a month."""
    actions = [change["action"] for change in row.changes]
    return {
        "id": row.id,
        "department": row.department,
        "title": row.title,
        "state": row.state,
        "step": row.step,
        "steps": row.steps,
        "urgent": urgent(row),
        "due": due(row),
        "conditions": _conditions(row),
        "submittedBy": row.submitted_by,
        "createdAt": row.created_at.isoformat(),
        "updatedAt": row.updated_at.isoformat(),
        "version": row.version,
        "digest": row.digest,
        "policyVersion": row.policy_version,
        "summary": {name: actions.count(name) for name in ("create", "change", "release")},
        "findings": localised_all(row.findings, language),
        "quota": row.quota,
        "price": row.price,
        "blocked": blocked(row, language),
    }


def _conditions(row: RequestRow) -> list[dict[str, Any]]:
    """Return what a request was approved on condition of, numbered as `confirm` names them."""
    return [
        {"number": number, "step": step["name"], "by": step["approvedBy"], **step["condition"]}
        for number, (_, step) in enumerate(conditions(row), 1)
    ]


def full(session: Session, row: RequestRow, language: str = "en") -> dict[str, Any]:
    """Return everything about a request."""
    changes = [Change.from_stored(change) for change in row.changes]
    done = progress(session, row)
    before = sum(change.price_before for change in changes)
    after = sum(change.price_after for change in changes)
    return {
        **brief(row, language),
        "summary": summary(changes),
        "justification": row.justification,
        "changes": [change.plain() for change in changes],
        "price": {"before": round(before, 2), "after": round(after, 2)},
        "decisions": [decision(entry) for entry in requests.decisions(session, row.id)],
        "progress": done._asdict(),
    }


def decision(entry: DecisionRow) -> dict[str, Any]:
    """Return one line of a request's history."""
    return {
        "at": entry.at.isoformat(),
        "step": entry.step,
        "verdict": entry.verdict,
        "actor": entry.actor,
        "role": entry.role,
        "note": entry.note,
        "detail": entry.detail,
        "digest": entry.digest,
        "policyVersion": entry.policy_version,
    }


def blocked(row: RequestRow, language: str = "en") -> dict[str, Any] | None:
    """Return what holds a request up, with its sentences, or None."""
    kept = row.blocked
    if kept is None:
        return None
    key, params = kept["key"], kept["params"]
    refusals = [refusal_again(refusal) for refusal in kept.get("refusals") or ()]
    return {
        **kept,
        "message": render(key, language, params),
        "remedy": remedy(key, language, params),
        "findings": localised_all(kept.get("findings") or (), language),
        "refusals": localised_all(refusals, language),
        "diagnostics": localised_all(kept.get("diagnostics") or (), language),
    }
