"""The roles `services`, `nginx` and `switch_*` on real hosts."""

import http.client
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
    connection = http.client.HTTPConnection(host.address, port, timeout=5)
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
for word; do case $word in *services.tar*) echo half > "$word"; kill -KILL $PPID ;; esac; done
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
    kept = f"/var/lib/govcloud-move/{site.key}/services.tar"
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
    source.run(f"systemctl daemon-reload; systemctl -q enable --now {' '.join(names)}")
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
    played = site.play(Stage.SYNC, Mode.INITIAL, bandwidth_kib=10, timeout_s=15)
    assert played.verdict == Verdict.STOPPED
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
