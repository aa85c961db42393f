"""Where clouds differ from what was approved, and how far that can be vouched for."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import typer

from cli import columns, output, render
from cli.columns import at, moment
from cli.options import Cloud, Department, Format, Output
from cli.render import Column
from cli.session import client
from cli.speech import t, word
from govcloud.errors import Exit

DRIFT: Final = (
    Column("cloud", at("cloud")),
    Column("department", at("department")),
    Column("object", lambda item: item.get("object") or item.get("name") or t("nobodys")),
    Column("resource_id", at("resource")),
    Column("field", lambda item: columns.drift_field(item["field"])),
    Column("wanted", lambda item: columns.differing(item["field"], item.get("wanted"))),
    Column("found", lambda item: columns.differing(item["field"], item.get("found"))),
    Column("mode", lambda item: word("drift-mode", item.get("mode"))),
    Column("since", lambda item: columns.age(item.get("since"))),
)


def drift(
    department: Department = None,
    cloud: Cloud = None,
    form: Format = Output.TABLE,
) -> None:
    """Show where clouds differ from what was approved, what is nobody's, and when that was seen."""
    found = client().get("/v1/drift", department=department, cloud=cloud)
    whole = {name: found.get(name) for name in ("items", "clouds", "unsettled")}
    if found["items"] or form not in (Output.TABLE, Output.WIDE):
        name = lambda item: str(item["resource"])  # noqa: E731
        render.show(found["items"], DRIFT, form, name=name, whole=whole)
    unseen = [one for one in found.get("clouds", ()) if one["sight"] != "current"]
    if form not in (Output.JSON, Output.YAML):
        _say(found, unseen)
    if unseen:
        raise typer.Exit(Exit.INCOMPLETE)


def _say(found: Mapping[str, Any], unseen: Sequence[Mapping[str, Any]]) -> None:
    """Say what the list is worth: when each cloud was looked at, and what is not in it."""
    open_ = found.get("unsettled")
    for one in found.get("clouds", ()):
        when = moment(one["lookedAt"])
        say = output.complain if one in unseen else output.note
        say(t(f"sight_{one['sight']}", cloud=one["cloud"], at=when, error=one["error"] or "-"))
        if one["brakedAt"]:
            output.complain(t("braked", cloud=one["cloud"], lost=one["lost"]))
    if not found["items"] and not unseen:
        output.note(t("no_drift_in_built", count=open_) if open_ else t("no_drift"))
    elif open_:
        output.note(t("unsettled", count=open_))
