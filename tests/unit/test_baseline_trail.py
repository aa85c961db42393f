"""The audit trail of the role `baseline`: its rules by level, and auditd's configuration."""

from pathlib import Path
from types import ModuleType

import pytest

from migration.running.roles import Roles


@pytest.fixture
def trail(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The role's own module, with those beside it."""
    folder: Path = Roles().playbooks / "roles/baseline/files"
    monkeypatch.syspath_prepend(str(folder))
    import trail  # type: ignore[import-not-found]

    return trail  # type: ignore[no-any-return]


def test_a_higher_level_notes_more(trail: ModuleType) -> None:
    second, third = (trail.rules(level, "x86_64") for level in (2, 3))
    assert set(second) < set(third)
    assert all(" -k govcloud-" in rule for rule in third)
    assert any("execve -F euid=0" in rule for rule in third)
    assert not [rule for rule in trail.rules(3, "aarch64") if "chmod,chown," in rule]


def test_auditd_keeps_more_and_all_else_stays(trail: ModuleType) -> None:
    text = "log_file = /var/log/audit/audit.log\nmax_log_file = 8\n##num_logs = 1\n"
    tuned = trail.tuned(text, 3)
    assert tuned.splitlines() == [
        "log_file = /var/log/audit/audit.log",
        "max_log_file = 50",
        "##num_logs = 1",
        "num_logs = 99",
        "max_log_file_action = ROTATE",
    ]
    assert trail.tuned(tuned, 3) == tuned
