"""The language that this run speaks: decided once, before any command module is loaded.

Help texts are arguments of decorators and so are made at import; that is why the language is a
variable of this module, and why `cli.main` sets it first.
"""

from govcloud import messages

_spoken = messages.DEFAULT_LANGUAGE


def speak(language: str) -> None:
    """Set the language of everything that follows, `zh` or `en`."""
    global _spoken  # noqa: PLW0603
    _spoken = language


def language() -> str:
    """Return the language of this run."""
    return _spoken


def t(name: str, /, **params: object) -> str:
    """Return the sentence `cli.<name>` in the language of this run."""
    return messages.render(f"cli.{name}", _spoken, params)


def has(name: str) -> bool:
    """Whether the catalogue holds `cli.<name>`."""
    return messages.lookup(f"cli.{name}", _spoken) is not None


def word(area: str, value: object, /, **params: object) -> str:
    """Return what a value of an enumeration is called, `labels.<area>.<value>`, or the value."""
    key = f"labels.{area}.{value}"
    if messages.lookup(key, _spoken) is None:
        return str(value)
    return messages.render(key, _spoken, params)
