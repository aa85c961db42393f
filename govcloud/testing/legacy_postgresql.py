"""PostgreSQL on the hosts of a legacy room: the newest server that this machine has."""

from typing import Final

from govcloud.testing.legacy import Host

_SERVER: Final = """
version=$(ls /usr/lib/postgresql | sort -n | tail -n 1)
pg_lsclusters -h | grep -q . || {
  pg_createcluster $version main -- --no-sync -A scram-sha-256 --auth-local=peer > /dev/null
  echo "fsync = off" >> /etc/postgresql/$version/main/postgresql.conf
}
systemctl daemon-reload
systemctl enable -q postgresql@$version-main
systemctl start postgresql@$version-main
"""


def serve(host: Host) -> None:
    """Let a server run on the host; again at will."""
    host.run(_SERVER)


def sql(host: Host, database: str, text: str) -> str:
    """Return what a superuser's statements return."""
    command = "cd /; runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1"
    return host.run(f"{command} -d {database} -f -", stdin=text).strip()
