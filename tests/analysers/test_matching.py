import pytest
from hypothesis import given
from hypothesis import strategies as st

from pubcellar.analysers.matching import SEPARATORS, has_prefix

names = st.text(alphabet="ab01" + SEPARATORS, max_size=12)


@pytest.mark.parametrize(
    ("node", "prefix", "claimed"),
    [
        ("urn:xmpp:microblog:0", "urn:xmpp:microblog:0", True),
        ("urn:xmpp:microblog:0:comments/abc", "urn:xmpp:microblog:0", True),
        ("urn:xmpp:microblog:01", "urn:xmpp:microblog:0", False),
        ("urn:xmpp:microblog:0.1", "urn:xmpp:microblog:0", False),
        ("urn:xmpp:microblog", "urn:xmpp:microblog:0", False),
        ("URN:XMPP:MICROBLOG:0", "urn:xmpp:microblog:0", False),
        ("notes/a", "notes/", True),
        ("notes/", "notes/", True),
        ("notes", "notes/", False),
        ("notes/a", "notes", True),
        ("notes#a", "notes", True),
        ("notesbook", "notes", False),
        ("anything", "", False),
        ("", "", False),
    ],
)
def test_prefix_ends_where_a_part_of_the_name_ends(node: str, prefix: str, claimed: bool) -> None:
    assert has_prefix(node, prefix) is claimed


@given(names, names)
def test_what_is_claimed_is_the_prefix_itself_or_parted_from_it(node: str, prefix: str) -> None:
    rest = node[len(prefix) :]
    at_boundary = not rest or rest[0] in SEPARATORS or prefix.endswith(tuple(SEPARATORS))
    expected = bool(prefix) and prefix + rest == node and at_boundary
    assert has_prefix(node, prefix) is expected


@given(names.filter(bool), names, st.sampled_from(SEPARATORS))
def test_every_prefix_claims_itself_and_everything_below_it(
    prefix: str, below: str, separator: str
) -> None:
    assert has_prefix(prefix, prefix)
    assert has_prefix(prefix + separator + below, prefix)
    assert has_prefix(prefix + separator + below, prefix + separator)


@given(names.filter(lambda name: bool(name) and name[-1] not in SEPARATORS), names)
def test_a_longer_last_part_is_another_part(prefix: str, below: str) -> None:
    assert not has_prefix(prefix + "x" + below, prefix)
