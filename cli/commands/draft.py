"""A text that is being edited: opened in the user's editor, kept until it has arrived."""

import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from cli import failures, files, output
from cli.speech import t
from govcloud.errors import GovcloudError, UsageError

_STYLE: Final = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Editor:
    """The words of the command that opens an editor."""

    words: tuple[str, ...]

    @classmethod
    def chosen(cls, *, unattended: bool) -> Self:
        """Return the editor of VISUAL or EDITOR, with its arguments, or vi.

        UsageError where nobody could see it: without a terminal, unless it is `unattended` and was
        chosen by name, as a script does whose editor is `sed`.
        """
        named = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
        if not output.interactive() and not (unattended and named):
            raise UsageError("cli.edit_needs_terminal")
        try:
            words = tuple(shlex.split(named)) or ("vi",)
        except ValueError as error:
            raise UsageError("cli.editor_failed", editor=named, detail=str(error)) from error
        return cls(words)

    def open(self, file: Path) -> None:
        """Open a file and wait until the editor has ended; UsageError where it fails."""
        editor = self.words[0]
        try:
            done = subprocess.run([*self.words, str(file)], check=False)  # noqa: S603 - the user's own
        except OSError as error:
            detail = error.strerror or str(error)
            raise UsageError("cli.editor_failed", editor=editor, detail=detail) from error
        if done.returncode:
            raise UsageError("cli.editor_ended", editor=editor, code=done.returncode)


@dataclass
class Draft:
    """The text, the file that holds it, and why it was refused last."""

    file: Path
    text: str
    refusal: GovcloudError | None = None

    @classmethod
    def of(cls, name: str, text: str) -> Self:
        """Put a text into a file of its own, readable by its owner only."""
        handle, path = tempfile.mkstemp(prefix=f"govcloud-edit-{name}-", suffix=".yaml")
        os.close(handle)
        draft = cls(Path(path), text)
        draft._write([t("edit_header")])
        return draft

    def opened_in(self, editor: Editor) -> bool:
        """Let the user edit; return whether the text is another one now."""
        before = self.text
        editor.open(self.file)
        (read,) = files.read([str(self.file)])
        self.text = _without_header(read["text"])
        return _words(self.text) != _words(before)

    def refused(self, error: GovcloudError) -> None:
        """Write why the text was refused above it, with the lines as they are in this file."""
        self.refusal = error
        faults: list[Mapping[str, Any]] = list(getattr(error, "diagnostics", ()))
        height = len(_explained(error))
        moved = [{**f, "line": f["line"] + height} if f.get("line") else f for f in faults]
        if faults:
            vars(error)["diagnostics"] = moved
        self._write(_explained(error))

    @contextmanager
    def kept_unless_done(self) -> Iterator[None]:
        """Remove the file at the end; keep it and name it where anything went wrong.

        Nobody's typing is lost over a mistake in it, a server that is away, or Ctrl-C.
        """
        try:
            yield
        except BaseException:
            output.complain(t("edit_kept", file=self.file))
            raise
        self.file.unlink(missing_ok=True)

    def _write(self, header: list[str]) -> None:
        lines = "".join(f"# {line}".rstrip() + "\n" for line in header)
        self.file.write_text(lines + self.text, encoding="utf-8")


def _explained(error: GovcloudError) -> list[str]:
    said = _STYLE.sub("", "\n".join(failures.lines(error)))
    return [t("edit_header"), "", *said.splitlines()]


def _without_header(text: str) -> str:
    lines = text.splitlines(keepends=True)
    while lines and lines[0].startswith("#"):
        del lines[0]
    return "".join(lines)


def _words(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("#")).strip()
