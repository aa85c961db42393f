"""The desk: the one entrance to the life of requests and to apply.

Each method is one unit of work: it is done with all its records, or it has left no trace.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from govcloud.domain.access import Actor
from govcloud.domain.keys import ObjectKey
from govcloud.domain.manifest import Manifest
from govcloud.errors import GovcloudError, QuotaExceededError, UnavailableError
from govcloud.ports.ledger import Ledger
from govcloud.ports.ledger import Verdict as Weighed
from govcloud.requests import submitting, together, verdicts
from govcloud.requests.judging import Judgement
from govcloud.requests.life import Verdict
from govcloud.requests.metering import NOTHING, Meter, Used, may_shrink
from govcloud.requests.platform import Application
from govcloud.requests.proposal import Proposal, refusal_plain
from govcloud.requests.proposing import Assessor
from govcloud.requests.rebuilding import Rebuilding, unknown
from govcloud.requests.wishes import Wish, wish_of
from govcloud.store import requests
from govcloud.store.tables import RequestRow
from govcloud.store.unit import Store

__all__ = ["Desk", "Proposal", "Verdict"]

Result = TypeVar("Result")

_TRIES: Final = 4
"""How often a unit is tried that the database broke off because two waited for each other."""
_DEADLOCK: Final = frozenset({"40P01", "40001"})
"""PostgreSQL's codes for that: the work can simply be done again."""


class _RehearsedError(Exception):
    """Ends a unit that was only tried, so that it leaves no trace."""

    def __init__(self, proposal: Proposal) -> None:
        super().__init__("rehearsed")
        self.proposal = proposal


class Desk:
    """Submissions, decisions and apply, on a store and a ledger.

    Without a `meter`, clouds are not asked what is in use; without `rebuilding`, drivers are not
    asked what they build anew.
    """

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        meter: Meter | None = None,
        rebuilding: Rebuilding | None = None,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._meter = meter
        self._anew = rebuilding.parts if rebuilding else unknown

    def plan(
        self,
        actor: Actor,
        manifests: Sequence[Manifest],
        *,
        releases: Sequence[ObjectKey] = (),
        justification: str | None = None,
        replaces: str | None = None,
        urgent: bool = False,
        options: Sequence[str] = (),
    ) -> Proposal:
        """Return what a submission would come to; nothing is written.

        Findings and refusals are in the proposal, and what other open requests hold; without a
        justification (None) its rules are not judged. Raises ForbiddenError, NotFoundError for a
        release of what is not there, InvalidInputError with every reference that does not resolve,
        ConflictError where `replaces` is no returned request of the department.
        """
        wish = wish_of(actor, manifests, releases, urgent=urgent, options=options)
        proposal = self._assess(wish, justification)
        used = self._used(proposal)
        proposal = self._assess(wish, justification, used) if used else proposal
        with self._store.reading() as session:
            if replaces:
                submitting.to_be_replaced(session, actor, replaces, wish.department)
            return replace(proposal, held=submitting.held(session, proposal, replaces))

    def weigh(self, actor: Actor, change_sets: Sequence[Sequence[Manifest]]) -> Weighed:
        """Return what quota says to several submissions at once; nothing is written.

        What `plan` would raise for is left out.
        """
        with self._store.reading() as session:
            assessor = Assessor(session, self._ledger, self._store.clock.now(), ask_ledger=False)
            return together.weigh(assessor, self._ledger, actor, change_sets)

    def _assess(
        self, wish: Wish, justification: str | None = None, used: Used = NOTHING
    ) -> Proposal:
        with self._store.reading() as session:
            now = self._store.clock.now()
            assessor = Assessor(session, self._ledger, now, used=used, anew=self._anew)
            return assessor.assess(wish, justification)

    def _foreseen(self, wish: Wish) -> Used:
        """Return what is in use of what becomes smaller; what is wrong is said later."""
        if self._meter is None or not may_shrink(wish):
            return NOTHING
        try:
            return self._used(self._assess(wish))
        except GovcloudError:
            return NOTHING

    def _used(self, proposal: Proposal) -> Used:
        """Ask the clouds, while no transaction waits for their answers."""
        return self._meter.used(proposal) if self._meter else NOTHING

    def submit(
        self,
        actor: Actor,
        manifests: Sequence[Manifest],
        *,
        releases: Sequence[ObjectKey] = (),
        title: str = "",
        justification: str = "",
        idempotency_key: str | None = None,
        replaces: str | None = None,
        digest: str | None = None,
        urgent: bool = False,
        options: Sequence[str] = (),
        allow_replace: Iterable[str] = (),
    ) -> RequestRow:
        """Hand in a change set for approval and return the request.

        `replaces` corrects a returned request, which keeps its number. With the `digest` of a
        plan, only exactly what was planned is handed in. `urgent`: by the emergency path.
        `options` are how things are given back; `allow_replace` names what may be built anew:
        UsageError where something else would be. Beside what `plan` raises: PolicyDeniedError,
        QuotaExceededError, UsageError where nothing would change, and ConflictError where another
        open request holds one of the objects.
        """
        wish = wish_of(actor, manifests, releases, urgent=urgent, options=options)
        submission = submitting.Submission(
            wish,
            title,
            justification,
            idempotency_key,
            replaces,
            digest,
            frozenset(allow_replace),
            self._foreseen(wish),
            self._anew,
        )

        def hand_in() -> RequestRow:
            with self._store.unit(actor) as unit:
                return submitting.submit(unit, self._ledger, submission)

        return _patiently(hand_in)

    def decide(
        self,
        actor: Actor,
        request_id: str,
        verdict: Verdict,
        *,
        version: int | None = None,
        **said: Any,
    ) -> RequestRow:
        """Decide on a request and return it as it is then; `said` is as `Judgement` has it.

        With `version` or `digest`, only the request as it was seen is decided on. Raises
        NotFoundError, ForbiddenError, ConflictError where it was decided or its objects have
        moved, and what speaks against an approval now (PolicyDeniedError, QuotaExceededError,
        InvalidInputError): that is kept with the request, which stays in review.
        """
        if version is None:
            with self._store.reading() as session:
                version = requests.get_request(session, actor, request_id).version
        judgement = Judgement(Verdict(verdict), version=version, **said)

        def pass_judgement() -> tuple[RequestRow, GovcloudError | None]:
            with self._store.unit(actor) as unit:
                row = requests.get_request(unit.session, actor, request_id, lock=True)
                return row, verdicts.decide(unit, self._ledger, row, judgement)

        row, refused = _patiently(pass_judgement)
        if refused is not None:
            raise refused
        return row

    def apply(
        self,
        actor: Actor,
        manifests: Sequence[Manifest],
        *,
        dry_run: bool = False,
        force: bool = False,
        prune: Sequence[ObjectKey] = (),
        seen: Mapping[ObjectKey, int] | None = None,
    ) -> Proposal:
        """Make platform objects desired state, all or none, and return what changed.

        Applying the same again writes nothing. `prune` are platform objects to delete. `force`
        sets quotas below use or beyond the parent's. With `seen`, objects of another version than
        that are not overwritten: ConflictError. A dry run returns the ledger's refusals in
        the proposal; otherwise they are raised as QuotaExceededError. Raises ForbiddenError,
        InvalidInputError, NotFoundError, ConflictError for what is still referred to.
        """

        def make_so() -> Proposal:
            with self._store.unit(actor) as unit:
                proposal = Application(unit, self._ledger, force, seen or {}).run(manifests, prune)
                if dry_run:
                    raise _RehearsedError(proposal)
                if proposal.refusals:
                    raise QuotaExceededError([refusal_plain(r) for r in proposal.refusals])
                return proposal

        try:
            return _patiently(make_so)
        except _RehearsedError as rehearsed:
            return rehearsed.proposal

    def delete_platform(
        self,
        actor: Actor,
        keys: Sequence[ObjectKey],
        *,
        dry_run: bool = False,
        force: bool = False,
    ) -> Proposal:
        """Delete platform objects, all or none; refused while something refers to them."""
        return self.apply(actor, (), dry_run=dry_run, force=force, prune=keys)


def _patiently(work: Callable[[], Result]) -> Result:
    """Do a unit of work; again, if the database broke it off because two waited for each other."""
    for left in range(_TRIES - 1, -1, -1):
        try:
            return work()
        except UnavailableError as error:
            code = getattr(getattr(error.__cause__, "orig", None), "sqlstate", None)
            if code not in _DEADLOCK or not left:
                raise
    raise AssertionError("unreachable")
