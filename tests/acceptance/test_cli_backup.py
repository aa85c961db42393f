"""Backups: whole, proven, never overwritten; and the way back."""

import resource
import sqlite3
import subprocess
import sys

import pytest
from alembic import command

from govcloud.errors import Exit, UsageError
from govcloud.store import schema
from govcloud.store.copying import back_up, restore
from govcloud.store.engine import Database

FILE = ".govcloud/govcloud.db"


@pytest.mark.guarantee("F4")
def test_a_backup_brings_everything_back(city, govcloud, tmp_path):
    """Made while others work; the audit head that it prints proves what is restored."""
    copy = tmp_path / "city.db"
    made = govcloud("backup", str(copy))
    assert made.lines == [str(copy)]
    assert copy.stat().st_mode & 0o077 == 0
    assert [entry.name for entry in tmp_path.glob(".*.part*")] == []
    head = made.err.split()[-1].rstrip(".")
    before = govcloud("get", "vm", "-o", "json").out
    govcloud("quota", "set", "hrss", "vcpu=61")
    (city / FILE).unlink()
    govcloud("get", "vm", code=Exit.UNAVAILABLE)
    govcloud("restore", str(copy))
    assert govcloud("get", "vm", "-o", "json").out == before
    govcloud("audit", "verify", "--head", head)
    govcloud("--as", "hrss", "get", "vm")


def test_restoring_keeps_the_former_database(city, govcloud, tmp_path):
    """A mistaken restore is no loss either."""
    copy = str(tmp_path / "city.db")
    govcloud("backup", copy)
    govcloud("quota", "set", "hrss", "vcpu=61")
    now = govcloud("quota", "show", "hrss").out
    assert "--yes" in govcloud("restore", copy, code=Exit.USAGE).err
    told = govcloud("restore", copy, "--yes").err
    assert govcloud("quota", "show", "hrss").out != now
    (former,) = (city / ".govcloud").glob("govcloud.db.2*Z")
    assert str(former) in told
    govcloud("restore", str(former), "--yes")
    assert govcloud("quota", "show", "hrss").out == now


def test_restoring_at_the_same_moment_keeps_each_former_database(city, govcloud, tmp_path):
    """A second restore does not take the name of what the first one has put aside."""
    copy = tmp_path / "city.db"
    govcloud("backup", str(copy))
    formers = {restore(copy, city / FILE)[1] for _ in range(5)}
    assert set((city / ".govcloud").glob("govcloud.db.2*Z")) == formers
    assert len(formers) == 5


def test_a_backup_of_an_older_program_is_upgraded(city, govcloud, tmp_path):
    copy = tmp_path / "city.db"
    govcloud("backup", str(copy))
    database = Database(f"sqlite:///{copy}")
    with database.engine.connect() as connection:
        command.downgrade(schema.config(connection), "-1")
        connection.commit()
    older = schema.current(database)
    database.close()
    assert older < schema.HEAD
    before = govcloud("get", "vm", "-o", "json").out
    govcloud("restore", str(copy), "--yes")
    assert govcloud("get", "vm", "-o", "json").out == before
    govcloud("audit", "verify")


def test_a_database_in_use_is_not_replaced(city, govcloud, tmp_path):
    """A server would go on writing into the former one."""
    copy = str(tmp_path / "city.db")
    govcloud("backup", copy)
    program = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
        "c.execute('SELECT count(*) FROM audit').fetchall(); print('open', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(city / FILE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as user:
        assert user.stdout is not None
        user.stdout.readline()
        assert "in use" in govcloud("restore", copy, "--yes", code=Exit.UNAVAILABLE).err
        user.communicate("\n")
    govcloud("get", "vm")


def test_backups_are_not_overwritten_and_damage_is_found(city, govcloud, tmp_path, monkeypatch):
    """An existing file, a file that is no database, a chain that was touched."""
    copy = tmp_path / "city.db"
    govcloud("backup", str(copy))
    assert "already" in govcloud("backup", str(copy), code=Exit.USAGE).err
    assert "/nowhere" in govcloud("backup", "/nowhere/city.db", code=Exit.USAGE).err
    whole, junk = copy.read_bytes(), tmp_path / "junk.db"
    for damaged in (
        b"",
        b"this is no database" * 100,
        whole[: len(whole) // 3],
        whole[:4096] + b"\xff" * 8192 + whole[12288:],
    ):
        junk.write_bytes(damaged)
        told = govcloud("restore", str(junk), "--yes", code=Exit.VERIFICATION).err
        assert str(junk) in told
        assert "older backup" in told
        assert "password" not in told
        assert ("no backup of govcloud" in told) == damaged.startswith(b"this")
    forged = sqlite3.connect(copy)
    forged.execute("DROP TRIGGER audit_no_update")
    forged.execute("UPDATE audit SET actor = 'nobody' WHERE seq = 3")
    forged.commit()
    forged.close()
    assert "3" in govcloud("restore", str(copy), "--yes", code=Exit.VERIFICATION).err
    govcloud("get", "vm")
    govcloud("restore", str(tmp_path / "none"), code=Exit.USAGE)
    monkeypatch.setenv("GOVCLOUD_DATABASE_URL", "postgresql+psycopg://db/city")
    assert "pg_dump" in govcloud("backup", str(copy), code=Exit.USAGE).err


@pytest.mark.guarantee("P1")
def test_who_speaks_as_a_department_gets_no_copy_of_the_city(city, govcloud, tmp_path):
    """Files are read without the API, yet not on behalf of whom it would refuse."""
    copy, other = tmp_path / "city.db", tmp_path / "other.db"
    govcloud("token", "create", "yunwei", "--role", "operator", "--save")
    govcloud("--as", "yunwei", "backup", str(copy))
    for who in ("hrss", "approver", "auditor"):
        refused = govcloud("--as", who, "backup", str(other), code=Exit.FORBIDDEN)
        assert who in refused.err
        govcloud("--as", who, "simulate", "list", code=Exit.FORBIDDEN)
        govcloud("--as", who, "simulate", "fault", "down", code=Exit.FORBIDDEN)
        govcloud("--as", who, "restore", str(copy), "--yes", code=Exit.FORBIDDEN)
    assert not other.exists()
    govcloud("--as", "yunwei", "restore", str(copy), "--yes", code=Exit.FORBIDDEN)
    assert govcloud("--as", "yunwei", "simulate", "list", "-o", "name").out
    govcloud("restore", str(copy), "--yes")


@pytest.mark.parametrize("damage", [b"", b"no database" * 999], ids=["emptied", "overwritten"])
def test_a_damaged_database_is_replaced(city, govcloud, tmp_path, damage):
    """Where nobody can be known any more, whoever may write the files may mend them."""
    copy = str(tmp_path / "city.db")
    govcloud("backup", copy)
    for file in (city / ".govcloud").glob("govcloud.db*"):
        file.unlink()
    (city / FILE).write_bytes(damage)
    assert "→" in govcloud("get", "vm", code=Exit.UNAVAILABLE).err
    govcloud("restore", copy, "--yes")
    govcloud("get", "vm")


def test_a_disk_that_is_full_is_the_targets(city, govcloud, tmp_path):
    """What is named is the file that cannot be written, and nothing of it is left."""
    govcloud("get", "vm")
    target = tmp_path / "small" / "city.db"
    target.parent.mkdir()
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, former[1]))
    try:
        with pytest.raises(UsageError) as caught:
            back_up(city / FILE, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
    assert (caught.value.key, caught.value.params["file"]) == ("errors.unwritable", str(target))
    assert list(target.parent.iterdir()) == []
    govcloud("backup", str(target))
