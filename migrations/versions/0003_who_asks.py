"""Writes through the proxy, users' subscriptions, and servers that let us act for their users.

What: adds `pubsub_node.written_at`, and the tables `user_subscription` and `iq_permission`.
Why: what was written through the proxy must not be forgotten by a restart before it shows; whoever
    subscribed through the proxy is notified after a restart too; and a server that once let us act
    for its users is remembered, so that they are not served as strangers unawares.
Locks and duration: the table of nodes is locked for a moment; nothing is rewritten.
Rollback: drops them. The older version relays no notifications and knows no writes; subscriptions
    of aliases stay at the services.

Revision: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("pubsub_node", sa.Column("written_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "user_subscription",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("service", sa.String(), nullable=False),
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("user_jid", sa.String(), nullable=False),
        sa.Column("subscriber", sa.String(), nullable=False),
        sa.Column("subid", sa.String(), nullable=False),
        sa.Column("asked", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("gone_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("gone_count", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state IN ('none', 'pending', 'unconfigured', 'subscribed')",
            name=op.f("ck_user_subscription_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_subscription")),
        sa.UniqueConstraint(
            "service",
            "node",
            "subscriber",
            "subid",
            name=op.f("uq_user_subscription_service_node_subscriber_subid"),
        ),
    )
    op.create_index("ix_user_subscription_user_jid", "user_subscription", ["user_jid"])
    op.create_index(
        "ix_user_subscription_state_created_at", "user_subscription", ["state", "created_at"]
    )
    op.create_index("ix_user_subscription_gone_since", "user_subscription", ["gone_since"])
    op.create_table(
        "iq_permission",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("namespace", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_iq_permission")),
        sa.UniqueConstraint(
            "host", "namespace", "type", name=op.f("uq_iq_permission_host_namespace_type")
        ),
    )


def downgrade() -> None:
    op.drop_table("iq_permission")
    op.drop_table("user_subscription")
    with op.batch_alter_table("pubsub_node") as batch:
        batch.drop_column("written_at")
