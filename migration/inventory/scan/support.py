"""Until when an operating system is supported by its maker (`support.yaml`, with its sources)."""

import re
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files

import yaml


def until(os_id: str, version: str, name: str = "") -> date | None:
    """Return the last day of support; None for a system or version that the table does not have.

    `os_id` and `version` are those of `os-release`; `name` tells CentOS Stream from CentOS Linux.
    """
    known = table().get(f"{os_id}-stream" if "stream" in name.lower() else os_id, {})
    while version:
        if version in known:
            return known[version]
        version = re.sub(r"(^|[.-])[^.-]*$", "", version)
    return None


@cache
def table() -> Mapping[str, Mapping[str, date]]:
    """Return the days by system and version."""
    text = files("migration.inventory.scan").joinpath("support.yaml").read_text("utf-8")
    return {entry["id"]: entry["until"] for entry in yaml.safe_load(text)}
