"""The files of a workspace: `.govcloud/` with its configuration, credentials and clouds.

Files only; the database in it is made by `govcloud.bootstrap.init`. Everything here may be done
again after an interruption: what is there is kept, what is missing is added.
"""

import json
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from govcloud.errors import UsageError
from govcloud.messages import system_fault
from govcloud.settings import CLOUDS, CONFIG, CREDENTIALS, FOLDER, read_credentials

PRIVATE_FILE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700
TEMPLATE: Final = """\
# A govcloud workspace. Environment variables (GOVCLOUD_…) take precedence.

# Where the data is. Without it: govcloud.db in this folder. A password belongs into
# GOVCLOUD_DATABASE_URL or a .pgpass file, not in here.
# database = "postgresql+psycopg://govcloud@db.example/govcloud"

# Talk to a server instead of the embedded database.
# server = "https://govcloud.example"
"""


def make_folder(directory: Path) -> tuple[Path, bool]:
    """Make `.govcloud/` in a directory; return it and whether it is new.

    The database and the tokens in it are the city's: nobody else on the machine may read them.
    """
    workspace = directory.resolve() / FOLDER
    try:
        workspace.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        (workspace / CLOUDS).mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        ignore = workspace / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        if (workspace / CONFIG).exists():
            return workspace, False
        write_private(workspace / CONFIG, TEMPLATE)
    except OSError as error:
        detail = system_fault(error)
        raise UsageError("errors.unwritable", file=str(workspace), detail=detail) from error
    return workspace, True


def save_credential(workspace: Path, name: str, token: str) -> None:
    """Keep a token under a name in credentials.json, readable by its owner only."""
    tokens = read_credentials(workspace) | {name: token}
    write_private(workspace / CREDENTIALS, json.dumps({"tokens": tokens}, indent=2) + "\n")


def forget_credential(workspace: Path, name: str) -> None:
    """Remove the token of a name from credentials.json."""
    tokens = read_credentials(workspace)
    if tokens.pop(name, None) is not None:
        write_private(workspace / CREDENTIALS, json.dumps({"tokens": tokens}, indent=2) + "\n")


def write_private(file: Path, text: str) -> None:
    """Replace a file at once and never half, with mode 0600 from its first byte on."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise


def is_private(file: Path) -> bool:
    """Whether nobody but the owner may read or write a file."""
    return file.stat().st_mode & 0o077 == 0
