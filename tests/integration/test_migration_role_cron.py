"""The role `cron` on real hosts with a real cron."""

import zlib

import pytest

from govcloud.testing.legacy import Host
from govcloud.testing.legacy_fixtures import Mover
from migration.running.port import Mode, Stage, Verdict

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CRONTAB = "# nightly\nKEY='of the app'\n@reboot date >> /var/tmp/of-user\n7 3 * * 1 /bin/true\n"
FILE = "@reboot root date >> /var/tmp/of-file\n"
WATCH = "@reboot root touch /var/tmp/booted\n"
"""A job that never moves: when it has run, cron has begun what runs at a start."""
JOB = "/etc/cron.d/portal"
CLEAN = """
install -d -m 1730 -g crontab /var/spool/cron/crontabs
getent passwd portal > /dev/null || useradd -r -u 871 -s /usr/sbin/nologin portal
crontab -u portal -r 2> /dev/null || true
rm -f /etc/cron.d/portal /var/tmp/*
systemctl -q enable --now cron
"""
AWAIT = "until [ -e /var/tmp/booted ]; do sleep 0.05; done; cd /var/tmp; rm booted; ls; rm -f of-*"


@pytest.fixture
def jobs(legacy_pair: tuple[Host, Host]) -> Mover:
    for host in legacy_pair:
        host.run(CLEAN)
        host.write("/etc/cron.d/watch", WATCH)
    source, target = legacy_pair
    source.run("crontab -u portal -", stdin=CRONTAB)
    source.write(JOB, FILE)
    return Mover("cron", source, target, {"users": ["portal"], "files": ["portal"]})


def ran(host: Host) -> list[str]:
    """What runs at a start of the host."""
    host.reboot()
    return host.run(AWAIT).split()


def crontab(host: Host) -> str:
    return host.run("crontab -u portal -l", check=False)


@pytest.mark.guarantee("M1")
@pytest.mark.guarantee("M3")
def test_jobs_move_and_come_back(jobs: Mover) -> None:
    """At no time do they run on both hosts."""
    source, target = jobs.source, jobs.target
    assert jobs.well(Stage.PLAN)["jobs"] == 2
    jobs.well(Stage.SYNC, Mode.TEST)
    jobs.well(Stage.VERIFY, Mode.TEST)
    jobs.well(Stage.UNDO, Mode.TEST)
    jobs.well(Stage.SYNC, Mode.INITIAL)
    assert (ran(source), ran(target)) == (["of-file", "of-user"], [])
    source.run("crontab -u portal -", stdin=f"{CRONTAB}# later\n")
    jobs.well(Stage.FREEZE)
    assert (ran(source), ran(target)) == ([], [])
    assert jobs.well(Stage.SYNC, Mode.FINAL)["bytes"] == len(f"{CRONTAB}# later\n")
    assert jobs.well(Stage.VERIFY)["compared"] == 2
    jobs.well(Stage.START)
    assert (ran(source), ran(target)) == ([], ["of-file", "of-user"])
    assert crontab(target) == f"{CRONTAB}# later\n"
    assert target.run(f"stat -c '%a %U' {JOB}") == "644 root\n"

    target.write(JOB, f"{FILE}# written since\n")
    undone = jobs.well(Stage.UNDO)
    assert undone["written_since"] == 1
    assert "cron-changed" in undone["kept_in"]
    assert (ran(source), ran(target)) == (["of-file", "of-user"], [])
    assert (crontab(source), source.path(JOB).read_text()) == (f"{CRONTAB}# later\n", FILE)
    jobs.well(Stage.UNDO, Mode.ABORTED)
    for host in (source, target):
        assert host.run("ls -A /var/lib/govcloud-move", check=False) == ""


@pytest.mark.guarantee("M4")
def test_what_would_not_run_is_found(jobs: Mover) -> None:
    """Jobs of the target, another time zone, a job that differs, a user who is not there."""
    source, target = jobs.source, jobs.target

    def fails(stage: Stage, mode: Mode, said: str) -> None:
        played = jobs.play(stage, mode)
        assert played.verdict == Verdict.FAILED
        assert said in played.message
        assert b"of the app" not in zlib.decompress(played.evidence)

    target.write(JOB, "# of the target\n")
    fails(Stage.SYNC, Mode.INITIAL, f"{JOB} is on {target.name} already")
    jobs.settings["replace"] = True
    zone = target.run("readlink /etc/localtime").strip()
    target.run("ln -sf /usr/share/zoneinfo/Asia/Shanghai /etc/localtime")
    fails(Stage.SYNC, Mode.INITIAL, "is at +0000 and that of hr-new at +0800")
    target.run(f"ln -sf {zone} /etc/localtime")
    jobs.well(Stage.SYNC, Mode.INITIAL)
    source.run("echo '5 5 * * * root /bin/true' >> /etc/cron.d/portal")
    target.run("userdel portal")
    fails(Stage.VERIFY, Mode.NONE, f"the crontab of portal: no user portal; {JOB} differs")
    target.run(CLEAN.partition("crontab -u")[0])
    target.write(JOB, "# of the target\n")
    jobs.well(Stage.SYNC, Mode.DELTA)
    jobs.well(Stage.VERIFY)
    jobs.well(Stage.START)
    assert "5 5" in target.path(JOB).read_text()
    jobs.well(Stage.UNDO)
    assert target.path(JOB).read_text() == "# of the target\n"


@pytest.mark.guarantee("M3")
@pytest.mark.parametrize(
    ("text", "stage", "said"),
    [
        ("0 3 * * * /bin/true", Stage.PLAN, "(its last line has no end): mend it first"),
        ("A = b\n0 3 * * * /bin/true\n@dialy /bin/true\n", Stage.PLAN, "(line 3)"),
        ("0 3 * * 9 /bin/true\n", Stage.FREEZE, "the crontab of portal"),
    ],
)
def test_a_crontab_that_could_not_be_given_back_stays(
    jobs: Mover, text: str, stage: Stage, said: str
) -> None:
    """It was written past cron's own program, which refuses it."""
    jobs.source.write("/var/spool/cron/crontabs/portal", text, 0o600)
    jobs.source.run("chown portal:crontab /var/spool/cron/crontabs/portal")
    played = jobs.play(stage)
    assert played.verdict == Verdict.FAILED
    assert said in played.message
    jobs.well(Stage.UNDO)
    assert crontab(jobs.source) == text


@pytest.mark.guarantee("M3")
def test_jobs_that_were_written_after_the_freeze_are_not_lost(jobs: Mover) -> None:
    jobs.well(Stage.FREEZE)
    jobs.source.run("crontab -u portal -", stdin="1 1 1 1 1 written since\n")
    jobs.well(Stage.FREEZE)
    assert crontab(jobs.source) == ""
    jobs.well(Stage.UNDO)
    assert crontab(jobs.source) == "1 1 1 1 1 written since\n"


def test_running_jobs_are_waited_for(jobs: Mover) -> None:
    """The cut-over names what still runs, and goes on as soon as it has ended."""
    source = jobs.source
    source.write(JOB, "@reboot portal exec tail -f /dev/null\n")
    source.reboot()
    source.run("until pgrep -u portal tail > /dev/null; do sleep 0.05; done")
    jobs.settings["wait_s"] = 0
    played = jobs.play(Stage.FREEZE)
    assert played.verdict == Verdict.FAILED
    assert "jobs of cron still run: tail" in played.message
    source.run("pkill -u portal tail")
    jobs.well(Stage.FREEZE)
    jobs.well(Stage.UNDO)
    assert source.path(JOB).read_text().startswith("@reboot portal")
