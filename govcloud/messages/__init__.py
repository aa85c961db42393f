"""Message catalogues: every sentence that users read, in Chinese and English.

A key is `area.name`; the area names the file (`zh/errors.toml`, `en/errors.toml`), so that a
command loads the areas it speaks of and no others. Sentences have named placeholders in the form
of `str.format`. TOML and the standard library rather than gettext: gettext wants compiled
binaries, and its keys are sentences, which makes a missing translation invisible.
"""

import errno
import locale
import os
import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import resources
from typing import Final

from govcloud.errors import CloudError, GovcloudError, InvalidInputError, Text

LANGUAGES: Final = ("zh", "en")
DEFAULT_LANGUAGE: Final = "en"


class _Absent(dict[str, object]):
    """Shows a placeholder without a parameter as itself: a flawed sentence beats a traceback."""

    def __missing__(self, name: str) -> str:
        return "{" + name + "}"


@lru_cache(maxsize=64)
def catalogue(language: str, area: str) -> Mapping[str, str]:
    """Return the sentences of one area, keyed without the area; empty for an unknown area."""
    file = resources.files(__name__).joinpath(language, f"{area}.toml")
    if not file.is_file():
        return {}
    return _flatten(tomllib.loads(file.read_text(encoding="utf-8")))


def _flatten(table: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = str(value)
    return flat


def lookup(key: str, language: str) -> str | None:
    """Return the raw sentence of `key`, falling back to English, or None if there is none."""
    area, _, name = key.partition(".")
    for candidate in (language, DEFAULT_LANGUAGE):
        sentence = catalogue(candidate, area).get(name)
        if sentence is not None:
            return sentence
    return None


def render(key: str, language: str, params: Mapping[str, object] | None = None) -> str:
    """Return the sentence of `key` in `language`, or the key itself where no catalogue has it.

    Parameters that are `Text` are rendered in the same language, and so are values of enumerations
    under their usual names; anything else is shown as `str` shows it. With `told_by`, a kind of
    cloud, what a cloud answered is told in the words that the catalogue of its kind has for it.
    """
    sentence = lookup(key, language)
    shown = {name: _shown(value, language, name) for name, value in (params or {}).items()}
    shown |= _meant(params or {}, language)
    if sentence is None:
        rest = ", ".join(f"{name}={value}" for name, value in shown.items())
        return f"{key} ({rest})" if rest else key
    return sentence.format_map(_Absent(shown))


def _shown(value: object, language: str, name: str) -> object:
    if isinstance(value, Text):
        return render(value.key, language, value.params)
    if isinstance(value, list | tuple):
        between = "、" if language == "zh" else ", "
        return between.join(str(_shown(each, language, name)) for each in value)
    if isinstance(value, str) and language != DEFAULT_LANGUAGE:
        keys = (f"labels.{area}.{value}" for area in _VALUES.get(name, ()))
        return next((word for key in keys if (word := lookup(key, language))), value)
    return value


_VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "action": ("action",),
    "environment": ("environment",),
    "fields": ("drift-field", "drift-prop"),
    "parts": ("stack-part",),
    "phase": ("project-phase",),
    "reason": ("reason",),
    "role": ("role",),
    "state": ("request", "room-state", "host-state", "network-state"),
    "verb": ("verb",),
    "verdict": ("verdict",),
}
"""Parameters that hold values of enumerations, and where their words stand."""


def _meant(params: Mapping[str, object], language: str) -> dict[str, object]:
    """Return a cloud's reason, and the fault of a thing in it, as people understand them."""
    meant: dict[str, object] = {}
    for name, key, words in _answers(params):
        if lookup(key, language) is not None:
            meant[name] = f"{render(key, language)} {words}".rstrip()
    return meant


def _answers(params: Mapping[str, object]) -> Iterator[tuple[str, str, str]]:
    """Yield parameters that are a cloud's answers: name, key of their meaning, its own words."""
    if "told_by" not in params:
        return
    for name in ("reason", "fault"):
        reason, _, words = str(params.get(name, "")).partition(":")
        yield name, f"{params['told_by']}.{reason.strip()}", words.strip()


def remedy(key: str, language: str, params: Mapping[str, object] | None = None) -> str | None:
    """Return what to do about `key`, or None where the catalogue has no `<key>_remedy`.

    What to do about a cloud's answer in it comes first.
    """
    keys = [*(meaning for _, meaning, _ in _answers(params or {})), key]
    known = [name for each in keys if lookup(name := f"{each}_remedy", language) is not None]
    between = "" if language == "zh" else " "
    return between.join(render(name, language, params) for name in known) or None


def plain(error: Exception) -> str:
    """Return what went wrong as one sentence, as logs have it."""
    if isinstance(error, GovcloudError):
        return render(error.key, DEFAULT_LANGUAGE, error.params)
    return str(error) or type(error).__name__


def told(error: Exception) -> Text:
    """Return what is said to people of a cloud that could not be asked.

    Of what nobody foresaw only the kind: its text may hold what was about to be sent.
    """
    if isinstance(error, CloudError):
        key = "controller.cloud_says" if error.message else "controller.cloud_word"
        return Text(key, {"reason": error.reason, "detail": error.message})
    if isinstance(error, InvalidInputError) and error.diagnostics:
        return Text(error.diagnostics[0].key, error.diagnostics[0].params)
    if isinstance(error, GovcloudError):
        return error.text
    return Text("controller.unforeseen", {"fault": type(error).__name__})


def system_fault(error: OSError) -> Text | str:
    """Return what the operating system says, as a text where the catalogue knows the error."""
    name = errno.errorcode.get(error.errno or 0, "")
    if f"os.{name}" in catalogue(DEFAULT_LANGUAGE, "labels"):
        return Text(f"labels.os.{name}")
    return error.strerror or str(error)


def preferred(explicit: str | None = None) -> str:
    """Return the reader's language: the given one, else GOVCLOUD_LANG, else the locale's."""
    for candidate in (explicit, os.environ.get("GOVCLOUD_LANG"), _locale_name()):
        if candidate and candidate[:2].lower() in LANGUAGES:
            return candidate[:2].lower()
    return DEFAULT_LANGUAGE


def _locale_name() -> str | None:
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(variable):
            return value
    return locale.getlocale()[0]
