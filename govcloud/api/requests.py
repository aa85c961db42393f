"""Requests: plan, submit, read, decide; and what administrators apply and delete."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import Field
from sqlmodel import Session

from govcloud.api import drivers, keeping, pages, problems, takeovers
from govcloud.api.bodies import Body, Note, Word
from govcloud.api.kinds import canonical, kind_named
from govcloud.api.security import Acting, GuardedRoute, Tongue, Wired
from govcloud.api.services import Services
from govcloud.domain.access import Actor, Role
from govcloud.domain.base import Day
from govcloud.domain.keys import ObjectKey
from govcloud.domain.kinds.governance import PolicySpec
from govcloud.domain.manifest import Loaded, SourceFile, load
from govcloud.errors import InvalidInputError, Severity, UsageError
from govcloud.messages import render
from govcloud.policy.context import city_day
from govcloud.requests import inbox
from govcloud.requests.changes import KEEP_VOLUMES, SNAPSHOT, WIPE_VOLUMES
from govcloud.requests.deadlines import Notice, notices
from govcloud.requests.life import State, Verdict
from govcloud.requests.submitting import NothingToDoError
from govcloud.requests.views import brief, full
from govcloud.requests.world import policy_in_force
from govcloud.store import objects, requests
from govcloud.store.filters import choose
from govcloud.store.tables import RequestRow

router: Final = APIRouter(route_class=GuardedRoute, tags=["requests"])
MAX_FILES: Final = 5_000
STATES: Final = ("open", "all", "after-review", *(state.value for state in State))


class File(Body):
    """A file as the user has it; its name is for messages only."""

    name: Annotated[str, Field(max_length=1_000)] = Field(description="Name, for messages.")
    text: str = Field(description="YAML, of one or more documents.")


class Reference(Body):
    """An object by its name."""

    kind: Word = Field(description="Kind, or a word for it.")
    name: Word = Field(description="Name.")
    department: Word | None = Field(None, description="Department; absent: the caller's own.")


class Wanted(Body):
    """A change set: what should be, and what is to be given back."""

    files: list[File] = Field(default_factory=list, max_length=MAX_FILES, description="Files.")
    department: Word | None = Field(
        None, description="Department of what names none; absent: the caller's own."
    )
    releases: list[Reference] = Field(
        default_factory=list, max_length=MAX_FILES, description="Objects to be given back."
    )
    urgent: bool = Field(False, description="By the emergency path: reviewed after it is built.")
    snapshot: bool = Field(
        False, description="Of machines that are given back, keep a last copy each."
    )
    keep_volumes: bool = Field(
        False, description="Of machines that are given back, leave the data disks."
    )
    wipe_volumes: bool = Field(
        False, description="Of what is given back, remove volumes only where they are overwritten."
    )

    @property
    def options(self) -> list[str]:
        """How things are given back, as `requests.changes.OPTIONS`."""
        chosen = {
            SNAPSHOT: self.snapshot,
            KEEP_VOLUMES: self.keep_volumes,
            WIPE_VOLUMES: self.wipe_volumes,
        }
        return [name for name, wanted in chosen.items() if wanted]


class Submission(Wanted):
    """A change set that is submitted for approval."""

    allow_replace: list[Word] = Field(
        default_factory=list,
        max_length=MAX_FILES,
        description="What may be built anew, with the loss of what is on it: `vm/web`, and each "
        "data disk by itself, `vm/web:data-0`.",
    )

    title: Note = Field("", description="What it is about, in a line.")
    justification: Note = Field("", description="Why it is needed.")
    idempotency_key: Word | None = Field(
        None, max_length=64, description="Sent again with the same key, it is the same request."
    )
    replaces: Word | None = Field(None, description="The returned request that this one corrects.")
    digest: Word | None = Field(None, description="Digest of the plan that was looked at.")


class Decision(Body):
    """A decision on a request, and what was looked at when it was made."""

    note: Note = Field("", description="Why.")
    version: int | None = Field(None, ge=0, lt=2**31, description="Version that was seen.")
    digest: Word | None = Field(None, description="Digest that was seen.")


class Approval(Decision):
    """An approval, perhaps on a condition."""

    condition: Note | None = Field(None, description="What is still to be done.")
    by: Day | None = Field(None, description="Until when.")


class Handover(Decision):
    """Who is given the step, or heard before it: a user or a role."""

    user: Word | None = Field(None, description="User.")
    role: Role | None = Field(None, description="Role.")


class SendingBack(Decision):
    """Which step is taken again."""

    step: Word | None = Field(None, description="Earlier step; absent: the one before.")


class Confirmation(Decision):
    """Which condition is met."""

    number: int | None = Field(
        None, ge=1, le=1_000, description="Its number; absent: the only one that is open."
    )


class Seen(Body):
    """An object as the caller had it in front of them."""

    kind: Word = Field(description="Kind, or a word for it.")
    name: Word = Field(description="Name.")
    version: int = Field(ge=0, lt=2**31, description="`metadata.version`.")


class Application(Body):
    """Platform objects as they should be."""

    files: list[File] = Field(default_factory=list, max_length=MAX_FILES, description="Files.")
    dry_run: bool = Field(False, description="Say what would change, and change nothing.")
    force: bool = Field(False, description="Set limits below what is in use.")
    seen: list[Seen] = Field(
        default_factory=list,
        max_length=MAX_FILES,
        description="Objects that are not overwritten if they have changed since.",
    )


class Deletion(Body):
    """Platform objects that are to be deleted."""

    objects: list[Reference] = Field(min_length=1, max_length=MAX_FILES, description="Objects.")
    dry_run: bool = Field(False, description="Say what would change, and change nothing.")
    force: bool = Field(False, description="Delete limits of what is in use.")


@router.post("/v1/plan", summary="What a change set would come to; changes nothing")
def plan(body: Submission, actor: Acting, services: Wired, tongue: Tongue) -> JSONResponse:
    """Return changes, policy findings, quota before and after, refusals, price.

    `held`: what other open requests hold; `lost`: what would be built anew without permission.
    Where no justification is sent, not even an empty one, its rules are not judged.
    """
    found, releases = _wanted(body, actor, services)
    keeping.check(services, actor, releases, body.options)
    proposal = services.desk.plan(
        actor,
        found.manifests,
        releases=releases,
        justification=body.justification if "justification" in body.model_fields_set else None,
        replaces=body.replaces,
        urgent=body.urgent,
        options=body.options,
    )
    taken = takeovers.differences(services, actor, proposal)
    shown = proposal.plain(tongue) | ({"takeovers": taken} if taken else {})
    shown["lost"] = proposal.lost(frozenset(map(canonical, body.allow_replace)))
    return JSONResponse(shown | _warnings(found, tongue))


@router.post("/v1/requests", summary="Submit a change set for approval", status_code=201)
def submit(body: Submission, actor: Acting, services: Wired, tongue: Tongue) -> JSONResponse:
    """Check a change set and put it into the queue; nothing of it is built yet.

    Where everything is already as it is wanted, no request is made: 200, with `id` null.
    """
    found, releases = _wanted(body, actor, services)
    keeping.check(services, actor, releases, body.options)
    try:
        row = services.desk.submit(
            actor,
            found.manifests,
            releases=releases,
            title=body.title,
            justification=body.justification,
            idempotency_key=body.idempotency_key,
            replaces=body.replaces,
            digest=body.digest,
            urgent=body.urgent,
            options=body.options,
            allow_replace=[canonical(word) for word in body.allow_replace],
        )
    except NothingToDoError as nothing:
        if body.replaces:
            raise
        message = render(nothing.key, tongue, nothing.params)
        return JSONResponse(
            {"id": None, "state": "unchanged", "message": message, **nothing.params}
            | _warnings(found, tongue)
        )
    shown = _whole(services, actor, row.id, tongue)
    return JSONResponse(shown | _warnings(found, tongue), status_code=201)


@router.get("/v1/requests", summary="The queue")
def list_requests(
    *,
    actor: Acting,
    services: Wired,
    tongue: Tongue,
    state: Annotated[str, Query(description=f"One of {', '.join(STATES)}.")] = "open",
    mine: Annotated[bool, Query(description="Only those that wait for the caller.")] = False,
    department: pages.Word = None,
    limit: pages.Limit = pages.DEFAULT_LIMIT,
    follow: pages.Continue = None,
) -> JSONResponse:
    """Return the requests that the caller may see, newest first, without their changes.

    `open` are those on which somebody has still to act, `after-review` those of them that were
    built before their review.
    """
    named = {"open": requests.OPEN, "all": None, "after-review": ()}
    states = named.get(choose(state, STATES, "state"), (state,))
    now = services.store.clock.now()
    with services.store.reading() as session:
        objects.must_exist(session, actor, department=department)
        found = requests.list_requests(
            session,
            actor,
            states=None if mine else states,
            unreviewed=state in ("open", "after-review"),
            ids=inbox.mine(session, actor, now) if mine else None,
            department=department,
            limit=limit,
            token=follow,
        )
        look = Look.of(session, now, tongue)
    return JSONResponse(pages.page(found, look.brief))


@router.get("/v1/requests/{request_id}", summary="One request in full")
def get_request(request_id: str, actor: Acting, services: Wired, tongue: Tongue) -> JSONResponse:
    """Return changes, findings, quota, steps, decisions, and how far it is."""
    return JSONResponse(_whole(services, actor, request_id, tongue))


def _deciding(
    verdict: Verdict, summary: str, description: str, form: type[Decision] = Decision
) -> None:
    """Make the route of one verdict; `form` is what its body may say."""

    def decide(
        request_id: str, body: Decision, actor: Acting, services: Wired, tongue: Tongue
    ) -> JSONResponse:
        services.desk.decide(actor, request_id, verdict, **dict(body))
        return JSONResponse(_whole(services, actor, request_id, tongue))

    decide.__annotations__["body"] = form
    address = f"/v1/requests/{{request_id}}/{verdict.value}"
    router.post(address, summary=summary, description=description, name=verdict.value)(decide)


_deciding(
    Verdict.APPROVE,
    "Approve a step",
    "Approve the step at which the request waits; with the last one it becomes desired state.",
    Approval,
)
_deciding(Verdict.REJECT, "Reject", "Reject the request for good.")
_deciding(
    Verdict.RETURN,
    "Return for correction",
    "Give the request back to the department, which submits it again corrected.",
)
_deciding(
    Verdict.WITHDRAW, "Withdraw", "Take the request back, as the department that submitted it."
)
_deciding(
    Verdict.ADD_REVIEWER,
    "Have somebody else heard first",
    "Put a step before the one at which the request waits, which comes again after it.",
    Handover,
)
_deciding(
    Verdict.REASSIGN,
    "Give the step to somebody else",
    "Have the step at which the request waits decided by another user or role.",
    Handover,
)
_deciding(
    Verdict.SEND_BACK,
    "Send back to an earlier step",
    "Have an earlier step taken again, and all that come after it.",
    SendingBack,
)
_deciding(
    Verdict.CONFIRM,
    "Confirm that a condition is met",
    "Say that what the request was approved on condition of has been done.",
    Confirmation,
)


@router.post("/v1/apply", summary="Bring platform objects to what files say")
def apply(body: Application, actor: Acting, services: Wired, tongue: Tongue) -> JSONResponse:
    """Create and change platform objects at once; administrators only."""
    found = _load(body.files)
    if not found.manifests:
        raise UsageError("requests.nothing_given")
    drivers.check(found.manifests, services.drivers)
    services.migrations.check(found.manifests)
    seen = {ObjectKey(kind_named(s.kind).name, "", s.name): s.version for s in body.seen}
    proposal = services.desk.apply(
        actor, found.manifests, dry_run=body.dry_run, force=body.force, seen=seen
    )
    return JSONResponse(proposal.plain(tongue) | _warnings(found, tongue))


@router.post("/v1/delete", summary="Delete platform objects")
def delete(body: Deletion, actor: Acting, services: Wired, tongue: Tongue) -> JSONResponse:
    """Delete platform objects that nothing refers to; administrators only."""
    keys = _keys(body.objects, actor, services)
    proposal = services.desk.delete_platform(actor, keys, dry_run=body.dry_run, force=body.force)
    return JSONResponse(proposal.plain(tongue))


def _wanted(body: Wanted, actor: Actor, services: Services) -> tuple[Loaded, list[ObjectKey]]:
    """Return what should be and what is to be given back; UsageError for neither."""
    department = body.department or actor.department
    found = _load(body.files, department)
    if not found.manifests and not body.releases:
        raise UsageError("requests.nothing_given")
    return found, _keys(body.releases, actor, services, department)


def _load(files: Sequence[File], department: str = "") -> Loaded:
    """Return typed documents; InvalidInputError with every fault of every file."""
    found = load([SourceFile(file.name, file.text) for file in files], department)
    if any(fault.severity is Severity.ERROR for fault in found.diagnostics):
        raise InvalidInputError(found.diagnostics)
    return found


def _warnings(found: Loaded, tongue: str) -> dict[str, Any]:
    return {"diagnostics": [problems.diagnostic(fault, tongue) for fault in found.diagnostics]}


def _keys(
    references: Sequence[Reference], actor: Actor, services: Services, department: str = ""
) -> list[ObjectKey]:
    """Return what references mean; one without a department means the only object of its name."""
    keys = []
    for reference in references:
        kind = kind_named(reference.kind)
        whose = (reference.department or department) if kind.owned else ""
        if kind.owned and not whose:
            with services.store.reading() as session:
                row = objects.get_object(session, actor, kind.name, reference.name)
            whose = row.department
        keys.append(ObjectKey(kind.name, whose, reference.name))
    return keys


@dataclass(frozen=True, slots=True)
class Look:
    """How requests are looked at: with what is to be noticed of them today (APP-7, APP-9)."""

    policy: PolicySpec
    today: date
    tongue: str

    @classmethod
    def of(cls, session: Session, now: datetime, tongue: str) -> "Look":
        """Return how they are looked at now."""
        today = city_day(now)
        return cls(policy_in_force(session, today), today, tongue)

    def brief(self, row: RequestRow) -> dict[str, Any]:
        """Return a request as a list shows it."""
        return brief(row, self.tongue) | self._noticed(row)

    def whole(self, session: Session, row: RequestRow) -> dict[str, Any]:
        """Return everything about a request."""
        return full(session, row, self.tongue) | self._noticed(row)

    def _noticed(self, row: RequestRow) -> dict[str, Any]:
        found = [notice.value for notice in notices(row, self.policy, self.today)]
        return {"notices": found, "overdue": Notice.OVERDUE.value in found}


def _whole(services: Services, actor: Actor, request_id: str, tongue: str) -> dict[str, Any]:
    with services.store.reading() as session:
        row = requests.get_request(session, actor, request_id)
        return Look.of(session, services.store.clock.now(), tongue).whole(session, row)
