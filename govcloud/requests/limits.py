"""Quota objects as the ledger knows them."""

from datetime import timedelta

from govcloud.domain.kinds.platform import QuotaSpec, QuotaType
from govcloud.policy.context import day_begins
from govcloud.ports.ledger import LimitFact


def facts_of(source: str, spec: QuotaSpec) -> tuple[LimitFact, ...]:
    """Return the limits of a Quota object; its last day counts to its end."""
    begins = day_begins(spec.valid_from) if spec.valid_from else None
    ends = day_begins(spec.valid_until + timedelta(days=1)) if spec.valid_until else None
    return tuple(
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
    )
