"""Apply: the administrators' objects become desired state at once, all of them or none."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from uuid import uuid4

from govcloud.domain.access import Permission
from govcloud.domain.keys import ObjectKey
from govcloud.domain.kinds.platform import DepartmentSpec, QuotaSpec
from govcloud.domain.kinds.registry import KINDS
from govcloud.domain.manifest import Manifest, parse_spec
from govcloud.errors import (
    ConflictError,
    Diagnostic,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    UsageError,
)
from govcloud.plan.phases import Phase
from govcloud.policy.context import Action
from govcloud.ports.ledger import Ledger, LimitFact, Refusal
from govcloud.requests import moving, organisation, platform_references
from govcloud.requests.changes import Change, compare, give_back
from govcloud.requests.drafts import Draft
from govcloud.requests.limits import facts_of
from govcloud.requests.proposal import Proposal
from govcloud.requests.world import current_of
from govcloud.store import moves, objects, requests
from govcloud.store.tables import ObjectRow
from govcloud.store.unit import Unit

_PLATFORM = tuple(name for name, kind in KINDS.items() if not kind.owned)


@dataclass
class Application:
    """One apply, within one unit: what is there, what is wanted, what is written.

    What is `force`d is set although it is below use or beyond the parent's limit (Q5). `seen` are
    the versions of objects that somebody had in front of them: others are not overwritten.
    """

    unit: Unit
    ledger: Ledger
    force: bool = False
    seen: Mapping[ObjectKey, int] = field(default_factory=dict)
    _rows: dict[ObjectKey, ObjectRow] = field(default_factory=dict)

    def run(self, manifests: Sequence[Manifest], prune: Sequence[ObjectKey] = ()) -> Proposal:
        """Write what is wanted and return what that came to.

        Raises ForbiddenError, InvalidInputError with every fault, NotFoundError for what is to be
        deleted and is not there, ConflictError for what is still referred to. Limits that the
        ledger refuses are in the proposal: the caller rolls back.
        """
        if not self.unit.actor.may(Permission.APPLY):
            raise ForbiddenError("requests.may_not_apply", role=self.unit.actor.role)
        requests.exclude(self.unit.session, "platform")
        drafts = [Draft.of(manifest) for manifest in manifests]
        _check_kinds(drafts, prune)
        moving.hold(self.unit.session, [*(draft.key for draft in drafts), *prune])
        rows = objects.of_kinds(self.unit.session, _PLATFORM)
        self._rows = {objects.key_of(row): row for row in rows}
        drafts = [moving.kept(self.unit.session, draft, self._rows) for draft in drafts]
        self._check_seen()
        self._check(drafts, prune)
        changes = [self._compared(draft) for draft in drafts]
        changes += [give_back(key, current_of(self._rows[key])) for key in dict.fromkeys(prune)]
        self._check_unused(prune)
        return self._write(changes)

    def _check_seen(self) -> None:
        for key, version in self.seen.items():
            row = self._rows.get(key)
            if row is None or row.version != version:
                raise ConflictError("errors.stale", object=str(key))

    def _compared(self, draft: Draft) -> Change:
        row = self._rows.get(draft.key)
        return compare(draft, current_of(row) if row is not None else None)

    def _check(self, drafts: Sequence[Draft], prune: Sequence[ObjectKey]) -> None:
        for key in prune:
            if key not in self._rows:
                raise NotFoundError("requests.no_such_object", kind=key.kind, name=key.name)
        there: dict[str, dict[str, ObjectRow | Draft]] = {}
        for key, row in self._rows.items():
            if key not in prune:
                there.setdefault(key.kind, {})[key.name] = row
        for draft in drafts:
            there.setdefault(draft.key.kind, {})[draft.key.name] = draft
        faults = [fault for draft in drafts for fault in platform_references.faults(draft, there)]
        faults += platform_references.limited_twice(drafts, there)
        faults += platform_references.planned_twice(drafts, there)
        for draft in drafts:
            known = self._rows.get(draft.key)
            if known is not None:
                faults += platform_references.frozen(self.unit.session, draft, known)
                faults += moving.faults(self.unit.session, draft, known)
        if not faults and _concerns(drafts, prune, "Department"):
            faults += _tree_faults(there.get("Department", {}), drafts)
        if faults:
            raise InvalidInputError(faults)

    def _check_unused(self, prune: Sequence[ObjectKey]) -> None:
        for key in prune:
            if moves.running(self.unit.session, self._rows[key].uid):
                raise ConflictError("requests.plan_runs", object=str(key))
            users = list(platform_references.users(self.unit.session, key, prune))
            if users:
                params = {"object": str(key), "users": users[:5], "count": len(users)}
                raise ConflictError("requests.still_used", **params)

    def _write(self, changes: Iterable[Change]) -> Proposal:
        ordered = sorted(changes, key=lambda c: (KINDS[c.key.kind].rank, c.key))
        written = [self._put(c) for c in ordered if c.action is not Action.RELEASE]
        given_back = [c for c in reversed(ordered) if c.action is Action.RELEASE]
        self.unit.session.flush()
        touched = [c for c in (*written, *given_back) if c.action is not Action.NONE]
        refusals = self._tell_ledger(touched, given_back)
        forced = refusals if self.force else ()
        for change in given_back:
            self._remove(change)
        refusals = () if self.force else refusals
        return Proposal(changes=(*written, *given_back), refusals=refusals, forced=forced)

    def _put(self, change: Change) -> Change:
        if change.action is Action.NONE:
            return change
        row = self._rows.get(change.key)
        if row is None:
            row = self._new(change)
        else:
            row.generation += 1
            row.version += 1
        for name, value in _contents(change).items():
            setattr(row, name, value)
        row.observed_generation = row.generation
        row.updated_at = self.unit.now
        self.unit.session.add(row)
        self._rows[change.key] = row
        self.unit.fact(row)
        self._audit(change, row)
        return replace(change, uid=row.uid)

    def _new(self, change: Change) -> ObjectRow:
        return ObjectRow(
            uid=uuid4().hex,
            kind=change.key.kind,
            department="",
            name=change.key.name,
            spec={},
            digest="",
            created_at=self.unit.now,
            updated_at=self.unit.now,
            phase=Phase.ACTIVE.value,
            ready=True,
            reason="Recorded",
        )

    def _remove(self, change: Change) -> None:
        row = self._rows.pop(change.key)
        self.unit.fact(row, phase=Phase.GONE.value)
        self._audit(change, row)
        self.unit.session.delete(row)
        self.unit.session.flush()

    def _audit(self, change: Change, row: ObjectRow) -> None:
        given_back = change.action is Action.RELEASE
        self.unit.audit(
            "apply.delete" if given_back else f"apply.{change.action.value}",
            str(change.key),
            department=str(change.spec.get("department") or ""),
            before=change.before_digest,
            after=None if given_back else change.digest,
            detail={"uid": row.uid, "generation": row.generation}
            | ({"force": True} if self.force else {}),
        )

    def _tell_ledger(
        self, touched: Sequence[Change], given_back: Sequence[Change]
    ) -> tuple[Refusal, ...]:
        """Keep the ledger's tree and limits in step with the objects.

        Returns what stands against that: nothing is written then, unless it is forced.
        """
        gone = {change.key for change in given_back}
        units = {
            key.name: row
            for key, row in self._rows.items()
            if key.kind == "Department" and key not in gone
        }
        moved = any(change.key.kind == "Department" for change in touched)
        revise = partial(
            self.ledger.revise,
            self.unit.session,
            self.unit.now,
            parents={n: row.spec.get("parent") for n, row in units.items()} if moved else None,
            limits=dict(self._limits(c) for c in touched if c.key.kind == "Quota"),
        )
        refusals = tuple(revise())
        if refusals and self.force:
            revise(force=True)
        return refusals

    def _limits(self, change: Change) -> tuple[str, tuple[LimitFact, ...]]:
        source, spec = self._rows[change.key].uid, change.draft.spec
        assert isinstance(spec, QuotaSpec)
        return source, () if change.action is Action.RELEASE else facts_of(source, spec)


def _check_kinds(drafts: Sequence[Draft], prune: Sequence[ObjectKey]) -> None:
    faults = [
        draft.fault("requests.use_submit", "kind", kind=draft.key.kind)
        for draft in drafts
        if draft.kind.owned
    ]
    faults += [
        Diagnostic("requests.use_release", {"kind": key.kind}, field=str(key))
        for key in prune
        if KINDS[key.kind].owned
    ]
    if faults:
        raise InvalidInputError(faults)
    twice = {draft.key for draft in drafts} & set(prune)
    if twice:
        raise UsageError("requests.applied_and_deleted", objects=sorted(map(str, twice)))


def _concerns(drafts: Sequence[Draft], prune: Sequence[ObjectKey], kind: str) -> bool:
    return any(key.kind == kind for key in [*(draft.key for draft in drafts), *prune])


def _tree_faults(there: dict[str, ObjectRow | Draft], drafts: Sequence[Draft]) -> list[Diagnostic]:
    units: dict[str, DepartmentSpec] = {}
    for name, found in there.items():
        spec = found.spec if isinstance(found, Draft) else parse_spec("Department", found.spec)
        assert isinstance(spec, DepartmentSpec)
        units[name] = spec
    own = {draft.key.name: draft for draft in drafts if draft.key.kind == "Department"}

    def fault(name: str, key: str, path: str, /, **params: Any) -> Diagnostic:
        if name in own:
            return own[name].fault(key, path, **params)
        return Diagnostic(key, params, field=f"Department {name} {path}")

    return list(organisation.faults(units, own, fault))


def _contents(change: Change) -> dict[str, Any]:
    metadata = change.metadata
    return {
        "display_name": metadata.get("displayName"),
        "labels": dict(metadata.get("labels") or {}),
        "annotations": dict(metadata.get("annotations") or {}),
        "spec": dict(change.spec),
        "digest": change.digest,
    }
