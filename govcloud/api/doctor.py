"""What is configured, reachable, out of date: one line a check, each with what to do about it.

Whoever may not see everything gets what concerns its own token and the server only.
"""

import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlmodel import select

from govcloud.api.security import GuardedRoute, Tongue, WhoCalls, Wired
from govcloud.api.services import Services
from govcloud.clock import APART
from govcloud.domain import city
from govcloud.domain.kinds.platform import CloudSpec
from govcloud.domain.manifest import parse_spec
from govcloud.errors import CloudError, GovcloudError
from govcloud.messages import remedy, render, told
from govcloud.settings import CREDENTIALS
from govcloud.store import observed, schema
from govcloud.store.objects import of_kinds, sees_all
from govcloud.store.observed import Sight, Watched
from govcloud.store.tables import ChainRow, ObjectRow
from govcloud.store.users import Caller
from govcloud.workspace import is_private

LOG: Final = logging.getLogger(__name__)
router: Final = APIRouter(route_class=GuardedRoute, tags=["meta"])
MIB: Final = 1024**2
DISK_WARN_MIB: Final = 2048
DISK_FAIL_MIB: Final = 256
TOKEN_WARN: Final = timedelta(days=14)


class Health(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One check; `key` gives its sentence and, with `_remedy`, what to do."""

    name: str
    health: Health
    key: str
    params: dict[str, object] = field(default_factory=dict)

    def plain(self, tongue: str) -> dict[str, Any]:
        """Return the JSON of the check in the reader's language."""
        return {
            "check": self.name,
            "status": self.health.value,
            "message": render(self.key, tongue, self.params),
            "remedy": remedy(self.key, tongue, self.params),
        }


@router.get("/v1/doctor", summary="What is configured, reachable, out of date")
def doctor(who: WhoCalls, services: Wired, tongue: Tongue) -> JSONResponse:
    """Run the checks that concern the caller."""
    checks = list(_of_caller(who, services.store.clock.now()))
    if sees_all(who.actor):
        checks += _of_installation(services)
    worst = {check.health for check in checks}
    return JSONResponse(
        {"ok": Health.FAIL not in worst, "checks": [check.plain(tongue) for check in checks]}
    )


def _of_caller(who: Caller, now: datetime) -> Iterator[Check]:
    left = who.expires_at - now
    params: dict[str, object] = {"days": left.days, "user": who.actor.name}
    soon = left < TOKEN_WARN
    yield Check(
        "token",
        Health.WARN if soon else Health.OK,
        "api.doctor_token_soon" if soon else "api.doctor_token",
        params,
    )


def _of_installation(services: Services) -> Iterator[Check]:
    yield _database(services)
    yield _clock(services)
    yield from _files(services)
    now = services.store.clock.now()
    with services.store.reading() as session:
        clouds = of_kinds(session, ["Cloud"])
        watched = {found.cloud: found for found in observed.watched(session, now)}
    if not clouds:
        yield Check("clouds", Health.WARN, "api.doctor_no_clouds")
    for row in clouds:
        spec = parse_spec("Cloud", row.spec)
        assert isinstance(spec, CloudSpec)
        yield _cloud(services, row, spec)
        yield _controller(watched[row.name], now)
        if watched[row.name].braked_at is not None:
            yield _brake(watched[row.name])


def _database(services: Services) -> Check:
    database = services.store.database
    found, name = schema.current(database), database.engine.dialect.name
    params: dict[str, object] = {"database": name, "found": found, "needed": schema.HEAD}
    if found == schema.HEAD:
        return Check("database", Health.OK, "api.doctor_database", params)
    return Check("database", Health.FAIL, "api.doctor_schema", params)


def _clock(services: Services) -> Check:
    """Whether the last record lies ahead of the clock: reports leave out what is dated so."""
    now = services.store.clock.now()
    with services.store.reading() as session:
        last = session.exec(select(ChainRow.at)).one()
    params: dict[str, object] = {"last": city.shown(last), "now": city.shown(now)}
    if last - now > APART:
        return Check("clock", Health.FAIL, "api.doctor_clock_ahead", params)
    return Check("clock", Health.OK, "api.doctor_clock", params)


def _files(services: Services) -> Iterator[Check]:
    workspace = services.settings.workspace
    if workspace is None:
        return
    yield _disk(workspace)
    credentials = workspace / CREDENTIALS
    if credentials.exists():
        private = is_private(credentials)
        key = "api.doctor_private" if private else "api.doctor_not_private"
        health = Health.OK if private else Health.FAIL
        yield Check("credentials", health, key, {"file": str(credentials)})


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free // MIB
    params: dict[str, object] = {"free": f"{free / 1024:.1f} GiB", "folder": str(folder)}
    if free < DISK_WARN_MIB:
        health = Health.FAIL if free < DISK_FAIL_MIB else Health.WARN
        return Check("disk", health, "api.doctor_disk_low", params)
    return Check("disk", Health.OK, "api.doctor_disk", params)


def _cloud(services: Services, row: ObjectRow, spec: CloudSpec) -> Check:
    name = f"cloud/{row.name}"
    try:
        provisioner = services.provisioner(row.name, spec)
        try:
            report = provisioner.report()
        finally:
            provisioner.close()
    except Exception as error:  # the other checks go on
        if not isinstance(error, GovcloudError | CloudError):
            LOG.exception("%s: its driver stumbled", name)
        fault = {"cloud": row.name, "detail": told(error)}
        return Check(name, Health.FAIL, "api.doctor_cloud_fails", fault)
    problems = list(report.problems)
    params: dict[str, object] = {
        "cloud": row.name,
        "version": report.version,
        "problems": problems,
    }
    if problems:
        return Check(name, Health.WARN, "api.doctor_cloud_problems", params)
    return Check(name, Health.OK, "api.doctor_cloud", params)


_SIGHTS: Final = {
    Sight.CURRENT: "api.doctor_looked",
    Sight.LATE: "api.doctor_late",
    Sight.UNREADABLE: "api.doctor_look_failed",
    Sight.NEVER: "api.doctor_never_looked",
}


def _controller(found: Watched, now: datetime) -> Check:
    params: dict[str, object] = {"cloud": found.cloud, "error": found.error}
    if found.observed_at is not None:
        params["seconds"] = int((now - found.observed_at).total_seconds())
    health = Health.OK if found.sight is Sight.CURRENT else Health.WARN
    return Check(f"controller/{found.cloud}", health, _SIGHTS[found.sight], params)


def _brake(found: Watched) -> Check:
    params: dict[str, object] = {"cloud": found.cloud, "lost": found.lost}
    return Check(f"healing/{found.cloud}", Health.FAIL, "api.doctor_braked", params)
