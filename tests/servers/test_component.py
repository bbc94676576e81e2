"""The component itself: its stream, its own answers, its end."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from harness import Client, CountingService, Kind, ProxyProcess, Reply, ThrowAwayServer
from harness.following import answered_by, fill, until_held
from harness.payloads import everything
from harness.stanzas import NS_DISCO_INFO, NS_PUBSUB
from harness.waiting import free_port, wait_until

pytestmark = pytest.mark.servers

NODE = "urn:xmpp:microblog:0"
NS_VERSION = "jabber:iq:version"


class TestStream:
    async def test_wrong_secret_is_said_in_one_line_and_ends_the_process(
        self, server: ThrowAwayServer
    ) -> None:
        proxy = ProxyProcess(server.component_port, "hunter2-is-wrong")
        try:
            proxy.process.start()
            code = await proxy.process.wait_for_exit()
            log = proxy.log()
        finally:
            proxy.remove()
        assert code == 3
        lines = [line for line in log.splitlines() if "[component] secret" in line]
        assert len(lines) == 1
        assert "Traceback" not in log
        assert "hunter2" not in log

    async def test_unknown_host_is_said(self, server: ThrowAwayServer) -> None:
        proxy = ProxyProcess(server.component_port, server.component_secret, jid="nobody.localhost")
        try:
            proxy.process.start()
            await wait_until(
                lambda: "nobody.localhost" in proxy.log() and "[component] jid" in proxy.log(),
                "the log to name the key",
            )
        finally:
            proxy.remove()

    @pytest.mark.only_server(
        "prosody", reason="ejabberd says the same as to a wrong secret, which ends the process"
    )
    async def test_unknown_host_is_tried_again(self, server: ThrowAwayServer) -> None:
        proxy = ProxyProcess(server.component_port, server.component_secret, jid="nobody.localhost")
        await said_and_tried_again(proxy, "[component] jid")

    async def test_refused_connection_is_said_and_tried_again(self) -> None:
        proxy = ProxyProcess(free_port(), "whatever")
        await said_and_tried_again(proxy, "[component] server")

    @pytest.mark.only_server(
        "prosody", reason="ejabberd takes both in, and gives each a part of the stanzas"
    )
    async def test_second_process_of_one_name_is_told_so(
        self, server: ThrowAwayServer, proxy: ProxyProcess
    ) -> None:
        second = ProxyProcess(server.component_port, server.component_secret)
        await said_and_tried_again(second, "already has a component")

    async def test_sigterm_answers_what_is_in_flight_and_exits_with_zero(
        self, counting_service: CountingService, proxy: ProxyProcess, reader: Client
    ) -> None:
        counting_service.create(NODE, items=1)
        to = f"{counting_service.jid}@{proxy.jid}"
        with counting_service.withholding(Kind.ITEMS, for_ever=True):
            waiting = asyncio.ensure_future(reader.request("get", to, everything(NODE)))
            await counting_service.wait_for(Kind.ITEMS, NODE)
            code = await proxy.terminate()
            reply = await waiting

        assert code == 0
        assert (reply.error_type, reply.condition) == ("wait", "service-unavailable")
        assert reply.sender == to
        assert "Traceback" not in proxy.log()
        assert "closed by the peer" not in proxy.log()

    async def test_threat_15_secret_is_in_no_log_and_on_no_command_line(
        self, server: ThrowAwayServer, proxy: ProxyProcess, reader: Client
    ) -> None:
        """threat 15."""
        await reader.disco_info(proxy.jid)
        command_line = Path(f"/proc/{proxy.process.pid}/cmdline").read_text()
        assert server.component_secret not in command_line
        assert server.component_secret not in proxy.log()


async def said_and_tried_again(proxy: ProxyProcess, what: str) -> None:
    def times() -> int:
        return sum(what in line and "WARNING" in line for line in proxy.log().splitlines())

    try:
        proxy.process.start()
        await wait_until(lambda: times() >= 2, f"the log to say {what} twice")
        assert proxy.process.is_running
        pauses = [float(one) for one in re.findall(r"again in ([0-9.]+) s", proxy.log())]
        assert pauses == sorted(pauses), "each pause is longer than the one before"
        assert await proxy.terminate() == 0
        assert "Traceback" not in proxy.log()
    finally:
        proxy.remove()


class TestOwnAnswers:
    async def test_disco_info_has_the_service_s_features_and_ours(
        self, service: str, proxy: ProxyProcess, reader: Client
    ) -> None:
        theirs = described(await reader.disco_info(service))
        ours = described(await reader.disco_info(proxy.jid))

        assert ("pubsub", "service") in ours[0]
        assert ("component", "generic") in ours[0]
        pubsub = {one for one in theirs[1] if one.startswith(NS_PUBSUB)}
        assert pubsub <= ours[1]
        assert {"urn:xmpp:ping", NS_VERSION, f"{NS_PUBSUB}#rsm", NS_DISCO_INFO} <= ours[1]

    async def test_service_info_is_asked_for_once_and_shared(
        self, counting_service: CountingService, proxy: ProxyProcess, owner: Client, reader: Client
    ) -> None:
        to = f"{counting_service.jid}@{proxy.jid}"
        first = described(await owner.disco_info(to))
        second = described(await reader.disco_info(to))

        assert first == second
        assert counting_service.count(Kind.SERVICE_INFO) == 1

    async def test_nodes_are_listed_to_each_as_the_service_lists_them(
        self, counting_service: CountingService, proxy: ProxyProcess, owner: Client, reader: Client
    ) -> None:
        counting_service.create("one", items=1)
        to = f"{counting_service.jid}@{proxy.jid}"
        for client in (owner, owner, reader, reader):
            assert await client.nodes(to) == ["one"]

        assert counting_service.count(Kind.SERVICE_ITEMS) == 2

    async def test_ping_and_version(self, proxy: ProxyProcess, reader: Client) -> None:
        pong = await reader.request("get", proxy.jid, "<ping xmlns='urn:xmpp:ping'/>")
        assert not pong.is_error
        version = (
            await reader.request("get", proxy.jid, f"<query xmlns='{NS_VERSION}'/>")
        ).or_raise()
        assert version.payload is not None
        assert version.payload.findtext(f"{{{NS_VERSION}}}name") == "Pubcellar"

    async def test_anything_else_is_unavailable(self, proxy: ProxyProcess, reader: Client) -> None:
        for kind in ("get", "set"):
            reply = await reader.request(kind, proxy.jid, "<unheard xmlns='urn:of'/>")
            assert (reply.error_type, reply.condition) == ("cancel", "service-unavailable")


class TestWhoAsks:
    async def test_forwarded_request_goes_out_as_the_requester_s_alias(
        self, counting_service: CountingService, proxy: ProxyProcess, reader: Client
    ) -> None:
        counting_service.create(NODE, access_model="whitelist", items=1)
        to = f"{counting_service.jid}@{proxy.jid}"

        refused = await reader.request("get", to, everything(NODE))

        assert refused.is_error
        asked = counting_service.received[0]
        bare, _, resource = asked.sender.partition("/")
        assert bare == f"reader\\40localhost@{proxy.jid}"
        assert resource == reader.jid.partition("/")[2]
        assert all(one.sender != proxy.jid for one in counting_service.received)

    async def test_equal_reads_in_flight_are_joined(
        self, counting_service: CountingService, proxy: ProxyProcess, reader: Client
    ) -> None:
        counting_service.create("not-held", items=2)
        to = f"{counting_service.jid}@{proxy.jid}"
        with counting_service.withholding(Kind.ITEMS):
            waiting = asyncio.ensure_future(
                reader.in_parallel([("get", to, everything("not-held"))] * 20)
            )
            await counting_service.wait_for(Kind.ITEMS, "not-held")
            await wait_until(
                lambda: proxy.log().count("waits for the answer to an equal read") == 19,
                "the other reads to wait for the first",
            )
        replies = await waiting

        assert not any(reply.is_error for reply in replies)
        assert counting_service.count(Kind.ITEMS, "not-held", sender=replies[0].xml.get("to")) <= 1
        assert len([one for one in counting_service.received if "40" in one.sender]) == 1


class TestAnalysis:
    async def test_second_read_of_a_node_that_is_not_held_costs_one_stanza(
        self, counting_service: CountingService, proxy: ProxyProcess, reader: Client
    ) -> None:
        counting_service.create("notes", items=0)
        counting_service.publish("notes", "n", "<note xmlns='urn:example:note'/>")
        to = f"{counting_service.jid}@{proxy.jid}"
        await reader.items(to, "notes")
        await wait_until(lambda: is_remembered(proxy), "the verdict")
        counting_service.forget()

        await reader.items(to, "notes")

        assert len(counting_service.received) == 1

    async def test_analyser_of_the_configuration_has_its_nodes_held(
        self, counting_service: CountingService, proxy: ProxyProcess, reader: Client
    ) -> None:
        table = {"name": "notes", "type": "note", "node": "notes/", "to_sync": True}
        proxy.configure({"analyser": [table]})
        await proxy.restart()
        counting_service.create("notes/today", items=3)
        to = f"{counting_service.jid}@{proxy.jid}"

        await until_held(reader, proxy, "notes/today", to)

        assert answered_by(proxy, "notes/today")[-1] == "cache"

    async def test_what_the_parser_made_of_items_is_in_the_database(
        self,
        server: ThrowAwayServer,
        proxy: ProxyProcess,
        owner: Client,
        reader: Client,
        node_name: str,
    ) -> None:
        await fill(owner, server.service, node_name, 2)
        await until_held(reader, proxy, node_name)

        rows = proxy.query(
            "SELECT i.parsed, n.analyser, n.subtype FROM pubsub_item i"
            " JOIN pubsub_node n ON n.id = i.node_id ORDER BY i.position"
        )

        assert [parsed(row[0])["title"] for row in rows] == ["Post 1", "Post 2"]
        assert {row[1:] for row in rows} == {("blog", "comment")}


def parsed(column: Any) -> Any:
    """Return JSON as Python's; PostgreSQL's driver has made it so already."""
    return json.loads(column) if isinstance(column, str) else column


def is_remembered(proxy: ProxyProcess) -> bool:
    return bool(proxy.query("SELECT 1 FROM pubsub_node WHERE state = 'no_sync'"))


def described(reply: Reply) -> tuple[set[tuple[str, str]], set[str]]:
    """Return the identities and features of a disco#info answer."""
    assert reply.payload is not None
    tag = f"{{{NS_DISCO_INFO}}}"
    identities = reply.payload.findall(f"{tag}identity")
    features = reply.payload.findall(f"{tag}feature")
    return (
        {(one.get("category", ""), one.get("type", "")) for one in identities},
        {one.get("var", "") for one in features},
    )


class TestHostileRequests:
    """threat 10: what one client sends must not end the stream for all."""

    @pytest.mark.parametrize(
        "request_xml",
        [
            f"<iq type='get' id='{'>' * 150_000}' to='{{to}}'><ping xmlns='urn:xmpp:ping'/></iq>",
            f"<iq type='get' id='big' to='{{to}}'><query xmlns='{NS_DISCO_INFO}'"
            f" node='{chr(34) * 120_000}'/></iq>",
            "<iq type='get' id='odd' to='{to}'><z xmlns='%' a='&#10;&#13;'/></iq>",
            "<iq type='get' id='none' to='{to}'/>",
        ],
    )
    async def test_stream_survives(
        self, proxy: ProxyProcess, reader: Client, request_xml: str
    ) -> None:
        reader.stream.send_raw(request_xml.format(to=proxy.jid))

        pong = await reader.request("get", proxy.jid, "<ping xmlns='urn:xmpp:ping'/>")

        assert not pong.is_error
        assert proxy.connections() == 1
        assert "Traceback" not in proxy.log()
