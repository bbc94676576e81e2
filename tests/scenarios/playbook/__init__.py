"""A whole component in memory, its clock, and pubsub services to stand behind it."""

from playbook.cellar import Cellar
from playbook.clock import TestClock
from playbook.faulty_store import FaultyStore
from playbook.sent import Sent
from playbook.service import Service
from playbook.stanzas import (
    DISCO_INFO,
    DISCO_ITEMS,
    PUBSUB,
    RSM,
    canonical,
    configuration,
    create,
    info,
    item,
    item_ids,
    items,
    listing,
    owned,
    page_of,
    publish,
    retract,
    subscribe,
)

__all__ = [
    "DISCO_INFO",
    "DISCO_ITEMS",
    "PUBSUB",
    "RSM",
    "Cellar",
    "FaultyStore",
    "Sent",
    "Service",
    "TestClock",
    "canonical",
    "configuration",
    "create",
    "info",
    "item",
    "item_ids",
    "items",
    "listing",
    "owned",
    "page_of",
    "publish",
    "retract",
    "subscribe",
]
