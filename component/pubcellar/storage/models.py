"""The tables, which scripts and authors of analysers may query in a session of `SqlStore`.

What a parser made of an item is JSON in `PubsubItem.parsed`, whose keys can be queried one by one,
in SQLite and in PostgreSQL alike. `PubsubNode.items` joins the items that readers see; a plain join
by `node_id` would also find those that a synchronisation has staged::

    async with store.session() as session:
        title = PubsubItem.parsed["title"].as_string()
        rows = await session.execute(
            select(PubsubItem.item_id, title)
            .select_from(PubsubNode)
            .join(PubsubNode.items)
            .where(PubsubNode.type == "blog", title.like("%cellar%"))
            .order_by(PubsubItem.position.desc())
        )

LIKE takes `Cellar` for `cellar` in SQLite, and not in PostgreSQL: `icontains` means the same in
both. In PostgreSQL a statement of a session may take ten seconds.

The schema is made by the migrations alone; a test holds that they and these classes agree.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from pubcellar.core.states import NodeState
from pubcellar.core.values import SubscriptionState
from pubcellar.storage.column_types import BIG_KEY, PORTABLE_JSON, UtcDateTime

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Root of the models; every constraint has a name, so that a migration can drop it."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


def _one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    allowed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({allowed})", name=column)


class PubsubService(Base):
    """What is known of a service as a whole; see `core.records.ServiceRecord`.

    Attributes:
        jid: its bare JID.
        traits: the known fields of `core.traits.ServiceTraits`, by name.
        info: the payload of its disco#info answer.
        info_fetched_at: when that came.
    """

    __tablename__ = "pubsub_service"
    __table_args__ = (UniqueConstraint("jid"),)

    id: Mapped[int] = mapped_column(BIG_KEY, primary_key=True)
    jid: Mapped[str] = mapped_column(String)
    traits: Mapped[dict[str, Any]] = mapped_column(PORTABLE_JSON)
    info: Mapped[str | None] = mapped_column(Text)
    info_fetched_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PubsubNode(Base):
    """One node of a service; most columns are described in `core.records.NodeRecord`.

    Attributes:
        staged_at: when something was last staged for it; NULL only when nothing is.
        staged_for: what parsed it, if it may be gone on with after a restart: see
            `core.store.Store.begin_staging`.

    There need not be a `PubsubService` of the same JID. `state` and `subscription` hold the values
    of `NodeState` and `SubscriptionState`. `generation`, `item_count` and `size_bytes` are kept in
    the same transaction as the items.
    """

    __tablename__ = "pubsub_node"
    __table_args__ = (
        UniqueConstraint("service", "name"),
        _one_of("state", NodeState),
        _one_of("subscription", SubscriptionState),
        # What is to be mended, and what is to be verified.
        Index("ix_pubsub_node_state_retry_at", "state", "retry_at"),
        Index("ix_pubsub_node_state_items_verified_at", "state", "items_verified_at"),
        # Who goes first when there are too many: read long ago, or made long ago and never read.
        Index("ix_pubsub_node_last_read_at_created_at", "last_read_at", "created_at"),
        # Whose staged items nobody goes on with.
        Index("ix_pubsub_node_staged_at", "staged_at"),
    )

    id: Mapped[int] = mapped_column(BIG_KEY, primary_key=True)
    service: Mapped[str] = mapped_column(String)
    name: Mapped[str] = mapped_column(String)
    state: Mapped[str] = mapped_column(String)
    reason: Mapped[str] = mapped_column(Text)
    analyser: Mapped[str | None] = mapped_column(String)
    type: Mapped[str | None] = mapped_column(String)
    subtype: Mapped[str | None] = mapped_column(String)
    access_model: Mapped[str | None] = mapped_column(String)
    info: Mapped[str | None] = mapped_column(Text)
    subscription: Mapped[str] = mapped_column(String)
    generation: Mapped[int] = mapped_column(BigInteger)
    item_count: Mapped[int] = mapped_column(BigInteger)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    failures: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state_changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    info_verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    items_verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    retry_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    staged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    staged_for: Mapped[str | None] = mapped_column(String)
    written_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    items: Mapped[list["PubsubItem"]] = relationship(
        primaryjoin=lambda: (
            (PubsubItem.node_id == PubsubNode.id) & (PubsubItem.generation == PubsubNode.generation)
        ),
        order_by=lambda: PubsubItem.position,
        viewonly=True,
    )
    """The items that readers see, oldest first."""


class UserSubscription(Base):
    """A subscription that a user made through the proxy; see `core.subscriptions`.

    Attributes:
        user_jid: the bare JID of `subscriber`.
    """

    __tablename__ = "user_subscription"
    __table_args__ = (
        UniqueConstraint("service", "node", "subscriber", "subid"),
        _one_of("state", SubscriptionState),
        Index("ix_user_subscription_user_jid", "user_jid"),
        # What nobody has answered, and whose users are gone.
        Index("ix_user_subscription_state_created_at", "state", "created_at"),
        Index("ix_user_subscription_gone_since", "gone_since"),
    )

    id: Mapped[int] = mapped_column(BIG_KEY, primary_key=True)
    service: Mapped[str] = mapped_column(String)
    node: Mapped[str] = mapped_column(String)
    user_jid: Mapped[str] = mapped_column(String)
    subscriber: Mapped[str] = mapped_column(String)
    subid: Mapped[str] = mapped_column(String)
    asked: Mapped[str] = mapped_column(String)
    state: Mapped[str] = mapped_column(String)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    gone_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    gone_count: Mapped[int] = mapped_column(Integer)


class IqPermission(Base):
    """That a server has ever let us act for its users (XEP-0356); see `core.identity`."""

    __tablename__ = "iq_permission"
    __table_args__ = (UniqueConstraint("host", "namespace", "type"),)

    id: Mapped[int] = mapped_column(BIG_KEY, primary_key=True)
    host: Mapped[str] = mapped_column(String)
    namespace: Mapped[str] = mapped_column(String)
    type: Mapped[str] = mapped_column(String)
    granted_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PubsubItem(Base):
    """One item of a node, in one generation of it.

    Attributes:
        generation: readers see the items whose generation is their node's.
        item_id: the ItemID.
        position: orders the items of a generation, oldest first; may have gaps.
        size_bytes: `core.values.Item.size_bytes`.
        publisher: as the service said, or None.
        payload_namespace: of the payload; None without one.
        parsed: what a parser made of it, or None.
        parsed_by: name and version of that parser.
        created_at: when we first held it.
        updated_at: when we last wrote its content.
        xml: the whole `<item/>`.
    """

    __tablename__ = "pubsub_item"
    __table_args__ = (
        UniqueConstraint("node_id", "generation", "item_id"),
        UniqueConstraint("node_id", "generation", "position"),
    )

    # The large columns stand last: SQLite reads a row from its beginning, and only as far as asked.
    id: Mapped[int] = mapped_column(BIG_KEY, primary_key=True)
    node_id: Mapped[int] = mapped_column(ForeignKey("pubsub_node.id", ondelete="CASCADE"))
    generation: Mapped[int] = mapped_column(BigInteger)
    position: Mapped[int] = mapped_column(BigInteger)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    item_id: Mapped[str] = mapped_column(String)
    publisher: Mapped[str | None] = mapped_column(String)
    payload_namespace: Mapped[str | None] = mapped_column(String)
    parsed_by: Mapped[str | None] = mapped_column(String)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    parsed: Mapped[dict[str, Any] | None] = mapped_column(PORTABLE_JSON)
    xml: Mapped[str] = mapped_column(Text)
