"""Notifications that come to aliases, and reach their users (XEP-0060 section 12.18)."""

import logging

import pytest
from playbook import Cellar, Service, item, subscribe
from playbook.cellar import CACHE, JULIET, ROMEO
from playbook.stanzas import EVENT, STANZAS
from playbook.subscribing import (
    ALIAS,
    ALIAS_BARE,
    NODE,
    PUBLISHED,
    SERVICE,
    notification,
    recorded,
    subscribed,
)

from pubcellar.core.counters import Happened

USER = "juliet@capulet.lit"
HEADERS = (
    "<headers xmlns='http://jabber.org/protocol/shim'><header name='SubID'>{}</header></headers>"
)
DELAY = "<delay xmlns='urn:xmpp:delay' stamp='2026-11-20T00:00:00Z' from='x.example'/>"
SUBSCRIBE = subscribe(NODE, JULIET)


def relayed(action: str = PUBLISHED, *, to: str = JULIET, sender: str = CACHE, **more: str) -> str:
    return notification(action, to=to, sender=sender, **more)


def bounce(
    condition: str,
    *,
    sender: str = JULIET,
    to: str = CACHE,
    action: str = PUBLISHED,
    beside: str = "",
) -> str:
    """Return what a user's server answers a notification with."""
    event = f"<event xmlns='{EVENT}'>{action}</event>" if action else ""
    return (
        f"<message type='error' id='m1' from='{sender}' to='{to}'>{event}{beside}"
        f"<error type='cancel'><{condition} xmlns='{STANZAS}'/></error></message>"
    )


@pytest.fixture
def juliets(cellar: Cellar, service: Service, wait_for_coroutine) -> Cellar:
    """Return a component through which Juliet has subscribed to a node."""
    wait_for_coroutine(subscribed(cellar, service))
    return cellar


class TestRelaying:
    @pytest.mark.parametrize(
        "action",
        [
            PUBLISHED,
            f"<items node='{NODE}'><item id='i1'/></items>",
            f"<items node='{NODE}'><retract id='i1'/></items>",
            f"<purge node='{NODE}'/>",
            f"<configuration node='{NODE}'><x xmlns='jabber:x:data'/></configuration>",
            f"<items node='{NODE}'><item id='1'><p:x xmlns:p='urn:p' p:a='p:b'/></item></items>",
            f"<items node='{NODE}'><item id='1'><m xmlns=''/></item></items>",
        ],
    )
    async def test_notification_comes_from_where_the_user_subscribed(
        self, juliets: Cellar, action: str
    ) -> None:
        juliets.receives(notification(action))
        await juliets.sends(relayed(action))
        assert juliets.counted(Happened.NOTIFICATION_RELAYED) == 1

    async def test_it_comes_from_a_services_own_address_if_that_was_asked(
        self, cellar: Cellar
    ) -> None:
        address = f"other.example.org@{CACHE}"
        await subscribed(cellar, Service("other.example.org"), to=address)
        cellar.receives(notification(sender="other.example.org"))
        await cellar.sends(relayed(sender=address))

    @pytest.mark.parametrize("attributes", ["", "type='headline'", "type='normal' id='&lt;1'"])
    @pytest.mark.parametrize("beside", ["", HEADERS.format("7"), DELAY, HEADERS.format(7) + DELAY])
    async def test_type_id_headers_and_delay_stay(
        self, juliets: Cellar, attributes: str, beside: str
    ) -> None:
        juliets.receives(notification(attributes=attributes, beside=beside))
        await juliets.sends(relayed(attributes=attributes, beside=beside))

    async def test_resource_is_the_one_that_was_subscribed(
        self, juliets: Cellar, service: Service
    ) -> None:
        await subscribed(juliets, service, jid=f"{USER}/chamber")
        await subscribed(juliets, service, jid=USER)
        for resource in ("/chamber", "", "/balcony"):
            juliets.receives(notification(to=ALIAS_BARE + resource))
            await juliets.sends(relayed(to=USER + resource))
        juliets.receives(notification(to=f"{ALIAS_BARE}/crypt"))
        await juliets.idle()

    async def test_publisher_who_is_the_user_is_named_as_the_user(self, juliets: Cellar) -> None:
        published = "<items node='{}'>{}</items>"
        by = "<item id='1' publisher='{}'><x xmlns='urn:x' publisher='{}'/></item>"
        for said, shown in ((ALIAS, JULIET), (ROMEO, ROMEO), (ALIAS_BARE, USER)):
            juliets.receives(notification(published.format(NODE, by.format(said, ALIAS))))
            await juliets.sends(relayed(published.format(NODE, by.format(shown, ALIAS))))

    async def test_they_stay_in_their_order(self, juliets: Cellar) -> None:
        actions = [f"<items node='{NODE}'>{item(str(one))}</items>" for one in range(20)]
        for action in actions:
            juliets.receives(notification(action))
        for action in actions:
            await juliets.sends(relayed(action))

    async def test_restart_keeps_them(self, juliets: Cellar) -> None:
        await juliets.restart()
        juliets.receives(notification())
        await juliets.sends(relayed())

    async def test_what_the_component_is_notified_of_goes_to_nobody(self, juliets: Cellar) -> None:
        juliets.receives(notification(to=CACHE))
        await juliets.idle()

    async def test_notification_that_overtakes_the_result_follows_it(self, cellar: Cellar) -> None:
        """XEP-0060 section 6.1.7: services send the last item to who subscribes."""
        id_ = cellar.asks(SUBSCRIBE, type_="set")
        cellar.answers(
            await cellar.next(),
            f"<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='{NODE}'/></pubsub>",
        )
        sent = await cellar.next()
        cellar.receives(notification(beside=DELAY))
        await cellar.idle()
        cellar.answers(sent)
        assert (await cellar.next()).id == id_
        await cellar.sends(relayed(beside=DELAY))

    async def test_too_large_a_one_is_dropped_and_said(
        self, start, service: Service, caplog
    ) -> None:
        cellar = await start("\n[cache]\nmax_stanza_bytes = '16KiB'\nmax_item_bytes = '8KiB'\n")
        await subscribed(cellar, service)
        for size in (17_000, 18_000, 10):
            payload = f"<x xmlns='urn:x'>{'x' * size}</x>"
            cellar.receives(notification(f"<items node='{NODE}'>{item('1', payload)}</items>"))
        assert len((await cellar.next()).raw) < 1000
        await cellar.idle()
        assert cellar.counted(Happened.NOTIFICATION_DROPPED) == 2
        said = [one for one in caplog.records if one.levelno >= logging.WARNING]
        assert len([one for one in said if "max_stanza_bytes" in one.getMessage()]) == 1

    async def test_without_the_database_they_are_lost_and_counted(self, juliets: Cellar) -> None:
        juliets.receives(notification())
        await juliets.next()
        juliets.store.is_broken = True
        await juliets.advance(2)
        juliets.receives(notification(to=f"{ALIAS_BARE}/chamber"))
        await juliets.idle()
        assert juliets.counted(Happened.NOTIFICATION_DROPPED) == 1
        juliets.store.is_broken = False
        await juliets.advance(2)
        juliets.receives(notification())
        await juliets.sends(relayed())


class TestEndOfSubscriptions:
    async def test_nothing_is_passed_on_after_unsubscribing(self, juliets: Cellar) -> None:
        await juliets.result(subscribe(NODE, JULIET, "unsubscribe"), type_="set")
        juliets.receives(notification())
        await juliets.idle()

    async def test_deletion_ends_that_of_each_who_is_told(
        self, juliets: Cellar, service: Service
    ) -> None:
        await subscribed(juliets, service, jid=f"{USER}/chamber")
        for resource in ("/balcony", "/chamber"):
            deleted = f"<delete node='{NODE}'/>"
            juliets.receives(notification(deleted, to=ALIAS_BARE + resource))
            await juliets.sends(relayed(deleted, to=USER + resource))
        juliets.receives(notification())
        await juliets.idle()
        assert await recorded(juliets) == []

    @pytest.mark.parametrize("state", ["none", "pending", "subscribed"])
    async def test_what_the_service_says_of_a_subscription_is_recorded(
        self, juliets: Cellar, state: str
    ) -> None:
        """XEP-0060 section 8.8.4."""
        said = f"<subscription node='{NODE}' jid='{{}}' subscription='{state}'/>"
        juliets.receives(notification(said.format(ALIAS)))
        await juliets.sends(relayed(said.format(JULIET)))
        await juliets.settled()
        expected = [] if state == "none" else [(NODE, JULIET, CACHE, "", state)]
        assert await recorded(juliets) == expected

    async def test_what_it_says_of_somebody_elses_ends_nothing(self, juliets: Cellar) -> None:
        said = f"<subscription node='{NODE}' jid='{ROMEO}' subscription='none'/>"
        juliets.receives(notification(said))
        await juliets.sends(relayed(said))
        await juliets.settled()
        assert len(await recorded(juliets)) == 1


class TestErrors:
    async def test_users_error_reaches_the_service_as_from_the_alias(self, juliets: Cellar) -> None:
        juliets.receives(bounce("service-unavailable", beside=HEADERS.format(7)))
        await juliets.sends(
            bounce("service-unavailable", sender=ALIAS, to=SERVICE, beside=HEADERS.format(7))
        )

    @pytest.mark.parametrize(
        "stray",
        [
            bounce("gone", sender=ROMEO),
            bounce("gone", sender=f"{USER}/chamber"),
            bounce("gone", sender=USER),
            bounce("gone", to=f"{CACHE}/x"),
            bounce("gone", to=f"pubsub.example.org@{CACHE}"),
            bounce("gone", to=f"evil.example@{CACHE}"),
            bounce("gone", action=f"<purge node='{NODE}x'/>"),
            "<message type='error' from='juliet@capulet.lit/balcony' to='cache.example.org'/>",
        ],
    )
    async def test_of_no_notification_that_was_passed_on_it_reaches_nobody(
        self, juliets: Cellar, stray: str
    ) -> None:
        juliets.receives(stray)
        await juliets.idle()
        assert juliets.counted(Happened.NOTIFICATION_DROPPED) == 1

    async def test_nothing_but_the_error_goes_with_it(self, juliets: Cellar) -> None:
        juliets.receives(bounce("gone", action="", beside="<body>buy</body><x xmlns='urn:x'/>"))
        sent = await juliets.next()
        assert sent.recipient == SERVICE
        assert [one.tag.rpartition("}")[2] for one in sent.element] == ["error"]


class TestUsersWhoAreGone:
    DAY = 24 * 60 * 60

    async def gone_for(self, cellar: Cellar, days: int, condition: str = "item-not-found") -> None:
        for _ in range(days):
            cellar.receives(bounce(condition))
            assert (await cellar.next()).sender == ALIAS
            await cellar.advance(self.DAY)
        await cellar.advance(61)

    @pytest.mark.parametrize("condition", ["item-not-found", "gone"])
    async def test_after_days_and_several_times_their_subscriptions_end(
        self, juliets: Cellar, service: Service, condition: str
    ) -> None:
        await self.gone_for(juliets, 3, condition)
        assert service.nodes[NODE].subscribers == set()
        assert await recorded(juliets) == []

    async def test_other_errors_end_nothing(self, juliets: Cellar, service: Service) -> None:
        await self.gone_for(juliets, 5, "service-unavailable")
        assert service.nodes[NODE].subscribers == {ALIAS}

    async def test_often_within_a_day_is_not_enough(
        self, juliets: Cellar, service: Service
    ) -> None:
        for _ in range(10):
            juliets.receives(bounce("gone"))
            await juliets.next()
            await juliets.advance(2 * 60 * 60)
        await juliets.advance(61)
        assert service.nodes[NODE].subscribers == {ALIAS}

    async def test_twice_is_not_enough_however_long_ago(
        self, juliets: Cellar, service: Service
    ) -> None:
        await self.gone_for(juliets, 2)
        await juliets.advance(10 * self.DAY)
        await juliets.advance(61)
        assert service.nodes[NODE].subscribers == {ALIAS}

    @pytest.mark.parametrize("restarted", [False, True])
    async def test_any_request_of_theirs_shows_that_they_are_there(
        self, juliets: Cellar, service: Service, restarted: bool
    ) -> None:
        await self.gone_for(juliets, 2)
        if restarted:
            await juliets.restart()
            await juliets.advance(61)
        await juliets.result("<query xmlns='http://jabber.org/protocol/disco#info'/>")
        await juliets.settled()
        await self.gone_for(juliets, 2)
        assert service.nodes[NODE].subscribers == {ALIAS}

    async def test_service_that_is_away_is_told_later(
        self, juliets: Cellar, service: Service
    ) -> None:
        service.refusals["unsubscribe"] = ("wait", "remote-server-timeout")
        await self.gone_for(juliets, 3)
        assert len(await recorded(juliets)) == 1
        service.refusals.clear()
        await juliets.advance(2 * 60 * 60)
        await juliets.advance(61)
        assert service.nodes[NODE].subscribers == set()


async def test_a_flood_of_one_sender_leaves_room_for_others(
    cellar: Cellar, service: Service
) -> None:
    """Threat 10: what waits to be looked up is bounded, of each sender to a part."""
    await subscribed(cellar, service)
    cellar.store.hold("subscriptions_to")
    for number in range(3_000):
        action, to = f"<purge node='{number}'/>", f"u{number}@{CACHE}"
        cellar.receives(notification(action, to=to, sender="x@montague.lit"))
    cellar.receives(notification())
    assert cellar.counted(Happened.NOTIFICATION_DROPPED) == 500
    cellar.store.release("subscriptions_to")
    await cellar.sends(relayed())
    await cellar.idle()
    assert cellar.counted(Happened.NOTIFICATION_DROPPED) == 3_000
