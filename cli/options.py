"""Options that several commands share, so that they are spelt and explained once."""

from enum import StrEnum
from typing import Annotated

import typer

from cli import complete
from cli.speech import t


class Output(StrEnum):
    """How lists and objects are shown."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    CSV = "csv"
    NAME = "name"


class Text(StrEnum):
    """How what is no list is shown."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


TextFormat = Annotated[
    Text, typer.Option("--output", "-o", metavar="text|json|yaml", help=t("opt_output_text"))
]
Format = Annotated[Output, typer.Option("--output", "-o", metavar="FORMAT", help=t("opt_output"))]
Files = Annotated[
    list[str],
    typer.Option(
        "--filename", "-f", metavar="PATH", help=t("opt_filename"), autocompletion=complete.files
    ),
]
Department = Annotated[
    str | None,
    typer.Option(
        "--department",
        "-d",
        metavar="NAME",
        help=t("opt_department"),
        envvar="GOVCLOUD_DEPARTMENT",
        show_envvar=False,
        autocompletion=complete.departments,
    ),
]
AllDepartments = Annotated[
    bool, typer.Option("--all-departments", "-A", help=t("opt_all_departments"))
]
Labels = Annotated[
    str | None, typer.Option("--selector", "-l", metavar="A=B,C=D", help=t("opt_selector"))
]
Cloud = Annotated[str | None, typer.Option("--cloud", metavar="NAME", help=t("opt_cloud"))]
Zone = Annotated[str | None, typer.Option("--zone", metavar="NAME", help=t("opt_zone"))]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help=t("opt_limit"))]
Yes = Annotated[bool, typer.Option("--yes", "-y", help=t("opt_yes"))]
DryRun = Annotated[bool, typer.Option("--dry-run", help=t("opt_dry_run"))]
Force = Annotated[bool, typer.Option("--force", help=t("opt_force"))]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help=t("opt_note"))]
Watch = Annotated[bool, typer.Option("--watch", "-w", help=t("opt_watch"))]
Wait = Annotated[bool, typer.Option("--wait", help=t("opt_wait"))]
Timeout = Annotated[str, typer.Option("--timeout", metavar="TIME", help=t("opt_timeout"))]
