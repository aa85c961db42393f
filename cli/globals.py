"""The options that every command takes, wherever they stand on the line.

They are taken out of the arguments before anything else happens: the language must be known before
the commands are built, and `govcloud get vm --lang zh` should work as `--lang zh get vm` does.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from govcloud.errors import UsageError

VALUED: Final = {
    "--lang": "language",
    "--server": "server",
    "--workspace": "workspace",
    "--as": "credential",
}
FLAGS: Final = {"--no-color": "no_color", "--quiet": "quiet", "-q": "quiet"}


@dataclass(frozen=True, slots=True)
class Globals:
    """What the global options said; None and False where they were not given."""

    language: str | None = None
    server: str | None = None
    workspace: str | None = None
    credential: str | None = None
    no_color: bool = False
    quiet: bool = False


def split(argv: Sequence[str]) -> tuple[Globals, list[str]]:
    """Return the global options and the rest; nothing behind `--` is taken.

    Raises UsageError where a value is missing or no language is of that name.
    """
    found: dict[str, str | bool] = {}
    rest: list[str] = []
    words = iter(argv)
    for argument in words:
        if argument == "--":
            return _checked(found), [*rest, argument, *words]
        option, _, value = argument.partition("=")
        if option in VALUED:
            found[VALUED[option]] = value if "=" in argument else _next(words, option)
        elif argument in FLAGS:
            found[FLAGS[argument]] = True
        else:
            rest.append(argument)
    return _checked(found), rest


def _next(words: Iterator[str], option: str) -> str:
    value = next(words, None)
    if value is None:
        raise UsageError("cli.option_needs_value", option=option)
    return value


def _checked(found: dict[str, str | bool]) -> Globals:
    chosen = Globals(**found)  # type: ignore[arg-type]
    if chosen.language is not None and chosen.language not in ("zh", "en"):
        raise UsageError("cli.no_such_language", language=chosen.language)
    return chosen


def completing() -> list[str] | None:
    """Return the words on the line that a shell wants completed, or None in an ordinary run."""
    if "_GOVCLOUD_COMPLETE" not in os.environ:
        return None
    line = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")
    return line.split()[1:]
