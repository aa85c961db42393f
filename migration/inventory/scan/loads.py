"""What a scan found on a host, as what a plan would move: roles, settings, what to confirm. Pure.

Nothing here is more than a proposal: a scan sees what there is, and not what of it is the system's.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import ceil
from pathlib import PurePosixPath
from typing import Any, Final

from govcloud.errors import Text
from migration.inventory.scan.operating import CRON, UNITS, is_unit
from migration.inventory.scan.record import LOGIN, ROOT, Record, label
from migration.running.prepare import Load

_MIB: Final = 1024**2
_GIB: Final = 1024**3
_HOMES: Final = ("/root", "/home")
_SERVED: Final = ("/postgresql", "/pgsql", "/mysql")
"""Where the files of databases stand that roles move by themselves."""
_APACHE: Final = {"apache2": "/etc/apache2", "httpd": "/etc/httpd"}
_MOST: Final = 12
"""What one note names."""


def loads(record: Record) -> list[Load]:
    """Return what a host carries, databases first; nothing where it was never read."""
    found: Mapping[str, Any] = record["found"]
    if not record["scanned"]:
        return []
    parts = [*_databases(found, record["name"]), *_files(found), *_web(found), *_units(found)]
    parts += _jobs(found)
    unread = sorted(name for name in record["missing"] if name not in (LOGIN, ROOT))
    if unread and parts:
        first, *others = parts
        note = Text("migrate.seen_unread", {"host": record["name"], "subjects": unread})
        parts = [replace(first, notes=(note, *first.notes)), *others]
    return parts


def _databases(found: Mapping[str, Any], host: str) -> Iterator[Load]:
    told = found.get("databases", {})
    servers = told.get("servers", ())
    roles = [_role(server) for server in servers]
    others = Text("migrate.seen_others", {"names": list(told.get("others", ())), "host": host})
    if told.get("others") and not servers:
        yield Load("disk", {}, (others,))
    for number, (role, server) in enumerate(zip(roles, servers, strict=True)):
        notes = [_measured(server)]
        if number == 0 and told.get("others"):
            notes.append(others)
        settings: dict[str, Any] = {"databases": list(_own(server)) or ["DATABASE"]}
        if role == "postgresql" and server.get("port", 5432) != 5432:
            settings["port"] = server["port"]
        part = str(server.get("port", number)) if roles.count(role) > 1 else ""
        yield Load(role, settings, notes, part)


def _role(server: Mapping[str, Any]) -> str:
    return "postgresql" if server["kind"] == "PostgreSQL" else "mysql"


def _own(server: Mapping[str, Any]) -> Iterator[str]:
    """Yield the databases that somebody made."""
    yield from (name for name in sorted(server["databases"]) if name != "postgres")


def _measured(server: Mapping[str, Any]) -> Text:
    params = {"server": label(server), "version": server.get("version", "")}
    if "fault" in server:
        return Text("migrate.seen_silent", {**params, "fault": server["fault"]})
    sizes = [f"{name} {_sized(server['databases'][name])}" for name in _own(server)]
    return Text("migrate.seen_database", {**params, "sizes": _few(sizes)})


def _files(found: Mapping[str, Any]) -> Iterator[Load]:
    storage = found.get("storage", {})
    places = {at: one["used"] for at, one in storage.get("places", {}).items() if one["used"]}
    for one in storage.get("filesystems", ()):
        if one["at"].startswith(tuple(places)) or one["at"] == "/":
            continue
        if any(mount["at"] == one["at"] for mount in storage.get("mounts", ())):
            places[one["at"]] = one["used"]
    ours = {at: used for at, used in places.items() if not _left(at)}
    if ours:
        sizes = [f"{at} {_sized(used * 1024)}" for at, used in sorted(ours.items())]
        yield Load("files", {"paths": sorted(ours)}, [Text("migrate.seen_files", {"sizes": sizes})])


def _left(place: str) -> bool:
    """Whether a place is nobody's data, a person's, or moved by another role."""
    top = "/" + place.split("/")[1]
    system = ("/boot", "/tmp", "/run", "/var", "/usr", "/snap", "/dev", "/etc")  # noqa: S108
    held = place.endswith(_SERVED) or top in _HOMES
    return held or (top in system and place not in ("/var/www", "/var/mail", "/usr/local"))


def _web(found: Mapping[str, Any]) -> Iterator[Load]:
    services = found.get("services", {})
    alive = {*services.get("enabled", ()), *services.get("running", ())}
    for server in found.get("web", {}).get("servers", ()):
        sites = [
            one for one in found["web"]["sites"] if one.get("server", "nginx") == server["name"]
        ]
        params = {"version": server["version"], "sites": _few(map(_site, sites))}
        if server["name"] == "nginx" and (server.get("serving") or "nginx" in alive):
            folders = _folders((one["file"] for one in sites), "/etc/nginx")
            yield Load("nginx", {"files": folders}, [Text("migrate.seen_nginx", params)])
        for unit in sorted(alive & _APACHE.keys()) if server["name"] == "apache" else ():
            folders = _folders((one["file"] for one in sites), _APACHE[unit])
            settings = {"names": [unit], "files": folders, "check": ["apachectl configtest"]}
            yield Load("services", settings, [Text("migrate.seen_apache", params)], "apache")


def _site(site: Mapping[str, Any]) -> str:
    names = ", ".join(site["names"]) or "_"
    leads = ", ".join([*site["roots"], *site["proxies"]])
    return f"{names} ({', '.join(site['listens'])}) -> {leads}"


def _folders(files: Iterable[str], usual: str) -> list[str]:
    """Return the usual folder, and those of files that stand elsewhere."""
    elsewhere = {str(PurePosixPath(one).parent) for one in files if not one.startswith(f"{usual}/")}
    return sorted(elsewhere) or [usual]


def _units(found: Mapping[str, Any]) -> Iterator[Load]:
    services = found.get("services", {})
    names = set(services.get("running", ())) & set(services.get("enabled", ()))
    ours = sorted(name for name in names - UNITS if not is_unit(name))
    if ours:
        settings = {"names": ours, "files": []}
        yield Load("services", settings, [Text("migrate.seen_services", {"names": ours})])


def _jobs(found: Mapping[str, Any]) -> Iterator[Load]:
    jobs: Sequence[Mapping[str, str]] = found.get("cron", {}).get("jobs", ())
    own = [one for one in jobs if one["file"].startswith("/etc/cron.d/") and not _usual(one)]
    tables = [one for one in jobs if one["file"].startswith("/var/spool/")]
    if own or tables:
        settings = {
            "users": sorted({one["user"] for one in tables}),
            "files": sorted({PurePosixPath(one["file"]).name for one in own}),
        }
        told = _few(f"{one['when']} {one['user']} {one['command']}" for one in [*own, *tables])
        yield Load(
            "cron",
            {name: value for name, value in settings.items() if value},
            [Text("migrate.seen_cron", {"jobs": told})],
        )


def _usual(job: Mapping[str, str]) -> bool:
    return PurePosixPath(job["file"]).name in CRON


def _few(words: Iterable[str]) -> list[str]:
    known = list(words)
    return known if len(known) <= _MOST else [*known[:_MOST], f"… ({len(known)})"]


def _sized(amount: int) -> str:
    return f"{amount / _GIB:.1f}Gi" if amount >= _GIB else f"{ceil(amount / _MIB)}Mi"
