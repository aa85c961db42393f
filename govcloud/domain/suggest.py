"""Did-you-mean: the word that a user most likely meant."""

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word most like `word`, or None where none is alike.

    Case, hyphens and underscores do not count, and a Chinese word is found by half of its
    characters.
    """
    folded = {_fold(candidate): candidate for candidate in known}
    wanted = _fold(word)
    if wanted in folded:
        return folded[wanted]
    cutoff = 0.5 if not wanted.isascii() else 0.7
    found = difflib.get_close_matches(wanted[:64], folded, n=1, cutoff=cutoff)
    return folded[found[0]] if found else None


def _fold(word: str) -> str:
    return "".join(word.casefold().replace("-", "").replace("_", "").split())
