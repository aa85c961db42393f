"""The migrations build exactly what the models describe, on both databases, and once."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel, select

import quotas.tables  # noqa: F401 (its tables belong to the models)
from govcloud.errors import UnavailableError
from govcloud.store import schema
from govcloud.store.engine import Database
from govcloud.store.tables import ChainRow


def test_migrations_build_what_the_models_describe(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_the_program_needs_the_newest_migration(database: Database) -> None:
    with database.engine.connect() as connection:
        scripts = ScriptDirectory.from_config(schema.config(connection))
    assert scripts.get_heads() == [schema.HEAD]
    assert schema.current(database) == schema.HEAD
    schema.require_current(database)


def test_downgrade_leaves_nothing(database_url: str) -> None:
    from alembic import command

    database = Database(database_url)
    schema.create(database)
    with database.engine.connect() as connection:
        command.downgrade(schema.config(connection), "base")
        connection.commit()
        assert set(inspect(connection).get_table_names()) == {"alembic_version"}
    database.close()


def test_creating_twice_changes_nothing_and_keeps_one_chain_head(database: Database) -> None:
    schema.create(database)
    with database.reading() as session:
        assert len(session.exec(select(ChainRow)).all()) == 1


def test_programs_that_start_at_once_do_not_disturb_each_other(database_url: str) -> None:
    program = (
        "import sys; from govcloud.store.engine import Database; from govcloud.store import schema;"
        "schema.create(Database(sys.argv[1]))"
    )
    command = [sys.executable, "-c", program, database_url]
    with ThreadPoolExecutor(4) as pool:
        runs = list(
            pool.map(lambda _: subprocess.run(command, capture_output=True, check=False), range(4))
        )
    assert [run.stderr.decode() for run in runs if run.returncode] == []


def test_a_schema_is_upgraded_whole_or_not_at_all(database_url: str) -> None:
    """Whoever comes while it is upgraded finds the old one or the new one."""
    database, other = Database(database_url), Database(database_url)
    found = []

    def look(_: object) -> None:
        found.append(schema.current(other))

    event.listen(database.engine, "begin", look, insert=True)
    event.listen(database.engine, "commit", look)
    schema.create(database)
    assert set(found) == {None, schema.HEAD}
    other.close()
    database.close()


def test_a_new_file_is_opened_by_several_at_once(tmp_path: Path) -> None:
    together = Barrier(4)

    def open_all(_: int) -> None:
        for number in range(60):
            together.wait(20)
            database = Database(f"sqlite:///{tmp_path}/{number}.db")
            with database.writing() as session:
                session.execute(text("CREATE TABLE IF NOT EXISTS thing (n int)"))
            database.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(open_all, range(4)))


def test_a_database_without_schema_is_a_clear_error(database_url: str) -> None:
    opened = Database(database_url)
    with pytest.raises(UnavailableError, match="no_schema"):
        schema.require_current(opened)
    opened.close()


def test_a_database_that_does_not_answer_is_not_called_empty(tmp_path: Path) -> None:
    (tmp_path / "junk.db").write_text("this is no database, whatever its name says\n" * 40)
    nowhere = f"postgresql+psycopg://nobody@/none?host={tmp_path}"
    missing = f"sqlite:///{tmp_path}/no/such/folder.db"
    for url in (f"sqlite:///{tmp_path}/junk.db", missing, nowhere):
        opened = Database(url)
        for ask in (schema.current, schema.require_current, schema.create):
            with pytest.raises(UnavailableError, match=r"errors\.database"):
                ask(opened)
        opened.close()


@pytest.mark.guarantee("F4")
@pytest.mark.parametrize("table", ["audit", "facts", "decisions"])
def test_the_database_itself_refuses_to_change_what_is_only_appended(
    database: Database, table: str
) -> None:
    statements = [f"UPDATE {table} SET seq = seq", f"DELETE FROM {table}"]
    if database.is_sqlite:
        _rows_of(database, table)
    else:
        statements.append(f"TRUNCATE {table}")
    for statement in statements:
        with (
            pytest.raises(DBAPIError, match=f"{table} is only ever appended to"),
            database.engine.begin() as connection,
        ):
            connection.execute(text(statement))


def _rows_of(database: Database, table: str) -> None:
    # SQLite asks for each row that would be changed, and so there must be one.
    assert database.engine.url.database
    names = [column["name"] for column in inspect(database.engine).get_columns(table)]
    listed = ", ".join(f'"{name}"' for name in names)
    with closing(sqlite3.connect(database.engine.url.database)) as plain:
        plain.execute(f"INSERT INTO {table} ({listed}) VALUES ({', '.join('1' for _ in names)})")
        plain.commit()
