"""Where the data is and who is calling: workspace, environment, credentials. Cheap to import.

A workspace is a folder `.govcloud/`, found through GOVCLOUD_WORKSPACE or by walking upwards from
the current folder, as git does. Secrets come from the environment or from files of mode 0600,
never from a command line. Commands read this before they decide what to load, so it imports the
standard library and `errors` only.
"""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from govcloud.errors import NotFoundError, Text, UnauthenticatedError, UsageError
from govcloud.messages import system_fault

FOLDER: Final = ".govcloud"
CONFIG: Final = "config.toml"
CREDENTIALS: Final = "credentials.json"
DATABASE: Final = "govcloud.db"
CLOUDS: Final = "clouds"
DEFAULT_CREDENTIAL: Final = "admin"
KNOWN: Final = ("credential", "database", "language", "server")
"""The settings that config.toml may hold; all of them are words."""
LANGUAGES: Final = ("zh", "en")
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Settings:
    """What is configured.

    `workspace` is the `.govcloud` folder or None (only with a server). `server` is the base URL of
    a govcloud server, or None for the embedded database at `database_url`. `credential` names the
    entry of credentials.json that speaks when no token is given. `language` is `zh`, `en` or None.
    `report_processes`: how many processes count a large report at most; None for one a core.
    """

    workspace: Path | None
    server: str | None
    database_url: str
    credential: str = DEFAULT_CREDENTIAL
    given_token: str | None = None
    language: str | None = None
    report_processes: int | None = None

    @property
    def clouds_folder(self) -> Path | None:
        """Where clouds without a server of their own keep files."""
        return self.workspace / CLOUDS if self.workspace else None

    def token(self) -> str:
        """Return the caller's token; UnauthenticatedError where there is none."""
        if self.given_token:
            return self.given_token
        if self.workspace is None:
            raise UnauthenticatedError("errors.no_token")
        tokens = read_credentials(self.workspace)
        if self.credential not in tokens:
            raise UnauthenticatedError("errors.no_credential", name=self.credential)
        return tokens[self.credential]

    def __repr__(self) -> str:
        """Show what is configured, without secrets."""
        return f"Settings(workspace={self.workspace}, server={self.server})"


def load(
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    *,
    needs_workspace: bool = True,
) -> Settings:
    """Return the settings of a process that runs in `folder` (default: the current one).

    NotFoundError where neither a workspace nor a server is configured, unless `needs_workspace`
    is off; UsageError for settings that cannot be read or that would send a token in the clear.
    """
    env = os.environ if environment is None else environment
    workspace = find_workspace(env, folder or Path.cwd())
    settings = _of_workspace(workspace) if workspace else Settings(None, None, "")
    settings = _of_environment(settings, env)
    if settings.server is not None:
        _check_server(settings.server, env)
    elif not settings.database_url and needs_workspace:
        raise NotFoundError("errors.no_workspace", folder=str(folder or Path.cwd()))
    return settings


def find_workspace(env: Mapping[str, str], folder: Path) -> Path | None:
    """Return the workspace's `.govcloud` folder, or None.

    GOVCLOUD_WORKSPACE may name it or the folder it is in; NotFoundError where it names neither.
    """
    if named := env.get("GOVCLOUD_WORKSPACE"):
        for candidate in (Path(named) / FOLDER, Path(named)):
            if (candidate / CONFIG).is_file():
                return candidate.resolve()
        raise NotFoundError("errors.no_workspace", folder=named)
    start = folder.resolve()
    for candidate in (start, *start.parents):
        if (candidate / FOLDER / CONFIG).is_file():
            return candidate / FOLDER
    return None


def home(env: Mapping[str, str]) -> Path:
    """Return the folder that a new workspace belongs into: the one that is named, or this one."""
    named = Path(env.get("GOVCLOUD_WORKSPACE") or ".")
    return named.parent if named.name == FOLDER else named


def _of_workspace(workspace: Path) -> Settings:
    config = read_config(workspace / CONFIG)
    return Settings(
        workspace=workspace,
        server=_word(config, "server"),
        database_url=_word(config, "database") or sqlite_url(workspace / DATABASE),
        credential=_word(config, "credential") or DEFAULT_CREDENTIAL,
        language=_word(config, "language"),
    )


def _of_environment(settings: Settings, env: Mapping[str, str]) -> Settings:
    database = env.get("GOVCLOUD_DATABASE_URL")
    return replace(
        settings,
        server=(env.get("GOVCLOUD_SERVER") or settings.server or "").rstrip("/") or None,
        database_url=database or settings.database_url,
        credential=env.get("GOVCLOUD_CREDENTIAL") or settings.credential,
        given_token=_given_token(env),
        language=env.get("GOVCLOUD_LANG") or settings.language,
        report_processes=_count(env, "GOVCLOUD_REPORT_PROCESSES"),
    )


def _count(env: Mapping[str, str], name: str) -> int | None:
    value = env.get(name)
    if not value:
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,2}", value):
        raise UsageError("errors.processes_value", name=name, value=value)
    return int(value)


def _given_token(env: Mapping[str, str]) -> str | None:
    if token := env.get("GOVCLOUD_TOKEN"):
        return token.strip()
    if file := env.get("GOVCLOUD_TOKEN_FILE"):
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise UsageError("errors.unreadable", file=file, detail=_why(error)) from error
    return None


def _check_server(server: str, env: Mapping[str, str]) -> None:
    # Over plain HTTP a token is anybody's who listens; only this machine does not leave the wire.
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError("errors.server_url", url=server)
    allowed = parts.hostname in LOOPBACK or env.get("GOVCLOUD_INSECURE") == "1"
    if parts.scheme == "http" and not allowed:
        raise UsageError("errors.server_plain", url=server)


def read_config(file: Path) -> Mapping[str, Any]:
    """Return the contents of config.toml.

    UsageError that names the file where it cannot be read, and the line of a setting that there is
    not or that has no such value: with a mistyped `server`, commands would work on other data.
    """
    try:
        text = file.read_text(encoding="utf-8")
        found = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError("errors.unreadable", file=str(file), detail=_why(error)) from error
    for name, value in found.items():
        place = {"file": str(file), "line": _line(text, name), "name": name}
        if name not in KNOWN:
            raise _unknown(name, place)
        expected = LANGUAGES if name == "language" else ()
        if not isinstance(value, str) or (expected and value not in expected):
            shown = " | ".join(expected) or '"…"'
            raise UsageError("errors.config_value", **place, expected=shown)
    return found


def _unknown(name: str, place: Mapping[str, object]) -> UsageError:
    from difflib import get_close_matches

    if meant := get_close_matches(name, KNOWN, n=1):
        return UsageError("errors.config_key_meant", **place, meant=meant[0])
    return UsageError("errors.config_key", **place, known=KNOWN)


def _line(text: str, name: str) -> int:
    found = re.search(rf"^[ \t]*[\[\"']*{re.escape(name)}\b", text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 if found else 1


def read_credentials(workspace: Path) -> dict[str, str]:
    """Return the named tokens; empty where there is no file."""
    file = workspace / CREDENTIALS
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
        return {str(name): str(token) for name, token in read["tokens"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UsageError("errors.unreadable", file=str(file), detail=_why(error)) from error


def sqlite_url(file: Path) -> str:
    """Return the database URL of an SQLite file."""
    return f"sqlite:///{file}"


def _word(config: Mapping[str, Any], name: str) -> str | None:
    value = config.get(name)
    return value if isinstance(value, str) and value else None


def _why(error: Exception) -> Text | str:
    return system_fault(error) if isinstance(error, OSError) else str(error)
