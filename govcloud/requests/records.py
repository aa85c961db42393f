"""What is kept of everything that is done to a request: its history and the audit log (APP-10)."""

from typing import Any

from govcloud.requests.judging import Judgement
from govcloud.store.tables import DecisionRow, RequestRow
from govcloud.store.unit import Unit


def note(
    unit: Unit,
    row: RequestRow,
    judgement: Judgement,
    policy_version: str,
    *,
    step: str = "",
    **detail: Any,
) -> None:
    """Keep a judgement of the actor's, with what it came to, beside what `keep` keeps."""
    said = judgement.said() | detail
    keep(unit, row, judgement.verdict.value, judgement.note, policy_version, step=step, detail=said)


def keep(
    unit: Unit,
    row: RequestRow,
    verdict: str,
    text: str,
    policy_version: str,
    *,
    step: str = "",
    before: str | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Keep what was done to a request: in its history and in the audit log."""
    actor = unit.actor
    unit.session.add(
        DecisionRow(
            request_id=row.id,
            at=unit.now,
            step=step,
            verdict=verdict,
            actor=actor.name,
            role=actor.role.value,
            note=text,
            detail=detail or {},
            digest=row.digest,
            policy_version=policy_version,
        )
    )
    unit.audit(
        f"request.{verdict}",
        row.id,
        department=row.department,
        request_id=row.id,
        before=before,
        after=row.digest,
        detail={"step": step, "note": text, "policyVersion": policy_version} | (detail or {}),
    )
