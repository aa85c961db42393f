"""The queue of requests, and one request in full."""

from typing import Annotated

import typer

from cli import columns, complete, output, render, views
from cli.client import path
from cli.options import Department, Format, Limit, Output
from cli.session import client
from cli.speech import t

Everything = Annotated[bool, typer.Option("--all", help=t("opt_all_changes"))]


def list_requests(
    state: Annotated[str, typer.Option("--state", metavar="STATE", help=t("opt_state"))] = "open",
    department: Department = None,
    limit: Limit = None,
    form: Format = Output.TABLE,
) -> None:
    """List requests, the open ones unless another state is asked for."""
    found = client().items("/v1/requests", limit=limit, state=state, department=department)
    empty = t("no_open_requests") if state == "open" else t("no_requests", state=state)
    render.show(found, columns.REQUESTS, form, name=lambda item: str(item["id"]), empty=empty)
    output.hint(t("hint_requests"))


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
