"""Secrets in what a play tells: none comes through, however short or oddly written it is."""

import json
import zlib
from typing import Any

import pytest

from migration.running.hearing import Hearing
from migration.running.port import Told, Verdict
from migration.running.references import MASK, Masking

ODD = ['pa"ss', "pa\\ss", "密码123", "a\tb", "'x'\""]
SHORT = ["1", "20", "event", "bytes", "ended", '"', "\\", "{", "res", "runner_on_failed"]


def event(name: str, result: dict[str, Any], task: str = "Copy") -> bytes:
    """A line as a stagehand prints it."""
    data = {"task": task, "res": result}
    return json.dumps({"event": name, "created": "2026", "event_data": data}).encode()


def work(**said: Any) -> dict[str, Any]:
    """What a task has of `job.py`: JSON, in a text."""
    text = json.dumps({"ended": False, "bytes": 120, "rc": None} | said)
    return {"stdout": text, "stdout_lines": [text], "msg": "non-zero return code"}


def heard(secret: str, *lines: bytes) -> tuple[Hearing, list[Told]]:
    """What was heard of lines, and what was told of them."""
    told: list[Told] = []
    hearing = Hearing(Masking([secret]), told.append)
    for line in lines:
        hearing.hear(line)
    return hearing, told


@pytest.mark.parametrize("secret", ODD)
def test_a_secret_is_masked_at_every_depth(secret: str) -> None:
    complaint = f'psql: no "{secret}" here'
    inner = json.dumps({"first": [secret, {"deep": json.dumps({"deeper": complaint})}]})
    failed = work(ended=True, rc=1, stderr=complaint, stdout=f"12 0%\n{inner}")
    failed["cmd"] = ["sh", secret, f"echo {json.dumps(secret)}", inner]
    hearing, _ = heard(secret, event("runner_on_failed", failed))
    played = hearing.played(2)
    assert played.verdict == Verdict.FAILED
    assert played.message == f'psql: no "{MASK}" here'
    kept = zlib.decompress(played.evidence).decode()
    known = json.loads(kept)["event_data"]["res"]
    assert json.loads(known["stdout"])["stderr"] == played.message
    texts = [kept, known["stdout"], json.loads(known["stdout"])["stdout"], *known["cmd"]]
    forms = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    assert [form for form in forms for text in texts if form in text] == []


@pytest.mark.parametrize("secret", SHORT)
def test_a_short_secret_breaks_nothing(secret: str) -> None:
    """Numbers and names of what is told stay, since they are no place for secrets."""
    over = {"event": "playbook_on_stats", "event_data": {"artifact_data": {"bytes": 120, "1": "1"}}}
    hearing, told = heard(
        secret, event("runner_retry", work(stderr=secret)), json.dumps(over).encode()
    )
    assert [each.bytes_done for each in told] == [120]
    played = hearing.played(0)
    assert (played.verdict, played.numbers["bytes"]) == (Verdict.OK, 120)
    hearing, _ = heard(secret, event("runner_on_failed", work(ended=True, stderr=f"= {secret}")))
    assert hearing.played(2).message == f"= {MASK}"


def test_without_secrets_the_evidence_is_as_it_was_told() -> None:
    line = event("runner_on_ok", {"msg": "中文"}).replace(b": ", b":")
    hearing = Hearing(Masking([]), lambda _told: None)
    hearing.hear(line)
    assert zlib.decompress(hearing.played(None).evidence) == line + b"\n"
