"""In whose name requests go out, by what the requesters' servers let us do (XEP-0356).

A server's word is believed only where an administrator has named the server. Who grants us its
users is also who hands us what services answer them: a foreign server could make answers up, and so
earn its users what is held of a node that is closed to them.
"""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from pubcellar.core.counters import Happened
from pubcellar.core.errors import NotAllowed, PrivilegeMissing, StoreUnavailable
from pubcellar.core.identity import (
    Advertisement,
    Identity,
    IdentityPolicy,
    IqPermission,
    identity_for,
)
from pubcellar.core.values import BareJID, Request
from pubcellar.proxy.parts import Parts

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 2.0
"""How long after our stream came up a server's advertisement may be on its way."""
MOST_STRANGERS = 20
"""Of how many servers whose word does not count the log says so."""


class Identities:
    """Decides for each request whether it goes out as the user or as the user's alias."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._settings = parts.identity
        self._granted: dict[str, frozenset[IqPermission]] = {}
        self._heard: dict[str, asyncio.Event] = {}
        self._ever: set[IqPermission] = set()
        self._unwritten: set[IqPermission] = set()
        self._is_known = False
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._patience: asyncio.Task[None] | None = None
        self._said: dict[tuple[str, bool], Advertisement] = {}
        self._strangers: set[str] = set()

    async def identified(self, request: Request) -> Request:
        """Return the request with the identity in which it is to be forwarded; raises as `of`."""
        identity = await self.of(request.requester.bare, request.namespace, request.type)
        return replace(request, identity=identity)

    async def of(self, user: BareJID, namespace: str, type_: str) -> Identity:
        """Return in whose name a request of that namespace and type goes out.

        Raises:
            PrivilegeMissing: the user's server let us act for them, and does not any more; or it
                does not, and nobody is to be served otherwise.
            NotAllowed: nobody is to be served otherwise, and their server is not one that could.
        """
        host = user.rpartition("@")[2]
        if self._is_served_by_aliases(host):
            return Identity.ALIAS
        # A server is nobody's user, not even its own.
        if host not in self._settings.hosts or host == user:
            if self._settings.policy is IdentityPolicy.PRIVILEGED:
                raise NotAllowed("this proxy serves only users of servers that let it act for them")
            return Identity.ALIAS
        permission = IqPermission(host, namespace, type_)
        await self._bring_together()
        identity = self._by_grants(permission)
        if identity is not Identity.PRIVILEGED and await self._has_now_heard_of(host):
            identity = self._by_grants(permission)
        if identity is None:
            self._parts.counters.count(Happened.PRIVILEGE_MISSING)
            raise PrivilegeMissing(
                "your server does not let this proxy act for you at the moment: its administrator "
                "has to grant that again, or the administrator of this proxy to decide otherwise"
            )
        return identity

    def _by_grants(self, permission: IqPermission) -> Identity | None:
        return identity_for(
            self._settings.policy,
            is_granted=permission in self._granted.get(permission.host, ()),
            was_granted=permission in self._ever,
            is_alias_host=self._is_served_by_aliases(permission.host),
        )

    def _is_served_by_aliases(self, host: str) -> bool:
        """Tell whether an administrator wants it so, whatever is granted."""
        is_policy = self._settings.policy is IdentityPolicy.ALIAS
        return is_policy or host in self._settings.alias_hosts

    # What servers say

    def advertised(self, said: Advertisement) -> None:
        """A server tells what it lets us do: what it said before counts no more."""
        if said.host not in self._settings.hosts:
            self._note_stranger(said.host)
            return
        self._note(said)
        if not said.is_understood:
            return
        self._granted[said.host] = said.granted
        self._unwritten |= said.granted - self._ever
        self._ever |= said.granted
        if said.host in self._heard:
            self._heard[said.host].set()
        self._begin(self._bring_together())

    def stream_opened(self) -> None:
        """The stream is up: servers are about to say what they let us do."""
        self._forget_what_was_said()
        self._heard = {host: asyncio.Event() for host in self._settings.hosts}
        self._patience = self._begin(self._parts.clock.sleep(PATIENCE_SECONDS))
        self._begin(self._bring_together())

    def stream_closed(self) -> None:
        """The stream is gone, and with it what was granted."""
        self._forget_what_was_said()

    async def stop(self) -> None:
        """End what is under way."""
        self._forget_what_was_said()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _forget_what_was_said(self) -> None:
        self._granted.clear()
        if self._patience is not None:
            self._patience.cancel()

    async def _has_now_heard_of(self, host: str) -> bool:
        """Wait for the server's word where it is missed and may be on its way; tell if it came.

        It is missed where the server has given it before, and where we do not know.
        """
        heard, patience = self._heard.get(host), self._patience
        is_missed = not self._is_known or any(one.host == host for one in self._ever)
        if heard is None or patience is None or heard.is_set() or not is_missed:
            return False
        hearing = self._begin(_wait_for(heard))
        await asyncio.wait({hearing, patience}, return_when=asyncio.FIRST_COMPLETED)
        hearing.cancel()
        return heard.is_set()

    # What is remembered

    async def _bring_together(self) -> None:
        """Read what was ever granted, and write down what is, as far as the database works.

        While it cannot be read nobody is kept from being served, if need be by an alias.
        """
        if self._is_known and not self._unwritten:
            return
        store = self._parts.permissions
        async with self._turn:
            try:
                if not self._is_known:
                    await self._read()
                if self._unwritten:
                    granted = frozenset(self._unwritten)
                    await store.record_permissions(granted, self._parts.clock.now())
                    self._unwritten -= granted
            except StoreUnavailable as error:
                self._parts.counters.count(Happened.STORE_UNAVAILABLE)
                log.debug("who has granted us what is not read or written down: %s", error)

    async def _read(self) -> None:
        store = self._parts.permissions
        recorded = await store.permissions()
        for host in {one.host for one in recorded} & self._settings.alias_hosts:
            # An administrator has decided: there is nothing to be missed any more.
            await store.forget_permissions(host)
        hosts = self._settings.hosts - self._settings.alias_hosts
        self._ever |= {one for one in recorded if one.host in hosts}
        self._is_known = True

    # The log

    def _note(self, said: Advertisement) -> None:
        if self._said.get((said.host, said.is_understood)) == said:
            return
        self._said[said.host, said.is_understood] = said
        if self._is_served_by_aliases(said.host):
            log.info("users of %s are served by aliases, whatever it grants", said.host)
        elif not said.is_understood:
            log.warning(
                "%s offers privileges by %s, which this version does not know: not used",
                said.host,
                said.namespace,
            )
        elif not said.granted:
            log.warning("%s does not let us send pubsub iqs for its users", said.host)
        else:
            granted = sorted(f"{one.type} {one.namespace}" for one in said.granted)
            log.info("%s lets us act for its users: %s", said.host, ", ".join(granted))

    def _note_stranger(self, host: str) -> None:
        self._parts.counters.count(Happened.STANZA_DROPPED)
        if host in self._strangers or len(self._strangers) >= MOST_STRANGERS:
            return
        self._strangers.add(host)
        log.warning(
            "%r says that we may act for its users: not believed, [forwarding] hosts does not "
            "name it",
            host,
        )

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _wait_for(event: asyncio.Event) -> None:
    await event.wait()
