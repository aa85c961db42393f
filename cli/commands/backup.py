"""Keeping the workspace's data safe: backup, restore."""

from pathlib import Path
from typing import Annotated

import typer

from cli import complete, output, rights, session
from cli.commands.submit import confirm
from cli.options import Yes
from cli.progress import spinner
from cli.speech import t
from govcloud.errors import Exit, GovcloudError, UsageError


def backup(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help=t("arg_backup"), autocompletion=complete.files)
    ],
) -> None:
    """Copy the database into a file, while others may go on working, and prove the copy."""
    database = _database()
    rights.whole_city()
    from govcloud.store.copying import back_up

    with spinner(t("backing_up")):
        found = back_up(database, Path(file))
    output.emit(file)
    head = f"{found.head.seq}:{found.head.hash}" if found.head else "-"
    output.note(t("backed_up", count=found.checked, head=head))


def restore(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help=t("arg_restore"), autocompletion=complete.files)
    ],
    yes: Yes = False,
) -> None:
    """Put a copy in the place of the workspace's database."""
    database = _database()
    if not Path(file).is_file():
        raise UsageError("cli.no_such_file", file=file)
    _ask_leave()
    if database.exists() and not yes:
        confirm(t("ask_restore", file=database))
    from govcloud import bootstrap
    from govcloud.store import copying

    with spinner(t("restoring")):
        found, former = copying.restore(Path(file), database)
        workspace = session.current.settings.workspace
        made = bootstrap.init(workspace.parent, session.current.environment) if workspace else None
    output.note(t("restored", count=found.checked))
    if former is not None:
        output.note(t("former_kept", file=former))
    if made is not None and made.token_made:
        output.note(t("first_token"))


def _ask_leave() -> None:
    """Let only administrators replace a database that works; one that is lost forbids nobody."""
    try:
        rights.everything()
    except GovcloudError as error:
        if error.exit_code is Exit.FORBIDDEN:
            raise
    finally:
        session.current.close()  # It must not be in use.


def _database() -> Path:
    from govcloud.store.address import file_of

    settings = session.current.settings
    if settings.server is not None:
        raise UsageError("cli.backup_where_data_is")
    file = file_of(settings.database_url)
    if file is None:
        raise UsageError("cli.backup_by_pg_dump")
    return file
