"""Answers that a client got wrongly from the cache that came before this one, inside a client.

How that cache fetched and followed nodes is the subject of test_ancestor_defects_of_syncing.py;
what it asked its database, of tests/storage/test_ancestor_defects_of_queries.py.
"""

import pytest
from playbook import PUBSUB, Cellar, Service, canonical, item_ids, items, page_of
from playbook.cellar import ROMEO
from playbook.comparing import answered, told
from playbook.stanzas import Element, parsed

from pubcellar import Analyser

IDS = [f"i{number}" for number in range(1, 8)]


@pytest.fixture(params=["without paging", "with paging"])
def either(request: pytest.FixtureRequest, service: Service, paging_service: Service) -> Service:
    return paging_service if request.param == "with paging" else service


class TestPages:
    async def test_the_last_page_is_the_newest_items_in_the_order_of_all_pages(
        self, cellar: Cellar, either: Service
    ) -> None:
        """The last page came newest first, as if it began at index 0."""
        await cellar.holds(either, "notes/a", IDS)
        last = await cellar.result(items("notes/a", page="<max>3</max><before/>"))
        first, index, _, count = page_of(last)
        assert (item_ids(last), index, count) == (IDS[4:], "4", "7")
        page = f"<max>3</max><before>{first}</before>"
        before_that = await cellar.result(items("notes/a", page=page))
        _, index, _, count = page_of(before_that)
        assert (item_ids(before_that), index, count) == (IDS[1:4], "1", "7")
        assert either.asked == []

    @pytest.mark.parametrize("token", ["<after>gone</after>", "<before>gone</before>"])
    @pytest.mark.parametrize("is_held", [True, False], ids=["held", "not held"])
    async def test_a_page_next_to_an_unknown_item_is_an_error_and_not_empty(
        self, cellar: Cellar, service: Service, token: str, is_held: bool
    ) -> None:
        """XEP-0059 section 2.2; the answer was an empty page with a count."""
        node = "notes/a" if is_held else "unclaimed"
        cellar.stands_behind(service).has(node, IDS)
        await cellar.result(items(node))
        await cellar.settled()
        answer = await cellar.answer(items(node, page=f"<max>3</max>{token}"))
        assert answer.condition == "cancel/item-not-found"

    async def test_where_the_service_pages_it_alone_knows_its_tokens(
        self, cellar: Cellar, paging_service: Service
    ) -> None:
        """The answer to a token that the cache did not know was an empty page, made up by it."""
        await cellar.holds(paging_service, "notes/a", IDS)
        question = items("notes/a", page="<max>2</max><after>t-0002</after>")
        answer = await cellar.result(question)
        assert item_ids(answer) == IDS[3:5]
        assert len(paging_service.asked) == 1


async def test_all_of_forty_items_that_were_named_are_given(
    cellar: Cellar, either: Service
) -> None:
    """Twenty came, without a word that there were more: the default number of a plain read."""
    ids = [f"item-{number}" for number in range(60)]
    await cellar.holds(either, "notes/a", ids)
    assert item_ids(await cellar.result(items("notes/a", ids=ids[10:50]))) == ids[10:50]
    assert either.asked == []


FILTERED = f"<pubsub xmlns='{PUBSUB}'><items node='notes/a'/>{{}}</pubsub>"
SEARCHES = {
    "order-by": FILTERED.format("<order xmlns='urn:xmpp:order-by:1' field='creation'/>"),
    "filter": FILTERED.format(
        "<x xmlns='jabber:x:data' type='submit'><field var='published'><value>&lt; 3</value>"
        "</field></x>"
    ),
    "text": FILTERED.format(
        "<x xmlns='jabber:x:data' type='submit'>"
        "<field var='{urn:xmpp:fulltext:0}fulltext'><value>\"AND ( NEAR</value></field></x>"
    ),
}


class TestSearching:
    """There is no search here yet: what asks for one is the service's to answer."""

    @pytest.mark.parametrize("asked", SEARCHES.values(), ids=SEARCHES)
    async def test_a_search_is_never_answered_as_if_it_were_none(
        self, cellar: Cellar, service: Service, asked: str
    ) -> None:
        """`<` meant `<=`, the others did not exist, and bad syntax came back as SQL."""
        await cellar.holds(service, "notes/a", IDS)
        cellar.stands_aside(service)
        cellar.asks(asked)
        forwarded = await cellar.next()
        assert forwarded.sender.startswith(r"juliet\40capulet.lit@")
        assert canonical(forwarded.element[0]) == canonical(_element(asked))
        cellar.refuses(forwarded, "feature-not-implemented")
        assert (await cellar.next()).condition == "cancel/feature-not-implemented"

    @pytest.mark.parametrize("type_", ["get", "set"])
    async def test_a_search_of_an_archive_is_refused(
        self, cellar: Cellar, service: Service, type_: str
    ) -> None:
        """XEP-0442, XEP-0431; its bad syntax was told to the client as an error in SQL."""
        await cellar.holds(service, "notes/a", IDS)
        asked = (
            "<query xmlns='urn:xmpp:mam:2' node='notes/a'><x xmlns='jabber:x:data' type='submit'>"
            "<field var='{urn:xmpp:fulltext:0}fulltext'><value>\"AND ( NEAR</value></field></x>"
            "</query>"
        )
        answer = await cellar.answer(asked, type_=type_)
        assert answer.condition == "cancel/service-unavailable"
        assert "sql" not in repr(answer).lower()
        assert service.asked == []

    async def test_items_in_an_order_of_the_cache_s_own_are_never_given(
        self, cellar: Cellar, service: Service
    ) -> None:
        """ "Creation" was the number of a row, "modification" a second in which thousands came."""
        await cellar.holds(service, "notes/a", IDS)
        cellar.stands_aside(service)
        cellar.asks(SEARCHES["order-by"])
        forwarded = await cellar.next()
        newest_first = "".join(service.nodes["notes/a"].items[one] for one in reversed(IDS))
        payload = f"<pubsub xmlns='{PUBSUB}'><items node='notes/a'>{newest_first}</items></pubsub>"
        cellar.answers(forwarded, payload)
        assert item_ids((await cellar.next()).element) == IDS[::-1]

    @pytest.mark.parametrize("kind", ["blind", "silent", "failing"])
    async def test_items_of_which_no_parser_made_anything_are_given_like_others(
        self, cellar: Cellar, service: Service, kind: str
    ) -> None:
        """A single one in what was found made the whole request fail."""

        class Reading(Analyser):
            name, type, node, to_sync = kind, "x", f"{kind}/", True

            if kind != "blind":

                async def parse(self, item: object, key: object) -> dict[str, object] | None:
                    if kind == "failing":
                        raise RuntimeError("a bug of its author")
                    return None

        cellar.component.proxy._parts.analysers.register_analyser(Reading())
        await cellar.holds(service, f"{kind}/a", IDS)
        assert item_ids(await cellar.result(items(f"{kind}/a"))) == IDS
        assert service.asked == []


class TestOthersItems:
    """One cache for everybody, where there was one for each profile and no rights between them."""

    async def test_who_is_not_let_in_is_given_nothing_that_somebody_else_was_given(
        self, cellar: Cellar, either: Service
    ) -> None:
        """Whoever could reach the cache read what any profile had read."""
        node = cellar.stands_behind(either).has("notes/diary", IDS)
        node.access_model, node.admits_everybody = "whitelist", True
        node.outcasts.add(r"romeo\40montague.lit@cache.example.org/orchard")
        for _ in range(2):
            assert item_ids(await cellar.result(items("notes/diary"))) == IDS
            await cellar.settled()
            refused = await cellar.answer(items("notes/diary"), sender=ROMEO)
            assert refused.condition == "auth/forbidden"
            by_id = await cellar.answer(items("notes/diary", ids=["i1"]), sender=ROMEO)
            assert by_id.condition == "auth/forbidden"

    @pytest.mark.parametrize("action", ["purge", "delete"])
    async def test_nobody_empties_the_cache_of_others(
        self, cellar: Cellar, service: Service, action: str
    ) -> None:
        """Any profile's request to purge or to reset was for the nodes of all."""
        await cellar.holds(service, "notes/a", IDS)
        request = f"<pubsub xmlns='{PUBSUB}#owner'><{action} node='notes/a'/></pubsub>"
        service.refusals[action] = ("auth", "forbidden")
        answer = await cellar.answer(request, sender=ROMEO, type_="set")
        assert answer.kind == "error"
        await cellar.settled()
        service.asked.clear()
        assert item_ids(await cellar.result(items("notes/a"))) == IDS
        assert service.asked == []

    async def test_a_command_of_a_stranger_is_refused(
        self, cellar: Cellar, service: Service
    ) -> None:
        """No command was bound to who gave it."""
        await cellar.holds(service, "notes/a", IDS)
        command = "<command xmlns='http://jabber.org/protocol/commands' node='purge'/>"
        answer = await cellar.answer(command, sender=ROMEO, type_="set")
        assert answer.condition == "cancel/service-unavailable"


async def test_order_and_publishers_are_those_of_the_service(
    cellar: Cellar, either: Service
) -> None:
    """They were lost: items that are fetched together are new at the same time."""
    ids = ["b", "c", "a", "e", "d"]
    node = cellar.stands_behind(either).has("notes/a", ids)
    for one in ids:
        node.items[one] = node.items[one].replace("<item ", f"<item publisher='{one}@home.lit' ")
    await cellar.result(items("notes/a"))
    await cellar.settled()
    questions = {
        "all": items("notes/a"),
        "newest": items("notes/a", max_items=2),
        "by id": items("notes/a", ids=["e", "b"]),
    }
    right = told(either, questions)
    either.asked.clear()
    assert await answered(cellar, either, questions) == right
    assert 'publisher="c@home.lit"' in right["all"]
    assert either.asked == []


def _element(payload: str) -> Element:
    return parsed(f"<iq>{payload}</iq>")[0]
