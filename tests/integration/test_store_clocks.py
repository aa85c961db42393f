"""Several machines that share a database server: whose clock is far from its is not let in."""

from datetime import UTC, datetime, timedelta

import pytest

from govcloud.clock import APART
from govcloud.errors import UnavailableError
from govcloud.store.engine import Database
from govcloud.testing.clock import FixedClock

MINUTE = timedelta(minutes=1)


@pytest.mark.guarantee("P2")
@pytest.mark.parametrize("away", [APART + MINUTE, -APART - MINUTE])
def test_who_would_date_records_wrongly_is_refused(database: Database, away: timedelta) -> None:
    """A record from the future would be missing in every report until then."""
    if database.is_sqlite:
        pytest.skip("a file has no clock beside the machine's")
    wrong = Database(database.url, FixedClock(datetime.now(UTC) + away))
    for begin in (wrong.writing, wrong.reading):
        with pytest.raises(UnavailableError) as caught, begin() as session:
            session.connection()
        assert caught.value.key == "errors.clocks_apart"
    wrong.close()
    near = Database(database.url, FixedClock(datetime.now(UTC) + away / 2))
    with near.reading() as session:
        session.connection()
    near.close()
