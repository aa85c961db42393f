"""Migrations as the lane works them: all states, rollbacks, gates, signatures, rooms."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sqlalchemy import text

from govcloud.domain.access import Actor, Role
from govcloud.domain.kinds.moving import Probe
from govcloud.domain.manifest import ObjectKey
from govcloud.errors import (
    ConflictError,
    ForbiddenError,
    GovcloudError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
    UsageError,
)
from govcloud.messages import remedy, render
from govcloud.requests.life import Verdict as Decision
from govcloud.requests.proposing import Assessor
from govcloud.requests.wishes import Wish, wish_of
from govcloud.store import moves, objects
from govcloud.store import work as queue
from govcloud.store.unit import Store, Unit, lock_head
from govcloud.testing.clock import FixedClock
from govcloud.testing.lab import ADMIN, DEPARTMENT, Lab
from govcloud.testing.meanwhile import running, wait_until
from govcloud.testing.stage import HeldPlayer
from govcloud.testing.town import read
from govcloud.testing.yard import APPROVER, CLERK, OPENS, OPERATOR, Yard
from migration.running.health import probe
from migration.running.lane import Lane, _Work
from migration.running.perform import Job, Performer
from migration.running.port import Mode, Stage, Verdict

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"
DATA = {f"file-{number}": bytes([number]) * 1_000 for number in range(10)}


@pytest.fixture
def yard(store: Store, tmp_path: Path) -> Yard:
    folder = tmp_path / "hosts"
    folder.mkdir()
    return Yard(Lab(store, tmp_path).found(), folder)


def work(yard: Yard) -> None:
    """Let a lane do all that is due."""
    yard.lane().run_once(threading.Event())


def to_trial(yard: Yard, clock: FixedClock, name: str = "case") -> None:
    yard.wish(name, "run")
    work(yard)
    clock.set(OPENS - timedelta(hours=1))
    yard.cutover(name)
    work(yard)
    clock.set(OPENS)
    work(yard)
    assert yard.state(name) == "trial", yard.shown(name)


@pytest.mark.guarantee("M1")
@pytest.mark.guarantee("M4")
def test_a_system_goes_all_the_way(yard: Yard, clock: FixedClock) -> None:
    yard.system("case", DATA)
    before = yard.snapshot("case")
    yard.wish("case", "run", CLERK)
    work(yard)
    assert yard.state("case") == "syncing"
    assert yard.read("case-new") == sorted(DATA)
    assert not list((yard.folder / "case-new").glob(".test-*"))
    clock.set(OPENS - timedelta(minutes=1))
    yard.cutover("case")
    work(yard)
    assert yard.snapshot("case") == before
    assert yard.read("case-gate", "route") == "old"

    (yard.folder / "case-old/data/file-3").write_bytes(b"changed since")
    clock.set(OPENS)
    work(yard)
    assert yard.state("case") == "trial"
    assert (yard.folder / "case-new/data/file-3").read_bytes() == b"changed since"
    assert yard.read("case-gate", "route") == "new"
    shown = yard.shown("case")
    assert shown["downtimeSeconds"] is not None
    assert {step["state"] for step in shown["steps"][:-3]} == {"done"}

    with pytest.raises(ConflictError, match="run_trial_lasts"):
        yard.wish("case", "accept", CLERK)
    clock.set(OPENS + timedelta(days=30, minutes=1))
    yard.wish("case", "accept", CLERK)
    with pytest.raises(ConflictError, match="run_signed") as signed:
        yard.wish("case", "accept", CLERK)
    said = render(signed.value.key, "zh", signed.value.params)
    assert said.startswith("已签署：使用单位，"), said
    with pytest.raises(ForbiddenError, match="run_may_not_sign"):
        yard.wish("case", "accept", Actor("theirs", Role.OPERATOR, DEPARTMENT))
    yard.wish("case", "accept", APPROVER)
    with pytest.raises(ConflictError, match="run_signed"):
        yard.wish("case", "accept", ADMIN)
    work(yard)
    assert yard.state("case") == "trial"
    assert yard.shown("case", "zh")["message"] == "尚缺签署：服务商。"
    yard.wish("case", "accept", OPERATOR)
    with pytest.raises(ConflictError, match="run_accepted"):
        yard.wish("case", "rollback")
    work(yard)
    plan = yard.plan("case")
    assert (plan.spec["state"], plan.spec["acceptedOn"]) == ("accepted", "2026-08-02")

    evidence = {"wiped": "CERT-1", "disposal": "scrapped", "asset": "ZC-1"}
    with pytest.raises(UsageError, match="run_off_served") as refused:
        yard.wish("case", "source-off", host="case-old", off="2026-07-02", **evidence)
    assert "2026-07-03" in render(refused.value.key, "zh", refused.value.params)
    yard.wish("case", "source-off", host="case-old", off="2026-07-03", **evidence)
    work(yard)
    assert yard.state("case") == "closed"
    [host] = _documents(yard, "LegacyHost")
    assert (host["state"], host["offOn"]) == ("off", "2026-07-03")
    for verb in ("pause", "resume", "verify"):
        with pytest.raises(ConflictError, match="run_complete"):
            yard.wish("case", verb)
    outcomes = [line["outcome"] for line in yard.log("case")]
    assert set(outcomes) == {"ok", "wished"}


@pytest.mark.guarantee("M3")
def test_what_fails_in_the_window_goes_back_by_itself(yard: Yard, clock: FixedClock) -> None:
    yard.system("case", DATA)
    before = yard.snapshot("case")
    yard.wish("case", "run")
    yard.cutover("case", waiver="no data is lost")
    work(yard)
    yard.player.fail(Stage.VERIFY, verdict=Verdict.FAILED)
    clock.set(OPENS)
    work(yard)
    assert yard.state("case") == "rolled-back"
    assert yard.snapshot("case") == before
    assert yard.read("case-gate", "route") == "old"
    assert not (yard.folder / "case-gate/mark-b").exists()
    why = "asked to: it was to end so"
    assert (
        yard.shown("case")["message"] == f"Rolled back because of a failure: verify (data): {why}."
    )
    assert yard.shown("case", "zh")["message"] == f"因失败自动回退：校验（data）：{why}。"
    # It may be run again, and what was copied need not be copied again.
    yard.wish("case", "run")
    work(yard)
    copied = [
        line["detail"]["bytes"] for line in yard.log("case") if line["what"] == "initial-sync"
    ]
    assert copied == [10_000, 0]


@pytest.mark.guarantee("M3")
@pytest.mark.guarantee("M5")
@pytest.mark.parametrize("when", ["syncing", "trial"])
def test_a_rollback_before_acceptance(yard: Yard, clock: FixedClock, when: str) -> None:
    yard.system("case", DATA)
    before = yard.snapshot("case")
    if when == "trial":
        to_trial(yard, clock)
        (yard.folder / "case-new/data/new-row").write_bytes(b"written since")
    else:
        yard.wish("case", "run")
        work(yard)
    yard.wish("case", "rollback", note="users complain")
    for verb in ("rollback", "accept", "pause", "verify", "cutover"):
        with pytest.raises(ConflictError, match="run_goes_back") as refused:
            yard.wish("case", verb)
        assert "abandon" in str(remedy(refused.value.key, "zh", refused.value.params))
    work(yard)
    assert yard.state("case") == "rolled-back"
    assert yard.snapshot("case") == before
    assert yard.read("case-gate", "route") == "old"
    undone = [line for line in yard.log("case") if line["what"] == "undo"]
    if when == "trial":
        # What was written at the target is kept there, and said.
        assert (yard.folder / "case-new/data/new-row").read_bytes() == b"written since"
        assert {"written_since": 1, "kept_in": "data"} in [line["detail"] for line in undone]
    else:
        assert yard.read("case-new") is None
    assert yard.shown("case")["message"] == "Rolled back as admin asked: users complain."


@pytest.mark.guarantee("M3")
def test_what_cannot_be_taken_back_is_given_up_by_a_person(yard: Yard, clock: FixedClock) -> None:
    """With a reason, and only what was tried in vain; all else was taken back before."""
    yard.system("case", DATA)
    yard.wish("case", "run")
    yard.cutover("case", waiver="no data is lost")
    work(yard)
    yard.player.fail(Stage.VERIFY, verdict=Verdict.FAILED)
    yard.player.fail(Stage.UNDO, verdict=Verdict.FAILED, why="the target burnt down")
    clock.set(OPENS)
    work(yard)
    assert yard.state("case") == "stopped"
    undone = {one["part"]: one["outcome"] for one in yard.log("case") if one["what"] == "undo"}
    [stuck] = [part for part, outcome in undone.items() if outcome == "failed"]
    assert sorted(undone.values()) == ["failed", *["ok"] * (len(undone) - 1)]
    with pytest.raises(ConflictError, match="run_not_stuck"):
        yard.wish("case", "abandon", part="another", note="gone")
    with pytest.raises(ForbiddenError):
        yard.wish("case", "abandon", Actor("auditor", Role.AUDITOR), part=stuck, note="gone")
    yard.wish("case", "abandon", part=stuck, note="the insurer has been told")
    work(yard)
    assert yard.state("case") == "rolled-back"
    with pytest.raises(ConflictError, match="run_not_running"):
        yard.wish("case", "abandon", part=stuck, note="again")


def test_a_failure_before_the_window_waits_for_a_person(yard: Yard) -> None:
    yard.system("case", DATA)
    yard.player.fail(Stage.SYNC, Mode.INITIAL, verdict=Verdict.FAILED)
    yard.wish("case", "run")
    work(yard)
    assert yard.state("case") == "stopped"
    assert yard.shown("case")["doing"] == "halted"
    assert yard.shown("case", "zh")["message"] == (
        "停在：首次同步（data）：asked to: it was to end so。"
        "处理后请执行 `govcloud migrate resume`。"
    )
    work(yard)
    assert len([line for line in yard.log("case") if line["what"] == "initial-sync"]) == 1
    yard.wish("case", "resume")
    work(yard)
    assert yard.state("case") == "syncing"


@pytest.mark.guarantee("P4")
def test_what_a_play_says_is_told_in_the_readers_language(yard: Yard) -> None:
    yard.system("case", DATA)
    why = "the crontab of root differs; no cron runs on case-new; our own: full"
    yard.player.fail(Stage.SYNC, Mode.INITIAL, verdict=Verdict.FAILED, why=why)
    yard.wish("case", "run")
    work(yard)
    said = {
        "en": why,
        "zh": "root 的 crontab 不一致；case-new 上没有运行 cron；our own: full",
    }
    assert f": asked to: {said['en']}. Mend it" in yard.shown("case")["message"]
    assert f"：asked to：{said['zh']}。处理后" in yard.shown("case", "zh")["message"]
    for tongue, colon in (("en", ": "), ("zh", "：")):
        [step] = [one for one in yard.shown("case", tongue)["steps"] if one["state"] == "failed"]
        assert step["message"] == said[tongue]
        [line] = [one for one in yard.log("case", tongue) if one["outcome"] == "failed"]
        assert line["note"] == f"asked to{colon}{said[tongue]}"


def test_why_a_system_does_not_serve_is_said_in_words(yard: Yard, clock: FixedClock) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # Nobody else takes it, and nobody listens.
        port = closed.getsockname()[1]
        check = {"http": f"http://ops:secret@127.0.0.1:{port}/"}
        yard.system("case", DATA, health=[check], healthSeconds=0)
        yard.wish("case", "run")
        yard.cutover("case", waiver="no data is lost")
        work(yard)
        clock.set(OPENS)
        work(yard)
    assert yard.state("case") == "rolled-back"
    refused = f"127.0.0.1:{port} 拒绝连接"
    assert yard.shown("case", "zh")["message"] == f"因失败自动回退：可用性检查：{refused}。"


def test_what_serves_after_the_end_of_the_window_only_is_taken_back(
    yard: Yard, clock: FixedClock, answers_when: Callable[[Callable[[], object]], str]
) -> None:
    """Also where a check that was begun in time is answered late."""
    closes = OPENS + timedelta(hours=8)
    address = answers_when(lambda: clock.set(closes))
    yard.system("case", DATA, health=[{"http": address}])
    before = yard.snapshot("case")
    yard.wish("case", "run")
    yard.cutover("case", waiver="no data is lost")
    work(yard)
    clock.set(closes - timedelta(seconds=10))
    work(yard)
    assert yard.state("case") == "rolled-back"
    assert yard.snapshot("case") == before
    assert yard.shown("case")["message"].startswith("Rolled back because the window ended")


@pytest.mark.timeout(120)
def test_a_check_is_waited_for_no_longer_than_the_window(yard: Yard, clock: FixedClock) -> None:
    """Though the plan would give it an hour."""
    yard.system("case", DATA, health=[{"tcp": "127.0.0.1:1"}], healthSeconds=3600)
    yard.wish("case", "run")
    yard.cutover("case", waiver="no data is lost")
    work(yard)
    clock.set(OPENS)

    def late(word: str, step: str) -> None:
        if (word, step) == ("begun", "health"):
            clock.set(OPENS + timedelta(hours=8, milliseconds=-200))

    yard.on_step = late
    work(yard)
    assert yard.state("case") == "rolled-back"


@pytest.fixture
def answers_when() -> Iterator[Callable[[Callable[[], object]], str]]:
    """Serve an address that does something before each answer."""
    servers: list[ThreadingHTTPServer] = []

    def serve(before: Callable[[], object]) -> str:
        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                before()
                self.send_response(200)
                self.end_headers()

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Answering))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_comparison_that_a_pause_stopped_is_made_after_it(yard: Yard) -> None:
    yard.system("case", DATA)
    yard.wish("case", "run")
    work(yard)
    yard.wish("case", "verify")
    yard.player.fail(Stage.VERIFY, verdict=Verdict.STOPPED)

    def pause(word: str, step: str) -> None:
        if (word, step) == ("begun", "check"):
            yard.wish("case", "pause")

    yard.on_step = pause
    work(yard)

    def made() -> list[str]:
        return [line["outcome"] for line in yard.log("case") if line["what"] == "check"]

    yard.on_step = lambda _word, _step: None
    assert made() == ["stopped"]
    shown = yard.shown("case")
    assert (shown["message"], shown["differs"]) == ("It is paused.", None)
    yard.wish("case", "resume")
    work(yard)
    assert made() == ["stopped", "ok"]


def test_a_source_is_off_when_nobody_needs_it(yard: Yard, clock: FixedClock) -> None:
    """One that several systems move from, and one that the register does not know."""
    yard.system("case", DATA)
    yard.system("other", DATA, sources=[{"host": "other-old"}, {"host": "case-old"}])
    yard.wish("other", "run")
    to_trial(yard, clock)
    clock.advance(31 * 86_400)
    yard.sign("case")
    work(yard)
    assert yard.state("case") == "accepted"
    evidence = {"wiped": "CERT-1", "disposal": "scrapped", "asset": "ZC-1"}
    with pytest.raises(ConflictError, match="run_off_needed"):
        yard.wish("case", "source-off", host="case-old", **evidence)
    yard.wish("other", "rollback")
    work(yard)
    yard.wish("case", "source-off", host="case-old", **evidence)
    yard.system("third", DATA, sources=[{"host": "third-old"}, {"host": "nobody"}])
    with pytest.raises(ConflictError, match="run_source_unknown"):
        yard.wish("third", "run")


def test_a_source_was_on_until_the_last_of_its_systems_was_cut_over(
    yard: Yard, clock: FixedClock
) -> None:
    later = OPENS + timedelta(days=10)
    yard.system("case", DATA)
    yard.system(
        "other",
        DATA,
        sources=[{"host": "other-old"}, {"host": "case-old"}],
        window={"opens": later.isoformat(), "hours": 8},
    )
    yard.wish("other", "run")
    to_trial(yard, clock)
    clock.set(later)
    yard.cutover("other")
    work(yard)
    clock.advance(31 * 86_400)
    for name in ("case", "other"):
        yard.sign(name)
    work(yard)
    evidence = {"wiped": "CERT-1", "disposal": "scrapped", "asset": "ZC-1"}
    with pytest.raises(UsageError, match="run_off_served"):
        yard.wish("case", "source-off", host="case-old", off="2026-07-12", **evidence)
    yard.wish("case", "source-off", host="case-old", off="2026-07-13", **evidence)
    log = [line for line in yard.log("case") if line["what"] == "source-off"]
    assert [line["detail"]["off"] for line in log if line["outcome"] == "wished"] == ["2026-07-13"]


def test_a_host_that_carries_another_system_is_not_off(yard: Yard, clock: FixedClock) -> None:
    """Also where nobody has begun to move that one."""
    yard.system("case", DATA)
    with yard.store.unit(ADMIN) as unit:
        yard.lab.add_system(unit, "other")
    _change(yard, "LegacyHost", "case-old", system="other")
    to_trial(yard, clock)
    clock.advance(31 * 86_400)
    yard.sign("case")
    work(yard)
    evidence = {"wiped": "CERT-1", "disposal": "scrapped", "asset": "ZC-1"}
    with pytest.raises(ConflictError, match="run_off_carries"):
        yard.wish("case", "source-off", host="case-old", **evidence)
    _change(yard, "System", "other", lifecycle="retired")
    yard.wish("case", "source-off", host="case-old", **evidence)


def test_a_request_does_not_close_a_room(yard: Yard) -> None:
    """MIG-8: that takes an auditor's word. One that was closed before it was known may be told."""

    closed = {"state": "closed", "closedOn": "2026-06-30"}
    room = {
        "apiVersion": "govcloud.io/v1",
        "kind": "ServerRoom",
        "metadata": {"name": "room", "department": DEPARTMENT},
        "spec": closed,
    }
    wish = wish_of(CLERK, read(room), [])
    assert _faults(yard, wish) == []
    with yard.store.unit(ADMIN) as unit:
        yard.lab.put(unit, "ServerRoom", "room", {}, department=DEPARTMENT)
    assert _faults(yard, wish) == ["requests.room_closes"]
    _change(yard, "ServerRoom", "room", **closed)
    assert _faults(yard, wish) == []


@pytest.mark.parametrize("left_out", ["state", "offOn"])
def test_a_host_that_is_off_stays_so_for_a_file_that_is_older(yard: Yard, left_out: str) -> None:
    """That it is off was said with evidence, and whoever keeps the file need not know of it."""
    yard.system("case", DATA)
    _change(yard, "LegacyHost", "case-old", state="off", offOn="2026-07-03")
    with yard.store.unit(ADMIN) as unit:
        yard.lab.put(unit, "ServerRoom", "room", {}, department=DEPARTMENT)
    host = ObjectKey("LegacyHost", DEPARTMENT, "case-old")

    def action(**changes: str | None) -> str:
        with yard.store.reading() as session:
            spec = dict(objects.by_keys(session, [host])[host].spec) | changes
            document = {
                "apiVersion": "govcloud.io/v1",
                "kind": "LegacyHost",
                "metadata": {"name": "case-old", "department": DEPARTMENT},
                "spec": {name: value for name, value in spec.items() if value is not None},
            }
            wish = wish_of(CLERK, read(document), [])
            assessor = Assessor(session, yard.lab.ledger, yard.store.clock.now())
            [change] = assessor.assess(wish).changes
            return change.action.value

    assert action(**{left_out: None}) == "none"
    assert action(state=None, offOn=None) == "none"
    assert action(state="running", offOn=None) == "change"


def test_a_closed_room_stays_so_for_a_file_that_is_older(yard: Yard) -> None:
    document = {
        "apiVersion": "govcloud.io/v1",
        "kind": "ServerRoom",
        "metadata": {"name": "room", "department": DEPARTMENT},
        "spec": {},
    }
    with yard.store.unit(ADMIN) as unit:
        closed = {"state": "closed", "closedOn": "2026-06-30", "evidence": "photo 12"}
        yard.lab.put(unit, "ServerRoom", "room", closed, department=DEPARTMENT)
    with yard.store.reading() as session:
        assessor = Assessor(session, yard.lab.ledger, yard.store.clock.now())
        [change] = assessor.assess(wish_of(CLERK, read(document), [])).changes
    assert change.action.value == "none"


def _faults(yard: Yard, wish: Wish) -> list[str]:
    """Return what speaks against a wish, by its keys in the catalogue."""
    with yard.store.reading() as session:
        try:
            Assessor(session, yard.lab.ledger, yard.store.clock.now()).assess(wish)
        except InvalidInputError as refused:
            return [fault.key for fault in refused.diagnostics]
    return []


def _change(yard: Yard, kind: str, name: str, **changes: str) -> None:
    """Write what is recorded of an object of the department."""
    with yard.store.unit(ADMIN) as unit:
        key = ObjectKey(kind, DEPARTMENT, name)
        row = objects.by_keys(unit.session, [key], lock=True)[key]
        row.spec = {**row.spec, **changes}
        unit.session.add(row)


def test_a_check_is_content_with_the_status(stream: str) -> None:
    """A stream of events has no end: waiting for it would keep the window's end from coming."""
    assert probe(Probe.model_validate({"http": stream})) == ""


@pytest.fixture
def stream() -> Iterator[str]:
    """Serve an answer that goes on and on."""
    over = threading.Event()

    class Endless(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):
                while not over.wait(0.05):
                    self.wfile.write(b": ping\n\n")

    with ThreadingHTTPServer(("127.0.0.1", 0), Endless) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        over.set()
        server.shutdown()


@pytest.mark.guarantee("M2")
def test_a_wish_and_the_end_of_a_step_do_not_wait_for_each_other(
    store: Store, tmp_path: Path
) -> None:
    """Both need the migration and its place in the queue, in one order: else one of them dies."""
    if store.database.is_sqlite:
        pytest.skip("one writer at a time")
    (tmp_path / "hosts").mkdir()
    locked, failed = threading.Event(), list[BaseException]()

    def wish() -> None:
        try:
            with store.unit(ADMIN) as unit:
                row = moves.find(unit.session, uid, lock=True)
                assert row is not None
                locked.set()
                waiting = text(WAITING)
                wait_until(lambda: unit.session.execute(waiting).scalar_one() > 0)
                queue.enqueue(unit.session, [(uid, moves.QUEUE, 1)], unit.now)
        except BaseException as error:  # noqa: BLE001 (told below)
            failed.append(error)

    wisher = threading.Thread(target=wish)

    def step(name: str, about: str) -> None:
        if (name, about) == ("done", "initial-sync"):
            wisher.start()
            locked.wait(30)

    yard = Yard(Lab(store, tmp_path).found(), tmp_path / "hosts", on_step=step)
    uid = yard.system("case", {f"file-{number}": b"x" for number in range(4)})
    yard.wish("case", "run")
    work(yard)
    wisher.join(60)
    assert failed == []
    assert yard.state("case") == "syncing"
    assert {line["outcome"] for line in yard.log("case")} == {"ok", "wished"}


def one_after_the_other(store: Store, *writers: Callable[[], object]) -> list[BaseException | None]:
    """Let each writer get as far as it can before the next begins; then all. What they raised."""
    if store.database.is_sqlite:
        pytest.skip("one writer at a time")
    raised: list[BaseException | None] = [None] * len(writers)

    def write(number: int) -> None:
        try:
            writers[number]()
        except BaseException as error:  # noqa: BLE001 (told below)
            raised[number] = error

    threads = [threading.Thread(target=write, args=(n,)) for n in range(len(writers))]
    with store.unit(ADMIN) as unit:
        lock_head(unit.session)  # nobody commits while it is held
        for number, thread in enumerate(threads, start=1):
            thread.start()
            wait_until(lambda n=number: _waiting(unit) >= n, about="nobody waits")
    for thread in threads:
        thread.join(60)
    return raised


def _waiting(unit: Unit) -> int:
    """Return how many wait for a lock."""
    return int(unit.session.execute(text(WAITING)).scalar_one())


@pytest.mark.parametrize("first", ["lane", "person"])
def test_a_plan_that_is_edited_while_it_moves_loses_neither(
    yard: Yard, clock: FixedClock, first: str
) -> None:
    """The journal writes its state, a person the rest: each writes the whole of it anew."""
    yard.system("case", DATA)
    to_trial(yard, clock)
    clock.advance(31 * 86_400)
    yard.sign("case")
    spec = {**yard.plan("case").spec, "note": "known"}
    document = {
        "apiVersion": "govcloud.io/v1",
        "kind": "MigrationPlan",
        "metadata": {"name": f"{DEPARTMENT}-case"},
        "spec": {name: value for name, value in spec.items() if name != "state"},
    }

    def edit() -> None:
        yard.desk.apply(ADMIN, read(document))

    writers = [lambda: work(yard), edit]
    raised = one_after_the_other(yard.store, *(writers if first == "lane" else writers[::-1]))
    work(yard)
    assert raised == [None, None]
    plan = yard.plan("case").spec
    assert (plan["state"], plan["acceptedOn"], plan["note"]) == ("accepted", "2026-08-03", "known")


def test_of_two_who_run_a_system_one_is_told_that_it_runs(yard: Yard) -> None:
    yard.system("case", DATA)

    def run() -> None:
        yard.wish("case", "run")

    none, late = one_after_the_other(yard.store, run, run)
    assert none is None
    assert isinstance(late, ConflictError), late
    assert late.key == "migrate.run_running"
    work(yard)
    assert yard.state("case") == "syncing"


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ({"tcp": "127.0.0.1:1"}, "127.0.0.1:1 refuses the connection."),
        ({"http": "http://nobody.invalid/"}, "There is no address for the name nobody.invalid."),
        ({"http": "http://127.0.0.1:1/"}, "127.0.0.1:1 refuses the connection."),
    ],
)
def test_what_a_check_says(check: dict[str, str], said: str) -> None:
    assert probe(Probe.model_validate(check)) == said


def test_a_pause_holds_and_a_resume_goes_on(yard: Yard) -> None:
    yard.system("case", DATA)
    yard.wish("case", "run")
    yard.wish("case", "pause")
    work(yard)
    assert yard.player.log() == []
    with pytest.raises(ConflictError, match="run_is_paused"):
        yard.wish("case", "pause")
    yard.wish("case", "resume")
    work(yard)
    assert yard.state("case") == "syncing"


class Hasty(Lane):
    """A lane that looks at wishes once between taking a system up and its next task."""

    looked = False

    def _begin(self, taken: _Work) -> Job | None:
        if not self.looked:
            self.looked = True
            self._heed()
        return super()._begin(taken)


def test_a_pause_that_is_over_stops_nothing(yard: Yard) -> None:
    """Only what was wished since the system was taken up ends what is played."""
    yard.system("case", DATA)
    yard.player.fail(Stage.SYNC, Mode.INITIAL, verdict=Verdict.FAILED)
    yard.wish("case", "run")
    work(yard)
    yard.wish("case", "pause")
    yard.wish("case", "resume")
    performer = Performer(yard.store, yard.desk, lambda: yard.player)
    Hasty(yard.store, performer, "two", yard.pace).run_once(threading.Event())
    assert yard.state("case") == "syncing"
    copied = [line["outcome"] for line in yard.log("case") if line["what"] == "initial-sync"]
    assert copied == ["failed", "ok"]


class Stumbling(Lane):
    """A lane that stumbles over what nobody foresaw, at every second look."""

    looks = 0

    def start(self) -> int:
        self.looks += 1
        if self.looks % 2:
            raise KeyError(self.looks)
        return super().start()


def test_a_lane_that_stumbles_goes_on(yard: Yard, caplog: pytest.LogCaptureFixture) -> None:
    """A wish still stops what is played, and the log says over what it stumbled."""
    yard.system("case", DATA)
    a_part = len(DATA) + 3
    player = HeldPlayer(yard.folder, a_part, lambda: yard.wish("case", "rollback"))
    yard.wish("case", "run")
    performer = Performer(yard.store, yard.desk, lambda: player)
    with running(Stumbling(yard.store, performer, "one", yard.pace)):
        wait_until(lambda: yard.state("case") == "rolled-back", about="it is not rolled back")
    assert player.copies == a_part, "a test copy, and a part of the first one"
    assert "KeyError" in caplog.text


def test_the_gates_of_a_cut_over(yard: Yard, clock: FixedClock) -> None:
    yard.system("case", DATA)
    with pytest.raises(ConflictError, match="run_not_running"):
        yard.cutover("case")
    yard.wish("case", "run")
    work(yard)
    old = clock.now() - timedelta(hours=25)
    with pytest.raises(ConflictError, match="run_backup_old"):
        yard.cutover("case", backup=old)
    with pytest.raises(ForbiddenError, match="run_may_not_waive"):
        yard.wish("case", "cutover", CLERK, waiver="in a hurry")
    yard.cutover("case")
    # The backup grows too old before the window opens.
    clock.set(OPENS + timedelta(minutes=1))
    work(yard)
    assert yard.state("case") == "syncing"
    assert any("24 hours" in gate for gate in yard.shown("case")["gates"])
    yard.cutover("case")
    work(yard)
    assert yard.state("case") == "trial"
    with pytest.raises(ConflictError, match="run_cut_already"):
        yard.cutover("case")


def test_what_a_dead_controller_left_is_not_at_work(
    store: Store, tmp_path: Path, clock: FixedClock
) -> None:
    def die(word: str, step: str) -> None:
        if (word, step) == ("begun", "initial-sync"):
            raise UnavailableError("errors.no_schema")

    (tmp_path / "hosts").mkdir()
    yard = Yard(Lab(store, tmp_path).found(), tmp_path / "hosts", on_step=die)
    yard.system("case", DATA)
    yard.wish("case", "run")
    work(yard)

    def seen() -> tuple[str, str, list[str]]:
        [step] = [one for one in yard.shown("case")["steps"] if one["step"] == "initial-sync"]
        copies = [line["outcome"] for line in yard.log("case") if line["what"] == "initial-sync"]
        return yard.shown("case")["doing"], step["state"], copies

    assert seen() == ("doing", "doing", ["doing"])
    clock.advance(yard.pace.lease_s + 1)
    assert seen() == ("left", "broken-off", ["broken-off"])
    assert "No controller" in yard.shown("case")["message"]
    assert yard.all()[0]["doing"] == "left"
    yard.on_step = lambda _word, _step: None
    work(yard)
    assert seen() == ("waiting", "done", ["broken-off", "ok"])


def test_a_comparison_that_failed_is_seen_until_one_succeeds(yard: Yard) -> None:
    yard.system("case", DATA)
    yard.wish("case", "run")
    work(yard)
    assert yard.shown("case")["differs"] is None
    yard.player.fail(Stage.VERIFY, verdict=Verdict.FAILED)
    yard.wish("case", "verify")
    work(yard)
    shown = yard.shown("case")
    [made] = [step for step in shown["steps"] if step["step"] == "check"]
    assert (made["part"], made["state"]) == ("data", "failed")
    assert shown["differs"] == {
        "at": made["ended"],
        "part": "data",
        "message": "it was to end so",
    }
    yard.wish("case", "verify")
    work(yard)
    shown = yard.shown("case")
    assert shown["differs"] is None
    assert [step["state"] for step in shown["steps"] if step["step"] == "check"] == ["done"]


def test_a_dry_run_changes_nothing(yard: Yard) -> None:
    yard.system("case", DATA)
    shown = yard.wish("case", "run", dry_run=True)
    assert [step["step"] for step in shown["steps"]][:3] == ["preflight", "provision", "plan"]
    work(yard)
    assert yard.player.log() == []
    assert yard.state("case") == "assessed"


@pytest.mark.guarantee("P1")
def test_a_department_sees_only_its_own(yard: Yard) -> None:
    yard.system("case", DATA)
    stranger = Actor("stranger", Role.APPLICANT, "health")
    assert yard.office.listed(stranger, "en") == []
    for call in (
        lambda: yard.wish("case", "run", stranger),
        lambda: yard.office.shown(stranger, DEPARTMENT, "case", "en"),
        lambda: yard.office.log(stranger, DEPARTMENT, "case", "en"),
    ):
        with pytest.raises(NotFoundError):
            call()
    auditor = Actor("auditor", Role.AUDITOR)
    assert [one["system"] for one in yard.office.listed(auditor, "zh")] == ["case"]
    with pytest.raises(ForbiddenError):
        yard.wish("case", "run", auditor)


def test_settings_are_checked_by_what_the_role_takes(yard: Yard) -> None:
    moved = yard.move("case")
    moved["workloads"][0]["settings"] = {"paht": "data"}
    yard.system("case", DATA, workloads=moved["workloads"])
    with pytest.raises(InvalidInputError) as wrong:
        yard.wish("case", "run")
    assert [(one.key, one.params["meant"]) for one in wrong.value.diagnostics] == [
        ("migrate.run_no_setting", "path"),
        ("migrate.run_setting_missing", "-"),
    ]


def test_the_state_of_a_plan_that_runs_is_nobody_elses(yard: Yard) -> None:
    yard.system("case", DATA)
    yard.wish("case", "run")
    work(yard)
    spec = dict(yard.plan("case").spec)

    def document(**changes: object) -> object:
        plain = {k: v for k, v in (spec | changes).items() if v is not None}
        return {
            "apiVersion": "govcloud.io/v1",
            "kind": "MigrationPlan",
            "metadata": {"name": f"{DEPARTMENT}-case"},
            "spec": plain,
        }

    for changes in ({"state": "accepted"}, {"acceptedOn": "2026-07-01"}, {"move": None}):
        with pytest.raises(InvalidInputError) as refused:
            yard.desk.apply(ADMIN, read(document(**changes)))
        assert refused.value.diagnostics[0].key == "requests.plan_field_runs"
    # What has been begun stays what it is, so that it can be undone; how it is done may be mended.
    workload = spec["move"]["workloads"][0]
    for moved in ([workload | {"name": "other"}], [workload | {"role": "cron"}]):
        with pytest.raises(InvalidInputError) as refused:
            yard.desk.apply(ADMIN, read(document(move=spec["move"] | {"workloads": moved})))
        assert "requests.plan_part_begun" in {one.key for one in refused.value.diagnostics}
    mended = spec["move"] | {"workloads": [workload | {"secrets": {}}], "deltaFitsMinutes": 9}
    yard.desk.apply(ADMIN, read(document(move=mended)))
    # A file that leaves the state out does not turn it back.
    yard.desk.apply(ADMIN, read(document(state=None, note="known")))
    assert yard.state("case") == "syncing"
    assert yard.plan("case").spec["note"] == "known"


def test_one_that_fails_does_not_hold_up_the_others(yard: Yard) -> None:
    with yard.store.unit(ADMIN) as unit:
        wave = {"start": "2026-07-01", "end": "2026-07-04", "parallel": 3}
        yard.lab.put(unit, "Wave", "w01", wave | {"bandwidthMbps": 300})
    names = [f"case-{number}" for number in range(10)]
    for name in names:
        yard.system(name, DATA, wave="w01")
    (yard.folder / "case-4-old/data").rename(yard.folder / "case-4-old/elsewhere")
    for name in names:
        yard.wish(name, "run")
    for _ in range(60):
        work(yard)
        yard.store.clock.advance(1)  # type: ignore[attr-defined]
        states = {name: yard.state(name) for name in names}
        if set(states.values()) == {"syncing", "stopped"}:
            break
    assert states.pop("case-4") == "stopped"
    assert set(states.values()) == {"syncing"}
    assert most_at_once(yard) <= 3


def most_at_once(yard: Yard) -> int:
    now, most = 0, 0
    for _, word, *_ in sorted(yard.player.log(), key=lambda line: float(line[0])):
        now += 1 if word == "begin" else -1
        most = max(most, now)
    return most


@pytest.mark.guarantee("M1")
def test_what_a_running_migration_needs_is_not_given_back(yard: Yard, clock: FixedClock) -> None:
    """Without its register entry a source cannot be found again, and nothing be undone."""
    yard.system("case", DATA)
    source = ObjectKey("LegacyHost", DEPARTMENT, "case-old")
    released = wish_of(CLERK, [], [source])

    assert _faults(yard, released) == []
    to_trial(yard, clock)
    assert _faults(yard, released) == ["requests.host_moves"]
    with yard.store.reading() as session:
        spec = dict(objects.by_keys(session, [source])[source].spec)
    for state in ("off", "disposed"):
        off = {
            "apiVersion": "govcloud.io/v1",
            "kind": "LegacyHost",
            "metadata": {"name": "case-old", "department": DEPARTMENT},
            "spec": spec | {"state": state, "offOn": clock.now().date().isoformat()},
        }
        assert "requests.host_moves" in _faults(yard, wish_of(CLERK, read(off), []))
    yard.wish("case", "rollback", CLERK)
    work(yard)
    assert _faults(yard, released) == []


def test_a_room_is_closed_when_nothing_runs_in_it(yard: Yard, clock: FixedClock) -> None:
    yard.system("case", DATA)
    with yard.store.unit(ADMIN) as unit:
        yard.lab.put(unit, "ServerRoom", "room", {}, department=DEPARTMENT)
    _people(yard)

    def close() -> dict[str, object]:
        return yard.office.close_room(ADMIN, DEPARTMENT, "room", "photo 12", "checker")

    with pytest.raises(ConflictError, match="room_in_use"):
        close()
    to_trial(yard, clock)
    clock.advance(31 * 86_400)
    yard.sign("case")
    work(yard)
    evidence = {"wiped": "CERT-1", "disposal": "scrapped", "asset": "ZC-1"}
    yard.wish("case", "source-off", host="case-old", **evidence)
    work(yard)
    assert close()["state"] == "closed"
    with pytest.raises(ConflictError, match="room_closed_already"):
        close()


def test_a_room_whose_hosts_were_given_back_is_not_empty_of_systems(yard: Yard) -> None:
    """MIG-8: all its systems are off, exempt or retired; that a host is registered no more is no
    evidence of where its system runs.
    """
    yard.system("case", DATA)
    with yard.store.unit(ADMIN) as unit:
        yard.lab.put(unit, "ServerRoom", "room", {}, department=DEPARTMENT)
        yard.lab.put(unit, "ServerRoom", "other", {}, department=DEPARTMENT)
    _people(yard)

    def hindering() -> object:
        try:
            yard.office.close_room(ADMIN, DEPARTMENT, "room", "photo 12", "checker")
        except ConflictError as refused:
            return refused.params["what"]
        return []

    [host] = _documents(yard, "LegacyHost")
    released = [ObjectKey("LegacyHost", DEPARTMENT, "case-old")]
    request = yard.desk.submit(CLERK, [], releases=released)
    yard.desk.decide(APPROVER, request.id, Decision.APPROVE)
    assert _documents(yard, "LegacyHost") == []
    assert hindering() == ["System/case"]
    with yard.store.unit(ADMIN) as unit:
        spec = {**host, "room": "other"}
        yard.lab.put(unit, "LegacyHost", "case-old", spec, department=DEPARTMENT)
    assert hindering() == [], "it stands in the other room"


def test_a_retired_system_does_not_keep_its_room_open(yard: Yard) -> None:
    yard.system("case", DATA)
    with yard.store.unit(ADMIN) as unit:
        yard.lab.put(unit, "ServerRoom", "room", {}, department=DEPARTMENT)
    _change(yard, "LegacyHost", "case-old", state="off", offOn="2026-06-30")
    _change(yard, "System", "case", lifecycle="retired")
    _people(yard)
    closed = yard.office.close_room(ADMIN, DEPARTMENT, "room", "photo 12", "checker")
    assert closed["state"] == "closed"


def _documents(yard: Yard, kind: str) -> list[dict[str, object]]:
    with yard.store.reading() as session:
        return [dict(row.spec) for row in objects.of_department(session, DEPARTMENT, [kind])]


def _people(yard: Yard) -> None:
    from govcloud.store.users import Grant, grant

    with yard.store.unit(ADMIN) as unit:
        grant(unit, Grant("checker", Role.AUDITOR, None, "full"))


def test_each_refusal_says_what_to_do(yard: Yard) -> None:
    yard.system("case", DATA)
    yard.wish("case", "run")
    work(yard)
    yard.wish("case", "pause")

    def refused(call: Callable[[], object]) -> str:
        with pytest.raises(GovcloudError) as raised:
            call()
        return remedy(raised.value.key, "zh", raised.value.params) or ""

    name = f"{DEPARTMENT}/case"
    evidence = {"wiped": "CERT-1", "disposal": "scrapped", "asset": "ZC-1"}
    auditor = Actor("auditor", Role.AUDITOR)
    assert f"resume {name}" in refused(lambda: yard.wish("case", "pause"))
    assert f"status {name}" in refused(lambda: yard.wish("case", "accept"))
    assert f"accept {name}" in refused(
        lambda: yard.wish("case", "source-off", host="case-old", **evidence)
    )
    assert "管理员" in refused(lambda: yard.wish("case", "cutover", CLERK, waiver="in a hurry"))
    assert "管理员" in refused(lambda: yard.wish("case", "pause", auditor))
    assert f"log {name}" in refused(lambda: yard.office.evidence(ADMIN, DEPARTMENT, "case", 99999))
