"""Pages of a list. Use cases: XEP-0059 sections 2.1 to 2.7."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pubcellar.core.errors import ItemNotFound
from pubcellar.core.paging import (
    Slice,
    Token,
    by_id,
    fitting,
    is_of_service,
    page_info,
    plain_token,
    read_token,
    slice_of,
    token_of,
)
from pubcellar.core.values import PageInfo, PageRequest

TOKENS = ["a", "b", "c", "d", "e"]

LISTS = st.lists(st.text(min_size=1, max_size=3), unique=True, max_size=30)
SIZES = st.integers(1, 7)


def page_of(tokens: list[str], page: PageRequest) -> list[str]:
    part = slice_of(tokens, page)
    return tokens[part.start : part.stop]


class TestSliceOf:
    @pytest.mark.parametrize(
        ("page", "expected"),
        [
            pytest.param(PageRequest(), "abcde", id="no limit"),
            pytest.param(PageRequest(max=2), "ab", id="2.1 limiting the number"),
            pytest.param(PageRequest(max=9), "abcde", id="2.1 more than there are"),
            pytest.param(PageRequest(max=2, after="b"), "cd", id="2.2 paging forwards"),
            pytest.param(PageRequest(max=2, after="d"), "e", id="2.2 last page"),
            pytest.param(PageRequest(max=2, after="e"), "", id="2.2 after the last"),
            pytest.param(PageRequest(after="b"), "cde", id="2.2 without max"),
            pytest.param(PageRequest(max=2, before="d"), "bc", id="2.3 paging backwards"),
            pytest.param(PageRequest(max=2, before="b"), "a", id="2.3 first page"),
            pytest.param(PageRequest(max=2, before="a"), "", id="2.3 before the first"),
            pytest.param(PageRequest(before="c"), "ab", id="2.3 without max"),
            pytest.param(PageRequest(max=2, before=""), "de", id="2.5 last page"),
            pytest.param(PageRequest(before=""), "abcde", id="2.5 last page without max"),
            pytest.param(PageRequest(max=2, index=0), "ab", id="2.6 page at 0"),
            pytest.param(PageRequest(max=2, index=3), "de", id="2.6 page out of order"),
            pytest.param(PageRequest(max=2, index=4), "e", id="2.6 page at the end"),
            pytest.param(PageRequest(max=2, index=5), "", id="2.6 behind the end"),
            pytest.param(PageRequest(max=2, index=999), "", id="2.6 far behind the end"),
            pytest.param(PageRequest(index=3), "de", id="2.6 without max"),
            pytest.param(PageRequest(max=0), "", id="2.7 count alone"),
            pytest.param(PageRequest(max=0, after="b"), "", id="max 0 and after"),
            pytest.param(PageRequest(max=0, before=""), "", id="max 0 and before"),
            pytest.param(PageRequest(max=0, index=2), "", id="max 0 and index"),
        ],
    )
    def test_every_use_case_of_the_xep(self, page: PageRequest, expected: str) -> None:
        assert "".join(page_of(TOKENS, page)) == expected
        assert slice_of(TOKENS, page).count == 5

    @pytest.mark.parametrize(
        "page", [PageRequest(after="z"), PageRequest(before="z"), PageRequest(max=0, after="z")]
    )
    def test_a_token_that_is_not_in_the_list_is_item_not_found(self, page: PageRequest) -> None:
        """XEP-0059 section 2.2: the responding entity MUST return an item-not-found error."""
        with pytest.raises(ItemNotFound):
            slice_of(TOKENS, page)

    @pytest.mark.parametrize(
        "page", [PageRequest(), PageRequest(max=2), PageRequest(before=""), PageRequest(index=3)]
    )
    def test_an_empty_list_has_one_empty_page(self, page: PageRequest) -> None:
        assert slice_of([], page) == Slice(0, 0, 0, from_end=page.before is not None)

    @given(LISTS, SIZES)
    def test_walking_forwards_gives_everything_once(self, tokens: list[str], size: int) -> None:
        walked: list[str] = []
        page = page_of(tokens, PageRequest(max=size))
        while page:
            assert len(page) <= size
            walked += page
            page = page_of(tokens, PageRequest(max=size, after=page[-1]))
        assert walked == tokens

    @given(LISTS, SIZES)
    def test_walking_backwards_gives_everything_once(self, tokens: list[str], size: int) -> None:
        walked: list[str] = []
        page = page_of(tokens, PageRequest(max=size, before=""))
        while page:
            assert len(page) <= size
            walked = page + walked
            page = page_of(tokens, PageRequest(max=size, before=page[0]))
        assert walked == tokens

    @given(LISTS, SIZES)
    def test_walking_by_index_gives_everything_once(self, tokens: list[str], size: int) -> None:
        walked: list[str] = []
        while page := page_of(tokens, PageRequest(max=size, index=len(walked))):
            walked += page
        assert walked == tokens

    @given(LISTS, SIZES, SIZES)
    def test_walking_in_bytes_gives_everything_once_too(
        self, tokens: list[str], size: int, room: int
    ) -> None:
        """A page cut because of its size goes on where it was cut, in either direction."""
        sizes = [1] * len(tokens)
        forwards: list[str] = []
        request = PageRequest(max=size)
        while True:
            part = fitting(sizes, slice_of(tokens, request), room)
            if part.start == part.stop:
                break
            forwards += tokens[part.start : part.stop]
            request = PageRequest(max=size, after=page_info(tokens, part).last)
        backwards: list[str] = []
        request = PageRequest(max=size, before="")
        while True:
            part = fitting(sizes, slice_of(tokens, request), room)
            if part.start == part.stop:
                break
            backwards = tokens[part.start : part.stop] + backwards
            request = PageRequest(max=size, before=page_info(tokens, part).first)
        assert forwards == backwards == tokens


class TestFitting:
    SIZES: tuple[int, ...] = (10, 20, 30, 40)

    @pytest.mark.parametrize(
        ("wanted", "max_bytes", "expected"),
        [
            (Slice(0, 4, 4), 100, Slice(0, 4, 4)),
            (Slice(0, 4, 4), 99, Slice(0, 3, 4)),
            (Slice(0, 4, 4), 60, Slice(0, 3, 4)),
            (Slice(0, 4, 4), 10, Slice(0, 1, 4)),
            (Slice(0, 4, 4), 9, Slice(0, 0, 4)),
            (Slice(0, 4, 4), 0, Slice(0, 0, 4)),
            (Slice(1, 3, 4), 45, Slice(1, 2, 4)),
            (Slice(2, 2, 4), 99, Slice(2, 2, 4)),
            (Slice(0, 4, 4, from_end=True), 100, Slice(0, 4, 4, from_end=True)),
            (Slice(0, 4, 4, from_end=True), 99, Slice(1, 4, 4, from_end=True)),
            (Slice(0, 4, 4, from_end=True), 69, Slice(3, 4, 4, from_end=True)),
            (Slice(0, 4, 4, from_end=True), 39, Slice(4, 4, 4, from_end=True)),
            (Slice(1, 3, 4, from_end=True), 45, Slice(2, 3, 4, from_end=True)),
        ],
    )
    def test_the_end_away_from_the_requester_gives_way(
        self, wanted: Slice, max_bytes: int, expected: Slice
    ) -> None:
        assert fitting(self.SIZES, wanted, max_bytes) == expected

    def test_a_small_element_behind_one_too_large_is_not_reached(self) -> None:
        """Otherwise the page would have a hole, and the next one would begin behind it."""
        assert fitting([1, 50, 1], Slice(0, 3, 3), 10) == Slice(0, 1, 3)

    @given(st.lists(st.integers(0, 50), min_size=1), st.integers(0, 500), st.data())
    def test_what_fits_is_as_much_as_fits_and_never_more_than_wanted(
        self, sizes: list[int], max_bytes: int, data: st.DataObject
    ) -> None:
        start = data.draw(st.integers(0, len(sizes)))
        stop = data.draw(st.integers(start, len(sizes)))
        wanted = Slice(start, stop, len(sizes), from_end=data.draw(st.booleans()))
        part = fitting(sizes, wanted, max_bytes)
        assert start <= part.start <= part.stop <= stop
        assert sum(sizes[part.start : part.stop]) <= max_bytes
        if part.stop - part.start < stop - start:
            more = sizes[part.start - 1] if wanted.from_end else sizes[part.stop]
            assert sum(sizes[part.start : part.stop]) + more > max_bytes


class TestPageInfo:
    @pytest.mark.parametrize(
        ("part", "expected"),
        [
            (Slice(0, 5, 5), PageInfo(count=5, first="a", last="e", first_index=0)),
            (Slice(2, 4, 5), PageInfo(count=5, first="c", last="d", first_index=2)),
            (Slice(4, 5, 5), PageInfo(count=5, first="e", last="e", first_index=4)),
            # Sections 2.1 and 2.7: no <first/> and <last/> for a page that holds nothing.
            (Slice(0, 0, 5), PageInfo(count=5)),
            (Slice(5, 5, 5), PageInfo(count=5)),
        ],
    )
    def test_a_set_names_first_last_index_and_count(self, part: Slice, expected: PageInfo) -> None:
        assert page_info(TOKENS, part) == expected


class TestTokensOfOurs:
    """Where a service pages, our tokens must be told from its own."""

    @given(st.integers(0, 10**9 - 1), st.text(min_size=1))
    def test_they_are_read_as_they_were_written(self, index: int, item_id: str) -> None:
        assert read_token(str(Token(index, item_id))) == Token(index, item_id)

    @pytest.mark.parametrize(
        "written",
        [
            None,
            "",
            "i1",
            "2026-11-21T07:22:52.093167Z",
            "pubcellar:",
            "pubcellar:1:",
            "pubcellar:-1:a",
            "pubcellar:x:a",
            "pubcellar:1234567890:a",
            "x pubcellar:1:a",
        ],
    )
    def test_nothing_else_is_one(self, written: str | None) -> None:
        assert read_token(written) is None

    @given(st.text(min_size=1))
    def test_an_id_as_a_token_stands_for_that_item_whatever_it_looks_like(self, text: str) -> None:
        for item_id in (text, str(Token(3, text))):
            page = PageRequest(after=plain_token(item_id))
            assert by_id(page) == PageRequest(after=item_id)

    @pytest.mark.parametrize(
        ("page", "token", "is_service_s"),
        [
            (PageRequest(), None, False),
            (PageRequest(max=3, index=2), None, False),
            (PageRequest(before=""), None, False),
            (PageRequest(after="x"), None, True),
            (PageRequest(before="x"), None, True),
            (PageRequest(after="pubcellar:4:x"), Token(4, "x"), False),
            (PageRequest(before="pubcellar:4:x"), Token(4, "x"), False),
        ],
    )
    def test_whose_token_a_page_begins_at(
        self, page: PageRequest, token: Token | None, is_service_s: bool
    ) -> None:
        assert token_of(page) == token
        assert is_of_service(page) is is_service_s
