"""How much of its limits a namespace uses, beside what was approved."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from cli.labels import resource
from cli.output import complain
from cli.session import client
from cli.speech import t

BATCH: Final = 100
HIGH: Final = "!"
"""Behind what is nearly used up."""
UNKNOWN: Final = "?"
"""In place of what a cloud does not say now."""


def with_use(items: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield objects with `status.use` as their clouds say it now, a call for a hundred.

    It is None where a cloud does not answer, which is said once.
    """
    silent: set[str] = set()
    while batch := list(islice(items, BATCH)):
        uids = ",".join(item["metadata"]["uid"] for item in batch)
        said = client().get("/v1/use", uids=uids)
        if news := sorted(set(said["silent"]) - silent):
            complain(t("use_unknown", clouds=news))
        silent.update(news)
        found = {one["uid"]: one["use"] for one in said["items"]}
        for item in batch:
            mute = item["status"].get("cloud") in said["silent"]
            use = None if mute else found.get(item["metadata"]["uid"], {})
            yield {**item, "status": {**item["status"], "use": use}}


def shown(item: Mapping[str, Any]) -> str:
    """Return the use of an object in one cell: `CPU 3/4 75%, memory 7Gi/8Gi 88%!`."""
    entries = (item.get("status") or {}).get("use", {})
    if entries is None:
        return UNKNOWN
    return ", ".join(
        f"{resource(word)} {one['used']}/{one['limit']} {one['percent']}%"
        f"{HIGH if one['high'] else ''}"
        for word, one in entries.items()
    )
