"""How the on-cloud rate looks on a terminal."""

from typing import Any
from cli.options import Output


def show(found: Any) -> None: ...
def show_explanation(found: Any, form: Output) -> None: ...
