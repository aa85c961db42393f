"""What plays said in English, told in Chinese: how it is found, and that no word is missing."""

import ast
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from govcloud.messages import catalogue
from govcloud.messages.retelling import retold
from migration.running.roles import Roles

ROLES: Path = Roles().playbooks / "roles"
MUTE = "/usr/bin/psql: error: connection to server failed\nit is busy"


FETCHES = (
    "new fetches from old directly; name a bastion in `fetchThrough` of the source where there is"
    " no such way"
)
FETCHES_ZH = "new 直接从 old 取数据；若两者之间不通，请在源端的 `fetchThrough` 中指明跳板机"

TOO_LONG = "Unknown column 'a value is longer than the source's max_allowed_packet' in 'field list'"


def chinese(text: str) -> str:
    return retold(text, "zh", "plays.", "migrate.play_", "migrate.refused_", "migrate.health_")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Compare the jobs: the crontab of root differs; no cron runs on new",
         "比对定时任务：root 的 crontab 不一致；new 上没有运行 cron"),
        ("a.txt is on new already; remove it there, or allow it with `replace`; b differs",
         "new 上已有 a.txt；请先在那里删除，或用 `replace` 允许替换；b 不一致"),
        ("jobs of cron still run: backup (process 12); tidy (process 3)",
         "定时任务仍在运行：backup（进程 12）；tidy（进程 3）"),
        # The more is said outside the placeholders, the more it counts.
        ("the server of old is older than that of new", "old 的服务器版本低于 new 的"),
        ("the server of old is older than 10.2", "old 的服务器版本低于 10.2"),
        # Several in one placeholder, and one whose colon ends nothing.
        ("set at a and not, or otherwise, at b: x = '1' (there: 2), y = '3' (there: its default)",
         "a 已设置，而 b 没有设置或设置不同：x = '1'（目标：2）、y = '3'（目标：默认值）"),
        # What programs say stays, before it and behind it.
        ("Copy the files: rsync error: no route (code 12); x", None),
        (f"ssh: no route\n{FETCHES}", f"ssh: no route\n{FETCHES_ZH}"),
        ("new fetches from old through gate", "new 经 gate 从 old 取数据"),
        ("lost: old: the connection ended", "连接中断：old：连接已中断"),
        (f"new: ERROR 1054 (42S22): {TOO_LONG}",
         "new: ERROR 1054 (42S22)：有值超过源端的 max_allowed_packet（field list）"),
        # As it was kept, and as a sentence around it has it.
        ("Ansible ended without saying how it went (exit code 4).",
         "Ansible 未说明结果即已结束（退出码 4）。"),
        ("Ansible ended without saying how it went (exit code 4)",
         "Ansible 未说明结果即已结束（退出码 4）"),
        ("nobody answers behind the bastion:", "跳板机之后无人应答："),
        ("the bastion refuses: ssh: no route", "跳板机拒绝：ssh：no route"),
        ("10.0.0.1:80 refuses the connection.", "10.0.0.1:80 拒绝连接。"),
        ("Copy: killed", "Copy：进程已被终止"),
        ("net.core.somaxconn is 128", "net.core.somaxconn 的值是 128"),
    ],
)  # fmt: skip
def test_what_was_kept_in_english_is_told_in_chinese(text: str, told: str | None) -> None:
    assert chinese(text) == (told or text.replace("Copy the files: ", "复制文件："))


@pytest.mark.parametrize("text", ["", MUTE, "部门自己的角色", "our role: it is full", "{x}"])
def test_what_no_sentence_makes_up_stays(text: str) -> None:
    assert chinese(text) == text


@pytest.mark.parametrize("text", ["the crontab of root differs; x", MUTE, "x\r\n; : y "])
def test_english_is_what_was_said(text: str) -> None:
    assert retold(text, "en", "plays.") == text


HOSTILE = {
    "breaks": "; " * 4_000,
    "colons": ": " * 4_000,
    "lines": "\n" * 8_000,
    "clauses": "a; " * 2_600,
    "matches": "x differs; " * 720,
    "words": " runs and differs" * 55,
    "nested": ("lost: the image: the crontab of a and b, " * 20 + "; ") * 9,
    "lists": ("image a, " * 100 + "(in use); ") * 8,
    "brackets": "(: " * 2_600,
    "long": "x" * 10_000_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_takes_long(name: str) -> None:
    chinese("warm")
    begun = time.process_time()
    chinese(HOSTILE[name])
    assert time.process_time() - begun < 2


@pytest.mark.guarantee("P4")
def test_what_each_sentence_says_is_found_again() -> None:
    for area, start in (("plays", ""), ("migrate", "refused_"), ("migrate", "health_")):
        for name, sentence in catalogue("en", area).items():
            if name.startswith(start):
                said = re.sub(r"\{\w+\}", "X1.2", sentence)
                assert told(said) or chinese(said) != said, f"{area}.{name}"


# --- Every sentence of the roles ---

TWO_WORDS = re.compile(r"\b[A-Za-z][a-z]+ [a-z]{2,}\b")
LOOKED_FOR = "Number of files|Total file size|No space left|sudo: a password is required"
NO_SENTENCE = re.compile(
    r"\b(SELECT|SET (?!WITHOUT)|SHOW|ALTER DATABASE|BEGIN|WHERE|AND|CONCAT|IFNULL|IF|IFS)\b"
    r"|^\('|_\w+, \w+_|\$\(|^CREATE|^env |^\nimport |-F |^-w |^/etc/|::|^server %s"
    rf"|^({LOOKED_FOR}|lock timeout)$|\(failed\|server\)|deleting  \|"
    r"|^foreign key$|^`a value is longer"  # A kind of object; a column that there is not.
)
"""Texts in the roles' programs that nobody is told."""


def told(text: str) -> bool:
    """Whether a text, or one that it ends, is told in Chinese from its first to its last word."""
    return any(
        not TWO_WORDS.search(re.sub("`[^`]*`", "", said)) and said != before + text
        for before in ("", "X0 ", "X0.")
        for said in [chinese(before + text)]
    )


def programs() -> Iterator[tuple[str, str]]:
    """Every text of two words, or one and a value, in the roles' Python but docstrings."""
    for file in sorted(ROLES.glob("*/files/*.py")):
        tree = ast.parse(file.read_text("utf-8"))
        described = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words = re.findall(r"(?<!\S)[a-z]{2,}(?=[ ,;:]|$)", node.value)
                if id(node) not in described and len(words) > ("%s" not in node.value):
                    yield node.value, f"{file.relative_to(ROLES)}:{node.lineno}"


SAID = {"msg", "fail_msg", "else"}
ECHOED = re.compile(r"""echo (?:"([^"]+ [^"]+)"|'([^']+ [^']+)')""")


def tasks(node: Any, name: str = "") -> Iterator[str]:
    """Every sentence in a role's YAML: messages, what a shell says, and what tasks are called."""
    if isinstance(node, dict):
        module = next((key for key in node if "ansible." in key or key in ("run", "block")), "")
        for key, value in node.items():
            if key == "name" and module and not re.search(r"import_|include_|block|meta", module):
                yield from phrases(str(value))
            else:
                yield from tasks(value, key)
    elif isinstance(node, list):
        for one in node:
            yield from tasks(one, name)
    elif isinstance(node, str):
        if name in SAID or name.endswith("_title"):
            yield from phrases(node)
        for found in ECHOED.finditer(node):
            yield from phrases(re.sub(r"^\$path", "/$path", found.group(1) or found.group(2)))


def phrases(text: str) -> Iterator[str]:
    """Yield a template's text, and the texts inside its expressions."""
    for expression in re.findall(r"\{\{.*?\}\}", text, re.DOTALL):
        yield from (one for one in re.findall(r"'([^']*)'", expression) if TWO_WORDS.search(one))
    plain = re.sub(r"\{\{.*?\}\}|\$\w+", "X1.2", text, flags=re.DOTALL).replace("\\`", "`")
    if TWO_WORDS.search(plain) or re.fullmatch(r"[A-Z][a-z]+", plain):
        yield plain


@pytest.mark.guarantee("P4")
def test_every_sentence_of_the_roles_programs_is_in_the_catalogue() -> None:
    found = list(programs())
    sentences = [(text, place) for text, place in found if not NO_SENTENCE.search(text)]
    assert len(sentences) > 100
    silent = [
        f"{place}: {text}"
        for text, place in sentences
        if not told(re.sub(r"%\d*[sdr]", "X1.2", text))
    ]
    assert not silent, "\n".join(silent)


@pytest.mark.guarantee("P4")
def test_every_sentence_of_the_roles_tasks_is_in_the_catalogue() -> None:
    files = sorted([*ROLES.glob("*/tasks/*.yml"), *ROLES.glob("*/vars/*.yml")])
    files = [*files, ROLES.parent / "stage.yml"]
    found = [
        (text, file)
        for file in files
        if file.parts[-3] != "scan"
        for text in tasks(yaml.safe_load(file.read_text("utf-8")))
    ]
    assert len(found) > 100
    silent = [f"{file.parts[-3:]}: {text}" for text, file in found if not told(text)]
    assert not silent, "\n".join(silent)
