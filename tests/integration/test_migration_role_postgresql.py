"""The role `postgresql` on real hosts with real servers."""

import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from govcloud.testing.legacy import Host, Room
from govcloud.testing.legacy_fixtures import Mover
from govcloud.testing.legacy_postgresql import OLD_PORT, bring_old, serve, serve_old, sql
from govcloud.testing.meanwhile import wait_until
from migration.running.port import Mode, Stage, Verdict

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CONTENTS = """
CREATE ROLE {name}_app LOGIN PASSWORD 'of the app'; CREATE DATABASE {name} OWNER {name}_app;
ALTER DATABASE {name} SET work_mem = '8MB';
\\c {name}
CREATE SCHEMA hr AUTHORIZATION {name}_app; SET search_path = hr; SET ROLE {name}_app;
CREATE TABLE unit (id int PRIMARY KEY, name text UNIQUE, boss int REFERENCES unit);
CREATE TABLE person (id serial PRIMARY KEY, unit int NOT NULL REFERENCES unit, name text,
  born date, pay numeric(12,2), twice numeric GENERATED ALWAYS AS (pay * 2) STORED, picture bytea);
CREATE TABLE "Odd Name" (a text, b jsonb, c timestamptz, "金额, 元" numeric DEFAULT random());
CREATE INDEX ON person (name);
CREATE MATERIALIZED VIEW size AS SELECT unit, count(*) FROM person GROUP BY unit;
INSERT INTO unit SELECT i, '单位' || i, nullif(i / 2, 0) FROM generate_series(1, 50) i;
INSERT INTO person (unit, name, born, pay, picture) SELECT 1 + i % 50, 'person ' || i,
  date '1960-01-01' + i, i * 1.5, decode(md5(i::text), 'hex') FROM generate_series(1, 20000) i;
INSERT INTO "Odd Name" VALUES (E'tab\\there', '{{"a": [1, 2]}}', now()), (NULL, NULL, NULL),
  (E'line\\nbreak \\\\. "', '"x"', 'infinity');
REFRESH MATERIALIZED VIEW size;
SELECT lo_from_bytea(0, decode(repeat('ab', 5000), 'hex'));
"""
STATE = """
SELECT * FROM pg_db_role_setting; SELECT * FROM pg_replication_slots; SELECT * FROM pg_publication;
SELECT last_value, is_called FROM hr.person_id_seq;
SELECT count(*), sum(hashtext(p::text)), max(xmin::text) FROM hr.person p;
SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables;
SELECT count(*) FROM pg_database; SELECT count(*) FROM pg_roles;
"""
NEXT = "SELECT last_value + is_called::int FROM hr.person_id_seq"
LATE = "INSERT INTO hr.person (unit, name) VALUES (3, 'late') RETURNING id"


@pytest.fixture
def base(legacy_pair: tuple[Host, Host], request: pytest.FixtureRequest) -> Mover:
    """A database of its own for each test, at the source."""
    name = request.node.name.partition("[")[0].removeprefix("test_")[:30]
    for host in legacy_pair:
        serve(host)
        drop(host, name)
    source, target = legacy_pair
    sql(source, "postgres", CONTENTS.format(name=name))
    return Mover("postgresql", source, target, {"databases": [name]})


def ours(name: str) -> str:
    return f"SELECT datname FROM pg_database WHERE datname LIKE '{name}%'"


CONNECTED = """
systemctl -q is-active staying-{name} || systemd-run -q --unit=staying-{name} --uid=postgres \
  sh -c '(echo "SELECT 1;"; sleep 1000) | psql -d {name}'
cd /; until runuser -u postgres -- psql -XAtq -c "SELECT pid FROM pg_stat_activity
  WHERE datname = '{name}' AND application_name = 'psql'" | grep .; do sleep 0.1; done
"""
"""Somebody stays connected; who it is."""


def drop(host: Host, name: str) -> None:
    sql(host, "postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE);")
    sql(host, "postgres", f"DROP ROLE IF EXISTS {name}_app")


def name_of(base: Mover) -> str:
    return str(base.settings["databases"][0])


@pytest.mark.guarantee("M1")
@pytest.mark.guarantee("M3")
@pytest.mark.guarantee("M4")
def test_all_stages(base: Mover) -> None:
    """Before the freeze the source is untouched; after undoing it is what it was, and serves."""
    name = name_of(base)
    assert base.well(Stage.PLAN)["bytes"] > 1_000_000
    base.well(Stage.SYNC, Mode.TEST)
    sql(base.source, name, "INSERT INTO hr.person (unit, name) VALUES (1, 'meanwhile')")
    assert base.well(Stage.VERIFY, Mode.TEST)["differences"] == 0
    before = sql(base.source, name, STATE)
    connected = base.source.run(CONNECTED.format(name=name))
    base.well(Stage.UNDO, Mode.TEST)
    assert sql(base.target, "postgres", ours(name)) == ""
    assert base.well(Stage.SYNC, Mode.INITIAL)["bytes"] > 1_000_000
    base.well(Stage.UNDO, Mode.ABORTED)
    assert base.source.run(CONNECTED.format(name=name)) == connected, "nobody is disconnected"
    assert base.well(Stage.SYNC, Mode.INITIAL)["bytes"] > 1_000_000
    assert sql(base.source, name, STATE) == before

    change = "UPDATE hr.person SET pay = 7 WHERE id = 5;"
    sql(base.source, name, change + "INSERT INTO hr.person (unit, name) VALUES (2, 'new')")
    delta = base.well(Stage.SYNC, Mode.DELTA)
    assert 0 < delta["bytes"] < 20_000, "only groups of rows that differ are moved"

    base.well(Stage.FREEZE)
    base.source.reboot()
    serve(base.source)
    with pytest.raises(RuntimeError, match="read-only"):
        sql(base.source, name, "DELETE FROM hr.person")
    base.well(Stage.SYNC, Mode.FINAL)
    assert base.well(Stage.VERIFY)["compared"] > 20_000
    base.well(Stage.START)
    # A server that lost its power goes on with a later number: what counts is the source's next.
    number = sql(base.source, name, NEXT)
    assert sql(base.target, name, LATE) == number
    assert sql(base.target, name, "SELECT count(*) FROM hr.size; SHOW work_mem") == "50\n8MB"

    undone = base.well(Stage.UNDO)
    assert undone["written_since"] == 2, "the table, and its sequence"
    assert undone["kept_in"] == name
    sql(base.source, name, "INSERT INTO hr.person (unit, name) VALUES (1, 'again')")
    with pytest.raises(RuntimeError, match="read-only"):
        sql(base.target, name, "DELETE FROM hr.person")
    base.well(Stage.UNDO, Mode.ABORTED)
    left = f"{ours(name)} UNION ALL SELECT rolname FROM pg_roles WHERE rolname LIKE '{name}%'"
    assert sql(base.target, "postgres", left) == ""


@pytest.mark.guarantee("M4")
def test_found(base: Mover) -> None:
    """A missing row, a changed byte, a sequence, a large object; and the next copy mends it."""
    name = name_of(base)
    many = "SELECT count(lo_from_bytea(0, 'x')) FROM generate_series(1, 30000)"
    sql(base.source, name, many)
    first = base.well(Stage.SYNC, Mode.INITIAL)
    assert first["bytes"] > 1_000_000, "large objects are among what is counted"
    spoilt = {
        'DELETE FROM hr."Odd Name" WHERE a IS NULL': "3 rows at the source, 2 at the target",
        "UPDATE hr.person SET picture = set_byte(picture, 3, 1) WHERE id = 78": "other contents",
        "SELECT setval('hr.person_id_seq', 3)": "sequences",
        "SELECT lo_put(oid, 2, 'x') FROM pg_largeobject_metadata": "large objects",
    }
    for spoil in spoilt:
        sql(base.target, name, spoil)
    played = base.play(Stage.VERIFY)
    assert played.verdict == Verdict.FAILED
    assert [said for said in spoilt.values() if said not in played.message] == []
    base.well(Stage.SYNC, Mode.DELTA)
    assert base.well(Stage.VERIFY)["differences"] == 0


ROLES = """
CREATE ROLE roles_shared; CREATE ROLE "roles, odd" CREATEROLE; CREATE ROLE roles_own NOLOGIN;
"""
"""At both ends; each is a role of somebody's own there."""
MIGHTY = """
CREATE ROLE roles_boss SUPERUSER; CREATE ROLE "roles-new" LOGIN PASSWORD 'new' CONNECTION LIMIT 3;
GRANT roles_boss, pg_monitor TO roles_shared; GRANT "roles, odd" TO roles_own;
GRANT roles_shared TO "roles-new" WITH ADMIN OPTION; GRANT pg_monitor TO "roles-new";
SET ROLE roles_boss; GRANT roles_shared TO roles_app;
"""
MEMBERS = """
SELECT m.roleid::regrole, m.member::regrole, m.admin_option, m.grantor::regrole
FROM pg_auth_members m WHERE m.member::regrole::text LIKE '%roles%' ORDER BY 1, 2
"""


@pytest.mark.guarantee("M5")
def test_roles(base: Mover) -> None:
    """New ones belong to what they belonged to; the target's own get nothing of the source's."""
    for host in (base.source, base.target):
        sql(host, "postgres", ROLES)
    sql(base.target, "postgres", 'GRANT roles_shared TO "roles, odd"')
    before = sql(base.target, "postgres", MEMBERS)
    sql(base.source, "postgres", MIGHTY)
    base.well(Stage.SYNC, Mode.INITIAL)
    assert set(sql(base.target, "postgres", MEMBERS).splitlines()) == {
        'roles_shared|"roles, odd"|f|postgres',
        'roles_shared|"roles-new"|t|postgres',
        "roles_shared|roles_app|f|postgres",
        'pg_monitor|"roles-new"|f|postgres',
    }
    password = "SELECT rolpassword FROM pg_authid WHERE rolname = 'roles-new'"
    assert sql(base.target, "postgres", password) == sql(base.source, "postgres", password)
    base.well(Stage.UNDO, Mode.ABORTED)
    assert sql(base.target, "postgres", MEMBERS) == before
    # What another version knew: a role that cannot be made as it is is said, and none is made.
    sql(base.source, "postgres", UNKNOWN)
    played = base.play(Stage.SYNC, Mode.INITIAL)
    assert (played.verdict, "unknown_of_old" in played.message) == (Verdict.FAILED, True)
    assert sql(base.target, "postgres", MADE) == ""
    sql(base.target, "postgres", "CREATE ROLE roles_boss")
    base.well(Stage.SYNC, Mode.INITIAL)
    base.well(Stage.UNDO, Mode.ABORTED)
    assert sql(base.target, "postgres", MADE) == "roles_boss", "it was made by somebody else"
    for host in (base.source, base.target):
        drop(host, "roles")
        sql(host, "postgres", GONE)


UNKNOWN = """
ALTER ROLE roles_boss SET work_mem = '8MB'; SET allow_system_table_mods = on;
UPDATE pg_db_role_setting SET setconfig = '{unknown_of_old=1}'
WHERE setrole = 'roles_boss'::regrole
"""
MADE = "SELECT rolname FROM pg_roles WHERE rolname IN ('roles_boss', 'roles-new', 'roles_app')"
GONE = """
DROP ROLE IF EXISTS roles_shared, "roles, odd", roles_own, "roles-new", roles_app, roles_boss
"""


BEFORE = """
CREATE ROLE renewed_own; CREATE ROLE renewed_gone; GRANT pg_monitor TO renewed_app;
ALTER ROLE renewed_app VALID UNTIL '2099-01-01' CONNECTION LIMIT 7;
ALTER ROLE renewed_app SET work_mem = '9MB';
COMMENT ON DATABASE renewed IS 'before'; GRANT CREATE ON DATABASE renewed TO renewed_own;
ALTER ROLE renewed_app IN DATABASE renewed SET statement_timeout = '5min';
"""
SINCE = """
ALTER ROLE renewed_app PASSWORD 'rotated' VALID UNTIL 'infinity' CONNECTION LIMIT -1 NOINHERIT;
ALTER ROLE renewed_app RESET ALL; ALTER ROLE renewed_app SET lock_timeout = '1s';
ALTER ROLE renewed_own CREATEDB; CREATE ROLE "renewed new" LOGIN PASSWORD 'n';
DROP ROLE renewed_gone;
REVOKE pg_monitor FROM renewed_app; GRANT "renewed new" TO renewed_app WITH ADMIN OPTION;
REVOKE CONNECT ON DATABASE renewed FROM PUBLIC; GRANT CONNECT ON DATABASE renewed TO renewed_app;
REVOKE CREATE ON DATABASE renewed FROM renewed_own; COMMENT ON DATABASE renewed IS NULL;
ALTER DATABASE renewed RESET work_mem; ALTER DATABASE renewed SET search_path = hr, "$user";
ALTER ROLE renewed_app IN DATABASE renewed RESET ALL; ALTER DATABASE renewed OWNER TO "renewed new";
"""
BACK = """
ALTER ROLE renewed_app PASSWORD NULL INHERIT; ALTER DATABASE renewed RESET ALL;
REVOKE ADMIN OPTION FOR "renewed new" FROM renewed_app; ALTER DATABASE renewed OWNER TO renewed_app;
GRANT CONNECT, TEMPORARY ON DATABASE renewed TO PUBLIC;
"""
ODD = """
ALTER ROLE renewed_app SET search_path = hr; ALTER DATABASE renewed SET search_path = hr;
SET allow_system_table_mods = on; UPDATE pg_db_role_setting
SET setconfig = ARRAY(SELECT replace(s, 'search_path=hr', 'search_path=HR,public')
  FROM unnest(setconfig) s) WHERE setconfig::text LIKE '%search_path=hr%'
"""
"""As FROM CURRENT writes what a file of configuration says."""
RENEWED = """
SELECT rolname, rolpassword, rolvaliduntil, rolconnlimit, rolinherit, rolcanlogin,
  (SELECT setconfig FROM pg_db_role_setting WHERE setrole = r.oid AND setdatabase = 0)
  FROM pg_authid r WHERE rolname IN ('renewed_app', 'renewed new', 'renewed_gone') ORDER BY 1;
SELECT roleid::regrole, member::regrole, admin_option FROM pg_auth_members
  WHERE member = 'renewed_app'::regrole ORDER BY 1::text;
SELECT grantee::regrole::text, privilege_type, is_grantable, pg_get_userbyid(datdba),
  shobj_description(oid, 'pg_database') FROM pg_database, aclexplode(datacl)
  WHERE datname = 'renewed' ORDER BY 1, 2;
SELECT setrole::regrole::text, s FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase,
  unnest(setconfig) s WHERE datname = 'renewed' ORDER BY 1, 2;
"""
RENEWED_GONE = 'DROP ROLE IF EXISTS renewed_own, renewed_gone, renewed_app, "renewed new"'


@pytest.mark.guarantee("M4")
@pytest.mark.guarantee("M5")
def test_renewed(base: Mover) -> None:
    """What belongs to no table changes after the first copy: found, and brought by the next."""
    source, target = base.source, base.target
    sql(source, "postgres", BEFORE)
    sql(target, "postgres", "CREATE ROLE renewed_own; CREATE ROLE renewed_there")
    base.well(Stage.SYNC, Mode.INITIAL)
    before = sql(target, "postgres", RENEWED)
    assert before == sql(source, "postgres", RENEWED)
    assert base.well(Stage.VERIFY)["differences"] == 0
    sql(target, "postgres", "GRANT renewed_there TO renewed_app")
    sql(source, "postgres", SINCE)
    played = base.play(Stage.VERIFY)
    assert played.verdict == Verdict.FAILED
    assert "the role renewed_app is not as at the source" in played.message
    assert "settings, owner, rights or comment" in played.message
    # Roles are brought whole or not at all, with what they belong to.
    sql(source, "postgres", UNKNOWN.replace("roles_boss", "renewed_app"))
    assert base.play(Stage.SYNC, Mode.DELTA).verdict == Verdict.FAILED
    assert sql(target, "postgres", RENEWED).replace("renewed_there|renewed_app|f\n", "") == before
    again = "ALTER ROLE renewed_app RESET ALL; ALTER ROLE renewed_app SET lock_timeout = '1s'"
    sql(source, "postgres", again)
    for mode in (Mode.DELTA, Mode.FINAL):
        base.well(Stage.SYNC, mode)
        assert base.well(Stage.VERIFY)["differences"] == 0
        there = sql(target, "postgres", RENEWED)
        assert "renewed_there|renewed_app|f\n" in there, "of that the source knows nothing"
        there = there.replace("renewed_there|renewed_app|f\n", "")
        assert there == sql(source, "postgres", RENEWED)
        sql(source, "postgres", BACK)
    sql(source, "postgres", ODD)
    base.well(Stage.SYNC, Mode.FINAL)
    assert base.well(Stage.VERIFY)["differences"] == 0
    assert sql(target, name_of(base), "SHOW search_path") == "hr, public"
    own = "SELECT rolcreatedb FROM pg_roles WHERE rolname = 'renewed_own'"
    assert sql(target, "postgres", own) == "f", "the target's own role is nobody's here"
    base.well(Stage.UNDO, Mode.ABORTED)
    left = "SELECT rolname FROM pg_roles WHERE rolname LIKE 'renewed%' ORDER BY 1"
    assert sql(target, "postgres", left) == "renewed_own\nrenewed_there"
    for host in (source, target):
        drop(host, "renewed")
        sql(host, "postgres", RENEWED_GONE + ", renewed_there")


@pytest.mark.guarantee("M2")
@pytest.mark.parametrize("lost", ["source", "its server", "target"])
def test_interrupted(base: Mover, lost: str) -> None:
    """What is in the target's tables is not copied again after a crash."""
    name = name_of(base)
    fill = "CREATE TABLE t{0} AS SELECT i AS id, repeat(md5(i::text), 20) AS x"
    fill += " FROM generate_series(1, 4000) i; ALTER TABLE t{0} ADD PRIMARY KEY (id);"
    sql(base.source, name, "".join(fill.format(number) for number in range(8)))
    host = base.target if lost == "target" else base.source
    again = {"its server": lambda: host.run("systemctl restart 'postgresql@*.service'")}
    played = base.interrupted(again.get(lost, host.reboot), 12_000_000)
    assert played.verdict == Verdict.UNREACHABLE, played.message
    totals = {told.bytes_total for told in base.told if told.bytes_total}
    base.told.clear()
    serve(host)
    again = base.well(Stage.SYNC, Mode.INITIAL)
    assert again["bytes"] < 15_000_000
    assert len(totals) == 1
    assert abs(max(totals) / int(sql(base.source, name, SIZES)) - 1) < 0.05
    less = [told.bytes_total for told in base.told if told.bytes_total]
    assert min(less) < max(totals), "of what is there already nobody knows how much differs"
    assert base.well(Stage.VERIFY)["differences"] == 0


SIZES = """
SELECT sum(pg_table_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind = 'r' AND nspname IN ('hr', 'public')
"""
WRITING = """
systemd-run -q --unit=writing --uid=postgres sh -c 'yes "
INSERT INTO hr.person (unit, name) VALUES (1, current_timestamp) RETURNING id;
UPDATE hr.person SET pay = pay + 1 WHERE id = 1 + random() * 20000;
DELETE FROM hr.person WHERE id = (SELECT min(id) FROM hr.person);
INSERT INTO hr.\\"Odd Name\\" VALUES (random());
DO \\$\\$ BEGIN PERFORM pg_sleep(0.1); END \\$\\$;" | psql -XAtq -d {name} > /tmp/acknowledged'
"""
"""Somebody writes all the time, and keeps the numbers of what was acknowledged."""
KEPT = """
SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE database = current_database()
UNION ALL SELECT 'publication ' || pubname FROM pg_publication
UNION ALL SELECT 'subscription ' || subname FROM pg_subscription
"""


def unable(base: Mover) -> None:
    """Let nothing at either server be as following needs it."""
    taken = "SELECT pg_create_physical_replication_slot('taken' || i) FROM generate_series(1, 10) i"
    sql(base.source, "postgres", taken)
    taken = "SELECT pg_replication_origin_create('taken' || i) FROM generate_series(1, 10) i"
    sql(base.target, "postgres", taken)


def able(base: Mover) -> None:
    """Let following be possible, and forget what was taken for the test."""
    given = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots;"
    sql(base.source, "postgres", given + "ALTER SYSTEM SET wal_level = logical")
    given = "SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin"
    sql(base.target, "postgres", given)
    base.source.run("systemctl restart 'postgresql@*.service'")


@pytest.mark.guarantee("M2")
@pytest.mark.guarantee("M5")
def test_followed(base: Mover) -> None:
    """Every acknowledged row arrives once, by what was changed alone; nothing is left of it."""
    name, key = name_of(base), base.key
    base.settings["follow"] = "logical"
    unable(base)
    refused = base.play(Stage.PLAN)
    assert refused.verdict == Verdict.FAILED
    lacking = ("wal_level", "0 replication slots free", "can follow 0 more", "follow: digests")
    assert [word for word in lacking if word not in refused.message] == []
    able(base)
    assert "Odd Name" in base.well(Stage.PLAN)["warnings"]

    base.source.run(WRITING.format(name=name))
    stopped(base, Mode.INITIAL, 400_000)
    assert len(sql(base.source, name, KEPT).splitlines()) == 2, "a slot and a publication"
    base.well(Stage.UNDO, Mode.ABORTED)
    assert sql(base.source, name, KEPT) == ""
    assert sql(base.target, "postgres", KEPT + "UNION ALL " + ours(name)) == ""

    base.well(Stage.SYNC, Mode.INITIAL)
    assert sql(base.target, name, KEPT).startswith(f"subscription govcloud_{key}_")
    sql(base.source, name, "ALTER TABLE hr.person ADD COLUMN note text DEFAULT 'none'")
    stopped(base, Mode.DELTA, 400_000)
    delta = base.well(Stage.SYNC, Mode.DELTA)
    assert delta["bytes_remaining"] < 500_000
    made_anew = "SELECT count(*) > 0 FROM hr.person WHERE note = 'none'"
    assert sql(base.target, name, made_anew) == "t"
    assert len(sql(base.source, name, KEPT).splitlines()) == 2, "no second slot"
    base.well(Stage.FREEZE)
    final = base.well(Stage.SYNC, Mode.FINAL)
    assert (final["bytes"] < 500_000, final["bytes_remaining"]) == (True, 0)
    assert base.well(Stage.VERIFY)["differences"] == 0
    acknowledged = base.source.run("cat /tmp/acknowledged").split()
    assert len(acknowledged) > 100
    there = sql(base.target, name, "SELECT id FROM hr.person WHERE id > 20000").split()
    assert len(there) == len(set(there)), "none twice"
    assert set(acknowledged) <= set(there)
    base.well(Stage.START)
    assert sql(base.target, name, LATE) == sql(base.source, name, NEXT)
    assert sql(base.source, name, KEPT) + sql(base.target, name, KEPT) == ""


def stopped(base: Mover, mode: Mode, after: int) -> None:
    """Play a copy of some two megabytes slowly; the controller is gone after so many bytes."""
    base.told.clear()
    gone = threading.Event()

    def watch() -> None:
        while not gone.wait(0.05):
            if any((told.bytes_done or 0) > after for told in base.told):
                gone.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    played = base.play(Stage.SYNC, mode, bandwidth_kib=150, stop=gone)
    gone.set()
    watcher.join()
    assert played.verdict == Verdict.STOPPED, played.message


@contextmanager
def in_no_list(secret: bytes) -> Iterator[None]:
    """Look again and again into the list of processes, those of the hosts among them."""
    seen, stop = set[bytes](), threading.Event()

    def look() -> None:
        while not stop.wait(0.02):
            for process in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):  # It ended meanwhile.
                    told = (process / "cmdline").read_bytes()
                    seen.update([told] if secret in told else [])

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield
    finally:
        stop.set()
        looking.join()
    assert not seen


def test_wrong_password(base: Mover, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said, and no secret is in what is kept; the right one freezes and thaws."""
    name = name_of(base)
    sql(base.source, "postgres", "ALTER ROLE postgres PASSWORD 'Rechts#9 \"x'")
    base.settings |= {"user": "postgres", "host": "127.0.0.1"}
    base.secrets = {"password": "env:HR_PASSWORD"}
    played = base.play(Stage.SYNC, Mode.INITIAL)
    assert played.verdict == Verdict.FAILED
    assert "env:HR_PASSWORD" in played.message
    monkeypatch.setenv("HR_PASSWORD", "Falsch-und-geheim")
    played = base.play(Stage.SYNC, Mode.INITIAL)
    assert played.verdict == Verdict.FAILED
    assert "password authentication failed" in played.message
    monkeypatch.setenv("HR_PASSWORD", 'Rechts#9 "x')
    evidence = zlib.decompress(played.evidence)
    setting = "default_transaction_read_only"
    sql(base.source, "postgres", f"ALTER DATABASE {name} SET {setting} = 'true'")
    server = f"ALTER SYSTEM SET {setting} = {{}}; SELECT pg_reload_conf()"
    sql(base.source, "postgres", server.format("on"))
    role = f"ALTER ROLE {name}_app IN DATABASE {name} {{}} default_transaction_read_only"
    sql(base.source, "postgres", f"SET {setting} = off; {role.format('SET')} = off")
    played = base.play(Stage.PLAN)
    assert f"{name}_app could write after the freeze" in played.message
    sql(base.source, "postgres", f"SET {setting} = off; {role.format('RESET')}")
    asked = "SELECT setconfig FROM pg_db_role_setting ORDER BY 1"
    settings = sql(base.source, "postgres", asked)
    for stage, mode in (
        (Stage.PLAN, Mode.NONE),
        (Stage.SYNC, Mode.INITIAL),
        (Stage.FREEZE, Mode.NONE),
        (Stage.UNDO, Mode.NONE),
    ):
        with in_no_list(b"Rechts#9"):
            played = base.play(stage, mode)
        assert played.verdict == Verdict.OK, played.message
        evidence += zlib.decompress(played.evidence)
    assert sql(base.source, "postgres", asked) == settings, "what was read-only before stays so"
    sql(base.source, "postgres", server.format("off"))
    assert base.source.run("ls /var/lib/govcloud-move", check=False) == ""
    assert b"Falsch" not in evidence
    assert b"Rechts#9" not in evidence
    assert sql(base.target, name, "SELECT count(*) FROM hr.person") == "20000"


FROZEN = """
cd /; PGPASSWORD='of the app' psql -XAtq -v ON_ERROR_STOP=1 -h 127.0.0.1 -U {0}_app -d {0} \
  -c "BEGIN READ WRITE; DELETE FROM hr.person WHERE id = {1} RETURNING id; COMMIT"
"""
"""An application's own way to write, whatever its database says; an id is told once."""
OBJECTS = """
SELECT lo_from_bytea(4711, 'abc'), lo_create(4712);
GRANT SELECT ON LARGE OBJECT 4711 TO objects_app; ALTER LARGE OBJECT 4712 OWNER TO objects_app
"""
THERE = "SELECT oid, lomowner::regrole, lomacl FROM pg_largeobject_metadata ORDER BY oid"


@pytest.mark.guarantee("M4")
def test_objects(base: Mover) -> None:
    """Large objects that are empty are copied too, and of each whose it is and who may read it."""
    name, source, target = name_of(base), base.source, base.target
    sql(source, name, OBJECTS)
    base.well(Stage.SYNC, Mode.INITIAL)
    assert sql(target, name, THERE) == sql(source, name, THERE)
    changes = "REVOKE SELECT ON LARGE OBJECT 4711 FROM objects_app", "SELECT lo_create(4713)"
    for change in (*changes, "ALTER LARGE OBJECT 4713 OWNER TO objects_app"):
        sql(source, name, change)
        assert "large objects" in base.play(Stage.VERIFY).message
        base.well(Stage.SYNC, Mode.DELTA)
        assert base.well(Stage.VERIFY)["differences"] == 0
    assert sql(target, name, THERE.replace(", lomacl", "")) == sql(
        source, name, THERE.replace(", lomacl", "")
    )
    assert base.well(Stage.SYNC, Mode.DELTA)["bytes"] == 0, "copied again only if they differ"


VIEWS = """
SET search_path = hr; CREATE TABLE t (i int); INSERT INTO t VALUES (1);
CREATE MATERIALIZED VIEW late AS SELECT 0 AS n WITH NO DATA;
CREATE MATERIALIZED VIEW m3 AS SELECT count(*) AS n FROM t;
CREATE VIEW between AS SELECT n + 1 AS n FROM m3; CREATE MATERIALIZED VIEW m2 AS TABLE between;
CREATE MATERIALIZED VIEW m1 AS TABLE m2; CREATE MATERIALIZED VIEW m0 AS TABLE m1;
"""
AGAIN = "; ".join(
    f"REFRESH MATERIALIZED VIEW hr.{name}" for name in ("m3", "m2", "m1", "m0", "late")
)
SEEN = "; ".join(f"SELECT n FROM hr.{name}" for name in ("m3", "m2", "m1", "m0", "late"))


@pytest.mark.guarantee("M4")
def test_computed(base: Mover) -> None:
    """What is computed of what is computed is computed in this order, and where the source's is."""
    name, source = name_of(base), base.source
    sql(source, name, VIEWS)
    base.well(Stage.SYNC, Mode.INITIAL)
    for mode in (Mode.DELTA, Mode.DELTA, Mode.FINAL):
        sql(source, name, f"INSERT INTO hr.t VALUES (2); {AGAIN}")
        base.well(Stage.SYNC, mode)
        assert sql(base.target, name, SEEN) == sql(source, name, SEEN)
        assert base.well(Stage.VERIFY)["differences"] == 0
    sql(base.target, name, "REFRESH MATERIALIZED VIEW hr.m0 WITH NO DATA")
    assert "materialized views" in base.play(Stage.VERIFY).message


SERVES = """
SELECT setconfig, datconnlimit FROM pg_database d
LEFT JOIN pg_db_role_setting ON setdatabase = d.oid WHERE datname LIKE 'frozen%' ORDER BY datname
"""
FEED = """
CREATE SUBSCRIPTION fed CONNECTION 'dbname=nowhere' PUBLICATION nothing WITH (connect = false);
ALTER SUBSCRIPTION fed ENABLE
"""


@pytest.mark.guarantee("M3")
@pytest.mark.guarantee("M4")
def test_frozen(base: Mover) -> None:
    """Nobody but superusers is let in, whatever they say, until it is given back as it was."""
    name, source = name_of(base), base.source
    sql(source, "postgres", "ALTER SYSTEM SET max_prepared_transactions = 4")
    source.run("systemctl restart 'postgresql@*.service'")
    sql(
        source,
        "postgres",
        f"ALTER DATABASE {name} CONNECTION LIMIT 5; CREATE ROLE lord LOGIN SUPERUSER",
    )
    was = sql(source, "postgres", SERVES)
    assert source.run(FROZEN.format(name, 1)).strip() == "1"
    sql(source, name, FEED)
    warned = base.well(Stage.PLAN)["warnings"]
    assert "READ WRITE: name the services that use them in `services`: lord" in warned
    assert "which fails otherwise: fed" in warned
    base.well(Stage.SYNC, Mode.INITIAL)
    assert "disable them before the freeze: fed" in base.play(Stage.FREEZE).message
    base.well(Stage.UNDO)
    sql(
        source,
        name,
        "ALTER SUBSCRIPTION fed DISABLE; ALTER SUBSCRIPTION fed SET (slot_name = NONE)",
    )
    sql(source, name, "DROP SUBSCRIPTION fed")
    sql(source, name, "BEGIN; DELETE FROM hr.person WHERE id = 2; PREPARE TRANSACTION 'held'")
    assert "prepared transactions" in base.play(Stage.FREEZE).message
    base.well(Stage.UNDO)
    assert sql(source, "postgres", SERVES) == was
    assert source.run(FROZEN.format(name, 3)).strip() == "3"
    sql(source, name, "COMMIT PREPARED 'held'")
    for _ in range(2):
        base.well(Stage.FREEZE)
    with pytest.raises(RuntimeError, match="too many connections"):
        source.run(FROZEN.format(name, 4))
    source.reboot()
    serve(source)
    with pytest.raises(RuntimeError, match="too many connections"):
        source.run(FROZEN.format(name, 4))
    base.well(Stage.SYNC, Mode.FINAL)
    assert base.well(Stage.VERIFY)["differences"] == 0
    base.well(Stage.UNDO)
    assert sql(source, "postgres", SERVES) == was
    assert source.run(FROZEN.format(name, 4)).strip() == "4"
    sql(source, "postgres", "ALTER SYSTEM RESET max_prepared_transactions; DROP ROLE lord")
    source.run("systemctl restart 'postgresql@*.service'")


@pytest.mark.guarantee("M3")
def test_edited(base: Mover) -> None:
    """What the plan named before it named another database is given back, and taken away."""
    name, source = name_of(base), base.source
    for host in (source, base.target):
        sql(host, "postgres", "DROP DATABASE IF EXISTS edited_too;")
        sql(host, "postgres", "CREATE DATABASE edited_too")
    able(base)
    base.settings["follow"] = "logical"
    serves = SERVES.replace("frozen", "edited")
    was = sql(source, "postgres", serves)
    base.well(Stage.SYNC, Mode.INITIAL)
    base.well(Stage.FREEZE)
    base.settings["databases"] = ["edited_too"]
    base.well(Stage.FREEZE)
    assert sql(source, "postgres", serves).count("|0") == 2, "who is let in"
    base.well(Stage.UNDO)
    assert sql(source, "postgres", serves) == was
    assert sql(source, name, KEPT) == ""
    assert source.run("ls /var/lib/govcloud-move", check=False).strip() == ""
    base.well(Stage.UNDO, Mode.ABORTED)
    assert sql(base.target, "postgres", ours(name)) == "edited_too"


HELD = """
rm -f /tmp/locked /tmp/let-go
systemd-run -q --uid=postgres sh -c '(echo "BEGIN; LOCK TABLE pg_db_role_setting;"
  while [ ! -e /tmp/let-go ]; do sleep 0.1; done; echo "ROLLBACK;") | psql -X > /tmp/locked'
until grep -q LOCK /tmp/locked; do sleep 0.1; done
"""
"""Until it is let go, nobody can log in to the server, nor change a setting."""
WAITING = "pgrep -fc 'startup [w]aiting' || true"
"""How many wait to log in."""
FREEZING = "-f 'CONNECTION [L]IMIT 0'"
"""The shells that freeze."""
TURN = "/var/lib/govcloud-move/*/postgresql.turn"


@pytest.mark.guarantee("M2")
@pytest.mark.guarantee("M3")
@pytest.mark.parametrize("halted", [False, True], ids=["waits", "is slow"])
def test_frozen_too_late(base: Mover, halted: bool) -> None:
    """A freeze that waited at the source when the controller was lost does nothing any more."""
    base.well(Stage.SYNC, Mode.INITIAL)
    source = base.source
    was = sql(source, "postgres", SERVES)
    source.run(HELD)
    gone = threading.Event()

    def lose() -> None:
        wait_until(lambda: int(source.run(WAITING)) == 1, 120, "the freeze does not wait")
        if halted:
            source.run(f"pkill -STOP {FREEZING}; touch /tmp/let-go")
            wait_until(lambda: not source.run("pgrep -x psql", check=False))
        gone.set()

    def go_on() -> None:
        if halted:  # just when it has been undone
            source.run(f"while [ -e {TURN} ]; do sleep 0.01; done; pkill -CONT {FREEZING}")
        else:
            wait_until(lambda: int(source.run(WAITING)) == 2, 120, "the undo does not wait")
            source.run("touch /tmp/let-go")

    with ThreadPoolExecutor(1) as pool:
        losing = pool.submit(lose)
        assert base.play(Stage.FREEZE, stop=gone).verdict == Verdict.STOPPED
        losing.result()
        going_on = pool.submit(go_on)
        base.well(Stage.UNDO)
        going_on.result()
    wait_until(lambda: not source.run(f"pgrep {FREEZING}", check=False), 120)
    assert sql(source, "postgres", SERVES) == was
    assert source.run(FROZEN.format(name_of(base), 1)).strip() == "1"


OLD = """
CREATE ROLE old_app; CREATE DATABASE old OWNER old_app;
\\c old
SET ROLE old_app;
CREATE TABLE measured (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamp, x float8,
  y float4, xs float8[], where_ point, of jsonb, for_ interval, raw bytea);
INSERT INTO measured (at, x, y, xs, where_, of, for_, raw) SELECT now(), i / 7.0, i / 11.0,
  ARRAY[i / 3.0, 1e300::float8 * i, 'NaN', '-infinity']::float8[], point(i / 7.0, -i / 9.0),
  '{"中文": 0.1}', i * interval '1 day 2 seconds', decode(md5(i::text), 'hex')
  FROM generate_series(1, 5000) i;
CREATE TABLE bare (x float8); INSERT INTO bare VALUES (0.1), (1.0 / 3), (NULL), (1e-300);
CREATE SEQUENCE counted; SELECT nextval('counted');
CREATE FUNCTION twice(float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT 2 * $1';
CREATE VIEW seen AS SELECT id, twice(x) AS twice FROM measured;
CREATE INDEX ON measured (twice(x));
CREATE TABLE tagged (a int) WITH OIDS;
SELECT lo_from_bytea(0, decode(repeat('ab', 5000), 'hex'));
"""


@pytest.mark.guarantee("M4")
def test_of_an_old_server(
    legacy_room: Room, legacy_target: Host, request: pytest.FixtureRequest
) -> None:
    """Version 10 writes numbers in another way, and knows tables that newer ones do not."""
    folder = request.config.cache.mkdir("postgresql-10")  # type: ignore[union-attr]
    if reason := bring_old(folder):
        pytest.skip(reason)
    source = legacy_room.host("hr-older", data=folder)
    serve_old(source)
    serve(legacy_target)
    sql(source, "postgres", OLD, OLD_PORT)
    settings = {"databases": ["old"], "port": OLD_PORT, "follow": "logical"}
    base = Mover("postgresql", source, legacy_target, settings)
    assert "WITHOUT OIDS on hr-older those of old" in base.play(Stage.PLAN).message
    sql(source, "old", "ALTER TABLE tagged SET WITHOUT OIDS", OLD_PORT)
    assert "older than version 12" in base.play(Stage.PLAN).message
    base.settings["follow"] = "digests"
    base.well(Stage.PLAN)
    base.well(Stage.SYNC, Mode.TEST)
    assert base.well(Stage.VERIFY, Mode.TEST)["differences"] == 0
    base.well(Stage.UNDO, Mode.TEST)
    base.well(Stage.SYNC, Mode.INITIAL)
    change = "UPDATE measured SET x = x * 1.0000000000000002, xs[1] = 0.1::float4 WHERE id = 7"
    sql(source, "old", change, OLD_PORT)
    assert base.well(Stage.SYNC, Mode.DELTA)["bytes"] < 2_000
    base.well(Stage.FREEZE)
    with pytest.raises(RuntimeError, match="read-only"):
        sql(source, "old", "DELETE FROM measured", OLD_PORT)
    assert base.well(Stage.SYNC, Mode.FINAL)["bytes"] == 0
    assert base.well(Stage.VERIFY)["compared"] > 5_000
    exact = "SELECT md5(string_agg(float8send(x)::text || float4send(y)::text"
    exact += " || array_send(xs)::text || point_send(where_)::text, '' ORDER BY id)) FROM measured"
    assert sql(legacy_target, "old", exact) == sql(source, "old", exact, OLD_PORT)
    base.well(Stage.START)
    assert sql(legacy_target, "old", "SELECT nextval('counted')") == "2"
    sql(legacy_target, "old", "INSERT INTO measured (x) VALUES (0.1)")
    assert base.well(Stage.UNDO)["written_since"] == 2, "the table, and the sequences"
    sql(source, "old", "INSERT INTO measured (x) VALUES (0.1)", OLD_PORT)
    base.well(Stage.UNDO, Mode.ABORTED)
    assert sql(legacy_target, "postgres", ours("old")) == ""


WHOLE = """
CREATE ROLE whole_app; CREATE TABLESPACE whole_fast LOCATION '/var/lib/postgresql/fast';
CREATE DATABASE whole OWNER whole_app TEMPLATE template0 LC_COLLATE 'zh_XX.utf8'
  LC_CTYPE 'zh_XX.utf8' LOCALE_PROVIDER icu ICU_LOCALE 'zh-u-co-pinyin';
ALTER DATABASE whole SET search_path = hr, "$user", public;
ALTER DATABASE whole SET work_mem = '8MB';
ALTER ROLE whole_app IN DATABASE whole SET statement_timeout = '5min';
REVOKE CONNECT ON DATABASE whole FROM PUBLIC; GRANT TEMPORARY ON DATABASE whole TO pg_monitor;
COMMENT ON DATABASE whole IS E'人''s \\\\ own\\n"two lines"';
\\c whole
CREATE SCHEMA hr AUTHORIZATION whole_app;
CREATE TABLE hr.fast (id int PRIMARY KEY, x text) TABLESPACE whole_fast;
INSERT INTO hr.fast SELECT i, 'x' || i FROM generate_series(1, 100) i;
CREATE EXTENSION rates SCHEMA public; INSERT INTO public.rate VALUES (2, 'of ours');
"""
FACTS = """
SELECT datlocprovider, daticulocale, datcollate, pg_get_userbyid(datdba),
  shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'whole';
SELECT grantee::regrole::text, privilege_type, is_grantable
  FROM pg_database, aclexplode(datacl) WHERE datname = 'whole' ORDER BY 1, 2;
SELECT setrole = 0, setconfig FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase
  WHERE datname = 'whole' ORDER BY 1;
SELECT * FROM public.rate; SELECT count(*) FROM fast; SHOW search_path;
"""
EXTENSION = """
folder=$(ls -d /usr/share/postgresql/*/extension | tail -n 1)
printf "default_version = '1'\\nrelocatable = true\\n" > $folder/rates.control
echo "CREATE TABLE rate (id int PRIMARY KEY, of text); INSERT INTO rate VALUES (1, 'delivered');
SELECT pg_extension_config_dump('rate', '')" > $folder/rates--1.sql
"""
SERVED = """
cd /etc/postgresql/*/main
printf "listen_addresses = '*'\\nmax_connections = 120\\n" > conf.d/own.conf
echo "host whole,other whole_app 10.213.0.0/16 scram-sha-256" >> pg_hba.conf
"""
LOCALE = "cp -r /usr/lib/locale/C.utf8 /usr/lib/locale/zh_XX.utf8"


@pytest.mark.guarantee("M4")
def test_what_belongs_to_a_database(legacy_pair: tuple[Host, Host]) -> None:
    """Locale, rights, settings, comment, an extension's rows; plan names what the target lacks."""
    source, target = legacy_pair
    for host in legacy_pair:
        serve(host)
    source.run("install -d -o postgres /var/lib/postgresql/fast; " + LOCALE)
    source.run(f"{EXTENSION} {SERVED} systemctl restart 'postgresql@*.service'")
    sql(source, "postgres", WHOLE)
    base = Mover("postgresql", source, target, {"databases": ["whole"]})
    played = base.play(Stage.PLAN)
    assert played.verdict == Verdict.FAILED
    assert [word for word in ("rates", "zh_XX.utf8") if word not in played.message] == []
    target.run(f"{LOCALE}; {EXTENSION} systemctl restart 'postgresql@*.service'")
    warned = base.well(Stage.PLAN)["warnings"]
    told = ["listen_addresses = '*' (there: its default)", "max_connections = '120' (there: 100)"]
    told.append("hr-new has not: host whole,other whole_app 10.213.0.0 255.255.0.0 scram-sha-256")
    assert [words for words in told if words not in warned] == []
    base.well(Stage.SYNC, Mode.INITIAL)
    assert sql(target, "whole", FACTS) == sql(source, "whole", FACTS)
    assert base.well(Stage.VERIFY)["compared"] == 113, "rows, large objects, what is said of it"
    base.well(Stage.UNDO, Mode.ABORTED)
    assert sql(target, "postgres", ours("whole")) == ""
    sql(source, "postgres", "DROP DATABASE whole; DROP TABLESPACE whole_fast; DROP ROLE whole_app")
    source.run(
        "rm /etc/postgresql/*/main/conf.d/own.conf; systemctl restart 'postgresql@*.service'"
    )
