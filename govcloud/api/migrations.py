"""Migrations: how far they are, what people wish of them, the journal, rooms that close."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse
from pydantic import Field

from govcloud.api import pages
from govcloud.api.bodies import Body, Note, Word
from govcloud.api.security import Acting, GuardedRoute, Tongue, Wired
from govcloud.domain.base import Day
from govcloud.domain.kinds.moving import Instant

router: Final = APIRouter(route_class=GuardedRoute, tags=["migrations"])


class Wished(Body):
    """What somebody wishes of a migration."""

    note: Note = Field("", description="Why; kept in the journal.")
    dry_run: bool = Field(False, description="Say what would come of it, and change nothing.")


class CutOver(Wished):
    """A cut-over, as soon as its window opens and its gates are open."""

    backup: Instant | None = Field(None, description="When the last backup was made (MIG-5).")
    waiver: Note = Field("", description="Why none is needed; administrators only.")


class Abandoned(Wished):
    """A part whose undo is given up: nothing of it is given back any more."""

    part: Word = Field(description="The workload, switch or hook.")
    note: Annotated[Note, Field(min_length=1)] = Field(description="Why; kept in the journal.")


class SourceOff(Wished):
    """A source that is off, with the evidence (MIG-7)."""

    host: Word = Field(description="The source.")
    off: Day | None = Field(None, description="When it was switched off; absent: today.")
    wiped: Note = Field("", description="Number of the certificate that its disks are wiped.")
    disposal: Literal["reassigned", "scrapped", "reused", "hosted"] | None = Field(
        None, description="What becomes of it."
    )
    asset: Note = Field("", description="Asset number.")


class Closing(Body):
    """A room that is closed."""

    evidence: Note = Field(description="Photograph, meter reading: the record that proves it.")
    confirmed_by: Word = Field(description="The auditor who confirmed it.")


class Named(Body):
    """A system."""

    department: Word = Field(description="Whose it is.")
    system: Word = Field(description="Its name.")


class Several(Body):
    """Systems that are to move together."""

    systems: Annotated[list[Named], Field(min_length=1, max_length=10_000)] = Field(
        description="Which."
    )


@router.get("/v1/migrations", summary="How far systems are")
def list_migrations(
    *,
    actor: Acting,
    services: Wired,
    tongue: Tongue,
    wave: pages.Word = None,
    department: pages.Word = None,
) -> JSONResponse:
    """Return the migrations that the caller may see, by department and system."""
    found = services.migrations.listed(actor, tongue, wave=wave, department=department)
    return JSONResponse({"items": found})


@router.post("/v1/migrations/weigh", summary="What systems would request together")
def weigh(body: Several, actor: Acting, services: Wired, tongue: Tongue) -> JSONResponse:
    """Return what their missing machines need beside what is free, level by level; write nothing.

    Machines that nobody could request are left out: a dry run of the system says why.
    """
    systems = [(one.department, one.system) for one in body.systems]
    return JSONResponse(services.migrations.weigh(actor, systems, tongue))


@router.get("/v1/migrations/{department}/{system}", summary="One migration in full")
def show(
    department: str, system: str, actor: Acting, services: Wired, tongue: Tongue
) -> JSONResponse:
    """Return steps, gates, signatures, downtime."""
    return JSONResponse(services.migrations.shown(actor, department, system, tongue))


@router.get("/v1/migrations/{department}/{system}/journal", summary="The journal of a migration")
def journal(
    department: str, system: str, actor: Acting, services: Wired, tongue: Tongue
) -> JSONResponse:
    """Return wishes and steps of all runs, in order."""
    return JSONResponse({"items": services.migrations.log(actor, department, system, tongue)})


@router.get(
    "/v1/migrations/{department}/{system}/evidence/{number}", summary="What a step's play told"
)
def evidence(
    *,
    department: str,
    system: str,
    number: Annotated[int, Path(ge=1)],
    actor: Acting,
    services: Wired,
) -> JSONResponse:
    """Return it line by line."""
    return JSONResponse({"items": services.migrations.evidence(actor, department, system, number)})


@router.post("/v1/migrations/{department}/rooms/{room}/close", summary="Close a server room")
def close_room(
    department: str, room: str, body: Closing, actor: Acting, services: Wired
) -> JSONResponse:
    """Record that a room is closed, where its definition holds (MIG-8)."""
    done = services.migrations.close_room(actor, department, room, body.evidence, body.confirmed_by)
    return JSONResponse(done)


def _wishing(verb: str, summary: str, form: type[Wished] = Wished) -> None:
    """Make the route of one wish; `form` is what its body may say."""

    def wish(
        *,
        department: str,
        system: str,
        body: Wished,
        actor: Acting,
        services: Wired,
        tongue: Tongue,
    ) -> JSONResponse:
        told = _told(body)
        return JSONResponse(
            services.migrations.wish(actor, (department, system), verb, told, tongue)
        )

    wish.__annotations__["body"] = form
    router.post(
        f"/v1/migrations/{{department}}/{{system}}/{verb}", summary=summary, name=f"migrate-{verb}"
    )(wish)


def _told(body: Wished) -> dict[str, Any]:
    told = dict(body)
    off = told.pop("off", None)
    return told | ({"off": off.isoformat()} if off else {})


_wishing("run", "Begin, or begin anew after a rollback")
_wishing("pause", "Let it stand still where it is")
_wishing("resume", "Go on after a pause, or after something was mended")
_wishing("cutover", "Cut over in the window", CutOver)
_wishing("verify", "Compare source and target now")
_wishing("rollback", "Take everything back")
_wishing("abandon", "Give up taking back what cannot be taken back", Abandoned)
_wishing("accept", "Sign the acceptance")
_wishing("source-off", "Record that a source is off", SourceOff)
