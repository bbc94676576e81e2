"""JID escaping. Examples: the tables of XEP-0106 sections 2, 4.2 and 5."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pubcellar.core.escaping import escaped, unescaped

CODES = ("20", "22", "26", "27", "2f", "3a", "3c", "3e", "40", "5c")

# What is likely to collide: backslashes, the digits of codes, and characters that are escaped.
ADDRESS_LIKE = st.text(st.sampled_from("\\02567acef@/: \"&'<>.xü日")) | st.text()

EXAMPLES = [
    ("space cadet", r"space\20cadet"),
    ('call me "ishmael"', r"call\20me\20\22ishmael\22"),
    ("at&t guy", r"at\26t\20guy"),
    ("d'artagnan", r"d\27artagnan"),
    ("/.fanboy", r"\2f.fanboy"),
    ("::foo::", r"\3a\3afoo\3a\3a"),
    ("<foo>", r"\3cfoo\3e"),
    ("user@host", r"user\40host"),
    (r"c:\net", r"c\3a\net"),
    (r"c:\\net", r"c\3a\\net"),
    (r"c:\cool stuff", r"c\3a\cool\20stuff"),
    (r"c:\5commas", r"c\3a\5c5commas"),
    (r"\3and\2is\5cool", r"\5c3and\2is\5c5cool"),
    (r"\3catsanddogs", r"\5c3catsanddogs"),
    (r"\2plus\2is\4", r"\2plus\2is\4"),
    (r"foo\bar", r"foo\bar"),
    (r"foo\41r", r"foo\41r"),
    ("treat all equally", r"treat\20all\20equally"),
    ("", ""),
    ("\\", "\\"),
    ("juliet@capulet.lit", r"juliet\40capulet.lit"),
    # Aliases of aliases, as behind two proxies.
    (r"juliet\40capulet.lit@one.example", r"juliet\5c40capulet.lit\40one.example"),
    (
        r"juliet\5c40capulet.lit\40one.example@two.example",
        r"juliet\5c5c40capulet.lit\5c40one.example\40two.example",
    ),
]


@pytest.mark.parametrize(("address", "local_part"), EXAMPLES)
def test_the_examples_of_the_xep_go_both_ways(address: str, local_part: str) -> None:
    assert escaped(address) == local_part
    assert unescaped(local_part) == address


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_one_character_and_itself_when_escaped_twice(code: str) -> None:
    character = chr(int(code, 16))
    assert unescaped(f"a\\{code}b" if code != "5c" else r"a\5c20b") == (
        f"a{character}b" if code != "5c" else r"a\20b"
    )
    assert escaped(f"\\{code}") == f"\\5c{code}"
    assert unescaped(f"\\5c{code}") == f"\\{code}"


@pytest.mark.parametrize(
    "local_part",
    [
        r"a\5cb",
        r"\5c",
        r"\5c41",
        r"\5cfoo",
        r"a\5c\20b",
        r"\5c\5c",
        "space cadet",
        "user@host",
        "a/b",
        "a:b",
        "a&b",
        "a'b",
        'a"b',
        "<",
        ">",
        r"\5c2F",
    ],
)
def test_what_escaping_would_not_have_written_is_refused(local_part: str) -> None:
    with pytest.raises(ValueError, match="XEP-0106"):
        unescaped(local_part)


def test_codes_in_capitals_are_no_codes() -> None:
    """A normalised JID has none: nodeprep makes them small before this is asked."""
    assert unescaped(r"a\2Fb") == r"a\2Fb"


@given(ADDRESS_LIKE)
def test_every_text_comes_back(address: str) -> None:
    assert unescaped(escaped(address)) == address


@given(ADDRESS_LIKE)
def test_nothing_that_a_local_part_may_not_hold_is_left(address: str) -> None:
    assert not set(escaped(address)) & set(" \"&'/:<>@")


@given(ADDRESS_LIKE)
def test_every_local_part_is_refused_or_the_only_way_to_write_its_address(local_part: str) -> None:
    try:
        address = unescaped(local_part)
    except ValueError:
        return
    assert escaped(address) == local_part


@given(ADDRESS_LIKE, ADDRESS_LIKE)
def test_two_addresses_never_have_one_local_part(one: str, other: str) -> None:
    assert (escaped(one) == escaped(other)) is (one == other)


@given(ADDRESS_LIKE, st.integers(1, 5))
def test_an_address_comes_back_through_any_number_of_proxies(address: str, times: int) -> None:
    written = address
    for _ in range(times):
        written = escaped(written)
    for _ in range(times):
        written = unescaped(written)
    assert written == address
