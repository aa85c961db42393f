"""Every sentence that requests ask for is there, with its remedy, and none is left over."""

import re
from pathlib import Path

import pytest

from govcloud.messages import catalogue

ROOT = Path(__file__).parents[2] / "govcloud"
ELSEWHERE = ("api/requests.py", "store/objects.py", "store/requests.py")
FILES = [*(ROOT / "requests").glob("*.py"), *(ROOT / name for name in ELSEWHERE)]
PLAIN = {"event_create", "event_change", "event_release", "class_and_word"}
"""What is no error has no remedy."""


def asked_for() -> set[str]:
    texts = (file.read_text(encoding="utf-8") for file in FILES)
    return {key for text in texts for key in re.findall(r'"requests\.([A-Za-z_]+)"', text)}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_sentences_and_remedies(language: str) -> None:
    keys = asked_for() - PLAIN
    assert keys | {f"{key}_remedy" for key in keys} | PLAIN == set(catalogue(language, "requests"))
