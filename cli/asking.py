"""Asking a person yes or no, on stderr, in the language of this run."""

import sys

from cli.output import complain
from cli.speech import language, t

_YES = frozenset({"y", "yes", "是", "好"})
_NO = frozenset({"n", "no", "否", "不"})


def agreed(question: str, *, default: bool = False) -> bool:
    """Return whether a person says yes; EOFError where nobody answers any more."""
    choices = t("ask_yes" if default else "ask_no")
    mark = "：" if language() == "zh" else ": "
    while True:
        sys.stdout.flush()
        sys.stderr.write(f"{question} {choices}{mark}")
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        answer = line.strip().casefold()
        if not answer:
            return default
        if answer in _YES | _NO:
            return answer in _YES
        complain(t("ask_again"))
