"""The API on a fresh database of each kind, called in this process, with a token for every role."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.local import InProcess
from govcloud import bootstrap
from govcloud.domain.access import Actor, Role
from govcloud.settings import Settings
from govcloud.store.engine import Database
from govcloud.store.tables import ObjectRow
from govcloud.store.users import Grant, grant
from govcloud.testing.clock import FixedClock

ADMIN = Actor("admin", Role.ADMINISTRATOR)


class Api:
    """Calls of the API as different users; `wired` are the services behind it."""

    def __init__(self, wired: bootstrap.Wired) -> None:
        self.wired = wired
        self.http = httpx.Client(
            base_url="http://localhost", transport=InProcess(bootstrap.app(wired))
        )
        self.tokens: dict[str, str] = {}

    def token(self, user: str, role: Role, department: str = "", scope: str = "full") -> str:
        """Return a new token of a user."""
        with self.wired.store.unit(ADMIN) as unit:
            *_, token = grant(unit, Grant(user, role, department or None, scope))
        self.tokens[user if scope == "full" else f"{user}/{scope}"] = token
        return token

    def call(self, who: str, method: str, path: str, **kwargs: Any) -> httpx.Response:
        """Call as a user that has a token; "" calls without one."""
        headers = dict(kwargs.pop("headers", {}))
        if who:
            headers["Authorization"] = f"Bearer {self.tokens[who]}"
        return self.http.request(method, path, headers=headers, **kwargs)

    def get(self, who: str, path: str, **kwargs: Any) -> httpx.Response:
        """GET as a user."""
        return self.call(who, "GET", path, **kwargs)

    def post(self, who: str, path: str, body: Any = None, **kwargs: Any) -> httpx.Response:
        """POST JSON as a user."""
        return self.call(who, "POST", path, json=body if body is not None else {}, **kwargs)

    def department(self, name: str, parent: str | None = None) -> None:
        """Write a department's row, as `apply` would."""
        clock = self.wired.store.clock
        with self.wired.store.unit(ADMIN) as unit:
            unit.session.add(
                ObjectRow(
                    uid=f"uid-dept-{name}",
                    kind="Department",
                    name=name,
                    spec={"level": "department"} | ({"parent": parent} if parent else {}),
                    digest="0" * 64,
                    created_at=clock.now(),
                    updated_at=clock.now(),
                )
            )


@pytest.fixture
def api(database: Database, clock: FixedClock, tmp_path: Path) -> Iterator[Api]:
    """The API with one administrator, `admin`."""
    workspace = tmp_path / ".govcloud"
    (workspace / "clouds").mkdir(parents=True)
    settings = Settings(workspace=workspace, server=None, database_url=database.url)
    wired = bootstrap.Wired(settings, clock)
    wired.database = database
    made = Api(wired)
    made.token("admin", Role.ADMINISTRATOR)
    with made.http:
        yield made
