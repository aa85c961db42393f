"""A pytest plugin: which tests a run leaves out, and a line for each reason at its end.

Left out by a mark are those that take many minutes, unless they are asked for. What is skipped
while it runs says why itself.
"""

import os
from collections import Counter
from typing import Any, Final

import pytest

ASKED: Final = "GOVCLOUD_TEST_OPENSTACK"
"""Says `all` where the long tests on a real OpenStack are wanted, too."""
_MARKS: Final = {
    "large": 'as large as the aims say, for many minutes each: make test ARGS="-m large"',
    "long": "minutes each on a real OpenStack: make test-openstack",
}
_COUNTED: Final = pytest.StashKey[dict[str, int]]()
_SENT: Final = "left_out"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what carries one of the marks, unless it was asked for."""
    asked = config.option.markexpr + (" long" if os.environ.get(ASKED) == "all" else "")
    marks = [mark for mark in _MARKS if mark not in asked]
    why = {item: _mark_of(item, marks) for item in items}
    left_out = [item for item in items if why[item]]
    if left_out:
        items[:] = [item for item in items if not why[item]]
        config.hook.pytest_deselected(items=left_out)
    counted = Counter(mark for mark in why.values() if mark)
    config.stash[_COUNTED] = dict(counted)
    if hasattr(config, "workeroutput"):
        config.workeroutput[_SENT] = dict(counted)


def _mark_of(item: pytest.Item, marks: list[str]) -> str:
    return next((mark for mark in marks if item.get_closest_marker(mark)), "")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a test process has counted; each counts the same."""
    counted = getattr(node, "workeroutput", {}).get(_SENT)
    if counted is not None:
        node.config.stash[_COUNTED] = counted


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end how many tests were left out, and why."""
    counted = terminalreporter.config.stash.get(_COUNTED, {})
    reasons = Counter({_MARKS[mark]: number for mark, number in counted.items()})
    reasons += Counter(
        str(report.longrepr[-1]).removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple)
    )
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count} left out: {reason}")
