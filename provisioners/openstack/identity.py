"""Keystone: our domain, and a project in it for each tenant."""

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from govcloud.errors import CloudConflictError, TerminalCloudError, TransientCloudError
from govcloud.ports.cloud import Observed, Resource, State, Value
from provisioners.openstack.marks import Mark, Marks
from provisioners.openstack.session import IDENTITY, Door, Json, goes_on

TYPE: Final = "project"
NAME_MOST: Final = 64
"""Characters of a project's name at most."""
_ROLES: Final = ("member", "_member_", "admin")
"""The role with which things are made in a tenant's project: the first that the cloud has."""


def tenant_name(department: str, system: str) -> str:
    """Return the name of the project of a department's system; unique also where it is cut.

    Where one of them has two hyphens in it, the name alone would not say where the system begins:
    a digest of both follows, after three hyphens, which no other tenant's name has.
    """
    name = f"{department}--{system}"
    if "--" in department or "--" in system:
        return _ending(name, f"---{_digest(f'{department}/{system}')}")
    return name if len(name) <= NAME_MOST else _ending(name, f"-{_digest(name)}")


def _ending(name: str, end: str) -> str:
    return f"{name[: NAME_MOST - len(end)]}{end}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class Identity:
    """The projects of our domain, each the one of the tenant whose mark it carries (`tenant_uid`).

    What a project is called is for people, who may call it otherwise. Which project is whose is
    remembered; what is not remembered is asked for. An id that has become wrong is found out by the
    call that uses it, which answers 404.
    """

    def __init__(self, door: Door, marks: Marks, tenant_uid: Callable[[str], str]) -> None:
        self._door = door
        self._marks = marks
        self._tenant_uid = tenant_uid
        self._domain_name = door.settings.domain or f"govcloud-{marks.installation}"
        self._lock = threading.Lock()
        self._domain = ""
        self._granted = False
        self._ids: dict[str, set[str]] = {}
        self._tenants: dict[str, str] = {}

    # --- Looking ---

    def rows(self) -> list[Json]:
        """List the projects of our domain, one call a page, and remember them.

        Raises TransientCloudError `Truncated` where Keystone cut the list at its `list_limit`: a
        project that is missing from it may be there, and what runs in it is not gone (Q3).
        """
        domain = self.domain()
        if not domain:
            return []
        rows, whole = self._listed(domain_id=domain)
        if not whole:
            raise TransientCloudError("Truncated", f"{IDENTITY} /projects: {len(rows)} of more")
        with self._lock:
            self._ids = {}
            for row in rows:
                self._note(row)
        return rows

    def _listed(self, **params: str) -> tuple[list[Json], bool]:
        """List projects; tell whether these are all."""
        rows: list[Json] = []
        while True:
            body = self._door.get(IDENTITY, "/projects", params=params)
            page = body.get("projects") or []
            rows += page
            if not page or not goes_on(body):
                return rows, not body.get("truncated")
            params["marker"] = str(page[-1]["id"])

    def _note(self, row: Json) -> None:
        """Remember a project; under the lock."""
        uid = self._marks.from_description(row.get("description")).mark.uid
        if uid:
            self._ids.setdefault(uid, set()).add(str(row["id"]))
        self._tenants[row["id"]] = self._tenant_of(row)

    def _tenant_of(self, row: Json) -> str:
        """Return the tenant that a project is; the name of one that is nobody's.

        A mark is only the digest of a tenant's name, so a project that was renamed is told by its
        tags, and one whose tags were changed by its name.
        """
        label, name = self._marks.from_description(row.get("description")), str(row["name"])
        tagged = tenant_name(label.tags.get("department", ""), label.tags.get("system", ""))
        return next((t for t in (name, tagged) if self._tenant_uid(t) == label.mark.uid), name)

    def domain(self) -> str:
        """Return the id of our domain; empty while there is none."""
        if not self._domain:
            found = self._door.get(IDENTITY, "/domains", params={"name": self._domain_name})
            rows = found.get("domains", [])
            self._domain = str(rows[0]["id"]) if rows else ""
        return self._domain

    def project_id(self, tenant: str) -> str:
        """Return the id of a tenant's project; empty while there is none."""
        return min(self.projects(tenant), default="")

    def projects(self, tenant: str) -> Set[str]:
        """Return the ids of the projects with a tenant's mark: one, unless somebody copied it."""
        uid = self._tenant_uid(tenant)
        with self._lock:
            known = frozenset(self._ids.get(uid, ()))
        if not known:
            self.rows()
            with self._lock:
                known = frozenset(self._ids.get(uid, ()))
        return known

    def forget(self, tenant: str) -> None:
        """Ask anew which project a tenant is: it may be another one by now."""
        with self._lock:
            self._ids.pop(self._tenant_uid(tenant), None)

    def known(self) -> bool:
        """Whether any project is remembered."""
        with self._lock:
            return bool(self._tenants)

    def need(self, tenant: str) -> str:
        """Return the id of a tenant's project; TransientCloudError while there is none."""
        found = self.project_id(tenant)
        if found and self._door.bound and self._door.tenant_login is None:
            self._tenant_user(self.domain())
        if not found:
            raise TransientCloudError("NoTenant", tenant)
        return found

    def tenant(self, project: str) -> str:
        """Return the tenant that a project is, as far as is known; else the project's id."""
        with self._lock:
            return self._tenants.get(project, project)

    def settled(self, found: Sequence[Observed]) -> Sequence[Observed]:
        """Return what was found, each with its tenant.

        A project that is not known yet may be one that another controller has just made, whose
        id would be taken for another tenant. So the projects are listed anew, once for all.
        """
        with self._lock:
            known = set(self._tenants.values())
        if all(item.tenant in known for item in found if item.uid and item.type != TYPE):
            return found
        self.rows()
        return [replace(item, tenant=self.tenant(item.tenant)) for item in found]

    def observed(self, row: Json) -> Observed:
        """Return a project as the port's value."""
        label = self._marks.from_description(row.get("description"))
        props: dict[str, Value] = {"enabled": bool(row.get("enabled", True))}
        return Observed(
            id=str(row["id"]),
            type=TYPE,
            name=row["name"],
            tenant=self._tenant_of(row),
            state=State.READY,
            uid=label.mark.uid,
            part=label.mark.part,
            props=props,
            tags=label.tags,
        )

    def pages(self) -> Iterator[Sequence[Observed]]:
        """List our domain's projects as the port's values."""
        yield [self.observed(row) for row in self.rows()]

    def others(self) -> Sequence[Observed]:
        """Return the projects of all domains but ours: none where we may not list them.

        They are only shown, so as many as Keystone tells will do.
        """
        rows: list[Json] = []
        with suppress(TerminalCloudError):
            rows, _ = self._listed()
        domain = self.domain()
        return [
            Observed(str(row["id"]), TYPE, row["name"], str(row["id"]), State.READY)
            for row in rows
            if row.get("domain_id") != domain
        ]

    # --- Acting ---

    def create(self, resource: Resource) -> Observed:
        """Make a project, and our domain if it is not there."""
        domain = self._own_domain()
        label = Mark(resource.uid, resource.part)
        row = self._door.call(
            IDENTITY,
            "POST",
            "/projects",
            json={
                "project": {
                    "name": resource.name,
                    "domain_id": domain,
                    "description": self._marks.description(label, resource.tags),
                    "enabled": True,
                }
            },
        )["project"]
        with self._lock:
            self._note(row)
        return self.observed(row)

    def change(self, observed: Observed, wanted: Resource, fields: Sequence[str]) -> Observed:
        """Bring tags and `enabled` to what is wanted."""
        self.check(observed)
        label = Mark(wanted.uid, wanted.part)
        body: dict[str, Any] = {"description": self._marks.description(label, wanted.tags)}
        if "enabled" in fields:
            body["enabled"] = bool(wanted.props["enabled"])
        url = f"/projects/{observed.id}"
        return self.observed(
            self._door.call(IDENTITY, "PATCH", url, json={"project": body})["project"]
        )

    def delete(self, observed: Observed) -> None:
        """Remove a project that is empty of ours."""
        self.check(observed)
        self._door.call(IDENTITY, "DELETE", f"/projects/{observed.id}")
        with self._lock:
            self._ids.pop(observed.uid, None)

    def check(self, observed: Observed) -> None:
        """Raise CloudConflictError unless the mark is still there."""
        row = self._door.get(IDENTITY, f"/projects/{observed.id}")["project"]
        mark = self._marks.from_description(row.get("description")).mark
        if not mark.ours or mark != (observed.uid, observed.part):
            raise CloudConflictError("NotOurs", f"project {observed.id}")

    def _own_domain(self) -> str:
        """Return our domain, made if need be, in whose projects our own user may act."""
        if not self.domain():
            body = {
                "name": self._domain_name,
                "description": f"govcloud {self._marks.installation}",
                "enabled": True,
            }
            with suppress(CloudConflictError):  # another controller was quicker
                self._door.call(IDENTITY, "POST", "/domains", json={"domain": body})
        domain = self.domain()
        if not self._granted:
            self._grant(domain)
            self._granted = True
        return domain

    def _grant(self, domain: str) -> None:
        """Give our user a role in all projects of our domain, now and later; idempotent."""
        user = self._tenant_user(domain) if self._door.bound else self._door.user_id()
        roles = {row["name"]: row["id"] for row in self._door.get(IDENTITY, "/roles")["roles"]}
        role = next((roles[name] for name in _ROLES if name in roles), None)
        if role is None:
            raise TransientCloudError("NoRole", ", ".join(_ROLES))
        grant = f"/users/{user}/roles/{role}/inherited_to_projects"
        self._door.call(IDENTITY, "PUT", f"/OS-INHERIT/domains/{domain}{grant}")

    def _tenant_user(self, domain: str) -> str:
        """Return the user that acts in tenants' projects where our own credentials cannot.

        An application credential is bound to its project. The user's password follows from its
        secret; where that was renewed, the password is renewed, too.
        """
        name = f"govcloud-{self._marks.installation}"
        secret = self._door.derived_secret(name)
        user = self._user(name, domain)
        if not user:
            user = self._make_user(name, domain, secret)
        elif not self._door.works(self._door.password_login(user, secret)):
            body = {"user": {"password": secret}}
            self._door.call(IDENTITY, "PATCH", f"/users/{user}", json=body)
        self._door.tenant_login = (user, secret)
        return user

    def _user(self, name: str, domain: str) -> str:
        """Return the id of a user; empty where there is none."""
        found = self._door.get(IDENTITY, "/users", params={"name": name, "domain_id": domain})
        return next((str(row["id"]) for row in found.get("users") or ()), "")

    def _make_user(self, name: str, domain: str, secret: str) -> str:
        """Make a user, unless another thread or controller is quicker; return its id."""
        body = {"user": {"name": name, "domain_id": domain, "password": secret}}
        try:
            return str(self._door.call(IDENTITY, "POST", "/users", json=body)["user"]["id"])
        except CloudConflictError:
            user = self._user(name, domain)
            if not user:
                raise
            return user
