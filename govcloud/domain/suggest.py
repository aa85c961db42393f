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
    found = difflib.get_close_matches(wanted[:64], folded, n=1, cutoff=_cutoff(wanted))
    return folded[found[0]] if found else None


def _cutoff(wanted: str) -> float:
    """Return how alike is alike: one wrong letter of three is a slip, of seven likewise two."""
    if not wanted.isascii():
        return 0.5
    return 0.7 if len(wanted) > 4 else 0.6


def _fold(word: str) -> str:
    return "".join(word.casefold().replace("-", "").replace("_", "").split())
