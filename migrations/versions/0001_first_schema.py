"""The first schema: services, nodes and items.

What: makes `pubsub_service`, `pubsub_node` and `pubsub_item` with their constraints and indexes.
Why: there is no database yet.
Locks and duration: none that anybody could wait for; milliseconds.
Rollback: drops all tables; what they held is fetched again from the services.

Revision: 0001
Revises: nothing
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "pubsub_service",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("jid", sa.String(), nullable=False),
        sa.Column("traits", JSON, nullable=False),
        sa.Column("info", sa.Text(), nullable=True),
        sa.Column("info_fetched_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pubsub_service")),
        sa.UniqueConstraint("jid", name=op.f("uq_pubsub_service_jid")),
    )
    op.create_table(
        "pubsub_node",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("service", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("analyser", sa.String(), nullable=True),
        sa.Column("type", sa.String(), nullable=True),
        sa.Column("subtype", sa.String(), nullable=True),
        sa.Column("access_model", sa.String(), nullable=True),
        sa.Column("info", sa.Text(), nullable=True),
        sa.Column("subscription", sa.String(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("item_count", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("state_changed_at", TIME, nullable=False),
        sa.Column("info_verified_at", TIME, nullable=True),
        sa.Column("items_verified_at", TIME, nullable=True),
        sa.Column("last_read_at", TIME, nullable=True),
        sa.Column("retry_at", TIME, nullable=True),
        sa.CheckConstraint(
            "state IN ('no_sync', 'syncing', 'live', 'stale', 'failed')",
            name=op.f("ck_pubsub_node_state"),
        ),
        sa.CheckConstraint(
            "subscription IN ('none', 'pending', 'unconfigured', 'subscribed')",
            name=op.f("ck_pubsub_node_subscription"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pubsub_node")),
        sa.UniqueConstraint("service", "name", name=op.f("uq_pubsub_node_service_name")),
    )
    op.create_index("ix_pubsub_node_state_retry_at", "pubsub_node", ["state", "retry_at"])
    op.create_index(
        "ix_pubsub_node_state_items_verified_at", "pubsub_node", ["state", "items_verified_at"]
    )
    op.create_index(
        "ix_pubsub_node_last_read_at_created_at", "pubsub_node", ["last_read_at", "created_at"]
    )
    op.create_table(
        "pubsub_item",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("node_id", BIG_KEY, nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("publisher", sa.String(), nullable=True),
        sa.Column("payload_namespace", sa.String(), nullable=True),
        sa.Column("parsed_by", sa.String(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("parsed", JSON, nullable=True),
        sa.Column("xml", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["node_id"],
            ["pubsub_node.id"],
            name=op.f("fk_pubsub_item_node_id_pubsub_node"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pubsub_item")),
        sa.UniqueConstraint(
            "node_id",
            "generation",
            "item_id",
            name=op.f("uq_pubsub_item_node_id_generation_item_id"),
        ),
        sa.UniqueConstraint(
            "node_id",
            "generation",
            "position",
            name=op.f("uq_pubsub_item_node_id_generation_position"),
        ),
    )


def downgrade() -> None:
    op.drop_table("pubsub_item")
    op.drop_table("pubsub_node")
    op.drop_table("pubsub_service")
