"""Instants and waiting: one form of time, ranges that are told, nothing waited for by mistake."""

import json
import re
import sqlite3

import pytest

from govcloud.errors import Exit

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+08:00"


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_tables_show_the_citys_time_and_json_utc(city, govcloud, monkeypatch, zone):
    """The same form everywhere, whatever zone the machine is in, and readable by --as-of."""
    monkeypatch.setenv("TZ", zone)
    for words in (
        ("audit", "log", "--limit", "3"),
        ("token", "list"),
        ("events",),
        ("requests", "--state", "all", "-o", "wide"),
        ("describe", "vm/social-insurance-app"),
        ("whoami",),
    ):
        shown = govcloud(*words).out
        assert re.search(TIME, shown) or words[0] == "requests", words
        assert not re.search(r"\d\d:\d\d:\d\d(?!\+08:00|\d)", shown), words
    entry = json.loads(govcloud("audit", "log", "--limit", "1", "-o", "json").out)["items"][0]
    assert entry["at"].endswith("+00:00")
    (instant,) = re.findall(TIME, govcloud("audit", "log", "--limit", "1").out)
    words = ("report", "on-cloud-rate", "--format", "json", "--as-of")
    govcloud(*words, instant)
    govcloud(*words, instant.replace(" ", "T"))


def test_a_day_before_all_records_tells_the_range(city, govcloud):
    """It is readable, but nothing can be known of it."""
    words = ("report", "on-cloud-rate", "--format", "json", "--as-of")
    ended = govcloud(*words, "1900-01-01", code=Exit.INVALID)
    assert "before all records" in ended.err
    assert "1950-01-01" in ended.err


def test_a_name_that_two_departments_have_is_not_waited_for(city, govcloud):
    """It is neither absent nor gone; which is meant must be said."""
    database = sqlite3.connect(city / ".govcloud" / "govcloud.db")
    database.row_factory = sqlite3.Row
    row = dict(database.execute("SELECT * FROM objects WHERE kind = 'VirtualMachine'").fetchone())
    row |= {"uid": row["uid"][:-1] + "x", "department": "civil"}
    names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
    database.execute(f"INSERT INTO objects ({names}) VALUES ({marks})", list(row.values()))
    database.commit()
    database.close()
    for state in ("ready", "deleted", "create"):
        words = ("wait", "vm/social-insurance-app", "--for", state, "--timeout", "0s")
        assert "civil" in govcloud(*words, code=Exit.NOT_FOUND).err
    govcloud("wait", "hrss/vm/social-insurance-app", "--timeout", "0s")
