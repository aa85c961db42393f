"""Migration plans that run: their state is the journal's to write, and what is cut over stays."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from sqlmodel import Session

from govcloud.domain.kinds.governance import MigrationPlanSpec
from govcloud.domain.manifest import ObjectKey, parse_spec
from govcloud.errors import Diagnostic
from govcloud.requests.drafts import Draft
from govcloud.store import moves
from govcloud.store.tables import ObjectRow

_WRITTEN: Final = ("state", "accepted_on")
"""Fields that the journal writes."""
_BOUND: Final = ("department", "system", "wave")


def kept(session: Session, draft: Draft, rows: Mapping[ObjectKey, ObjectRow]) -> Draft:
    """Return a draft with what the journal has written, where its file leaves that out."""
    row, spec = rows.get(draft.key), draft.spec
    if row is None or not isinstance(spec, MigrationPlanSpec):
        return draft
    absent = [name for name in _WRITTEN if name not in spec.model_fields_set]
    if not absent or not moves.running(session, row.uid):
        return draft
    known = parse_spec(row.kind, row.spec)
    written = {name: getattr(known, name) for name in absent}
    return replace(draft, spec=spec.model_copy(update=written))


def faults(session: Session, draft: Draft, row: ObjectRow) -> Iterator[Diagnostic]:
    """Yield a fault for each field of a plan that runs and is not a person's to change now."""
    if not isinstance(draft.spec, MigrationPlanSpec) or not moves.running(session, row.uid):
        return
    known = parse_spec(row.kind, row.spec)
    bound: tuple[str, ...] = (*_WRITTEN, *_BOUND)
    if draft.spec.move is None or moves.cut(session, row.uid):
        bound = (*bound, "move")
    for name in bound:
        if getattr(draft.spec, name) != getattr(known, name):
            field = MigrationPlanSpec.model_fields[name].alias or name
            params = {"field": field, "object": str(draft.key)}
            yield draft.fault("requests.plan_field_runs", f"spec.{field}", **params)
