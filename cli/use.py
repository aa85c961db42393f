"""How much of its limits a namespace uses, beside what was approved."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from cli.labels import resource
from cli.session import client

BATCH: Final = 100
HIGH: Final = "!"
"""Behind what is nearly used up."""


def with_use(items: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield objects with `status.use` as their clouds say it now, a call for a hundred."""
    while batch := list(islice(items, BATCH)):
        uids = ",".join(item["metadata"]["uid"] for item in batch)
        found = {one["uid"]: one["use"] for one in client().get("/v1/use", uids=uids)["items"]}
        for item in batch:
            status = {**item["status"], "use": found.get(item["metadata"]["uid"], {})}
            yield {**item, "status": status}


def shown(item: Mapping[str, Any]) -> str:
    """Return the use of an object in one cell: `CPU 3/4 75%, memory 7Gi/8Gi 88%!`."""
    entries = (item.get("status") or {}).get("use") or {}
    return ", ".join(
        f"{resource(word)} {one['used']}/{one['limit']} {one['percent']}%"
        f"{HIGH if one['high'] else ''}"
        for word, one in entries.items()
    )
