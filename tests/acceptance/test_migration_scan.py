"""A room's real hosts are scanned over SSH, and what is found is assessed and planned by."""

import json
import time
from pathlib import Path

import pytest
import yaml

from govcloud.errors import Exit
from govcloud.testing.legacy import Host, Room

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SERVER = """
version=$(ls /usr/lib/postgresql | sort -n | tail -n 1)
pg_createcluster $version main -- --no-sync -A scram-sha-256 --auth-local=peer > /dev/null
echo "listen_addresses = '*'" >> /etc/postgresql/$version/main/postgresql.conf
echo 'host app app samenet trust' >> /etc/postgresql/$version/main/pg_hba.conf
systemctl daemon-reload
systemctl start postgresql@$version-main
cd /
runuser -u postgres -- psql -qc 'CREATE ROLE app LOGIN' -c 'CREATE DATABASE app OWNER app'
runuser -u postgres -- psql -qd app -c 'CREATE TABLE entry AS
  SELECT n, repeat(md5(n::text), 50) AS t FROM generate_series(1, 20000) n'
useradd -m -s /bin/bash wang
"""
CRON = "MAILTO=root\n15 3 * * * postgres pg_dump --password=geheim app > /srv/app.sql\n"
SITE = """
server {
    listen 80;
    server_name hr.example.gov.cn; # of the public
    root /srv/hr;
    location /api/ {
        proxy_set_header Authorization "Basic geheim";
        proxy_pass http://127.0.0.1:8080/;
    }
}
"""
CLIENT = "psql -h {address} -U app -d app -c 'SELECT pg_sleep(3600)'"
CHANGED = """
find / -xdev '(' -newermt @{since} -o ! -type d -newerct @{since} ')' \
  ! -path '/var/log/*' ! -path '/var/lib/postgresql/*' ! -path '/var/lib/lastlog/*' ! -path /tmp
"""
"""What was written on a host since an instant, but for what its login and database write."""


@pytest.fixture(scope="module")
def tiers(legacy_room: Room) -> tuple[Host, Host]:
    """A web server whose application holds a connection to a database on another host."""
    web, db = legacy_room.host("hr-web-01"), legacy_room.host("hr-db-01")
    db.run(SERVER)
    db.write("/etc/cron.d/backup", CRON)
    web.run("rm -f /etc/nginx/conf.d/* /etc/nginx/sites-enabled/*; mkdir -p /srv/hr /var/log/nginx")
    web.write("/etc/nginx/conf.d/hr.conf", SITE)
    web.run("head -c 3000000 /dev/urandom > /srv/hr/picture; systemctl start nginx")
    web.run(f"systemd-run -q --unit=app {CLIENT.format(address=db.address)}")
    web.run("until ss -Htn state established dport = :5432 | grep -q .; do sleep 0.1; done")
    return web, db


@pytest.fixture
def inventory(tiers: tuple[Host, Host], tmp_path: Path) -> Path:
    """Ansible's own inventory of the two hosts, in a group, and of one that is not there."""
    web, db = tiers
    file = tmp_path / "room.ini"
    file.write_text(
        f"""[hr]
hr-web-01 ansible_host={web.address}
hr-db-01 ansible_host={db.address}
[away]
hr-old-01 ansible_host=10.213.{web.room.number}.99
[all:vars]
ansible_user=root
ansible_ssh_private_key_file={web.room.key}
ansible_ssh_common_args=-o UserKnownHostsFile={web.room.known_hosts}
""",
        "utf-8",
    )
    return file


@pytest.fixture
def room(city, govcloud, tmp_path, monkeypatch):
    """A city that takes the census, a department with a room; commands are typed in a folder."""
    monkeypatch.chdir(tmp_path)
    policy = {"version": "1", "effectiveFrom": "2026-01-01", "censusUntil": "2099-12-31"}
    policy["approval"] = [{"steps": [{"name": "review", "role": "approver"}]}]
    for kind, meta, spec in (
        ("Policy", {"name": "city"}, policy),
        ("ServerRoom", {"name": "room", "department": "hrss"}, {"baseline": True}),
    ):
        document = {"apiVersion": "govcloud.io/v1", "kind": kind, "metadata": meta, "spec": spec}
        Path(f"{kind}.yaml").write_text(yaml.safe_dump(document), "utf-8")
    govcloud("apply", "-f", "Policy.yaml")
    submitted(govcloud, "ServerRoom.yaml")
    return city


def submitted(govcloud, file: str) -> None:
    """Submit a file and have it approved."""
    request = govcloud("--as", "hrss", "submit", "-f", file).out.strip()
    govcloud("--as", "approver", "approve", request, "--yes")


SCAN = ("--as", "hrss", "migrate", "inventory", "scan", "room")
BRIEF = ("--sample", "2s", "--every", "1s")


def record(name: str) -> dict:
    """What the folder holds of a host."""
    return json.loads(Path(f"room.scan/hosts/{name}.json").read_text("utf-8"))


def test_hosts_become_what_migrations_are_planned_by(room, govcloud, inventory, tiers):
    db = tiers[1]
    given = ("-i", str(inventory))
    shown = govcloud(*SCAN, *given, "--dry-run")
    assert [line.split()[0] for line in shown.lines[1:]] == ["hr-db-01", "hr-old-01", "hr-web-01"]
    assert not Path("room.scan").exists()

    ended = govcloud(*SCAN, *given, *BRIEF, "--enough-days", "1", code=Exit.INCOMPLETE)
    assert "hr-old-01: not reached: " in ended.err
    assert "No route to host" in ended.err
    found = record("hr-db-01")["found"]
    (server,) = found["databases"]["servers"]
    assert server["databases"]["app"] > 20_000 * 1_600
    assert [one["program"] for one in found["sockets"]["listeners"] if one["port"] == 5432] == [
        "postgres", "postgres"
    ]  # fmt: skip
    assert "wang" in [one["name"] for one in found["accounts"]["users"]]
    (job,) = [one for one in found["cron"]["jobs"] if one["file"] == "/etc/cron.d/backup"]
    assert (job["when"], job["user"]) == ("15 3 * * *", "postgres")
    (site,) = record("hr-web-01")["found"]["web"]["sites"]
    assert (site["names"], site["roots"]) == (["hr.example.gov.cn"], ["/srv/hr"])
    assert "geheim" not in "".join(
        f.read_text() for f in Path("room.scan").rglob("*") if f.is_file()
    )

    listed = json.loads(govcloud("get", "host", "-A", "-o", "json").out)["items"]
    assert listed == [], "nothing is registered by a scan"
    submitted(govcloud, "room.scan/register")
    hosts = json.loads(govcloud("get", "host", "-A", "-o", "json").out)["items"]
    specs = {item["metadata"]["name"]: item["spec"] for item in hosts}
    assert set(specs) == {"hr-web-01", "hr-db-01"}
    facts = specs["hr-web-01"]["facts"]
    assert facts["connectsTo"] == [db.address]
    assert facts["osSupportUntil"] == "2028-06-30"
    assert facts["middleware"].startswith("nginx 1.")
    assert specs["hr-db-01"]["facts"]["databases"][0].startswith("PostgreSQL ")
    assert "cpuPeak" in facts

    systems = Path("room.scan/systems.yaml").read_text("utf-8")
    proposed = list(yaml.safe_load_all(systems))
    assert [one["metadata"]["displayName"] for one in proposed] == ["hr"], "what talks is a system"
    proposed[0]["spec"] |= {"code": "HR", "security": {"classified": False, "mlpsLevel": 2}}
    Path("systems.yaml").write_text(yaml.safe_dump(proposed[0], allow_unicode=True), "utf-8")
    submitted(govcloud, "systems.yaml")
    govcloud(*SCAN, *given, "--propose", "--enough-days", "1", code=Exit.INCOMPLETE)
    submitted(govcloud, "room.scan/register")

    assess = ("--as", "hrss", "migrate", "assess", "hrss/hr", "-o", "json")
    verdict = json.loads(govcloud(*assess, code=None).out)
    answers = {one["question"]: one["answer"] for one in verdict["answers"]}
    assert answers["database"] == "open"
    assert {one["sizing"] for one in verdict["targets"]} == {"measured"}

    prepared = govcloud("--as", "hrss", "migrate", "prepare", "hrss/hr", "--scan", "room.scan")
    move = yaml.safe_load(prepared.out)["spec"]["move"]
    proposed = {one["name"]: one.get("settings") for one in move["workloads"]}
    assert proposed["postgresql-hr-db-01"] == {"databases": ["app"]}
    assert proposed["nginx-hr-web-01"] == {"files": ["/etc/nginx"]}
    assert proposed["cron-hr-db-01"] == {"files": ["backup"]}
    assert "/srv" in proposed["files-hr-web-01"]["paths"]
    assert "# nginx 1." in prepared.out
    assert "hr.example.gov.cn (80) -> /srv/hr" in prepared.out
    assert "geheim" not in prepared.out


@pytest.mark.guarantee("M1")
def test_nothing_is_changed_on_hosts(room, govcloud, inventory, tiers):
    dump = "runuser -u postgres -- pg_dumpall | grep -v restrict | sha256sum"
    before = tiers[1].run(f"cd /; {dump}")
    since = time.time()
    govcloud(*SCAN, "-i", str(inventory), "--limit", "hr", *BRIEF)
    for host in tiers:
        assert host.run(CHANGED.format(since=since)).split() == []
    assert tiers[1].run(f"cd /; {dump}") == before


def test_a_scan_is_repeated_and_only_adds(room, govcloud, inventory, tiers):
    web, db = tiers
    given = ("-i", str(inventory), "--limit", "hr", *BRIEF)
    web.unplug(forgotten=True)
    ended = govcloud(*SCAN, *given, code=Exit.INCOMPLETE)
    assert "hr-web-01: not reached: " in ended.err
    assert record("hr-web-01")["scanned"] is None
    first = record("hr-db-01")
    web.plug()
    govcloud(*SCAN, *given, "--missing")
    assert record("hr-db-01") == first, "what was read wholly is not asked again"
    assert record("hr-web-01")["missing"] == {}
    govcloud(*SCAN, *given)
    again = record("hr-db-01")
    assert len(again["sizes"]) == 2
    assert again["use"][0]["seconds"] > first["use"][0]["seconds"]
    db.unplug(forgotten=True)
    govcloud(*SCAN, *given, "--limit", "hr-db-01", code=Exit.UNAVAILABLE)
    db.plug()
    assert record("hr-db-01")["found"] == again["found"]
    assert "login" in record("hr-db-01")["missing"]


def test_addresses_are_enough(room, govcloud, tiers, tmp_path):
    (tmp_path / "hosts.csv").write_text("\ufeffIP地址\n" + "\n".join(h.address for h in tiers))
    login = ("--key-file", str(tiers[0].room.key), "--known-hosts", str(tiers[0].room.known_hosts))
    shown = govcloud("--lang", "zh", *SCAN, "-i", "hosts.csv", *login, "--check")
    assert "已读取" in shown.out
    assert not Path("room.scan").exists()
    govcloud(*SCAN, "-i", "hosts.csv", *login, *BRIEF, "--to", "found")
    documents = list(yaml.safe_load_all(Path("found/register/hosts-1.yaml").read_text("utf-8")))
    assert [one["metadata"]["name"] for one in documents] == ["hr-web-01", "hr-db-01"]
    assert Path("found/hosts").stat().st_mode & 0o777 == 0o700
    ended = govcloud(*SCAN, "-i", "hosts.csv", *login[:2], "--check", code=Exit.UNAVAILABLE)
    assert "Host key verification failed" in ended.err


@pytest.fixture
def behind(tiers):
    """The database's host is reached through the web server's only; `ops` may use sudo there."""
    web, db = tiers
    web.account("ops")
    db.account("ops", "ALL=(ALL) NOPASSWD: ALL")
    with web.room.apart(db):
        yield web, db


def test_a_host_behind_a_bastion_is_read_by_an_account_with_sudo(room, govcloud, behind):
    web, db = behind
    Path("hosts.csv").write_text(db.address, "utf-8")
    keys = ("--key-file", str(web.room.key), "--known-hosts", str(web.room.known_hosts))
    login = (*keys, "--user", "ops", "--become", "--bastion", f"ops@{web.address}")
    govcloud(*SCAN, "-i", "hosts.csv", *login, "--sample", "0s")
    read = record(db.address)
    assert (read["missing"], read["root"], read["login"]["from"]) == ({}, True, web.address)
    assert read["found"]["databases"]["servers"][0]["databases"]["app"] > 0


def test_a_bastion_of_an_inventory_is_used_and_who_refuses_is_told(
    room, govcloud, behind, monkeypatch
):
    """The way is Ansible's and OpenSSH's own; what is typed counts more than what is written."""
    web, db = behind
    db.account("ops", "ALL=(ALL) ALL")
    Path("ssh.conf").write_text(
        f"Host *\n IdentityFile {web.room.key}\n UserKnownHostsFile {web.room.known_hosts}\n"
        f"Match host {db.address}\n ProxyJump ops@{web.address}\n"
    )
    Path("room.ini").write_text(
        f"db ansible_host={db.address} ansible_user=ops"
        f" ansible_ssh_common_args='-F {Path('ssh.conf').absolute()}'\n"
    )
    check = (*SCAN, "-i", "room.ini", "--become", "--check")
    ended = govcloud(*check, code=Exit.UNAVAILABLE)
    assert "db: cannot become root: sudo wants a password" in ended.err
    monkeypatch.setenv("OPS_SUDO", "ops")
    assert govcloud(*check, "--become-password", "env:OPS_SUDO").err == "", "as root"
    monkeypatch.setenv("OPS_SUDO", "wrong")
    ended = govcloud(*check, "--become-password", "env:OPS_SUDO", code=Exit.UNAVAILABLE)
    assert "db: cannot become root: sudo does not take the password" in ended.err
    monkeypatch.setenv("OPS_SUDO", "ops")
    for rule in ("ALL=(ALL) /bin/true", ""):
        db.account("ops", rule)
        ended = govcloud(*check, "--become-password", "env:OPS_SUDO", code=Exit.UNAVAILABLE)
        assert "db: cannot become root: sudo does not " in ended.err
    wrong = ("--bastion", f"no@{web.address}", "--known-hosts", str(web.room.known_hosts))
    ended = govcloud(*check, *wrong, code=Exit.UNAVAILABLE)
    assert f"db: not reached: the bastion refuses: no@{web.address}: Permission" in ended.err
    govcloud(*check, "--user", "-oProxyCommand=id", code=Exit.USAGE)
    ended = govcloud(*check, "--bastion", "ops@gate; id", code=Exit.USAGE)
    assert "user@host:port" in ended.err
