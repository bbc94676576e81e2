"""Subscriptions that users make at the proxy's addresses (XEP-0060 sections 6.1 to 6.3).

Who subscribes at an address expects notifications from there. So it is the user's alias that is
subscribed, whoever else the user may act as, and what the service sends to it is passed on
(`pubcellar.proxy.relaying`). Where the service refuses the alias, and we may act as the user, the
user is subscribed, and notified by the service itself.
"""

import asyncio
import logging
from dataclasses import replace

from pubcellar.core.counters import Happened
from pubcellar.core.errors import (
    RequestError,
    StorageError,
    TooManySubscriptions,
    UpstreamAnswerInvalid,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from pubcellar.core.identity import Identity
from pubcellar.core.ports import ForwardedAnswer
from pubcellar.core.subscriptions import UserSubscription
from pubcellar.core.values import (
    Answer,
    FullJID,
    NodeKey,
    OptionsQuestion,
    Relayed,
    Request,
    Requester,
    SubscriptionEntry,
    SubscriptionsAnswer,
    SubscriptionsQuestion,
    SubscriptionState,
)
from pubcellar.core.writes import Write, WriteKind
from pubcellar.proxy.forwarding import Forwarding
from pubcellar.proxy.health import Health
from pubcellar.proxy.parts import Parts
from pubcellar.proxy.subscription_records import SubscriptionRecords, meant
from pubcellar.proxy.writing import Writing

log = logging.getLogger(__name__)

MOST_SUBSCRIPTIONS = 100_000
"""Of all users together, however many people a hostile server makes up."""
ACCESS_REFUSALS = frozenset({"forbidden", "not-allowed", "not-authorized"})
ENDED = frozenset({"item-not-found", "unexpected-request"})
"""What a service says of a subscription, or a node, that it does not have."""


class Subscriptions:
    """Carries out what users want of their own subscriptions.

    Args:
        parts: the ports.
        forwarding: asks what is only read.
        writing: sends what changes something.
        health: tells which services are to be asked at all.
        records: who is recorded to be subscribed to what.
    """

    def __init__(
        self,
        parts: Parts,
        forwarding: Forwarding,
        writing: Writing,
        health: Health,
        records: SubscriptionRecords,
    ) -> None:
        self._parts = parts
        self._forwarding = forwarding
        self._writing = writing
        self._health = health
        self._records = records
        self._counting = asyncio.Lock()

    async def carry_out(self, request: Request, write: Write) -> Answer:
        """Subscribe, unsubscribe, or change the options of a subscription.

        Args:
            request: the set.
            write: what it does; of the kinds in `core.writes.OWN_SUBSCRIPTION`.

        Raises:
            ProxyError: it is answered with an error instead.
        """
        subscriber = subscriber_of(request.requester, write.jid)
        if write.node is None:
            return await self._passed_on(request, write)
        key = NodeKey(request.service, write.node)
        if subscriber is None:
            # Somebody else's subscription: whether one may do that is for the service to say.
            if write.kind is WriteKind.SUBSCRIBE and request.identity is Identity.ALIAS:
                await self._read_first(request, key)
            return await self._passed_on(request, write)
        async with self._records.turn(key, subscriber):
            match write.kind:
                case WriteKind.SUBSCRIBE:
                    return await self._subscribe(request, write, key, subscriber)
                case WriteKind.UNSUBSCRIBE:
                    return await self._unsubscribe(request, write, key, subscriber)
            request = await self._as_subscribed(request, key, subscriber)
            return await self._passed_on(request, write)

    async def read(
        self, request: Request, question: OptionsQuestion | SubscriptionsQuestion
    ) -> Answer:
        """Return the options of a subscription, or a list of the requester's subscriptions.

        Raises:
            ProxyError: it is answered with an error instead.
        """
        if request.identity is Identity.PRIVILEGED:
            if isinstance(question, SubscriptionsQuestion):
                return await self._list(request, question)
            subscriber = subscriber_of(request.requester, question.jid)
            if subscriber is not None:
                key = NodeKey(request.service, question.node)
                request = await self._as_subscribed(request, key, subscriber)
        return await self._asked(request)

    # Subscribing

    async def _subscribe(
        self, request: Request, write: Write, key: NodeKey, subscriber: FullJID
    ) -> Answer:
        try:
            await self._read_first(request, key)
            return await self._subscribe_alias(request, write, key, subscriber)
        except UpstreamRefused as error:
            is_access = error.condition in ACCESS_REFUSALS
            if request.identity is Identity.ALIAS or not is_access:
                raise
        return await self._passed_on(request, write)

    async def _read_first(self, request: Request, key: NodeKey) -> None:
        """Make sure that the node is there, and open to the alias.

        Some services make the node that somebody subscribes to. What an alias has made would be
        nobody's.
        """
        await self._health.admit(request.service, may_wait=True)
        read = self._parts.alias_requests.first_read(request, key.node)
        answered = await self._parts.forwarder.forward(read)
        if answered.items is None:
            raise UpstreamAnswerInvalid("the service did not answer a request for items with items")

    async def _subscribe_alias(
        self, request: Request, write: Write, key: NodeKey, subscriber: FullJID
    ) -> Answer:
        """Record the subscription, then make it: what is notified of it is to be passed on."""
        now = self._parts.clock.now()
        wanted = UserSubscription(key, subscriber, request.asked, now)
        found = await self._records.to(key, subscriber)
        is_new = all(one.subid for one in found)
        if is_new:
            await self._record(wanted, is_another=not found)
        request = replace(request, identity=Identity.ALIAS)
        try:
            answered = await self._writing.forward(request, write)
        except (UpstreamRefused, RequestError):
            if is_new:
                await self._let_go(wanted)
            raise
        # After anything else nobody knows; it is asked for later.
        await self._note(wanted, answered)
        return await self._shown(request, answered)

    async def _record(self, wanted: UserSubscription, *, is_another: bool) -> None:
        """Record a subscription that is about to be made, where the user may have another one."""
        user, access = wanted.user, self._parts.access
        async with self._counting:
            if is_another and user.rpartition("@")[2] not in access.exempt:
                if await self._records.count_of(user) >= access.max_subscriptions_per_requester:
                    self._parts.counters.count(Happened.OVER_QUOTA)
                    raise TooManySubscriptions("you have too many subscriptions through this proxy")
            if await self._records.count() >= MOST_SUBSCRIPTIONS:
                self._parts.counters.count(Happened.OVER_QUOTA)
                log.warning("no more subscriptions are made: there are %d", MOST_SUBSCRIPTIONS)
                raise TooManySubscriptions("there are too many subscriptions through this proxy")
            await self._records.save(wanted)

    async def _note(self, wanted: UserSubscription, answered: ForwardedAnswer) -> None:
        """Record what the service says of a subscription that was made."""
        subscribed = SubscriptionEntry(None, wanted.subscriber, SubscriptionState.SUBSCRIBED)
        told = next(iter(answered.subscriptions), subscribed)
        if told.state is SubscriptionState.NONE:
            await self._let_go(wanted)
            return
        try:
            await self._records.save(replace(wanted, subid=told.subid, state=told.state))
            if told.subid:
                await self._records.delete(wanted)
        except StorageError as error:
            # It is recorded as one that nobody has answered, and is asked for later.
            log.warning(
                "a subscription could not be recorded in full node=%s: %s", wanted.key, error
            )

    async def _let_go(self, subscription: UserSubscription) -> None:
        try:
            await self._records.delete(subscription)
        except StorageError as error:
            log.warning("a subscription is recorded still node=%s: %s", subscription.key, error)

    # Unsubscribing, and options

    async def _unsubscribe(
        self, request: Request, write: Write, key: NodeKey, subscriber: FullJID
    ) -> Answer:
        found = await self._found(request, key, subscriber)
        ended = meant(found, frozenset({write.subid} if write.subid else ()))
        if found:
            request = replace(request, identity=Identity.ALIAS)
        try:
            answer = await self._passed_on(request, write)
        except UpstreamRefused as error:
            if error.condition in ENDED:
                await self._ended(ended)
            raise
        except (UpstreamTimeout, UpstreamUnreachable):
            await self._in_question(ended)
            raise
        await self._ended(ended)
        return answer

    async def _ended(self, subscriptions: tuple[UserSubscription, ...]) -> None:
        for one in subscriptions:
            await self._let_go(one)

    async def _in_question(self, subscriptions: tuple[UserSubscription, ...]) -> None:
        """Have it asked for later whether they have been ended."""
        now = self._parts.clock.now()
        for one in subscriptions:
            unanswered = replace(one, state=SubscriptionState.NONE, created_at=now)
            try:
                await self._records.save(unanswered)
            except StorageError as error:
                log.warning("a subscription may have been ended node=%s: %s", one.key, error)

    async def _as_subscribed(self, request: Request, key: NodeKey, subscriber: FullJID) -> Request:
        """Return the request in the name of whoever is subscribed: the alias, or the user."""
        found = await self._found(request, key, subscriber)
        return replace(request, identity=Identity.ALIAS) if found else request

    async def _found(
        self, request: Request, key: NodeKey, subscriber: FullJID
    ) -> tuple[UserSubscription, ...]:
        """Return what is recorded; where the alias is asked in any case, that may fail."""
        try:
            return await self._records.to(key, subscriber)
        except StorageError:
            self._parts.counters.count(Happened.STORE_UNAVAILABLE)
            if request.identity is Identity.PRIVILEGED:
                raise
            return ()

    # Lists of subscriptions

    async def _list(self, request: Request, question: SubscriptionsQuestion) -> Answer:
        """Return the user's own subscriptions, with those of their alias among them."""
        recorded = await self._records.of(request.requester.bare, request.service)
        if not any(question.node in (None, one.key.node) for one in recorded):
            return await self._asked(request)
        of_alias = await self._asked(replace(request, identity=Identity.ALIAS))
        try:
            own = await self._forwarding.forward(request)
        except UpstreamRefused:
            # To whom the node, or the list, is closed is subscribed by their alias all the same.
            return of_alias
        if not isinstance(of_alias, Relayed):
            return Relayed(own.payload)
        return SubscriptionsAnswer(own.payload, of_alias.payload)

    # Asking

    async def _asked(self, request: Request) -> Answer:
        return await self._shown(request, await self._forwarding.forward(request))

    async def _passed_on(self, request: Request, write: Write) -> Answer:
        return await self._shown(request, await self._writing.forward(request, write))

    async def _shown(self, request: Request, answered: ForwardedAnswer) -> Answer:
        """Return an answer as the user is to see it, who may not be the one that was answered."""
        answer = await self._forwarding.shaped(request, answered, service_pages=True)
        return self._parts.aliases.shown(request, answer)


def subscriber_of(requester: Requester, jid: str | None) -> FullJID | None:
    """Return the address that a subscription is for; None if it is not one of the requester's."""
    bare = requester.bare
    is_own = jid is not None and (jid == bare or jid.startswith(f"{bare}/"))
    return FullJID(jid) if jid is not None and is_own else None
