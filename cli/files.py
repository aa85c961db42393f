"""Reading what `-f` names: files, folders with all below them, `-` for stdin."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from govcloud.errors import Diagnostic, InvalidInputError, TooLargeError, UsageError
from govcloud.messages import system_fault

STDIN: Final = "(stdin)"
ENDINGS: Final = (".yaml", ".yml", ".json")
LARGEST: Final = 16 * 1024 * 1024
"""Bytes of one file; the API takes less, and a wrong file should not fill the memory first."""

_DEVICES, _PROCESSES = Path("/dev"), Path("/proc")


def read(paths: Sequence[str], *, recursive: bool = True) -> list[dict[str, str]]:
    """Return `{"name", "text"}` of each file, folders in the order of their names.

    UsageError for what cannot be read or for a folder without YAML; TooLargeError, and
    InvalidInputError for what is not UTF-8: the input is at fault, not the command line.
    """
    if paths.count("-") > 1:
        raise UsageError("cli.stdin_twice")
    if "" in paths:  # to the system, the current folder
        raise UsageError("cli.empty_path")
    return [{"name": name, "text": text} for path in paths for name, text in _read(path, recursive)]


def _read(path: str, recursive: bool) -> Iterator[tuple[str, str]]:
    if path == "-":
        yield STDIN, _text(STDIN, _stdin())
        return
    place = Path(path)
    if not place.is_dir():
        yield path, _text(path, _bytes(place))
        return
    found = sorted(_below(place, recursive))
    if not found:
        raise UsageError("cli.empty_folder", folder=path)
    for file in found:
        yield str(file), _text(str(file), _bytes(file))


def _stdin() -> bytes:
    try:
        return sys.stdin.buffer.read(LARGEST + 1)
    except OSError as error:
        raise _unreadable(STDIN, error) from error


def _below(folder: Path, recursive: bool) -> Iterator[Path]:
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise _unreadable(folder, error) from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir() and recursive and not entry.is_symlink():
            yield from _below(entry, recursive)
        elif entry.suffix.lower() in ENDINGS and entry.is_file():
            yield entry


def _bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(LARGEST + 1)
    except OSError as error:
        raise _unreadable(file, error) from error


def _unreadable(file: object, error: OSError) -> UsageError:
    return UsageError("cli.unreadable", file=str(file), detail=system_fault(error))


def _text(name: str, content: bytes) -> str:
    if len(content) > LARGEST:
        raise TooLargeError("cli.too_large", file=name, limit=LARGEST // 1024**2)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InvalidInputError([Diagnostic("cli.not_utf8", file=name, line=line)]) from error


def write(path: str, content: bytes) -> None:
    """Replace a file as a whole: a full disk leaves the former one as it was.

    Where the path stands for a device or a pipe, or for a stream that is open already
    (`/dev/stdout`), there is nothing to be replaced: the content is written into it.
    """
    file = Path(path)
    try:
        if _is_stream(file):
            with file.open("ab") as stream:
                stream.write(content)
        else:
            _replace(file.resolve(), content)  # A link stays a link.
    except BrokenPipeError:
        raise
    except OSError as error:
        detail = system_fault(error)
        raise UsageError("cli.unwritable", file=path, detail=detail) from error


def _is_stream(file: Path) -> bool:
    folder = file.parent.resolve()
    special = file.exists() and not file.is_file() and not file.is_dir()
    return special or folder == _DEVICES or folder.is_relative_to(_PROCESSES)


def _replace(file: Path, content: bytes) -> None:
    draft = file.with_name(f".{file.name}.part")
    try:
        draft.write_bytes(content)
        if file.exists():
            draft.chmod(file.stat().st_mode)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
