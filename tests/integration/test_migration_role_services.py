"""The roles `services`, `nginx` and `switch_*` on real hosts."""

import http.client
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from govcloud.testing.legacy import Host
from govcloud.testing.legacy_fixtures import Mover
from migration.running.player import AnsiblePlayer
from migration.running.port import Mode, Stage, Verdict

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SITE = "server {{ listen {port}; root /srv/site; add_header Who {who}; }}\n"
CONF = "/etc/nginx/conf.d/site.conf"


def who_answers(host: Host, port: int = 80) -> str | None:
    """Ask a site who it is; None: nobody listens."""
    connection = http.client.HTTPConnection(host.address, port, timeout=60)
    try:
        connection.request("GET", "/")
        return connection.getresponse().headers.get("Who")
    except ConnectionRefusedError:
        return None
    finally:
        connection.close()


@pytest.fixture
def site(legacy_pair: tuple[Host, Host]) -> Mover:
    source, target = legacy_pair
    for host in legacy_pair:
        host.run("systemctl -q disable --now nginx; rm -f /etc/nginx/conf.d/*", check=False)
        host.write("/srv/site/index.html", "hello\n")
    source.write(CONF, SITE.format(port=80, who="site"))
    source.run("systemctl -q enable --now nginx")
    return Mover("nginx", source, target, {"files": ["/etc/nginx/conf.d"]})


@pytest.mark.guarantee("M1")
@pytest.mark.guarantee("M3")
def test_a_site_moves_and_comes_back(site: Mover) -> None:
    site.well(Stage.PLAN)
    site.well(Stage.SYNC, Mode.INITIAL)
    assert (who_answers(site.source), who_answers(site.target)) == ("site", None)
    site.well(Stage.FREEZE)
    site.source.reboot()
    assert who_answers(site.source) is None, "a frozen service does not come back by itself"
    site.well(Stage.SYNC, Mode.FINAL)
    site.well(Stage.VERIFY)
    site.well(Stage.START)
    assert who_answers(site.target) == "site"
    site.well(Stage.UNDO)
    assert (who_answers(site.source), who_answers(site.target)) == ("site", None)
    assert site.source.run("ls /var/lib/govcloud-move", check=False).strip() == ""
    site.well(Stage.UNDO, Mode.ABORTED)
    assert not site.target.path(CONF).exists()


def test_what_stood_at_the_target_comes_back(site: Mover) -> None:
    site.target.write(CONF, "# of the target\n")
    site.well(Stage.SYNC, Mode.INITIAL)
    assert "site" in site.target.path(CONF).read_text()
    site.well(Stage.UNDO, Mode.ABORTED)
    assert site.target.path(CONF).read_text() == "# of the target\n"


HALF = """#!/bin/sh
for word; do case $word in *services-1.tar*) echo half > "$word"; kill -KILL $PPID ;; esac; done
"""


def test_what_stood_at_the_target_comes_back_also_after_a_kill(site: Mover) -> None:
    """While it was kept; and nothing is removed where what was kept cannot be read."""
    site.target.write(CONF, "# of the target\n")
    site.target.write("/opt/half", HALF, 0o755)
    site.target.run("mount --bind /opt/half /usr/bin/tar")
    try:
        assert site.play(Stage.SYNC, Mode.INITIAL).verdict != Verdict.OK
    finally:
        site.target.run("umount /usr/bin/tar")
    site.well(Stage.SYNC, Mode.INITIAL)
    kept = f"/var/lib/govcloud-move/{site.key}/services-1.tar"
    site.target.run(f"mv {kept} /opt/kept; echo half > {kept}")
    played = site.play(Stage.UNDO, Mode.ABORTED)
    assert played.verdict == Verdict.FAILED
    assert f"{kept} cannot be read, so nothing is removed" in played.message
    assert "site" in site.target.path(CONF).read_text()
    site.target.run(f"mv /opt/kept {kept}")
    site.well(Stage.UNDO, Mode.ABORTED)
    assert site.target.path(CONF).read_text() == "# of the target\n"


TIER = """
[Service]
ExecStartPre={before}
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
"""


@pytest.mark.guarantee("M3")
def test_services_start_again_in_their_order(legacy_pair: tuple[Host, Host]) -> None:
    """One that does not is named, and keeps none from starting."""
    source, target = legacy_pair
    names = ["zdb", "queue", "app"]
    for name, before in zip(names, ("true", "true", "systemctl -q is-active zdb"), strict=True):
        source.write(f"/etc/systemd/system/{name}.service", TIER.format(before=f"/bin/{before}"))
    states = f"systemctl daemon-reload; systemctl is-active {' '.join(names)}"
    source.run(f"systemctl daemon-reload; systemctl -q enable {' '.join(names)}")
    for name in names:  # Asked for together, they start side by side.
        source.run(f"systemctl start {name}")
    mover = Mover("services", source, target, {"names": names})
    mover.well(Stage.FREEZE)
    source.write("/etc/systemd/system/queue.service", TIER.format(before="/bin/false"))
    source.run("systemctl daemon-reload")
    played = mover.play(Stage.UNDO)
    assert played.verdict == Verdict.FAILED
    assert "queue does not start" in played.message
    assert source.run(states, check=False) == "active\nfailed\nactive\n"
    source.write("/etc/systemd/system/queue.service", TIER.format(before="/bin/true"))
    source.run("systemctl daemon-reload")
    mover.well(Stage.UNDO)
    assert source.run(states) == "active\nactive\nactive\n"
    assert source.run("ls /var/lib/govcloud-move", check=False).strip() == ""
    source.run(f"systemctl -q disable --now {' '.join(names)}")


def test_a_copy_keeps_to_its_bandwidth_and_an_aborted_undo_ends_it(site: Mover) -> None:
    """A megabyte that would be there at once takes more than its time; its lease is long."""
    site.player = AnsiblePlayer(lease_s=300)
    site.source.run("head -c 1000000 /dev/urandom > /etc/nginx/conf.d/large")
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        copying = pool.submit(site.play, Stage.SYNC, Mode.INITIAL, bandwidth_kib=10, stop=stop)
        # Not before it has logged in to the source: it does so with what the play lends it.
        site.target.run("until ls -A /etc/nginx/conf.d | grep -q large; do sleep 0.05; done")
        stop.set()
        assert copying.result().verdict == Verdict.STOPPED
    assert site.target.run("pgrep -x rsync")
    site.well(Stage.UNDO, Mode.ABORTED)
    assert not site.target.run("pgrep -x rsync", check=False)
    assert site.target.run("ls /etc/nginx/conf.d") == ""


@pytest.mark.guarantee("M4")
def test_a_wrong_configuration_is_not_started(site: Mover) -> None:
    site.well(Stage.SYNC, Mode.INITIAL)
    site.target.run(f"echo 'nonsense;' >> {CONF}")
    played = site.play(Stage.VERIFY)
    assert played.verdict == Verdict.FAILED
    assert "site.conf" in played.message
    played = site.play(Stage.START)
    assert played.verdict == Verdict.FAILED
    assert 'unknown directive "nonsense"' in played.message
    assert who_answers(site.target) is None


UNIT = """
[Service]
User=portal
ExecStart=/usr/bin/python3 -m http.server --directory /srv/site 8080
[Install]
WantedBy=multi-user.target
"""


def test_a_service_with_its_account_moves(legacy_pair: tuple[Host, Host]) -> None:
    source, target = legacy_pair
    source.run("getent passwd portal || useradd -r -u 871 -s /usr/sbin/nologin portal")
    source.write("/etc/systemd/system/portal.service", UNIT)
    source.write("/etc/portal.conf", "colour=red\n", 0o640)
    source.run("chown root:portal /etc/portal.conf; systemctl daemon-reload; systemctl -q enable"
               " --now portal")  # fmt: skip
    files = ["/etc/systemd/system/portal.service", "/etc/portal.conf"]
    mover = Mover(
        "services", source, target, {"names": ["portal"], "users": ["portal"], "files": files}
    )
    for stage, mode in (
        (Stage.PLAN, Mode.NONE),
        (Stage.SYNC, Mode.INITIAL),
        (Stage.FREEZE, Mode.NONE),
        (Stage.SYNC, Mode.FINAL),
        (Stage.VERIFY, Mode.NONE),
        (Stage.START, Mode.NONE),
    ):
        mover.well(stage, mode)
    assert target.run("stat -c %U:%G /etc/portal.conf; id -u portal") == "root:portal\n871\n"
    assert target.run("systemctl is-active portal; systemctl is-enabled portal") == (
        "active\nenabled\n"
    )
    assert not source.answers(8080)
    mover.well(Stage.UNDO)
    assert source.run("systemctl is-active portal") == "active\n"
    assert target.run("systemctl is-active portal", check=False) == "inactive\n"


def test_an_account_that_the_target_has_keeps_its_numbers(legacy_pair: tuple[Host, Host]) -> None:
    """Files there belong to them; what is brought belongs to who is called so."""
    source, target = legacy_pair
    for host, number in ((source, 881), (target, 882)):
        host.run(f"groupadd -g {number} keeper; useradd -r -u {number} -g keeper keeper")
    source.run("useradd -r -u 883 -g keeper helper; echo x > /etc/keeper.conf")
    source.run("chown keeper:keeper /etc/keeper.conf")
    settings = {"names": ["cron"], "users": ["keeper", "helper"], "files": ["/etc/keeper.conf"]}
    mover = Mover("services", source, target, settings)
    mover.well(Stage.SYNC, Mode.INITIAL)
    ids = "id -u keeper; id -g keeper; id -u helper; id -gn helper; stat -c %u:%g /etc/keeper.conf"
    assert target.run(ids).split() == ["882", "882", "883", "keeper", "882:882"]
    mover.well(Stage.UNDO, Mode.ABORTED)


SOCKET = """
[Socket]
ListenStream=0.0.0.0:8099
[Install]
WantedBy=sockets.target
"""


@pytest.mark.guarantee("M4")
def test_what_would_start_a_frozen_service_again_is_named(clerk: Mover) -> None:
    """A socket that is still open does so for the next who asks."""
    source = clerk.source
    source.write("/etc/systemd/system/desk.socket", SOCKET)
    source.run("touch /run/go; systemctl daemon-reload; systemctl stop desk")
    source.run("systemctl -q enable --now desk.socket; systemctl start desk")
    for stage in (Stage.PLAN, Stage.FREEZE):
        played = clerk.play(stage)
        assert played.verdict == Verdict.FAILED
        assert "desk.socket starts desk again: name it as well" in played.message
    clerk.well(Stage.UNDO)
    clerk.settings["names"] = ["desk.socket", "desk", "clerk"]
    clerk.well(Stage.PLAN)
    clerk.well(Stage.FREEZE)
    assert not source.answers(8099)
    clerk.well(Stage.UNDO)
    assert source.answers(8099)
    source.run("systemctl -q disable --now desk.socket; rm /etc/systemd/system/desk.socket")


@pytest.mark.guarantee("M3")
def test_a_proxy_is_switched_and_switched_back(site: Mover) -> None:
    """The proxy stands on the target, and leads to port 81 or 82 there."""
    for port, who in ((81, "old"), (82, "new")):
        site.target.write(f"/etc/nginx/conf.d/{who}.conf", SITE.format(port=port, who=who))
    proxy = "server { listen 80; location / { proxy_pass http://127.0.0.1:81; } }\n"
    file = "/etc/nginx/conf.d/proxy.conf"
    site.target.write(file, proxy)
    site.target.run("systemctl -q enable --now nginx; systemctl reload nginx")
    settings = {"file": file, "from": "127.0.0.1:81", "to": "127.0.0.1:82"}
    switch = Mover("switch_nginx", site.source, site.target, settings)
    switch.well(Stage.PLAN)
    assert who_answers(site.target) == "old"
    for _ in range(2):  # Again at will.
        switch.well(Stage.START)
        switch.well(Stage.VERIFY)
    site.target.run("until [ \"$(curl -sI localhost | grep -c 'Who: new')\" = 1 ]; do :; done")
    switch.well(Stage.UNDO)
    assert site.target.path(file).read_text() == proxy
    site.target.run("until [ \"$(curl -sI localhost | grep -c 'Who: old')\" = 1 ]; do :; done")

    wrong = Mover("switch_nginx", site.source, site.target, settings | {"to": "not a place"})
    played = wrong.play(Stage.START)
    assert played.verdict == Verdict.FAILED
    assert site.target.path(file).read_text() == proxy, "a failed switch gives the file back"
    assert who_answers(site.target) == "old"


@pytest.mark.guarantee("M3")
def test_systems_that_share_a_file_are_switched_and_back_each_by_itself(site: Mover) -> None:
    """Whichever goes back: what the others switched stays, also where several do so at once."""
    file = "/etc/nginx/conf.d/proxy.conf"
    lines = [f"server {{ listen 80{n}; location / {{ proxy_pass http://127.0.0.1:9{n}; }} }}"
             for n in range(10, 14)]  # fmt: skip
    site.target.write(file, "\n".join(lines))
    site.target.run("systemctl -q enable --now nginx; systemctl reload nginx")
    switches = [
        Mover(
            "switch_nginx", site.source, site.target,
            {"file": file, "from": f"127.0.0.1:9{number}", "to": "127.0.0.1:99"},
        )
        for number in range(10, 14)
    ]  # fmt: skip
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda one: one.well(Stage.START), switches))
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda one: one.well(Stage.UNDO), (switches[2], switches[0])))
    now = site.target.path(file).read_text().split("\n")
    switched = [line.replace(f":9{number}", ":99") for number, line in enumerate(lines, 10)]
    assert now == [lines[0], switched[1], lines[2], switched[3]]
    site.target.write(file, "\n".join([now[0], "# ours", *now[2:]]))
    switches[3].well(Stage.UNDO)
    played = switches[1].play(Stage.UNDO)
    assert played.verdict is Verdict.FAILED
    assert "127.0.0.1:911" in played.message
    site.target.write(file, "\n".join(lines))
    switches[1].well(Stage.UNDO)
    assert site.target.path(file).read_text() == "\n".join(lines)


def test_a_name_is_switched(legacy_pair: tuple[Host, Host]) -> None:
    source, target = legacy_pair
    target.run("echo '10.9.9.9 portal.gov' >> /etc/hosts")
    before = target.path("/etc/hosts").read_text()
    switch = Mover("switch_hosts", source, target, {"from": "10.9.9.9", "to": "10.9.9.10"})
    switch.well(Stage.PLAN)
    switch.well(Stage.START)
    assert target.run("getent hosts portal.gov").split()[0] == "10.9.9.10"
    switch.well(Stage.UNDO)
    assert target.path("/etc/hosts").read_text() == before


def test_an_address_is_switched(legacy_pair: tuple[Host, Host]) -> None:
    source, target = legacy_pair
    address = f"10.213.{source.room.number}.200/24"
    source.run(f"ip addr add {address} dev eth0")
    switch = Mover("switch_address", source, target, {"address": address})
    switch.well(Stage.PLAN)
    for stage, holder in ((Stage.START, target), (Stage.UNDO, source)):
        switch.well(stage)
        has = {host.name for host in legacy_pair if address in host.run("ip addr show dev eth0")}
        assert has == {holder.name}
    source.run(f"ip addr del {address} dev eth0")


def test_an_address_that_the_target_cannot_take_is_no_success(
    legacy_pair: tuple[Host, Host],
) -> None:
    source, target = legacy_pair
    address = f"10.213.{source.room.number}.202/24"
    source.run(f"ip addr add {address} dev eth0")
    settings = {"address": address, "target_device": "eth9"}
    switch = Mover("switch_address", source, target, settings)
    played = switch.play(Stage.START)
    assert played.verdict is Verdict.FAILED
    assert "eth9" in played.message
    switch.well(Stage.UNDO)
    assert address in source.run("ip addr show dev eth0")
    source.run(f"ip addr del {address} dev eth0")


@pytest.mark.guarantee("M3")
def test_an_address_comes_back_from_a_target_that_is_gone(legacy_pair: tuple[Host, Host]) -> None:
    """Not while the target still answers for it: two would have it."""
    source, target = legacy_pair
    address = f"10.213.{source.room.number}.201/24"
    source.run(f"ip addr add {address} dev eth0")
    switch = Mover("switch_address", source, target, {"address": address})
    switch.well(Stage.START)
    target.run("systemctl -q stop ssh")
    played = switch.play(Stage.UNDO)
    assert played.verdict is Verdict.UNREACHABLE
    assert "somebody answers" in played.message
    target.unplug()
    assert switch.play(Stage.UNDO).verdict is Verdict.UNREACHABLE
    assert address in source.run("ip addr show dev eth0")
    target.plug()
    target.run("systemctl -q start ssh")
    switch.well(Stage.UNDO)
    assert address not in target.run("ip addr show dev eth0")
    source.run(f"ip addr del {address} dev eth0")


SLOW = """#!/bin/sh
case "$*" in 'stop '*) touch /run/stopping; until [ -e /run/go ]; do sleep 0.05; done ;; esac
exec /opt/systemctl "$@"
"""
FREEZING = "^/bin/sh -c set -eu; umask 077; mkdir -p /var/lib/govcloud-move"
SLUGGISH = """
[Service]
ExecStart=/bin/sleep infinity
ExecStop=/bin/sh -c 'touch /run/stopping; until [ -e /run/go ]; do sleep 0.05; done'
TimeoutStopSec=infinity
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture
def clerk(legacy_pair: tuple[Host, Host]) -> Iterator[Mover]:
    """Two services of which the one that is stopped first takes its time to stop."""
    source, target = legacy_pair
    source.write("/etc/systemd/system/clerk.service", SLUGGISH)
    source.write("/etc/systemd/system/desk.service", TIER.format(before="/bin/true"))
    source.run("rm -f /run/go /run/stopping; systemctl daemon-reload")
    source.run("systemctl -q enable --now clerk desk")
    yield Mover("services", source, target, {"names": ["desk", "clerk"]})
    source.run("touch /run/go; systemctl -q disable --now clerk desk")


def cut_off(mover: Mover) -> None:
    """Freeze, and lose the way to the source as soon as a service is told to stop."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        freezing = pool.submit(mover.play, Stage.FREEZE, stop=stop)
        mover.source.run("until [ -e /run/stopping ]; do sleep 0.05; done")
        stop.set()
        assert freezing.result().verdict == Verdict.STOPPED


SERVE = "systemctl is-active clerk desk; systemctl is-enabled clerk desk"


@pytest.mark.guarantee("M3")
def test_a_stop_that_was_cut_off_stops_nothing_that_was_released(clerk: Mover) -> None:
    """Nor do the stops that were to come after it."""
    source = clerk.source
    source.run("cp /usr/bin/systemctl /opt/systemctl")
    source.write("/opt/slow", SLOW, 0o755)
    source.run("mount --bind /opt/slow /usr/bin/systemctl")
    try:
        cut_off(clerk)
        clerk.well(Stage.UNDO)
        source.run(f"touch /run/go; while pgrep -f '{FREEZING}' > /dev/null; do sleep 0.05; done")
    finally:
        source.run("umount /usr/bin/systemctl")
    source.run("while systemctl list-jobs | grep -q stop; do sleep 0.05; done")
    assert source.run(SERVE, check=False) == "active\nactive\nenabled\nenabled\n"
    assert source.run("ls /var/lib/govcloud-move", check=False).strip() == ""


@pytest.mark.guarantee("M3")
def test_a_service_that_takes_its_time_to_stop_runs_again_when_it_has(clerk: Mover) -> None:
    cut_off(clerk)
    assert clerk.play(Stage.UNDO, timeout_s=20).verdict == Verdict.STOPPED, "it stops still"
    clerk.source.run("touch /run/go")
    clerk.well(Stage.UNDO)
    assert clerk.source.run(SERVE, check=False) == "active\nactive\nenabled\nenabled\n"
