"""Synchronisations that were interrupted can go on.

What: adds `pubsub_node.staged_at` and `pubsub_node.staged_for`, and an index of the former.
Why: what is staged outlives a restart, and must be found again: to go on with it, or to delete it
    where nobody does.
Locks and duration: the table of nodes is locked while one column of it is filled; a second for a
    hundred thousand nodes.
Rollback: drops both columns; the older version deletes at its start whatever is staged.

Revision: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NODE = sa.table(
    "pubsub_node",
    sa.column("state", sa.String()),
    sa.column("state_changed_at", sa.DateTime(timezone=True)),
    sa.column("staged_at", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    op.add_column("pubsub_node", sa.Column("staged_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("pubsub_node", sa.Column("staged_for", sa.String(), nullable=True))
    op.create_index("ix_pubsub_node_staged_at", "pubsub_node", ["staged_at"])
    # What the older version left staged is deleted in time, wherever it may be.
    op.execute(
        sa.update(NODE).where(NODE.c.state != "no_sync").values(staged_at=NODE.c.state_changed_at)
    )


def downgrade() -> None:
    op.drop_index("ix_pubsub_node_staged_at", table_name="pubsub_node")
    with op.batch_alter_table("pubsub_node") as batch:
        batch.drop_column("staged_for")
        batch.drop_column("staged_at")
