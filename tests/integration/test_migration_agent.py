"""The SSH agent that lends a play its keys: one that is slow to start, and one that never comes."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from migration.running.player import AnsiblePlayer
from migration.running.port import Endpoint, Play, Played, Stage, Verdict

SLOW = """#!{python}
import os, socket, sys, time
place = sys.argv[sys.argv.index("-a") + 1]
bound = socket.socket(socket.AF_UNIX)
bound.bind(place)
time.sleep(0.5)
os.unlink(place)
os.execv({agent!r}, ["ssh-agent", *sys.argv[1:]])
"""
"""As between bind() and listen(): the socket is there, and nobody answers yet."""


def played(monkeypatch: pytest.MonkeyPatch, folder: Path, agent: str) -> Played:
    """Play against a port at which nobody listens, with an agent of one's own."""
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    (folder / "bin").mkdir()
    (folder / "bin/ssh-agent").write_text(agent)
    (folder / "bin/ssh-agent").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder / "bin"), prepend=os.pathsep)
    end = Endpoint("a", "127.0.0.1", port=1, key_file=str(key))
    play = Play("hrss/a", "files", Stage.PLAN, source=end, target=end, settings={"paths": ["/a"]})
    return AnsiblePlayer().play(play, lambda _told: None, threading.Event())


def test_an_agent_that_is_slow_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slow = SLOW.format(python=sys.executable, agent=shutil.which("ssh-agent"))
    found = played(monkeypatch, tmp_path, slow)
    assert found.verdict is Verdict.UNREACHABLE
    assert "Connection refused" in found.message
    assert "port 1" in found.message, "it is the host that refuses, not the agent"


def test_without_an_agent_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = played(monkeypatch, tmp_path, "#!/bin/sh\nexit 1\n")
    assert found.verdict is Verdict.UNREACHABLE
    assert "agent" in found.message
