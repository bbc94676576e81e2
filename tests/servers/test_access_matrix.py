"""Access models, roles, forms: nobody reads what they may not (threat 5).

The reader asks through the proxy, and so as an alias; somebody else, whom the owner gives the same
role, asks the service itself. Once the documented bound is over, both are told the same.
"""

from collections.abc import Callable
from xml.etree.ElementTree import SubElement

import pytest
from harness import Client, ProxyProcess
from harness.comparing import canonical
from harness.following import answered_by, fill
from harness.payloads import by_id, everything
from harness.stanzas import NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PUBSUB, NS_RSM, pubsub
from harness.waiting import wait_until

pytestmark = pytest.mark.servers

ROLES = ["owner", "member", "none", "outcast", "removed"]
ITEMS = 3
BOUND_SECONDS = 20
"""How long to wait for clocks of one second; what leaks after that leaks for ever."""
CLOCKS = {
    "access": {"entitlement_max_age": "1s", "check_open": True},
    "cache": {
        "access_verify_every": "1s",
        "paging": "service",
        "remember_forbidden": "0s",
        "remember_item_not_found": "0s",
    },
}


def paged(node: str, page: str) -> str:
    return (
        f"<pubsub xmlns='{NS_PUBSUB}'><items node='{node}'/><set xmlns='{NS_RSM}'>{page}</set>"
        "</pubsub>"
    )


def newest(node: str, number: int) -> str:
    return f"<pubsub xmlns='{NS_PUBSUB}'><items node='{node}' max_items='{number}'/></pubsub>"


FORMS: dict[str, Callable[[str], str]] = {
    "items": everything,
    "ids": lambda node: by_id(node, "post-2", "post-3"),
    "newest": lambda node: newest(node, 2),
    "first page": lambda node: paged(node, "<max>2</max>"),
    "last page": lambda node: paged(node, "<max>1</max><before/>"),
    "page by index": lambda node: paged(node, "<max>1</max><index>1</index>"),
    "count": lambda node: paged(node, "<max>0</max>"),
    "disco#items": lambda node: f"<query xmlns='{NS_DISCO_ITEMS}' node='{node}'/>",
    "disco#info": lambda node: f"<query xmlns='{NS_DISCO_INFO}' node='{node}'/>",
}


class Matrix:
    """One node of one service, and those who ask for it.

    Attributes:
        reader: asks through the proxy.
        reader_is: who the reader is to the service.
        equal: asks the service, in the same role.
    """

    def __init__(
        self, proxy: ProxyProcess, owner: Client, reader: Client, equal: Client, service: str
    ) -> None:
        self.proxy = proxy
        self.owner, self.reader, self.equal = owner, reader, equal
        self.service = service
        self.to = proxy.jid if "@" not in service else f"{_escaped(service)}@{proxy.jid}"
        self.reader_is = f"{_escaped(reader.bare_jid)}@{proxy.jid}"
        self.node = ""

    async def make(self, node: str, model: str) -> None:
        self.node = node
        await fill(
            self.owner,
            self.service,
            node,
            ITEMS,
            **{"pubsub#access_model": model, "pubsub#max_items": "100"},
        )

    async def let_in(self, jid: str, role: str, model: str) -> None:
        """Give somebody a role, and what it takes to read besides."""
        is_let_in = role in ("owner", "member")
        affiliation = role if role != "removed" else "none"
        if model == "authorize" and not is_let_in:
            await self._set_subscription(jid, "none")
        await self.owner.set_affiliation(self.service, self.node, jid, affiliation)
        if model == "authorize" and is_let_in:
            await self._set_subscription(jid, "subscribed")

    async def _set_subscription(self, jid: str, state: str) -> None:
        outer, action = pubsub("subscriptions", self.node, owner=True)
        tag = f"{action.tag.partition('}')[0]}}}subscription"
        SubElement(action, tag, {"jid": jid, "subscription": state})
        # Who is not subscribed cannot be unsubscribed.
        await self.owner.request("set", self.service, outer)

    async def asked(self, form: str) -> tuple[str, str]:
        """Return what the reader and their equal are answered."""
        question = FORMS[form](self.node)
        ours = await self.reader.request("get", self.to, question)
        theirs = await self.equal.request("get", self.service, question)
        if form == "disco#info" and not ours.is_error and not theirs.is_error:
            # How many are subscribed, for example, may have been counted a moment ago.
            return "", ""
        return canonical(ours, without_page=True), canonical(theirs, without_page=True)

    async def differences(self) -> dict[str, tuple[str, str]]:
        found = {form: await self.asked(form) for form in FORMS}
        return {form: pair for form, pair in found.items() if pair[0] != pair[1]}

    async def agrees(self, role: str) -> None:
        """Wait out the bound; then the reader must be told what their equal is."""

        async def is_told_the_same() -> bool:
            return not await self.differences()

        try:
            await wait_until(is_told_the_same, f"{role} to be told the same", BOUND_SECONDS)
        except TimeoutError:
            raise AssertionError(f"{role}: {await self.differences()}") from None
        assert await self.differences() == {}, role

    async def reads_from_the_cache(self) -> None:
        async def is_cached() -> bool:
            for _ in range(2):
                await self.reader.items(self.to, self.node)
            return answered_by(self.proxy, self.node)[-1] == "cache"

        await wait_until(is_cached, f"{self.node} to be answered from the cache")


def _escaped(jid: str) -> str:
    return jid.replace("@", "\\40")


async def started(
    proxy: ProxyProcess, owner: Client, reader: Client, equal: Client, service: str
) -> Matrix:
    proxy.configure({"upstream": {"allow": ["*localhost"], "default": "pubsub.localhost"}})
    proxy.configure(CLOCKS)
    await proxy.restart()
    return Matrix(proxy, owner, reader, equal, service)


async def every_role(matrix: Matrix, model: str, *, is_held: bool) -> None:
    await matrix.let_in(matrix.proxy.jid, "member", model)
    for role in ROLES:
        if (role, model) == ("owner", "presence"):
            # Users are their own contacts, which no alias is.
            continue
        before = "member" if role in ("outcast", "removed") else role
        for jid in (matrix.reader_is, matrix.equal.bare_jid):
            await matrix.let_in(jid, before, model)
        await matrix.agrees(before)
        if is_held and before in ("owner", "member"):
            await matrix.reads_from_the_cache()
        if before != role:
            for jid in (matrix.reader_is, matrix.equal.bare_jid):
                await matrix.let_in(jid, role, model)
            await matrix.agrees(f"{role}, {before} before")
    assert is_held == ("cache" in answered_by(matrix.proxy, matrix.node))


@pytest.fixture
def equal(connect, wait_for_coroutine) -> Client:  # type: ignore[no-untyped-def]
    client: Client = wait_for_coroutine(connect("other"))
    return client


@pytest.mark.parametrize("model", ["open", "whitelist"])
async def test_threat_5_nobody_reads_what_the_service_would_refuse_them(
    proxy: ProxyProcess,
    owner: Client,
    reader: Client,
    equal: Client,
    service: str,
    node_name: str,
    model: str,
) -> None:
    matrix = await started(proxy, owner, reader, equal, service)
    await matrix.make(node_name, model)
    await every_role(matrix, model, is_held=True)


@pytest.mark.only_server("ejabberd", reason="Prosody makes no nodes with these access models")
@pytest.mark.parametrize("model", ["authorize", "presence", "roster"])
async def test_threat_5_nor_with_the_access_models_that_only_ejabberd_has(
    proxy: ProxyProcess,
    owner: Client,
    reader: Client,
    equal: Client,
    service: str,
    node_name: str,
    model: str,
) -> None:
    """We are in nobody's roster, so that nodes for contacts are never held."""
    matrix = await started(proxy, owner, reader, equal, service)
    await matrix.make(node_name, model)
    await every_role(matrix, model, is_held=model == "authorize")


@pytest.mark.parametrize("before", ["open", "whitelist"])
async def test_threat_5_nor_after_the_access_model_has_changed(
    proxy: ProxyProcess,
    owner: Client,
    reader: Client,
    equal: Client,
    service: str,
    node_name: str,
    before: str,
) -> None:
    after = "whitelist" if before == "open" else "open"
    matrix = await started(proxy, owner, reader, equal, service)
    await matrix.make(node_name, before)
    for jid in (matrix.proxy.jid, matrix.reader_is, equal.bare_jid):
        await matrix.let_in(jid, "member", before)
    await matrix.reads_from_the_cache()
    for jid in (matrix.reader_is, equal.bare_jid):
        await matrix.let_in(jid, "none", before)
    await owner.configure(service, node_name, {"pubsub#access_model": after})
    await matrix.agrees(f"a stranger, {before} before")


@pytest.mark.parametrize("model", ["open", "presence", "whitelist"])
async def test_threat_5_nor_at_personal_eventing_services(
    proxy: ProxyProcess,
    owner: Client,
    reader: Client,
    equal: Client,
    node_name: str,
    model: str,
) -> None:
    """They do not tell strangers, as we are, who may read a node that is not open."""
    matrix = await started(proxy, owner, reader, equal, owner.bare_jid)
    await matrix.make(node_name, model)
    await matrix.agrees(f"a stranger of a node that is {model}")
    if model == "open":
        await matrix.reads_from_the_cache()
        await owner.configure(matrix.service, node_name, {"pubsub#access_model": "presence"})
        await matrix.agrees("a stranger, after it was closed")
    else:
        assert "cache" not in answered_by(proxy, node_name)
