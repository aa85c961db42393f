"""The reference of all commands as Markdown, made from the program itself.

python -m cli.reference --lang en > docs/cli.md
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cli import speech
from cli.tree import Branch, Leaf, key, walk


def main(argv: Sequence[str] | None = None) -> None:
    """Print the reference in the language that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m cli.reference")
    parser.add_argument("--lang", choices=("en", "zh"), default="en")
    sys.stdout.write(reference(parser.parse_args(argv).lang))


def reference(language: str) -> str:
    """Return the reference; once a process, since help texts are fixed when commands load."""
    speech.speak(language)
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    from cli.app import root

    t = speech.t
    yield from (
        f"# {t('reference_title')}",
        "",
        t("reference_intro"),
        "",
        f"## {t('reference_all')}",
        "",
    )
    for path, _ in walk():
        name = " ".join(path)
        yield f"- [`{name}`](#{'-'.join(path)}) — {t(f'help_{key(path)}')}"
    program = root()
    context = program.make_context("govcloud", [], resilient_parsing=True)
    yield from ("", "## govcloud", "", t("help"), "")
    yield from _options(program.params, context)
    yield from _examples("root")
    for path, entry in walk():
        yield from _command(path, entry)


def _command(path: tuple[str, ...], entry: Leaf | Branch) -> Iterator[str]:
    from cli.app import command, group

    t, name = speech.t, key(path)
    yield from ("", f'<a id="{"-".join(path)}"></a>', f"## govcloud {' '.join(path)}", "")
    yield from (t(f"help_{name}"), "")
    if speech.has(f"more_{name}"):
        yield from (t(f"more_{name}").strip(), "")
    if isinstance(entry, Branch):
        yield from _children(path, entry)
        built: Any = group(entry, path)
    else:
        built = command(entry, path)
    context = built.make_context(" ".join(("govcloud", *path)), [], resilient_parsing=True)
    if isinstance(entry, Leaf):
        yield from _usage(path, built.params)
    yield from _arguments(built.params)
    yield from _options(built.params, context)
    yield from _examples(name)


def _children(path: tuple[str, ...], branch: Branch) -> Iterator[str]:
    for child in branch.children:
        whole = (*path, child)
        yield f"- [`{' '.join(whole)}`](#{'-'.join(whole)}) — {speech.t(f'help_{key(whole)}')}"
    yield ""


def _usage(path: tuple[str, ...], parameters: Iterable[Any]) -> Iterator[str]:
    from cli.help import argument_names

    words = ["govcloud", *path, speech.t("usage_options"), *argument_names(parameters)]
    yield from ("```", " ".join(words), "```", "")


def _arguments(parameters: Iterable[Any]) -> Iterator[str]:
    found = [one for one in parameters if one.param_type_name == "argument"]
    yield from _table("arguments", [(one.metavar or one.name, one.help or "") for one in found])


def _options(parameters: Iterable[Any], context: Any) -> Iterator[str]:
    from cli.help import option_row

    found = [one for one in parameters if one.param_type_name == "option" and not one.hidden]
    yield from _table("options", [option_row(one, context) for one in found])


def _table(name: str, rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    if not rows:
        return
    heading = speech.t(f"section_{name}").rstrip(":：")
    yield from (f"| {heading} | |", "| --- | --- |")
    for left, right in rows:
        yield f"| `{_cell(left)}` | {_cell(right)} |"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _examples(name: str) -> Iterator[str]:
    if speech.has(f"examples_{name}"):
        yield from ("```console", speech.t(f"examples_{name}").strip(), "```")


if __name__ == "__main__":
    main()
