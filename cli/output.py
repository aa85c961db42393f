"""Where words go: data to stdout, messages to stderr, colour and hints to terminals only."""

import os
import sys
from contextlib import suppress
from typing import Final, TextIO
from unicodedata import category, combining, east_asian_width

_STYLES: Final = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "cyan": "36",
}


class PipeClosedError(Exception):
    """Whoever read stdout has had enough; no OSError, which Typer would turn into a failure."""


class _Manner:
    """How this run shows things; set once by `cli.main`."""

    color = True
    quiet = False


def configure(*, color: bool, quiet: bool) -> None:
    """Set whether colour may be used at all, and whether messages are wanted."""
    _Manner.color = color and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    _Manner.quiet = quiet


def quiet() -> bool:
    """Whether only data and errors are wanted."""
    return _Manner.quiet


def interactive() -> bool:
    """Whether a person can be asked: both the question and the answer reach a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def watched() -> bool:
    """Whether progress and hints are wanted: stderr is a terminal, and not quiet."""
    return sys.stderr.isatty() and not _Manner.quiet


def paint(text: str, style: str, stream: TextIO | None = None) -> str:
    """Return the text in a style (`bold`, `red`…) where `stream` (stdout) is a terminal."""
    if not _Manner.color or not text or not (stream or sys.stdout).isatty():
        return text
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"


def emit(text: str = "") -> None:
    """Print data."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def emit_bytes(content: bytes) -> None:
    """Write data that is not text."""
    sys.stdout.flush()
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:  # Captured by a program that calls this one.
        sys.stdout.write(content.decode("utf-8", "replace"))
    else:
        buffer.write(content)
        buffer.flush()


def note(text: str) -> None:
    """Tell what was done, unless quiet."""
    if not _Manner.quiet:
        complain(text)


def hint(text: str) -> None:
    """Tell a person at a terminal what to do next."""
    if watched():
        complain(paint(text, "dim", sys.stderr))


def complain(text: str) -> None:
    """Tell what went wrong; not even `--quiet` silences it.

    What cannot be written, here or of the data before, must not hide the exit code.
    """
    for stream, said in ((sys.stdout, ""), (sys.stderr, text + "\n")):
        with suppress(OSError):
            stream.write(said)
            stream.flush()


def width(text: str) -> int:
    """Return how many cells of a terminal the text takes: Chinese characters take two."""
    if text.isascii():
        return len(text)
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if combining(character) or category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def pad(text: str, cells: int, *, right: bool = False) -> str:
    """Return the text filled with blanks to a number of cells, on the left where `right`."""
    fill = " " * max(0, cells - width(text))
    return fill + text if right else text + fill


def wrap(text: str, cells: int) -> list[str]:
    """Return the text in lines of at most so many cells; Chinese may break anywhere."""
    lines, line = [], ""
    for piece in _pieces(text):
        if line and width(line + piece.rstrip()) > cells:
            lines.append(line.rstrip())
            line = ""
        line += piece if line else piece.lstrip()
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


_CLOSING: Final = "，。、；：！？）」》”"


def _pieces(text: str) -> list[str]:
    # Words with the blank behind them; wide characters one by one, since a line may break between
    # any two, but for closing marks, which stay with the character before.
    pieces: list[str] = []
    for character in text.replace("\n", " "):
        if pieces and _belongs(character, pieces[-1]):
            pieces[-1] += character
        else:
            pieces.append(character)
    return pieces


def _belongs(character: str, piece: str) -> bool:
    if character == " ":
        return True
    if piece.endswith(" "):
        return False
    return character in _CLOSING or (_cells(character) < 2 and _cells(piece[-1]) < 2)
