"""What hosts answer to a scan, and what is made of it: answers of Debian, MariaDB, old systems."""

from datetime import UTC, date, datetime, timedelta

import pytest

from migration.estate import estate
from migration.inventory.cells import Sheet
from migration.inventory.documents import Register, host_documents
from migration.inventory.scan import facts, groups, support, targets
from migration.inventory.scan.answer import Answer, masked
from migration.inventory.scan.hearing import Heard, Hearing
from migration.inventory.scan.record import Record, added, fresh
from migration.inventory.scan.room import added_heard
from migration.inventory.scan.sockets import address
from migration.inventory.scan.subjects import PARSERS, understood
from migration.inventory.scan.targets import Target

MACHINE = """@@@ uname
Linux 6.1.0-44-amd64 x86_64
@@@ hostname
hr-db-01
@@@ os-release
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
VERSION_ID="12"
VERSION="12 (bookworm)"
ID=debian
@@@ release
12.11
@@@ cpus
2
@@@ model
model name	: AMD EPYC
@@@ memory
MemTotal:       24683656 kB
@@@ vendor
Dell Inc.
@@@ product
PowerEdge R740
@@@ virtual
none
@@@ disks
sda 536870912
sdb 1048576
@@@ addresses
1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
1: lo    inet6 ::1/128 scope host \\       valid_lft forever preferred_lft forever
2: eth0    inet 10.213.0.1/24 scope global eth0\\       valid_lft forever preferred_lft forever
2: eth0    inet6 fe80::4c71:16ff:fe60:9950/64 scope link \\       valid_lft forever
@@@ uptime
1446.40 922.53
"""
SOCKETS = """@@@ connections
1 in 0100D50A 0016 FE00D50A
2 out 0100D50A 1538 0200D50A
3 out 0100007F 1538 0100007F
4 in 0000000000000000FFFF00000100D50A 0050 0000000000000000FFFF00000300D50A
@@@ listeners
tcp 0100007F:1538
tcp 00000000:0016
tcp 00000000000000000000000000000000:0016
udp 00000000:007B
@@@ programs
Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess
udp   UNCONN 0      0            0.0.0.0:123       0.0.0.0:*    users:(("chronyd",pid=170,fd=5))
tcp   LISTEN 0      244        127.0.0.1:5432      0.0.0.0:*    users:(("postgres",pid=176,fd=5))
tcp   LISTEN 0      128          0.0.0.0:22        0.0.0.0:*    users:(("sshd",pid=61,fd=3))
tcp   LISTEN 0      128             [::]:22           [::]:*    users:(("sshd",pid=61,fd=4))
"""
NETSTAT = """@@@ connections
@@@ listeners
tcp 00000000:0016
@@@ programs
Active Internet connections (only servers)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
tcp        0      0 0.0.0.0:22              0.0.0.0:*               LISTEN      1043/sshd
"""
DATABASES = """@@@ postgresql 5432
version 15.18 (Debian 15.18-0+deb12u1)
database 7634279 postgres
database 7471619 app
written 26344664
@@@ postgresql 5433
psql: error: connection to server on socket "/run/x" failed: FATAL:  role "ops" does not exist
@@@ mysql
version 10.11.19-MariaDB-0+deb12u1
database 0 empty
database 6832128 hr
Innodb_os_log_written\t5544501
Uptime\t1
@@@ others
ora_pmon_HR
redis-server
"""
STORAGE = """@@@ mounts
/dev/sda1 / ext4 rw,relatime 0 0
proc /proc proc rw,relatime 0 0
/dev/sdb1 /var/lib/docker xfs rw 0 0
/dev/sdc1 /mnt/backup xfs rw 0 0
filer:/vol/share /share nfs4 rw 0 0
@@@ filesystems
Filesystem     Type  1024-blocks     Used Available Capacity Mounted on
/dev/sda1      ext4     51343840  9000000  42343840      18% /
/dev/sdb1      xfs      51343840  5000000  46343840      10% /var/lib/docker
/dev/sdc1      xfs      51343840  2000000  49343840       4% /mnt/backup
tmpfs          tmpfs    12341828       32  12341796       1% /run
@@@ place /home
used 1000
changed 0
denied
@@@ place /srv
used 3000000
changed 3000000
@@@ place /var/lib/postgresql
used 4000
changed 7000000
"""
USE = """@@@ sample 1795674160
cpu  1000 0 0 9000 0 0 0 0 0 0
MemTotal:       1000 kB
MemFree:         100 kB
MemAvailable:    600 kB
@@@ connections
1 out 0100D50A 1538 0200D50A
@@@ sample 1795674190
cpu  1200 0 0 9800 0 0 0 0 0 0
MemTotal:       1000 kB
MemAvailable:    300 kB
@@@ connections
@@@ sample 1795674220
cpu  1500 0 0 10500 0 0 0 0 0 0
MemTotal:       1000 kB
MemAvailable:    600 kB
@@@ sample 1795674250
cpu  2500 0 0 10500 0 0 0 0 0 0
MemTotal:       1000 kB
MemFree:         100 kB
Buffers:         100 kB
Cached:          200 kB
"""
CRON = """@@@ system /etc/crontab
# m h dom mon dow user command
SHELL=/bin/sh
17 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly
@reboot app /srv/app/start
@@@ user /var/spool/cron/crontabs/wang
*/5 * * * * mysqldump -u root -pgeheim hr > /srv/hr.sql
@@@ script daily /etc/cron.daily/logrotate
@@@ timers
- - - - apt-daily.timer apt-daily.service
"""
NGINX = """@@@ version
nginx version: nginx/1.22.1
@@@ serving
yes
@@@ file /etc/nginx/nginx.conf
http { # server { listen 1; }
  include /etc/nginx/conf.d/*.conf;
  server { listen 80 default_server; return 404; }
}
@@@ file /etc/nginx/conf.d/hr.conf
upstream app { server 10.0.0.1:80; server 10.0.0.2:80; }
server {
    listen 443 ssl; listen [::]:443 ssl;
    server_name hr.gov.cn "www.hr.gov.cn";
    location / { root /srv/hr; }
    location ~ \\.php$ { fastcgi_pass unix:/run/php.sock; if ($a = "}") { return 403; } }
    location /api { proxy_pass http://app/$uri; }
}
@@@ apache
Server version: Apache/2.4.62 (Debian)
"""


def found(subject: str, text: str) -> dict:
    """What a parser makes of an answer that it understands."""
    told = understood(subject, text)
    assert told is not None
    return told


def test_a_machine():
    told = found("machine", MACHINE)
    assert (told["os"], told["arch"], told["vcpu"]) == (
        "Debian GNU/Linux 12 (bookworm)",
        "x86_64",
        2,
    )
    assert told["memory"] == 24_105
    assert told["hardware"] == "Dell Inc. PowerEdge R740"
    assert told["disks"] == {"sda": 274_877_906_944, "sdb": 536_870_912}
    assert told["addresses"] == ["10.213.0.1"]
    assert "virtual" not in told


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ('ID="centos"\nVERSION_ID="7"\nPRETTY_NAME="CentOS Linux 7 (Core)"', "2024-06-30"),
        ('ID="centos"\nVERSION_ID="8"\nPRETTY_NAME="CentOS Stream 8"', "2024-05-31"),
        ('ID="openEuler"\nVERSION_ID="22.03"\nVERSION="22.03 (LTS-SP3)"', "2025-12-31"),
        ('ID="sles"\nVERSION_ID="12.5"\nVERSION="12-SP5"', "2024-10-31"),
        ('ID="rhel"\nVERSION_ID="8.10"', "2029-05-31"),
        ("ID=ubuntu\nVERSION_ID=20.04", "2025-05-31"),
        ('ID="kylin"\nVERSION_ID="V10"\nPRETTY_NAME="Kylin Linux Advanced Server V10"', None),
        ("@@@ release\nCentOS release 6.10 (Final)", "2020-11-30"),
    ],
)
def test_until_when_a_system_is_supported(release, expected):
    start, rest = MACHINE.split("PRETTY_NAME", maxsplit=1)
    told = found("machine", start + release + "\n@@@ cpus" + rest.split("@@@ cpus")[1])
    ends = support.until(told.get("os_id", ""), told.get("os_version", ""), told.get("os", ""))
    assert ends == (date.fromisoformat(expected) if expected else None)


def test_sockets_and_who_is_behind_them():
    told = found("sockets", SOCKETS)
    programs = {(one["protocol"], one["port"]): one.get("program") for one in told["listeners"]}
    assert programs == {("tcp", 5432): "postgres", ("tcp", 22): "sshd", ("udp", 123): "chronyd"}
    ends = [(one["direction"], one["there"], one["port"]) for one in told["connections"]]
    assert ends == [
        ("in", "10.213.0.254", 22), ("in", "10.213.0.3", 80), ("out", "10.213.0.2", 5432)
    ]  # fmt: skip
    assert found("sockets", NETSTAT)["listeners"][0]["program"] == "sshd"
    assert address("0000000000000000FFFF00000100007F") == "127.0.0.1"
    assert address("000080FE00000000FF16714C509960FE") == "fe80::4c71:16ff:fe60:9950"


def test_databases_are_measured_or_say_why_not():
    told = found("databases", DATABASES)
    postgres, refused, maria = told["servers"]
    assert (postgres["version"], postgres["written"]) == ("15.18", 26_344_664)
    assert postgres["databases"] == {"postgres": 7_634_279, "app": 7_471_619}
    assert 'role "ops" does not exist' in refused["fault"]
    assert (maria["kind"], maria["databases"]["hr"]) == ("MariaDB", 6_832_128)
    assert maria["written"] == 5_544_501
    assert told["others"] == ["Oracle", "Redis"]


def test_data_is_what_is_not_the_system():
    told = found("storage", STORAGE)
    assert [one["at"] for one in told["mounts"]] == [
        "/",
        "/var/lib/docker",
        "/mnt/backup",
        "/share",
    ]
    assert told["data"] == (1_000 + 3_000_000 + 4_000 + 2_000_000) * 1024
    assert told["changed"] == 3_000_000, "databases tell their own changes"


def test_use_counts_by_the_minute():
    (day,) = found("use", USE)["days"]
    assert day == {
        "day": "2026-11-26", "cpu_peak": 65, "cpu_mean": 50, "memory_peak": 70, "seconds": 90
    }  # fmt: skip
    assert found("use", USE.split("@@@ sample 1795674190", maxsplit=1)[0])["days"] == []


def test_cron_tells_no_secrets():
    told = found("cron", CRON)
    jobs = [(one["when"], one["user"], one["command"]) for one in told["jobs"]]
    assert jobs == [
        ("17 * * * *", "root", "cd / && run-parts --report /etc/cron.hourly"),
        ("@reboot", "app", "/srv/app/start"),
        ("*/5 * * * *", "wang", "mysqldump -u root -p******** hr > /srv/hr.sql"),
        ("@daily", "root", "/etc/cron.daily/logrotate"),
    ]
    assert told["timers"] == ["apt-daily.timer"]


@pytest.mark.parametrize(
    "command",
    [
        "PGPASSWORD=geheim pg_dump app",
        "pg_dump --password='geheim x' app",
        'backup --db-password "geheim y"',
        "curl -u app:geheim https://host/",
        "wget https://app:geheim@host/file",
        "sshpass -p geheim rsync a b",
        "curl -H 'Authorization: Bearer geheim' x",
        "mysql -uroot -pgeheim -e 'x'",
        "run --api-token=geheim; true",
        "SECRET_KEY=geheim run",
    ],
)
def test_secrets_in_commands_are_masked(command):
    assert "geheim" not in masked(command)
    assert masked("cp -p /srv/pass /srv/key > /dev/null") != ""
    assert masked("rsync -ap /srv/a host:/srv/b") == "rsync -ap /srv/a host:/srv/b"


def test_sites():
    told = found("web", NGINX)
    assert [(one["name"], one["version"]) for one in told["servers"]] == [
        ("nginx", "1.22.1"), ("apache", "2.4.62")
    ]  # fmt: skip
    default, site = told["sites"]
    assert (default["listens"], default["names"]) == (["80"], [])
    assert site["names"] == ["hr.gov.cn", "www.hr.gov.cn"]
    assert site["listens"] == ["443", "[::]:443"]
    assert (site["roots"], site["file"]) == (["/srv/hr"], "/etc/nginx/conf.d/hr.conf")
    assert site["proxies"] == ["unix:/run/php.sock", "http://app/$uri"]


APACHE = """@@@ apache
Server version: Apache/2.4.62 (Debian)
@@@ virtual /etc/apache2/ports.conf
Listen 80
@@@ virtual /etc/apache2/sites-enabled/portal.conf
# <VirtualHost *:1>
<VirtualHost *:443 [::]:443>
  ServerName portal.gov.cn
  serverAlias www.portal.gov.cn  p.gov.cn
  DocumentRoot "/srv/portal"
  Alias /docs /srv/docs
  ProxyPass /api http://user:geheim@10.0.0.2:8080/
</VirtualHost>
"""


def test_sites_of_apache():
    (site,) = found("web", APACHE)["sites"]
    assert site["names"] == ["portal.gov.cn", "www.portal.gov.cn", "p.gov.cn"]
    assert (site["server"], site["listens"]) == ("apache", ["*:443", "[::]:443"])
    assert site["roots"] == ["/srv/portal", "/srv/docs"]
    assert site["proxies"] == ["http://user:********@10.0.0.2:8080/"]
    assert site["file"] == "/etc/apache2/sites-enabled/portal.conf"


def test_services_of_systemd_and_of_older_systems():
    text = "@@@ running\n● ssh.service loaded active running Secure Shell\n@@@ processes\n"
    told = found("services", text + "      2 root     sshd\n      1 root     ps\n")
    assert (told["running"], told["processes"]) == (
        ["ssh"], [{"user": "root", "command": "sshd", "count": 2}]
    )  # fmt: skip
    old = "@@@ scripts\n [ + ]  nginx\n [ - ]  x11\nsshd (pid  1043) is running...\n@@@ levels\n"
    levels = "sshd  \t0:off\t1:off\t2:on\t3:on\t4:on\t5:on\t6:off\n@@@ processes\n 1 root sshd\n"
    told = found("services", old + levels)
    assert (told["running"], told["enabled"]) == (["nginx", "sshd"], ["sshd"])


def test_packages_and_accounts():
    told = found("packages", "@@@ packages dpkg\ninstalled\tacl\t2.3.1-3\nconfig-files\tx\t1\n")
    assert told == {"manager": "dpkg", "packages": {"acl": "2.3.1-3"}}
    passwd = "root:0:0:root:/root:/bin/bash\nbin:2:2:bin:/bin:/usr/sbin/nologin\n"
    text = (
        f"@@@ passwd\n{passwd}wang:1000:1000:Wang,,,:/home/wang:/bin/bash\n@@@ groups\nsudo:27:wang"
    )
    told = found("accounts", text)
    assert [one["name"] for one in told["users"]] == ["root", "wang"]
    assert told["administrators"] == ["wang"]


@pytest.mark.parametrize("subject", sorted(PARSERS))
@pytest.mark.parametrize(
    "text", ["", "Welcome!\n", "@@@", "@@@ sample x\n@@@ passwd\nx\n@@@ mounts\nx"]
)
def test_what_is_not_understood_is_told_so(subject, text):
    told = understood(subject, text)
    assert told is None or subject in {"packages", "web", "cron", "databases"}
    assert Answer(text).word("cpus") == ""


# --- Records --------------------------------------------------------------------------------------

MORNING = datetime(2026, 11, 26, 8, tzinfo=UTC)


def host(name: str, own: str, *connections: tuple[str, str, int]) -> Record:
    """A record of a host that was read once; connections by direction, other end and port."""
    seen = [
        {"direction": way, "here": own, "there": there, "port": port, "times": 1}
        for way, there, port in connections
    ]
    machine = found("machine", MACHINE) | {
        "hostname": name,
        "addresses": [own, f"192.168.0.{own[-1]}"],
    }
    told = {"machine": machine, "sockets": {"listeners": [], "connections": seen}}
    record = fresh(name, own) | {"told": {"host": {"name": name, "room": "room"}}, "root": True}
    return added(record, told, {}, MORNING)


def test_a_scan_adds_and_takes_nothing_away():
    storage = found("storage", STORAGE)
    databases = found("databases", DATABASES)
    first = added(
        host("db", "10.0.0.1"),
        {"storage": storage, "databases": databases, "use": found("use", USE)},
        {},
        MORNING,
    )
    assert facts.daily_change(first) is None, "a database's changes take two scans"
    grown = storage | {"data": storage["data"] + 1_000_000}
    maria = databases["servers"][2] | {"written": 7_000_000}
    more = databases | {"servers": [maria]}
    later = MORNING + timedelta(hours=12)
    second = added(first, {"storage": grown, "databases": more}, {"machine": "timed out"}, later)
    assert second["found"]["machine"] == first["found"]["machine"]
    assert second["missing"] == {"machine": "timed out"}
    assert [one["there"] for one in second["connections"]] == ["10.213.0.2"]
    assert facts.growth(second) == 2_000_000
    assert facts.daily_change(second) == 3_000_000 + 2 * (7_000_000 - 5_544_501)
    third = added(second, {"use": found("use", USE)}, {}, later)
    assert third["use"][0]["seconds"] == 180
    assert third["connections"][0]["times"] == 2


def test_use_counts_once_it_was_sampled_on_enough_days():
    record = added(host("db", "10.0.0.1"), {"use": found("use", USE)}, {}, MORNING)
    assert "cpuPeak" not in facts.facts(record, [], 2)
    assert facts.facts(record, [], 1)["cpuPeak"] == 65


def test_who_talks_to_whom_is_known_from_either_end():
    web = host("hr-web", "10.0.0.1", ("out", "192.168.0.2", 5432), ("out", "10.9.9.9", 53))
    db = host("hr-db", "10.0.0.2", ("in", "10.0.0.3", 5432), ("in", "10.0.0.4", 22))
    app = host("portal", "10.0.0.3", ("in", "10.7.7.7", 80))
    gate = host("gate", "10.0.0.4", ("out", "10.0.0.1", 22))
    for one in (web, db):
        one["login"] = {"from": "10.0.0.4", "port": 22}
    records = [web, db, app, gate]
    assert list(facts.connections(records)) == [
        ("10.0.0.1", "10.0.0.2", 5432), ("10.0.0.1", "10.9.9.9", 53), ("10.0.0.3", "10.0.0.2", 5432)
    ]  # fmt: skip
    named = groups.named(records, [], {})
    systems = [one["told"]["system"]["name"] for one in named]
    assert systems == ["hr-db", "hr-db", "hr-db", "gate"]
    placed = groups.named(records, [], {"10.0.0.2": "hr"})
    assert "system" not in placed[1]["told"]
    assert [one["told"]["system"]["name"] for one in (placed[0], placed[2])] == ["hr-web", "portal"]


def test_groups_of_the_inventory_are_systems_where_somebody_says_so():
    records = [host("a", "10.0.0.1") | {"groups": ["prod", "hr"]}, host("b", "10.0.0.2")]
    named = groups.named(records, ["hr"], {})
    assert [one["told"]["system"]["name"] for one in named] == ["hr", "b"]


def test_what_is_found_is_planned_by():
    """Connections that were seen become the dependencies between systems."""
    web = host("web", "10.0.0.1", ("out", "10.0.0.2", 5432))
    db = host("db", "10.0.0.2")
    documents = host_documents(facts.hosts([web, db], 7), Register("hrss"))
    for document, system in zip(documents, ("portal", "archive"), strict=True):
        document["spec"]["system"] = system
    systems = [
        {
            "metadata": {"name": name, "department": "hrss"},
            "spec": {
                "origin": "legacy",
                "code": name,
                "security": {"classified": False, "mlpsLevel": 2},
            },
        }
        for name in ("portal", "archive")
    ]
    found = estate(systems, documents, [], [], date(2026, 11, 26))
    assert dict(found.edges) == {("hrss/archive", "hrss/portal"): 1}


# --- Whom to ask ----------------------------------------------------------------------------------


def test_an_inventory_of_ansible():
    listing = {
        "_meta": {
            "hostvars": {
                "web": {"ansible_host": "10.0.0.1", "govcloud_system": "人事"},
                "db": {"ansible_host": "{{ lookup('env', 'DB') }}"},
            }
        },
        "all": {"children": ["ungrouped", "hr"]},
        "hr": {"children": ["front"], "hosts": ["db"]},
        "front": {"hosts": ["web"]},
    }
    db, web = targets.of_listing(listing)
    assert (web.address, web.groups) == ("10.0.0.1", ["hr", "front"])
    assert web.told["system"] == {"name": "人事"}
    assert (db.address, db.groups) == ("db", ["hr"])


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([["10.0.0.1"], [None], ["fd00::1"]], ["10.0.0.1", "fd00::1"]),
        ([["IP地址"], ["10.0.0.1"]], ["10.0.0.1"]),
        ([["主机名", "IP地址"], ["a", "10.0.0.1"]], None),
        ([["10.0.0.1"], ["not an address"]], None),
        ([], None),
    ],
)
def test_a_list_of_addresses(rows, expected):
    assert targets.addresses(Sheet("hosts.csv", rows)) == expected


def test_hosts_of_one_name_are_called_by_their_addresses():
    items = [
        {"metadata": {"name": name}, "spec": {"room": room, "address": address, "state": state}}
        for name, room, address, state in (
            ("a", "room", "10.0.0.1", "running"),
            ("a", "room", "10.0.0.2", "running"),
            ("b", "other", "10.0.0.3", "running"),
            ("c", "room", "10.0.0.4", "off"),
        )
    ]
    found = targets.of_register(items, "room")
    assert [(one.key, one.name) for one in found] == [("10.0.0.1", "a"), ("10.0.0.2", "a")]


def test_a_host_that_is_lost_keeps_what_it_said():
    told: list = []
    hearing = Hearing(lambda text: text.replace("geheim", "***"), told.append)
    ok = {"host": "a", "task": "Read a subject", "res": {"item": "machine", "stdout": MACHINE}}
    lost = {
        "host": "a",
        "task": "Read a subject",
        "res": {"unreachable": True, "msg": "closed geheim"},
    }
    for name, data in (("runner_item_on_ok", ok), ("runner_on_unreachable", lost)):
        hearing.hear(_event(name, data))
    heard: Heard = hearing.hosts["a"]
    assert (heard.unreachable, heard.done) == ("closed ***", True)
    record = added_heard(None, Target("a", "a", "10.0.0.1"), heard, MORNING)
    assert record["found"]["machine"]["vcpu"] == 2
    assert record["missing"] == {"login": "closed ***"}


def _event(name: str, data: dict) -> bytes:
    import json

    return json.dumps({"event": name, "event_data": data}).encode()
