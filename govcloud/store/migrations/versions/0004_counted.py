"""What a count reads of facts stands in columns of their own, and in an index.

Revision: 0004, after 0003. The fields are taken from the documents that were recorded; what a
report says of any day stays the same.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ORDER = ("kind", "department", "seq")
HEAD = ("uid", "phase", "name")
TEXTS = {
    "owner": ("department",),
    "code": ("code",),
    "lifecycle": ("lifecycle",),
    "origin": ("origin",),
    "industry_cloud": ("industryCloud",),
    "system": ("system",),
    "environment": ("environment",),
    "zone": ("zone",),
    "room": ("room",),
    "flavor": ("flavor",),
    "state": ("state",),
    "cpu": ("cpu",),
}
NUMBERS = {"units": ("count",), "vcpu": ("vcpu",), "classified": ("security", "classified")}
SQLITE_GUARD = (
    "CREATE TRIGGER facts_no_update BEFORE update ON facts"
    " BEGIN SELECT RAISE(ABORT, 'facts is only ever appended to'); END"
)


def upgrade() -> None:
    for name in TEXTS:
        op.add_column("facts", sa.Column(name, sa.String(), nullable=True))
    for name in NUMBERS:
        op.add_column("facts", sa.Column(name, sa.Integer(), nullable=True))
    with _unguarded():
        op.execute(f"UPDATE facts SET {', '.join(_taken())}")  # noqa: S608 (all of it stands here)
    op.drop_index("ix_facts_kind", table_name="facts")
    op.create_index("ix_facts_counted", "facts", [*ORDER, *HEAD, *TEXTS, *NUMBERS])


def downgrade() -> None:
    op.drop_index("ix_facts_counted", table_name="facts")
    op.create_index("ix_facts_kind", "facts", list(ORDER))
    for name in (*NUMBERS, *TEXTS):
        op.drop_column("facts", name)


def _taken() -> Iterator[str]:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for name, path in (TEXTS | NUMBERS).items():
        if sqlite:
            at = "$." + ".".join(f'"{step}"' for step in path)
            form, value = f"json_type(spec, '{at}')", f"json_extract(spec, '{at}')"
            forms = "('text')" if name in TEXTS else "('integer', 'true', 'false')"
        else:
            at = f"'{{{','.join(path)}}}'"
            form, value = f"json_typeof(spec #> {at})", f"spec #>> {at}"
            forms = "('string')" if name in TEXTS else "('number', 'boolean')"
            if name == "classified":
                value = f"({value})::boolean::integer"
            elif name in NUMBERS:
                value = f"({value})::integer"
        yield f"{name} = CASE WHEN {form} IN {forms} THEN {value} END"


@contextmanager
def _unguarded() -> Iterator[None]:
    """Let this migration, and nothing else, write into facts that are there."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER facts_no_update")
        yield
        op.execute(SQLITE_GUARD)
        return
    op.execute("ALTER TABLE facts DISABLE TRIGGER facts_append_only")
    yield
    op.execute("ALTER TABLE facts ENABLE TRIGGER facts_append_only")
