"""What limits govcloud has set in a cloud is kept, so that a change by hand can be told.

Revision: 0006, after 0005. What stands at the first comparison after the upgrade counts as ours.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cloud_limits",
        sa.Column("cloud", sa.String(63), primary_key=True),
        sa.Column("tenant", sa.String(), primary_key=True),
        sa.Column("ours", sa.String(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("cloud_limits")
