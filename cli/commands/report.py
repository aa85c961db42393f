"""Reports for the lead authority and the auditors."""

import sys
from typing import Annotated, Any

import typer

from cli import output, render
from cli.client import Client
from cli.options import Department, Output
from cli.session import client
from cli.speech import t
from govcloud.errors import UsageError

PATH = "/v1/reports/on-cloud-rate"
SPREADSHEETS = ("csv", "xlsx")
FORMATS = ("table", "json", *SPREADSHEETS)
AsOf = Annotated[str | None, typer.Option("--as-of", metavar="DATE", help=t("opt_as_of"))]
Shape = Annotated[
    Output, typer.Option("--output", "-o", "--format", metavar="FORMAT", help=t("opt_output"))
]
Version = Annotated[
    str | None, typer.Option("--definition", metavar="VERSION", help=t("opt_definition"))
]


def on_cloud_rate(
    *,
    as_of: AsOf = None,
    department: Department = None,
    definition: Version = None,
    beside: Annotated[
        list[str] | None, typer.Option("--beside", metavar="VERSION", help=t("opt_beside"))
    ] = None,
    form: Annotated[
        str, typer.Option("--format", metavar="table|csv|xlsx|json", help=t("opt_report_format"))
    ] = "table",
    file: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help=t("opt_to_file"))
    ] = None,
) -> None:
    """Report the on-cloud rate by department, as of any instant."""
    form = _form(form, file)
    query = {
        "as_of": _instant(as_of),
        "department": department,
        "definition": definition,
        "beside": ",".join(beside or ()) or None,
    }
    if form in SPREADSHEETS:
        _check_destination(form, file)
        _deliver(client().download(PATH, format=form, **query), file)
    elif form == "json":
        _deliver(client().download(PATH, format="json", **query), file)
    else:
        _table(client(), query)


def _form(form: str, file: str | None) -> str:
    if form not in FORMATS:
        from govcloud.domain.suggest import nearest

        meant = nearest(form, FORMATS)
        key = "cli.bad_report_format_meant" if meant else "cli.bad_report_format"
        raise UsageError(key, form=form, meant=meant)
    ending = (file or "").rpartition(".")[2].lower()
    if form == "table" and ending in ("json", *SPREADSHEETS):
        return ending
    if form == "table" and file is not None:
        raise UsageError("cli.table_to_file")
    return form


def _check_destination(form: str, file: str | None) -> None:
    if file is None and sys.stdout.isatty() and form == "xlsx":
        raise UsageError("cli.binary_to_terminal", form=form)


def _deliver(content: bytes, file: str | None) -> None:
    if file is None or file == "-":
        output.emit_bytes(content)
        return
    from cli.files import write

    write(file, content)
    output.note(t("written", file=file))


def _day(text: str | None) -> str | None:
    """Return what the API reads as a day; UsageError for what is none."""
    if text is None:
        return None
    from datetime import date

    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise UsageError("cli.bad_day", text=text) from error


def _instant(text: str | None) -> str | None:
    """Return what the API reads as an instant; UsageError for what is none."""
    if text is None:
        return None
    from datetime import datetime

    try:
        datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError("cli.bad_as_of", text=text) from error
    return text


def _table(door: Client, query: dict[str, Any]) -> None:
    found = door.get(PATH, format="json", **query)
    from cli.report_view import show

    show(found)


def opening_time(
    *,
    as_of: AsOf = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="DATE", help=t("opt_since"))
    ] = None,
    department: Department = None,
    form: Shape = Output.TABLE,
) -> None:
    """Report how many working days requests took from submission to fulfilment."""
    found = client().get(
        "/v1/reports/opening-time", as_of=_instant(as_of), since=_day(since), department=department
    )
    from cli.report_view import show_opening_time

    show_opening_time(found, form)


def explain_on_cloud_rate(
    *,
    department: Department = None,
    as_of: AsOf = None,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="ID", help=t("opt_metric"))
    ] = None,
    definition: Version = None,
    form: Shape = Output.TABLE,
) -> None:
    """Show which systems count, which do not, and why, down to the records."""
    found = client().get(
        f"{PATH}/explain",
        as_of=_instant(as_of),
        department=department,
        metric=metric,
        definition=definition,
    )
    if form in (Output.JSON, Output.YAML):
        render.structured(found, form)
        return
    from cli.report_view import show_explanation

    show_explanation(found, form)


def explain_fact(
    number: Annotated[int, typer.Argument(metavar="NUMBER", min=1, help=t("arg_fact"))],
    form: Shape = Output.TABLE,
) -> None:
    """Show the record behind a figure: what it says, from when, and what wrote it."""
    found = client().get(f"/v1/reports/facts/{number}")
    from cli.report_view import show_fact

    show_fact(found, form)
