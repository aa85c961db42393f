"""The city's time zone: chosen with its database, by which days are counted wherever they are."""

import json
from pathlib import Path

import pytest

from govcloud.domain import city as clock
from govcloud.errors import Exit

EXAMPLES = Path(__file__).parents[2] / "examples" / "small"
REPORT = ("report", "on-cloud-rate", "--as-of", "2026-06-30", "--format", "json")


@pytest.fixture(autouse=True)
def _usual_time():
    yield
    clock.use(clock.DEFAULT)


@pytest.mark.guarantee("F1")
def test_days_are_counted_by_the_time_zone_of_the_city(govcloud, tmp_path, monkeypatch):
    """A process takes it from the database; whoever looks sees instants in it."""
    govcloud("init", str(tmp_path), "--time-zone", "Asia/Urumqi")
    monkeypatch.setenv("GOVCLOUD_WORKSPACE", str(tmp_path))
    govcloud("apply", "-f", str(EXAMPLES / "platform.yaml"))
    clock.use(clock.DEFAULT)  # as in the next process
    report = json.loads(govcloud(*REPORT).out)
    assert report["timeZone"] == "Asia/Urumqi"
    assert report["cutoff"].startswith("2026-06-30T17:59:59.999999")
    clock.use(clock.DEFAULT)
    assert "+06:00" in govcloud("audit", "log").out


def test_it_is_fixed_from_then_on(govcloud, tmp_path, monkeypatch):
    """Another one would change the reports of past days."""
    govcloud("init", str(tmp_path))
    monkeypatch.setenv("GOVCLOUD_WORKSPACE", str(tmp_path))
    govcloud("init", str(tmp_path), "--time-zone", "Asia/Shanghai")
    refused = govcloud("init", str(tmp_path), "--time-zone", "Asia/Urumqi", code=Exit.CONFLICT)
    assert "Asia/Shanghai" in refused.err
    assert json.loads(govcloud(*REPORT).out)["timeZone"] == "Asia/Shanghai"


def test_a_slip_is_told_before_anything_is_made(govcloud, tmp_path):
    """With the name that was meant."""
    refused = govcloud("init", str(tmp_path / "x"), "--time-zone", "Asia/Shanghia", code=None)
    assert refused.code == Exit.INVALID
    assert "Asia/Shanghai" in refused.err
    assert not (tmp_path / "x").exists()
