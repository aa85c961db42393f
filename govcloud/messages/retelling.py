"""Sentences that were kept in English, said in another language. Pure.

What a play says of a failure is kept as it was said, in English: roles also run on old hosts and
know of no catalogue. A sentence of a catalogue is found again in such a text by the words around
its placeholders. What no sentence makes up stays as it is: so does what programs say, and what
roles of departments' own say.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from string import Formatter
from typing import Final, NamedTuple

from govcloud.messages import DEFAULT_LANGUAGE, catalogue, render

_LONGEST: Final = 8_000
_LONGEST_CLAUSE: Final = 1_000
"""Longer texts are no sentences of ours: pages of what a program complains of."""
_DEEPEST: Final = 5
"""How often a sentence is looked for in what stands in another's placeholder."""
_BREAKS: Final = re.compile(r"(; |\n|: (?![^()\n]{0,200}\)))")
"""What clauses end with. A colon, which is none inside brackets, ends what goes on with a reason:
the name of a task or of a host."""
_WORDS: Final = {"area", "parameter", "user"}
"""Placeholders that stand for one word; others stand for any text."""
_MARKS: Final = {"zh": {"; ": "；", ": ": "：", ", ": "、"}}


def retold(text: str, language: str, *keys: str) -> str:
    """Return a text in a language, as far as sentences make it up whose keys begin with `keys`.

    They may be joined by `; `, follow a name and a colon, or stand on lines of their own.
    """
    if language == DEFAULT_LANGUAGE or len(text) > _LONGEST:
        return text
    return _retold(text, language, keys)


@lru_cache(maxsize=1024)
def _retold(text: str, language: str, keys: tuple[str, ...]) -> str:
    # Whoever kept it may have taken away the blank after which nothing follows.
    return _retelling(language, keys).text(f"{text} " if text.endswith(":") else text).rstrip(" ")


@lru_cache(maxsize=16)
def _retelling(language: str, keys: tuple[str, ...]) -> "_Retelling":
    return _Retelling(language, _sentences(keys))


class _Sentence(NamedTuple):
    """A sentence in English: its key, its placeholders, and the words before and after each."""

    key: str
    names: tuple[str, ...]
    words: tuple[str, ...]

    @property
    def telling(self) -> int:
        """How many letters it has outside its placeholders."""
        return sum(letter.isalpha() for words in self.words for letter in words)

    @property
    def breaks(self) -> int:
        """How many clauses it has beside the first."""
        return len(_BREAKS.findall("-".join(self.words)))

    def values(self, text: str) -> list[str] | None:
        """Return what stands in its placeholders where it makes up a text.

        Words are looked for from the left, each once: whatever the text, that takes no longer than
        reading it.
        """
        first, last = self.words[0], self.words[-1]
        if not self.names:
            return [] if text == first else None
        if not (text.startswith(first) and text.endswith(last, len(first))):
            return None
        found, rest = [], text[len(first) : len(text) - len(last)]
        for words in self.words[1:-1]:
            value, there, rest = rest.partition(words)
            if not there:
                return None
            found.append(value)
        found.append(rest)
        pairs = zip(self.names, found, strict=True)
        return None if any(name in _WORDS and " " in value for name, value in pairs) else found


def _sentences(keys: Iterable[str]) -> Iterator[_Sentence]:
    for key in keys:
        area, _, start = key.partition(".")
        for name, text in catalogue(DEFAULT_LANGUAGE, area).items():
            if name.startswith(start):
                yield _sentence(f"{area}.{name}", text.rstrip("."))


def _sentence(key: str, text: str) -> _Sentence:
    parts = [(words, name) for words, name, _, _ in Formatter().parse(text)]
    names = tuple(name for _, name in parts if name)
    words = [words for words, _ in parts]
    return _Sentence(key, names, (*words, "") if len(words) == len(names) else tuple(words))


class _Retelling:
    """Says texts that sentences make up in a language; of several the most telling counts."""

    def __init__(self, language: str, sentences: Iterable[_Sentence]) -> None:
        self._language = language
        self._marks = _MARKS.get(language, {})
        known = sorted(sentences, key=lambda one: (-one.telling, one.key))
        self._most = max((one.breaks for one in known), default=0)
        self._known: dict[tuple[int, str], list[_Sentence]] = {}
        starts = {one.words[0][:1] for one in known} | {""}
        for one in known:
            for start in {one.words[0][:1]} if one.words[0] else starts:
                self._known.setdefault((one.breaks, start), []).append(one)

    def text(self, text: str) -> str:
        """Return a text with every clause said that a sentence makes up."""
        parts, at, said, between, known = _BREAKS.split(text), 0, "", "", False
        while at < len(parts):
            taken, found = self._next(parts, at)
            said += self._mark(between) if known or found is not None else between
            said += parts[at] if found is None else found
            between, known = "".join(parts[at + taken : at + taken + 1]), found is not None
            at += taken + 1
        return said

    def _next(self, parts: list[str], at: int) -> tuple[int, str | None]:
        """Return how many parts are said as one, and how; the most that are one sentence."""
        for breaks in range(self._most, -1, -1):
            taken = 2 * breaks + 1
            found = self._sentence("".join(parts[at : at + taken]), breaks)
            if found is not None:
                return taken, found
        return 1, None

    def _sentence(self, text: str, breaks: int, depth: int = 0) -> str | None:
        """Return what a sentence with so many breaks makes up, or None where none does."""
        if not text or len(text) > _LONGEST_CLAUSE:
            return None
        bare = text.rstrip(".")
        for one in self._known.get((breaks, bare[:1]), self._known.get((breaks, ""), [])):
            values = one.values(bare)
            if values is not None:
                inner = (self._value(value, depth + 1) for value in values)
                said = render(one.key, self._language, dict(zip(one.names, inner, strict=True)))
                return said if text.endswith(".") else said.removesuffix("。")
        return None

    def _value(self, text: str, depth: int) -> str:
        """Return what stands in a placeholder: itself, a sentence, or several after commas."""
        if depth > _DEEPEST:
            return text
        listed = [self._sentence(one, 0, depth) for one in text.split(", ")]
        known = [one for one in listed if one is not None]
        if len(known) == len(listed):
            return self._mark(", ").join(known)
        return self._sentence(text, 0, depth) or text

    def _mark(self, between: str) -> str:
        return self._marks.get(between, between)
