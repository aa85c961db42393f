"""How plays are played: processes that are killed, keys, secrets, roles of one's own."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from govcloud.testing.legacy import Host
from govcloud.testing.legacy_fixtures import LEASE_S, Mover
from govcloud.testing.meanwhile import wait_until
from migration.running.player import AnsiblePlayer
from migration.running.port import Mode, Stage, Verdict

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CONTROLLER = """
import pickle, sys, threading
from migration.running.player import AnsiblePlayer
def told(what):
    if what.bytes_done: print(what.bytes_done, flush=True)
play = pickle.loads(bytes.fromhex(sys.argv[1]))
print(AnsiblePlayer(lease_s=float(sys.argv[2])).play(play, told, threading.Event()), flush=True)
"""


@pytest.fixture
def large(legacy_pair: tuple[Host, Host], request: pytest.FixtureRequest) -> Mover:
    source, target = legacy_pair
    path = f"/srv/{request.node.name.partition('[')[0]}"
    source.run(f"mkdir -p {path}; head -c 30000000 /dev/urandom > {path}/large")
    return Mover("files", source, target, {"paths": [path]})


def of_play(folder_part: str) -> list[str]:
    """The processes of this machine that belong to a play, by its folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if folder_part.encode() in text:
            found.append(process.name)
    return found


@pytest.fixture
def controller(large: Mover) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that copies, for longer than a lease; it has said the first bytes."""
    play = large.order(Stage.SYNC, Mode.INITIAL, bandwidth_kib=250)
    command = [sys.executable, "-c", CONTROLLER, pickle.dumps(play).hex(), str(LEASE_S)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline(), "it does not copy"
            yield process
        finally:
            process.kill()


@pytest.mark.guarantee("M2")
@pytest.mark.guarantee("M5")
def test_a_killed_controller_takes_all_with_it(
    large: Mover, controller: subprocess.Popen[str]
) -> None:
    mark = f"govcloud-play-{controller.pid}-"
    assert len(of_play(mark)) >= 2, "ansible and its SSH connections"
    controller.send_signal(signal.SIGKILL)
    wait_until(lambda: not of_play(mark), about="processes are left on this machine")
    places = (Path("/dev/shm"), Path("/tmp"))
    wait_until(
        lambda: not any(list(place.glob(f"{mark}*")) for place in places), about="a folder is left"
    )
    wait_until(lambda: not rsyncs(large.target), 4 * LEASE_S, "rsync is left on the target")
    again = large.well(Stage.SYNC, Mode.INITIAL)
    assert again["bytes"] < 30_000_000, "what was there is not copied again"


@pytest.mark.guarantee("M2")
def test_a_killed_ansible_is_to_be_tried_again(
    large: Mover, controller: subprocess.Popen[str]
) -> None:
    mark = f"govcloud-play-{controller.pid}-"
    for pid in of_play(mark):
        with suppress(OSError):  # It ended meanwhile.
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
            if b"ansible-playbook" in command:
                os.kill(int(pid), signal.SIGKILL)
    rest, _ = controller.communicate(timeout=300)
    assert "UNREACHABLE" in rest
    assert not of_play(mark)
    wait_until(lambda: not rsyncs(large.target), 4 * LEASE_S, "rsync is left on the target")
    large.well(Stage.SYNC, Mode.INITIAL)
    assert large.well(Stage.VERIFY)["differences"] == 0


def rsyncs(host: Host) -> str:
    return host.run("pgrep -x rsync", check=False)


def test_a_host_key_that_is_not_known_is_refused(large: Mover, tmp_path: Path) -> None:
    (tmp_path / "known_hosts").touch()
    strange = replace(large.target.endpoint(), known_hosts=str(tmp_path / "known_hosts"))
    order = replace(large.order(Stage.PLAN), target=strange)
    played = large.player.play(order, large.told.append, threading.Event())
    assert played.verdict == Verdict.UNREACHABLE
    assert "Host key verification failed" in played.message
    assert (tmp_path / "known_hosts").read_text() == ""


def test_a_wrong_key_is_refused(large: Mover, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    strange = replace(large.source.endpoint(), key_file=str(key))
    order = replace(large.order(Stage.PLAN), source=strange, target=strange)
    played = large.player.play(order, large.told.append, threading.Event())
    assert played.verdict == Verdict.UNREACHABLE
    assert "Permission denied" in played.message
    missing = replace(strange, key_file=str(tmp_path / "none"))
    played = large.player.play(
        replace(order, source=missing, target=missing), large.told.append, threading.Event()
    )
    assert played.verdict == Verdict.FAILED
    assert str(tmp_path / "none") in played.message


OWN = {
    "meta/argument_specs.yml": (
        "---\nargument_specs:\n  main:\n    short_description: Says things\n    options:\n"
        "      own_word: {type: str, required: true}\n"
        "      own_secret: {type: str, no_log: true}\n"
    ),
    "tasks/plan.yml": (
        "---\n- name: Say it\n  ansible.builtin.command:\n"
        "    argv: [sh, -c, 'echo \"$0 $1\"', '{{ own_word }}', '{{ own_secret }}']\n"
        "  register: own_said\n"
        "- name: Tell it\n  ansible.builtin.set_stats:\n    data: {said: '{{ own_said.stdout }}'}\n"
        "- name: Fail with it\n  ansible.builtin.fail:\n    msg: 'no {{ own_secret }}'\n"
        "  when: own_word == 'fail'\n"
    ),
}


def test_a_role_of_ones_own_and_its_secrets(legacy_pair: tuple[Host, Host], tmp_path: Path) -> None:
    for name, text in OWN.items():
        file = tmp_path / "roles/own" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "secret").write_text('Gänse"fü{{ 1 + 1 }}\n')
    player = AnsiblePlayer([tmp_path / "roles"])
    assert set(player.roles()["own"]["options"]) == {"word", "secret"}  # type: ignore[call-overload]
    assert "paths" in player.roles()["files"]["options"]  # type: ignore[operator]
    assert "job" not in player.roles()
    secrets = {"secret": f"file:{tmp_path / 'secret'}"}
    mover = Mover("own", *legacy_pair, {"word": "hello"}, secrets, player=player)
    played = mover.play(Stage.PLAN)
    assert played.verdict == Verdict.OK, played.message
    assert played.numbers == {"said": "hello ********"}
    mover.settings["word"] = "fail"
    failed = mover.play(Stage.PLAN)
    assert (failed.verdict, failed.task, failed.message) == (
        Verdict.FAILED,
        "Fail with it",
        "no ********",
    )
    for evidence in (played.evidence, failed.evidence):
        assert "fü{{" not in zlib.decompress(evidence).decode()
    assert mover.play(Stage.SYNC).message == "The role own cannot do the stage sync."
    idle = mover.play(Stage.START)
    said = "The role own has nothing to do in the stage start."
    assert (idle.verdict, idle.message) == (Verdict.OK, said)
    assert said in zlib.decompress(idle.evidence).decode()
    alone = Mover("own", legacy_pair[1], legacy_pair[1], {"word": "hello"}, player=player)
    assert alone.play(Stage.START).message == "The role own cannot do the stage start."


def test_a_lost_target_is_unreachable(large: Mover) -> None:
    large.target.off()
    played = large.play(Stage.PLAN)
    assert played.verdict == Verdict.UNREACHABLE
    assert large.target.address in played.message
