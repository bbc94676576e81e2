"""A node that changes all the time is not looked at for ever without a pause."""

import pytest

from pubcellar.core.errors import UpstreamAnswerInvalid
from pubcellar.core.values import BareJID, NodeKey
from pubcellar.proxy.node_entry import MOST_PASSES, NodeEntry

KEY = NodeKey(BareJID("pubsub.example.org"), "notes")


def outrun(entry: NodeEntry, times: int) -> None:
    for _ in range(times):
        entry.outran()


def test_it_is_given_up_after_so_many_passes_and_begun_anew_later() -> None:
    entry = NodeEntry(KEY)
    for _ in range(2):
        outrun(entry, MOST_PASSES - 1)
        with pytest.raises(UpstreamAnswerInvalid, match="changes faster"):
            entry.outran()


def test_passes_count_only_in_a_row() -> None:
    entry = NodeEntry(KEY)
    outrun(entry, MOST_PASSES - 1)
    entry.keeps_up()
    outrun(entry, MOST_PASSES - 1)
