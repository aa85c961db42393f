"""What is proposed for a system's move can be played."""

import pytest

from govcloud.domain.kinds.estate import LegacyHostSpec
from migration.running.port import Stage
from migration.running.prepare import proposal
from migration.running.roles import Roles


@pytest.mark.parametrize(
    ("said", "role"),
    [
        ("PostgreSQL 13", "postgresql"),
        ("MySQL 5.7", "mysql"),
        ("MariaDB 10.11.6-MariaDB", "mysql"),
        ("unheard of", "files"),
    ],
)
def test_the_role_that_is_proposed_knows_the_stages(said: str, role: str) -> None:
    facts = {"arch": "x86_64", "databases": [said]}
    host = LegacyHostSpec.model_validate({"room": "basement", "facts": facts})
    [workload] = proposal("portal", {"db-1": host}, [], "extranet", "debian-12")["workloads"]
    assert workload["role"] == role
    roles = Roles()
    assert all(roles.has(role, stage) for stage in (Stage.PLAN, Stage.SYNC, Stage.UNDO))
    assert roles.settings(role)["options"]
