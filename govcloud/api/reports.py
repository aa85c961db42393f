"""Reports: figures as JSON or as a file, and what they are made of. Each export is audited."""

from dataclasses import replace
from datetime import date
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from fastapi import APIRouter, Path, Query
from fastapi.responses import JSONResponse, Response

from govcloud.api import pages
from govcloud.api.security import Acting, GuardedRoute, Tongue, Wired
from govcloud.api.services import Services
from govcloud.domain.access import Actor, Role
from govcloud.errors import ForbiddenError, NotFoundError
from govcloud.figures.definition import FIRST
from govcloud.messages import render
from govcloud.store.objects import sees_all

router: Final = APIRouter(route_class=GuardedRoute, tags=["reports"])
TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
}
AsOf = Annotated[
    str | None,
    Query(alias="asOf", max_length=40, description="A day (its end) or an instant; absent: now."),
]
Format = Annotated[Literal["json", "csv", "xlsx"], Query()]


@router.get("/v1/reports/on-cloud-rate", summary="The on-cloud rate")
def on_cloud_rate(
    *,
    actor: Acting,
    services: Wired,
    tongue: Tongue,
    as_of: AsOf = None,
    department: pages.Word = None,
    definition: pages.Word = None,
    beside: pages.Word = None,
    format: Format = "json",  # noqa: A002 (the parameter's name in the address)
) -> Response:
    """Return the report as of an instant; a node gets its own figures and those below.

    `beside`: versions, separated by commas, whose rate is printed too (in the month of a change).
    """
    from govcloud.reports import on_cloud, write

    report = on_cloud.make(
        services.store,
        as_of,
        definition=definition or FIRST.version,
        **_whose(services, actor, department, tuple(filter(None, (beside or "").split(",")))),
    )
    content = write.render(report, format, tongue)
    with services.store.unit(actor) as unit:
        unit.audit(
            "report.export",
            "report/on-cloud-rate",
            department=report.department or "",
            detail={
                "asOf": str(report.cutoff),
                "definition": report.definition,
                "format": format,
                "digest": report.digest,
            },
        )
    day = report.cutoff.day.isoformat()
    headers = {} if format == "json" else {"Content-Disposition": _file(day, format, tongue)}
    return Response(content, media_type=TYPES[format], headers=headers)


@router.get("/v1/reports/on-cloud-rate/explain", summary="What a figure is made of")
def explain(
    *,
    actor: Acting,
    services: Wired,
    as_of: AsOf = None,
    department: pages.Word = None,
    definition: pages.Word = None,
    metric: pages.Word = None,
) -> JSONResponse:
    """Return the objects behind a figure, each with its verdict, reason and records."""
    from govcloud.reports import on_cloud

    found = on_cloud.explain(
        services.store,
        as_of,
        metric=metric or on_cloud.METRICS[0],
        definition=definition or FIRST.version,
        **_whose(services, actor, department),
    )
    return JSONResponse(found.plain())


@router.get("/v1/reports/opening-time", summary="How long requests took until they were fulfilled")
def opening_time(
    *,
    actor: Acting,
    services: Wired,
    as_of: AsOf = None,
    since: Annotated[date | None, Query(description="First day; absent: the year's.")] = None,
    department: pages.Word = None,
) -> JSONResponse:
    """Return working days from submission to fulfilment: median, P90, buckets, by department."""
    from govcloud.reports import opening_time

    whose = _whose(services, actor, department)
    found = opening_time.make(services.store, as_of, since=since, **whose)
    return JSONResponse(found.plain())


@router.get("/v1/reports/facts/{number}", summary="The record behind a figure")
def fact(
    *, actor: Acting, services: Wired, number: Annotated[int, Path(ge=1, lt=2**63)]
) -> JSONResponse:
    """Return a fact by its number: what it says, from when until when, and what wrote it."""
    from govcloud.reports.provenance import provenance

    return JSONResponse(provenance(services.store, actor, number).plain())


def _whose(
    services: Services, actor: Actor, department: str | None, beside: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return whose figures the actor gets, as `make` and `explain` take it.

    Who sees all gets any node; who approves, operates or audits for a node gets it with what is
    below; a department's applicants get their own department.
    """
    from govcloud.reports.counting import Spread
    from govcloud.reports.on_cloud import Options

    own = actor.department
    options = Options(beside=beside, spread=Spread(services.settings.report_processes))
    if sees_all(actor):
        return {"department": department, "options": options}
    if not own:
        raise ForbiddenError("errors.no_department_of_own", user=actor.name)
    if actor.role is not Role.APPLICANT:
        return {"department": department or own, "options": replace(options, within=own)}
    if department not in (None, own):
        raise NotFoundError("errors.unknown_department", department=department)
    return {"department": own, "options": replace(options, below=False)}


def _file(day: str, format: str, tongue: str) -> str:  # noqa: A002
    """Return a header that names the file; a Chinese name by RFC 5987 beside a plain one."""
    name = quote(f"{render('api.file_on_cloud_rate', tongue)}-{day}.{format}", safe="")
    return f"attachment; filename=\"on-cloud-rate-{day}.{format}\"; filename*=UTF-8''{name}"
