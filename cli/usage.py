"""What Typer and pydantic say of a command line, in the language of this run.

They speak English only. The type and the attributes of their errors say which option it is; what
is wrong with its value stands in the sentence alone, and is read from there.
"""

import re
from typing import Any, Final

from cli.speech import has, t

_SENTENCES: Final = tuple(
    (re.compile(pattern), key)
    for pattern, key in (
        (r"Input should be a valid integer.*", "integer"),
        (r"Input should be a (?:valid|finite) number.*", "number"),
        (r"Input should be a valid boolean.*", "flag"),
        (r"Input should be greater than or equal to (?P<bound>\S+)", "at_least"),
        (r"Input should be less than or equal to (?P<bound>\S+)", "at_most"),
        (r"Input should be greater than (?P<bound>\S+)", "more_than"),
        (r"Input should be less than (?P<bound>\S+)", "less_than"),
        (r"(?:Value error, )?'(?P<value>.*)' is not one of (?P<known>.*)\.", "choice"),
        (r"Value '?(?P<value>.*?)'? is not a valid \w+\.", "value"),
        (r"Option '.*' requires an argument\.", "needs_value"),
        (r"Option '.*' requires (?P<bound>\d+) arguments\.", "needs_values"),
        (r"Option '.*' does not take a value\.", "takes_none"),
        (r"Got unexpected extra argument\(s\) \((?P<value>.*)\)", "extra"),
    )
)
"""Their sentences, and what they are called in the catalogue behind `wrong_`."""


def usage(error: Any) -> str:
    """Return what is wrong with a command line."""
    name = "usage_" + type(error).__name__.lower()
    words = {"parameter": _shown(error), "option": getattr(error, "option_name", None) or ""}
    detail = _detail(getattr(error, "message", None) or error.format_message())
    if has(name) and any(words.values()):
        near = getattr(error, "possibilities", None)
        meant = t("perhaps", near=", ".join(near)) if near else ""
        return t(name, **words, detail=detail, meant=meant)
    return t("usage_other", detail=detail)


def _shown(error: Any) -> str:
    """Return how the user writes the parameter that an error is about, "" for none."""
    parameter = getattr(error, "param", None)
    if parameter is None:
        return ""
    if parameter.param_type_name == "option":
        return str(max(parameter.opts, key=len))
    return str(parameter.metavar or parameter.name.upper())


def _detail(sentence: str) -> str:
    for pattern, key in _SENTENCES:
        if match := pattern.fullmatch(sentence):
            return t(f"wrong_{key}", **match.groupdict())
    return sentence
