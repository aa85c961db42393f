"""The clock on the city's wall: by it days begin and end, wherever a program runs."""

from datetime import timedelta, timezone
from typing import Final

ZONE: Final = "Asia/Shanghai"
TIME: Final = timezone(timedelta(hours=8), ZONE)
"""China has one time zone and no summer time."""
