"""What a fact repeats of its spec is what its spec says, also of facts older than the columns."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import select

from govcloud.store import schema
from govcloud.store.counted import COLUMNS, counted
from govcloud.store.engine import Database
from govcloud.store.tables import FactRow
from govcloud.store.unit import Store
from govcloud.testing.register import Register

SPECS: tuple[dict[str, Any], ...] = (
    {"code": "GS-1", "lifecycle": "running", "origin": "cloud", "security": {"classified": True}},
    {"code": "GS-2", "security": {"classified": False}, "industryCloud": None},
    {"system": "s", "environment": "production", "zone": "z", "count": 3, "vcpu": None},
    {"system": "s", "environment": "test", "zone": "z", "cpu": "500m"},
    {"system": "汉字", "room": "r", "state": "running", "vcpu": 8},
    {"state": {"not": "a text"}, "zone": ["z"], "count": "three", "vcpu": {"of": 1}, "security": 1},
    {},
)
OLD = text(
    "INSERT INTO facts (seq, recorded_at, uid, kind, department, name, generation, phase, spec)"
    " VALUES (:seq, :at, :uid, 'System', 'd', :uid, 1, 'active', :spec)"
)


def test_facts_from_before_the_columns_are_given_them(database_url: str) -> None:
    database = Database(database_url)
    schema.upgrade(database, "0003")
    with database.writing() as session:
        for seq, spec in enumerate(SPECS, start=1):
            given = {"seq": seq, "at": datetime(2026, 1, 1, tzinfo=UTC), "uid": f"u{seq}"}
            session.execute(OLD, given | {"spec": json.dumps(spec)})
    schema.upgrade(database)
    with database.reading() as session:
        facts = session.exec(select(FactRow).order_by("seq")).all()
        assert [fact.spec for fact in facts] == list(SPECS)
        assert [columns_of(fact) for fact in facts] == [counted(spec) for spec in SPECS]
    with pytest.raises(Exception, match="only ever appended"), database.writing() as session:
        session.execute(text("UPDATE facts SET state = 'x'"))
    database.close()


def test_recorded_facts_repeat_their_specs(store: Store) -> None:
    register = Register(store)
    register.catalogue()
    register.department("hrss", "人社局")
    register.system("hrss", "social", security={"classified": True, "mlpsLevel": 3})
    register.machine("hrss", "app", "social", count=3)
    register.host("hrss", "old", "social")
    with store.reading() as session:
        facts = session.exec(select(FactRow)).all()
        assert [columns_of(fact) for fact in facts] == [counted(fact.spec) for fact in facts]
        found = {fact.name: columns_of(fact) for fact in facts}
    assert (found["social"]["classified"], found["app"]["units"]) == (1, 3)
    assert (found["app"]["system"], found["old"]["room"]) == ("social", facts[-1].spec["room"])


def columns_of(fact: FactRow) -> dict[str, Any]:
    return {column: getattr(fact, column) for column in COLUMNS.values()}
