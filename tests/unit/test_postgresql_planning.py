"""What the role `postgresql` says of servers that cannot follow; what can, follows in its tests."""

from types import ModuleType
from typing import Final

import pytest

from migration.running.roles import Roles

ABLE: Final = ["150006", "logical", "4", "2", "t", "f", "1024"]
"""Version, wal_level, free slots, free senders, superuser, standby, limit of what is kept."""


@pytest.fixture
def planning(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The role's own module, with those that it is brought together with."""
    for role in ("databases", "postgresql"):
        monkeypatch.syspath_prepend(str(Roles().playbooks / "roles" / role / "files"))
    import planning  # type: ignore[import-not-found]

    return planning  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("place", "fact", "said"),
    [
        (0, "110022", "older than version 12"),
        (1, "replica", "wal_level of old is replica: set it to logical"),
        (2, "1", "1 replication slots free, and 2 are needed"),
        (2, "-3", "0 replication slots free"),
        (3, "0", "no WAL sender free"),
        (4, "f", "no superuser"),
        (5, "t", "a standby: name its primary"),
    ],
)
def test_sources_that_cannot_be_followed(
    planning: ModuleType, place: int, fact: str, said: str
) -> None:
    assert list(planning.of_source("old", ABLE, 2)) == []
    (told,) = planning.of_source("old", [*ABLE[:place], fact, *ABLE[place + 1 :]], 2)
    assert said in told


def test_targets_that_cannot_follow(planning: ModuleType) -> None:
    assert list(planning.of_target("new", ["2", "1"], 2)) == []
    origins, workers = planning.of_target("new", ["1", "0"], 2)
    assert "can follow 1 more, and 2 are needed" in origins
    assert "no worker free" in workers


@pytest.mark.parametrize(("limit", "warned"), [("1024", 0), ("-1", 1), ("", 1)])
def test_a_log_without_a_limit_is_warned_of(planning: ModuleType, limit: str, warned: int) -> None:
    assert len(list(planning.unbounded("old", [*ABLE[:-1], limit]))) == warned
