"""The queue of requests, and one request in full."""

from collections.abc import Iterator
from typing import Annotated, Any, Final

import typer

from cli import columns, complete, output, render, views
from cli.client import ApiError, path
from cli.labels import meaning
from cli.options import Department, Format, Limit, Output
from cli.session import client
from cli.speech import t, word
from govcloud.errors import UsageError

Everything = Annotated[bool, typer.Option("--all", help=t("opt_all_changes"))]


def _count(heading: str, action: str) -> render.Column:
    return render.Column(heading, lambda item: item["summary"].get(action, 0), right=True)


COUNTS: Final = (
    _count("to_create", "create"),
    _count("to_change", "change"),
    _count("to_release", "release"),
)
CSV: Final = tuple(
    shown
    for column in columns.REQUESTS
    for shown in (COUNTS if column.heading == "changes" else (column,))
)
"""As the table, but numbers stand alone: a spreadsheet takes `+1 -2` for a formula."""


def list_requests(
    state: Annotated[str, typer.Option("--state", metavar="STATE", help=t("opt_state"))] = "open",
    mine: Annotated[bool, typer.Option("--mine", help=t("opt_mine"))] = False,
    department: Department = None,
    limit: Limit = None,
    form: Format = Output.TABLE,
) -> None:
    """List requests, the open ones unless another state is asked for."""
    query = {"mine": "true"} if mine else {"state": meaning("request", state)}
    items = client().items("/v1/requests", limit=limit, department=department, **query)
    found = _listed(items, state)
    said = {"open": t("no_open_requests"), "all": t("no_requests_at_all")}
    empty = t("nothing_waits") if mine else said.get(state, t("no_requests", state=state))
    shown = CSV if form is Output.CSV else columns.REQUESTS
    render.show(found, shown, form, name=lambda item: str(item["id"]), empty=empty)
    output.hint(t("hint_requests"))


def _listed(items: Iterator[dict[str, Any]], state: str) -> Iterator[dict[str, Any]]:
    """Yield the requests; a state that is none is told as it was typed, with the words known."""
    try:
        yield from items
    except ApiError as error:
        known: Any = error.params.get("known")
        if not error.key.startswith("errors.unknown_word") or error.params["name"] != "state":
            raise
        known = [word("request", name) for name in known]
        raise UsageError("errors.unknown_word", name="--state", word=state, known=known) from error


def show(
    ids: Annotated[
        list[str],
        typer.Argument(
            metavar="REQUEST…", help=t("arg_requests"), autocompletion=complete.requests
        ),
    ],
    everything: Everything = False,
    form: Format = Output.TABLE,
) -> None:
    """Show requests in full: changes, findings, quota before and after, decisions."""
    found = [client().get(path("requests", identity)) for identity in ids]
    if form in (Output.TABLE, Output.WIDE):
        for index, item in enumerate(found):
            if index:
                output.emit("\n" + "─" * 40 + "\n")
            views.request(item, everything=everything or form is Output.WIDE)
        return
    whole = found[0] if len(found) == 1 else {"items": found}
    render.show(found, columns.REQUESTS, form, name=lambda item: str(item["id"]), whole=whole)
