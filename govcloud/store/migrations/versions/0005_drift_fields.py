"""A difference may be in a field, and of a resource, whose name has any length.

Revision: 0005, after 0004. A limit of a namespace is named after its storage class.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("drift") as drift:
        for name, length in (("resource", 128), ("field", 64)):
            drift.alter_column(name, existing_type=sa.String(length), type_=sa.String())


def downgrade() -> None:
    with op.batch_alter_table("drift") as drift:
        for name, length in (("resource", 128), ("field", 64)):
            drift.alter_column(name, existing_type=sa.String(), type_=sa.String(length))
