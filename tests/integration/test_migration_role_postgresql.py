"""The role `postgresql` on real hosts with real servers."""

import zlib

import pytest

from govcloud.testing.legacy import Host
from govcloud.testing.legacy_fixtures import Mover
from govcloud.testing.legacy_postgresql import serve, sql
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
CREATE TABLE "Odd Name" (a text, b jsonb, c timestamptz);
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
pgrep -f 'sleep 1000' > /dev/null || {{ systemd-run -q --uid=postgres sh -c \
  '(echo "SELECT 1;"; sleep 1000) | psql -d {name}'; sleep 1; }}
cd /; runuser -u postgres -- psql -XAtq -c "SELECT pid FROM pg_stat_activity
  WHERE datname = '{name}' AND application_name = 'psql'"
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
    number = sql(base.source, name, "SELECT last_value + is_called::int FROM hr.person_id_seq")
    late = "INSERT INTO hr.person (unit, name) VALUES (3, 'late') RETURNING id"
    assert sql(base.target, name, late) == number
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
    base.well(Stage.SYNC, Mode.INITIAL)
    for spoil, said in (
        ("DELETE FROM hr.person WHERE id = 77", "20000 rows at the source, 19999 at the target"),
        ("UPDATE hr.person SET picture = set_byte(picture, 3, 1) WHERE id = 78", "other contents"),
        ("SELECT setval('hr.person_id_seq', 3)", "sequences"),
        ("SELECT lo_put(oid, 2, 'x') FROM pg_largeobject_metadata", "large objects"),
    ):
        sql(base.target, name, spoil)
        played = base.play(Stage.VERIFY)
        assert played.verdict == Verdict.FAILED
        assert said in played.message
        base.well(Stage.SYNC, Mode.DELTA)
    assert base.well(Stage.VERIFY)["differences"] == 0


@pytest.mark.guarantee("M2")
@pytest.mark.parametrize("lost", ["source", "target"])
def test_interrupted(base: Mover, lost: str) -> None:
    """What is in the target's tables is not copied again after a crash."""
    name = name_of(base)
    fill = "CREATE TABLE t{0} AS SELECT i AS id, repeat(md5(i::text), 20) AS x"
    fill += " FROM generate_series(1, 4000) i; ALTER TABLE t{0} ADD PRIMARY KEY (id);"
    sql(base.source, name, "".join(fill.format(number) for number in range(8)))
    host = {"source": base.source, "target": base.target}[lost]
    played = base.interrupted(host, 12_000_000)
    assert played.verdict == Verdict.UNREACHABLE, played.message
    serve(host)
    again = base.well(Stage.SYNC, Mode.INITIAL)
    assert again["bytes"] < 15_000_000
    assert base.well(Stage.VERIFY)["differences"] == 0


def test_wrong_password(base: Mover, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said, and no secret is in what is kept."""
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
    for stage, mode in ((Stage.PLAN, Mode.NONE), (Stage.SYNC, Mode.INITIAL)):
        played = base.play(stage, mode)
        assert played.verdict == Verdict.OK, played.message
        evidence += zlib.decompress(played.evidence)
    assert b"Falsch" not in evidence
    assert b"Rechts#9" not in evidence
    assert sql(base.target, name, "SELECT count(*) FROM hr.person") == "20000"
