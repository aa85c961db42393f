"""Quota objects as the ledger knows them, and setting many of them at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from govcloud.domain.kinds.platform import QuotaSpec, QuotaType
from govcloud.policy.context import day_begins
from govcloud.ports import Ledger, LimitFact, Refusal


@dataclass(frozen=True, slots=True)
class Grant:
    """The limits that one Quota object makes; none for an object that is deleted."""

    source: str
    department: str
    limits: tuple[LimitFact, ...] = ()


def grant_of(source: str, spec: QuotaSpec) -> Grant:
    """Return the limits of a Quota object; its last day counts to its end."""
    begins = day_begins(spec.valid_from) if spec.valid_from else None
    ends = day_begins(spec.valid_until + timedelta(days=1)) if spec.valid_until else None
    return Grant(
        source,
        spec.department,
        tuple(
            LimitFact(
                source=source,
                department=spec.department,
                cloud=spec.cloud or "",
                zone=spec.zone or "",
                resource_class=word,
                limit=amount,
                lend=spec.lend.get(word),
                borrow=spec.borrow.get(word, 0),
                grant=spec.type is QuotaType.GRANT,
                overcommit=spec.overcommit,
                valid_from=begins,
                valid_until=ends,
            )
            for word, amount in spec.limits.items()
        ),
    )


def set_all(
    session: Session,
    ledger: Ledger,
    grants: Sequence[Grant],
    depths: Mapping[str, int],
    at: datetime,
    *,
    force: bool,
) -> tuple[Refusal, ...]:
    """Set all limits that can be set; return what stands against the others.

    A parent must be raised before its children and lowered after them: whatever is refused is
    tried again as long as that gets on, so that the order of the objects does not matter.
    """
    waiting = sorted(grants, key=lambda grant: (depths.get(grant.department, 0), grant.source))
    refusals: list[Refusal] = []
    before = len(waiting) + 1
    while waiting and len(waiting) < before:
        before, refused, refusals = len(waiting), [], []
        for grant in waiting:
            against = ledger.set_limits(session, grant.source, grant.limits, at)
            refusals += against
            if against:
                refused.append(grant)
        waiting = refused
    if waiting and force:
        for grant in waiting:
            ledger.set_limits(session, grant.source, grant.limits, at, force=True)
        return ()
    return tuple(refusals)
