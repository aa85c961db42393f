"""Working days: weekends, holidays, and the weekend days that are worked for them (APP-8)."""

from datetime import date

import pytest

from govcloud.domain.kinds.governance import PolicySpec
from govcloud.policy.calendar import due, works

POLICY = PolicySpec.model_validate(
    {
        "version": "1",
        "effectiveFrom": "2026-01-01",
        "holidays": [f"2026-10-0{day}" for day in range(1, 8)],
        "workdays": ["2026-09-27", "2026-10-10"],
    }
)


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        ("2026-09-26", False),
        ("2026-09-27", True),
        ("2026-09-30", True),
        ("2026-10-01", False),
        ("2026-10-08", True),
        ("2026-10-10", True),
        ("2026-10-11", False),
    ],
)
def test_what_is_a_working_day(day: str, worked: bool) -> None:
    assert works(date.fromisoformat(day), POLICY) is worked


@pytest.mark.parametrize(
    ("begun", "within", "last"),
    [
        ("2026-09-21", 1, "2026-09-22"),
        ("2026-09-25", 1, "2026-09-27"),
        ("2026-09-29", 3, "2026-10-09"),
        ("2026-10-03", 1, "2026-10-08"),
    ],
)
def test_a_time_limit_counts_working_days_after_the_day_it_begins(
    begun: str, within: int, last: str
) -> None:
    assert due(date.fromisoformat(begun), within, POLICY) == date.fromisoformat(last)
