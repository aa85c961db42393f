"""Databases and their sizes: PostgreSQL and MySQL/MariaDB are measured, others only named."""

from collections.abc import Iterator
from typing import Any, Final

from migration.inventory.scan.answer import Answer, Found, Part

_OTHERS: Final = {
    "ora_pmon_": "Oracle",
    "tnslsnr": "Oracle",
    "dmserver": "DM (达梦)",
    "kingbase": "KingbaseES (人大金仓)",
    "gaussdb": "GaussDB",
    "db2sysc": "DB2",
    "sqlservr": "SQL Server",
    "mongod": "MongoDB",
    "redis-server": "Redis",
    "valkey-server": "Valkey",
    "memcached": "Memcached",
    "observer": "OceanBase",
    "oceanbase": "OceanBase",
    "etcd": "etcd",
    "slapd": "OpenLDAP",
    "influxd": "InfluxDB",
}
"""What programs are called that serve other databases."""


def read(answer: Answer) -> Found:
    """Return `servers` and `others`.

    A server: `kind`, `port`, `version`, `databases` (bytes by name), `written` (bytes of
    its log, since it was made or, as MySQL counts, since its start), `fault` if it did not answer.
    """
    servers = [_server("PostgreSQL", part) for part in answer.every("postgresql")]
    for part in answer.every("mysql"):
        server = _server("MySQL", part)
        server["kind"] = "MariaDB" if "MariaDB" in server.get("version", "") else "MySQL"
        servers.append(server)
    return {"servers": servers, "others": list(dict.fromkeys(_others(answer.lines("others"))))}


def _server(kind: str, part: Part) -> dict[str, Any]:
    server: dict[str, Any] = {"kind": kind, "databases": {}}
    if part.argument:
        server["port"] = int(part.argument)
    faults = []
    for line in filter(str.strip, part.lines):
        word, _, rest = line.replace("\t", " ").partition(" ")
        if word == "version":
            server["version"] = rest.split()[0]
        elif word == "database":
            size, _, name = rest.partition(" ")
            server["databases"][name] = int(float(size))
        elif word in ("written", "Innodb_os_log_written"):
            server["written"] = int(float(rest))
        elif word == "Uptime":
            server["uptime"] = int(rest)
        else:
            faults.append(line.removeprefix("fault "))
    if "version" not in server:
        server["fault"] = " ".join(faults)[:500] or "no answer"
    return server


def _others(lines: list[str]) -> Iterator[str]:
    for line in lines:
        yield from (name for word, name in _OTHERS.items() if line.startswith(word))
