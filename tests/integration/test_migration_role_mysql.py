"""The role `mysql` on real hosts with real servers (MariaDB, as Debian has it)."""

import shlex
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from govcloud.testing.legacy import Host
from govcloud.testing.legacy_fixtures import Mover
from govcloud.testing.legacy_mariadb import serve
from govcloud.testing.meanwhile import wait_until
from migration.running.player import AnsiblePlayer
from migration.running.port import Mode, Stage, Verdict

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CONTENTS = """
CREATE DATABASE hr_db CHARACTER SET utf8mb4;
CREATE USER hr_app@localhost IDENTIFIED BY 'of the app';
GRANT ALL ON `hr\\_db`.* TO hr_app@localhost;
USE hr_db;
CREATE TABLE unit (id int PRIMARY KEY, name varchar(50) UNIQUE, boss int REFERENCES unit (id));
CREATE TABLE person (id int AUTO_INCREMENT PRIMARY KEY, unit int NOT NULL, name varchar(60),
  born date, pay decimal(12,2), twice decimal(14,2) AS (pay * 2) STORED, picture varbinary(40),
  part float, whole double, flags bit(5), kind enum('a', 'b'), facts json, old varchar(9)
  CHARACTER SET latin1, place point, mark uuid, seen timestamp(3) NULL, notes mediumtext,
  KEY (name), CHECK (pay >= 0), FOREIGN KEY (unit) REFERENCES unit (id) ON DELETE CASCADE);
CREATE TABLE `Odd ``Name` (a text, b blob, c datetime) ENGINE = MyISAM;
CREATE TABLE entry (n int PRIMARY KEY);
CREATE TABLE seen (n int PRIMARY KEY);
CREATE TABLE ticked (at datetime PRIMARY KEY);
CREATE SEQUENCE ticket START WITH 100;
CREATE FUNCTION doubled(x int) RETURNS int DETERMINISTIC RETURN x * 2;
CREATE VIEW size AS SELECT unit, doubled(count(*)) AS people FROM person GROUP BY unit;
CREATE TRIGGER noted AFTER INSERT ON entry FOR EACH ROW INSERT INTO seen VALUES (NEW.n);
CREATE EVENT tick ON SCHEDULE EVERY 1 SECOND DO INSERT IGNORE INTO ticked VALUES (now());
INSERT INTO unit SELECT seq, CONCAT('单位', seq), NULLIF(seq DIV 2, 0) FROM seq_1_to_50;
INSERT INTO person (unit, name, born, pay, picture, part, whole, flags, kind, facts, old, place,
  mark, seen, notes) SELECT 1 + seq % 50, CONCAT('person ', seq), DATE('1960-01-01') + INTERVAL seq
  DAY, seq * 1.5, UNHEX(MD5(seq)), seq / 7, seq / 7e0, seq % 32, 'b', '{"a": [1, "\\\\n"]}', 'Zoë',
  POINT(seq, 1), UUID(), FROM_UNIXTIME(seq), REPEAT(MD5(seq), 4) FROM seq_1_to_8000;
INSERT INTO `Odd ``Name` VALUES ('tab\\there', UNHEX('00FF0A0D1A5C27'), '2026-01-01 10:00'),
  (NULL, NULL, NULL), ('NULL', '', NULL), ('line\\nbreak \\\\. "''', 'x', NULL);
DO NEXTVAL(ticket);
"""
CLEAN = """
DROP DATABASE IF EXISTS hr_db; DROP DATABASE IF EXISTS hr_db__test;
DROP DATABASE IF EXISTS hr_own;
DROP USER IF EXISTS hr_app@localhost; DROP USER IF EXISTS hr_web@localhost;
"""
CONFIGURATION = """
find /etc/mysql -type f | sort | xargs sha256sum
mariadb -BNe "SELECT @@read_only, @@event_scheduler"; ls /var/lib/govcloud-move 2> /dev/null || true
"""
WRITER = """
systemd-run -q --unit clerk bash -c 'for ((n = 1; ; n++)); do
  echo "INSERT INTO entry VALUES ($n) RETURNING n;"; sleep 0.02; done |
  mariadb -u hr_app -p"of the app" -BN --unbuffered --force hr_db >> /srv/acknowledged'
"""
"""Somebody who writes, and notes what the server has acknowledged."""
WIDE = """
CREATE USER hr_web@localhost IDENTIFIED BY 'of the app';
GRANT SELECT, INSERT ON `hr\\_%`.* TO hr_web@localhost;
GRANT DELETE ON `%`.* TO hr_web@localhost;
GRANT DELETE ON `finance%`.* TO hr_web@localhost;
"""
"""Somebody with rights by patterns."""
BLOCKER = """
for table in unit entry seen; do systemd-run -q --unit clerk-$table bash -c 'while :; do
  echo "LOCK TABLES '$table' WRITE; SELECT SLEEP(15);" | mariadb hr_db; done'; done; sleep 1
"""
"""Those who hold locks, and come back at once where they are sent away."""


def sql(host: Host, text: str, user: str = "") -> str:
    """What statements return; with a user, who may do no more than the application."""
    login = f"-u {user} -p'of the app'" if user else ""
    return host.run(f"mariadb {login} -BN hr_db", stdin=text).strip()


@pytest.fixture
def base(legacy_pair: tuple[Host, Host]) -> Mover:
    """A database at the source, and nothing at the target."""
    source, target = legacy_pair
    for host in legacy_pair:
        serve(host)
        host.run("mariadb", stdin=CLEAN)
    source.run("mariadb", stdin=CONTENTS)
    return Mover("mysql", source, target, {"databases": ["hr_db"]})


def left(base: Mover) -> str:
    """What a move left at the target."""
    asked = "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'hr%'"
    asked += " UNION ALL SELECT user FROM mysql.user WHERE user LIKE 'hr%'"
    return base.target.run("mariadb -BN", stdin=asked)


@pytest.mark.guarantee("M1")
@pytest.mark.guarantee("M3")
@pytest.mark.guarantee("M4")
def test_all_stages(base: Mover) -> None:
    """Under load: what was acknowledged arrives; undone, the source serves as before."""
    sql(base.source, "ALTER EVENT tick DISABLE; SET GLOBAL max_connections = 222;")
    written = base.source.run("mariadb -BNe 'SHOW MASTER STATUS'")
    before = base.source.run(CONFIGURATION)
    planned = base.well(Stage.PLAN)
    assert (planned["tables"], planned["views"], planned["routines"]) == (6, 1, 1)
    assert (planned["triggers"], planned["events"], planned["accounts"]) == (1, 1, 1)
    assert "transactions: Odd `Name" in planned["warnings"]
    assert "max_connections = '222' (there: 151)" in planned["warnings"]
    base.well(Stage.SYNC, Mode.TEST)
    assert base.source.run("mariadb -BNe 'SHOW MASTER STATUS'") == written, "it is only read"
    assert base.source.run(CONFIGURATION) == before
    sql(base.source, "ALTER EVENT tick ENABLE")
    base.source.run(WRITER)
    assert base.well(Stage.VERIFY, Mode.TEST)["differences"] == 0
    base.well(Stage.UNDO, Mode.TEST)
    assert left(base) == ""

    assert base.well(Stage.SYNC, Mode.INITIAL)["bytes"] > 1_000_000
    sql(base.source, "UPDATE person SET pay = 7, kind = NULL WHERE id = 5")
    delta = base.well(Stage.SYNC, Mode.DELTA)
    assert 0 < delta["bytes"] < 50_000, "only groups of rows that differ are moved"

    base.well(Stage.FREEZE)
    acknowledged = base.source.run("cat /srv/acknowledged").split()
    ticked = sql(base.source, "SELECT count(*) FROM ticked")
    base.source.reboot()
    serve(base.source)
    with pytest.raises(RuntimeError, match="read-only"):
        sql(base.source, "DELETE FROM person", "hr_app")
    assert base.well(Stage.SYNC, Mode.FINAL)["position"].startswith("mysqld-bin.")
    found_and_mended(base)
    assert sql(base.target, "SELECT count(*) FROM ticked") == ticked, "events sleep"
    with pytest.raises(RuntimeError, match="locked"):
        sql(base.target, "SELECT 1", "hr_app")
    asked = "SELECT auto_increment FROM information_schema.tables WHERE table_name = 'person'"
    number = sql(base.source, asked)
    base.well(Stage.START)
    rows = sql(base.target, "SELECT n FROM entry", "hr_app").split()
    assert len(acknowledged) > 50
    assert set(acknowledged) <= set(rows), "no row that was acknowledged is lost"
    late = "INSERT INTO person (unit, name) VALUES (3, 'late'); SELECT last_insert_id()"
    assert sql(base.target, late, "hr_app") == number
    triggered = "INSERT INTO entry VALUES (0); SELECT count(*) FROM seen WHERE n = 0"
    assert sql(base.target, triggered, "hr_app") == "1"

    undone = base.well(Stage.UNDO)
    assert undone["kept_in"] == "hr_db"
    assert undone["written_since"] >= 3, "persons, entries, and what the trigger wrote"
    assert base.source.run(CONFIGURATION) == before
    sql(base.source, "INSERT INTO entry VALUES (-1)", "hr_app")
    with pytest.raises(RuntimeError, match="locked"):
        sql(base.target, "DELETE FROM person", "hr_app")
    base.well(Stage.UNDO, Mode.ABORTED)
    assert left(base) == ""


COUNTED = "SELECT count(*) FROM information_schema.processlist WHERE user = 'hr_app'"


def idle_at(base: Mover) -> None:
    """Let somebody be connected to the source who does nothing."""
    idle = 'sleep 3000 | mariadb -u hr_app -p"of the app" hr_db'
    base.source.run(f"systemd-run -q --unit idle bash -c {shlex.quote(idle)}")
    wait_until(lambda: sql(base.source, COUNTED) == "1", about="nobody comes in")


@pytest.mark.guarantee("M3")
def test_who_is_connected_is_sent_away(base: Mover) -> None:
    """Nobody who was connected before the freeze is so after it, however often it is played."""
    asked = "SELECT id FROM information_schema.processlist WHERE user = 'hr_app'"
    for number in range(3):
        base.source.run(
            f"for n in 1 2 3; do systemd-run -q --unit idle-{number}-$n bash -c 'sleep 600 |"
            f' mariadb -u hr_app -p"of the app" --skip-reconnect hr_db\'; done'
        )
        wait_until(lambda: len(sql(base.source, asked).split()) == 3, about="they do not come in")
        base.well(Stage.FREEZE)
        assert sql(base.source, asked) == ""
    base.well(Stage.UNDO)
    base.source.run("systemctl stop 'idle-*'")


@pytest.mark.guarantee("M3")
def test_who_cannot_be_sent_away_is_named(base: Mover, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that this may not end is said, and nothing stays frozen."""
    mover = "CREATE USER mover@localhost IDENTIFIED BY 'weak';"
    mover += "GRANT PROCESS, READ_ONLY ADMIN ON *.* TO mover@localhost;"
    base.source.run("mariadb", stdin=mover + "SET GLOBAL event_scheduler = OFF;")
    before = base.source.run(CONFIGURATION)
    idle_at(base)
    base.settings |= {"user": "mover", "host": "127.0.0.1"}
    base.secrets = {"password": "env:HR_PASSWORD"}
    monkeypatch.setenv("HR_PASSWORD", "weak")
    played = base.play(Stage.FREEZE)
    assert played.verdict == Verdict.FAILED
    assert "sessions at the source do not end: hr_app@localhost (" in played.message
    assert "You are not owner of thread" in played.message
    base.settings = {"databases": ["hr_db"]}
    base.secrets = {}
    base.well(Stage.UNDO)
    assert base.source.run(CONFIGURATION) == before
    after = "DROP USER mover@localhost; SET GLOBAL event_scheduler = ON"
    base.source.run("systemctl stop idle; mariadb", stdin=after)


@pytest.mark.guarantee("M3")
def test_who_sees_no_sessions_of_others_is_refused(
    base: Mover, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would stay in, and nobody would know."""
    mover = "CREATE USER mover@localhost IDENTIFIED BY 'weak';"
    mover += "GRANT ALL ON *.* TO mover@localhost WITH GRANT OPTION;"
    base.source.run("mariadb", stdin=mover + "REVOKE PROCESS ON *.* FROM mover@localhost")
    idle_at(base)
    asked = COUNTED
    before = base.source.run(CONFIGURATION)
    base.settings |= {"user": "mover", "host": "127.0.0.1"}
    base.secrets = {"password": "env:HR_PASSWORD"}
    monkeypatch.setenv("HR_PASSWORD", "weak")
    for stage in (Stage.PLAN, Stage.FREEZE):
        played = base.play(stage)
        assert played.verdict == Verdict.FAILED
        said = "mover@localhost does not see the sessions of others on hr-old, which have to end"
        assert f"{said}: GRANT PROCESS ON *.* to it" in played.message
    base.well(Stage.UNDO)
    assert base.source.run(CONFIGURATION) == before
    base.source.run("mariadb", stdin="GRANT PROCESS ON *.* TO mover@localhost")
    base.well(Stage.PLAN)
    base.well(Stage.FREEZE)
    assert sql(base.source, asked) == "0"
    base.well(Stage.UNDO)
    base.source.run("systemctl stop idle; mariadb", stdin="DROP USER mover@localhost")


@pytest.mark.guarantee("M3")
def test_what_was_copied_is_undone_also_where_the_plan_names_other_databases_since(
    base: Mover,
) -> None:
    """What the target has of these names stays."""
    sql(base.source, "ALTER EVENT tick DISABLE")
    base.well(Stage.SYNC, Mode.INITIAL)
    base.well(Stage.START)
    for host in (base.source, base.target):
        host.run("mariadb", stdin="CREATE DATABASE hr_own; CREATE TABLE hr_own.mine (n int)")
    base.settings["databases"] = ["hr_own"]
    assert base.well(Stage.UNDO)["kept_in"] == "hr_db"
    with pytest.raises(RuntimeError, match="locked"):
        sql(base.target, "SELECT 1", "hr_app")
    base.well(Stage.UNDO, Mode.ABORTED)
    assert left(base) == "hr_own\n"
    assert base.target.run("mariadb -BNe 'SHOW TABLES FROM hr_own'") == "mine\n"


@pytest.mark.guarantee("M3")
@pytest.mark.guarantee("M5")
def test_a_freeze_that_was_cut_off_has_no_effect_later(base: Mover) -> None:
    """It waits for locks when its window closes; what was undone meanwhile stays undone."""
    before = base.source.run(CONFIGURATION)
    base.source.run(BLOCKER)
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        freezing = pool.submit(base.play, Stage.FREEZE, stop=stop)
        asked = "SELECT count(*) FROM information_schema.processlist WHERE info = '%s'"
        waits = asked % "SET GLOBAL read_only = ON"
        wait_until(lambda: sql(base.source, waits) != "0", 300, "the freeze does not wait")
        stop.set()
        assert freezing.result().verdict != Verdict.OK
    base.well(Stage.UNDO)
    base.source.run("systemctl stop clerk-unit clerk-entry clerk-seen")
    time.sleep(3)
    assert base.source.run(CONFIGURATION) == before
    assert sql(base.source, waits) == "0"
    sql(base.source, "INSERT INTO entry VALUES (-2)", "hr_app")


def found_and_mended(base: Mover) -> None:
    """A missing row, a changed one and a missing trigger are named; the next copy mends them."""
    spoil = "SET foreign_key_checks = 0; DELETE FROM unit WHERE id = 50; DROP TRIGGER noted;"
    sql(base.target, spoil + "UPDATE person SET notes = CONCAT(notes, '.') WHERE id = 3")
    played = base.play(Stage.VERIFY)
    assert played.verdict == Verdict.FAILED
    assert "unit: 50 rows at the source, 49 at the target" in played.message
    assert "person: other contents in 1 groups of rows" in played.message
    assert "noted (trigger) is not at the target" in played.message
    assert base.well(Stage.SYNC, Mode.FINAL)["bytes"] < 50_000
    assert base.well(Stage.VERIFY)["compared"] > 8_000


@pytest.mark.guarantee("M5")
def test_an_aborted_undo_ends_a_copy_that_still_runs(base: Mover) -> None:
    """Its lease is long; it would go on beside the undo, and after it."""
    base.player = AnsiblePlayer(lease_s=300)
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        copying = pool.submit(base.play, Stage.SYNC, Mode.INITIAL, bandwidth_kib=10, stop=stop)
        wait_until(lambda: any(told.bytes_done for told in base.told), 300)
        stop.set()
        assert copying.result().verdict == Verdict.STOPPED
    copies = "pgrep -f '^[^ ]*python3 [^ ]*/mysql.py copy'"
    assert base.target.run(copies)
    base.well(Stage.UNDO, Mode.ABORTED)
    assert base.target.run(copies, check=False) == ""
    assert left(base) == ""


@pytest.mark.guarantee("M4")
def test_rights_by_a_pattern_come_for_what_is_moved(base: Mover) -> None:
    """The closest pattern counts, as it does at the source, and only for these databases."""
    base.source.run("mariadb hr_db", stdin=WIDE + "ALTER EVENT tick DISABLE")
    grants = "SHOW GRANTS FOR hr_web@localhost"
    base.well(Stage.SYNC, Mode.INITIAL)
    assert base.well(Stage.VERIFY)["differences"] == 0
    [_, given] = sql(base.target, grants).splitlines()
    assert given == r"GRANT SELECT, INSERT ON `hr\\_db`.* TO `hr_web`@`localhost`"
    sql(base.target, "REVOKE INSERT ON `hr\\_db`.* FROM hr_web@localhost")
    message = base.play(Stage.VERIFY).message
    assert "'hr_web'@'localhost' INSERT (right) is not at the target" in message
    base.well(Stage.UNDO, Mode.ABORTED)
    assert left(base) == ""


@pytest.mark.guarantee("M2")
@pytest.mark.parametrize("lost", ["source", "its server"])
def test_interrupted(base: Mover, lost: str) -> None:
    """What arrived before the source was lost is not copied again, and nothing is left over."""
    fill = "CREATE TABLE t{0} (id int PRIMARY KEY, x text) SELECT seq AS id,"
    fill += " REPEAT(MD5(seq), 20) AS x FROM seq_1_to_4000;"
    tables = ", ".join(["person", *(f"t{number}" for number in range(8))])
    sql(base.source, "".join(fill.format(number) for number in range(8)))
    sql(base.source, f"ANALYZE TABLE {tables}")  # Else it estimates their size some time later.
    again = {"its server": lambda: base.source.run("systemctl restart mariadb")}
    played = base.interrupted(again.get(lost, base.source.reboot), 12_000_000)
    assert played.verdict == Verdict.UNREACHABLE, played.message
    serve(base.source)
    size = "SELECT SUM(data_length) FROM information_schema.tables WHERE table_schema = 'hr_db'"
    totals = [told.bytes_total for told in base.told if told.bytes_total]
    assert totals
    assert max(abs(total / int(sql(base.source, size)) - 1) for total in totals) < 0.3
    sql(base.source, "ALTER EVENT tick DISABLE")
    assert base.well(Stage.SYNC, Mode.INITIAL)["bytes"] < 18_000_000
    assert base.well(Stage.VERIFY)["differences"] == 0
    base.well(Stage.UNDO, Mode.ABORTED)
    assert left(base) == ""


def test_wrong_password(base: Mover, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said, and no secret is in what is kept; other databases are not frozen unasked."""
    mover = "CREATE USER mover@localhost IDENTIFIED BY 'Rechts#9 \"x';"
    mover += "CREATE DATABASE other; CREATE TABLE other.thing (n int);"
    grant = "GRANT ALL ON *.* TO mover@localhost WITH GRANT OPTION;"
    base.source.run("mariadb", stdin=mover + grant)
    base.settings |= {"user": "mover", "host": "127.0.0.1"}
    base.secrets = {"password": "env:HR_PASSWORD"}
    monkeypatch.setenv("HR_PASSWORD", "Falsch-und-geheim")
    base.target.run("mkdir -p /run/govcloud-move; mount -t tmpfs -o ro none /run/govcloud-move")
    played = base.play(Stage.SYNC, Mode.INITIAL)
    base.target.run("umount /run/govcloud-move")
    assert "Read-only file system" in played.message
    evidence = zlib.decompress(played.evidence)
    played = base.play(Stage.SYNC, Mode.INITIAL)
    assert played.verdict == Verdict.FAILED
    assert "Access denied for user 'mover'" in played.message
    evidence += zlib.decompress(played.evidence)
    monkeypatch.setenv("HR_PASSWORD", 'Rechts#9 "x')
    played = base.play(Stage.PLAN)
    evidence += zlib.decompress(played.evidence)
    assert played.verdict == Verdict.FAILED
    assert "it has other as well" in played.message
    base.source.run("mariadb", stdin="DROP DATABASE other; SET GLOBAL read_only = ON")
    before = base.source.run(CONFIGURATION)
    for stage, mode in (
        (Stage.SYNC, Mode.INITIAL),
        (Stage.FREEZE, Mode.NONE),
        (Stage.UNDO, Mode.ABORTED),
    ):
        played = base.play(stage, mode)
        assert played.verdict == Verdict.OK, played.message
        evidence += zlib.decompress(played.evidence)
    for secret in (b"Falsch", b"Rechts#9", b"PASSWORD '*"):
        assert secret not in evidence
    assert base.source.run(CONFIGURATION) == before, "what was read-only before stays so"
    base.source.run("mariadb", stdin="SET GLOBAL read_only = OFF; DROP USER mover@localhost")
