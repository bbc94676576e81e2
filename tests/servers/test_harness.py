"""The harness itself: what it shows of a server is what the server did."""

import asyncio
import subprocess
import sys
import tomllib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from harness import (
    Client,
    CountingService,
    ErrorReply,
    Kind,
    ProxyProcess,
    StanzaError,
    ThrowAwayProsody,
    ThrowAwayServer,
)
from harness.proxy_process import render_toml
from harness.stanzas import form_fields, page_request
from harness.waiting import wait_until

pytestmark = pytest.mark.servers

ENTRY = "<entry xmlns='http://www.w3.org/2005/Atom'><title>{}</title></entry>"
NOTES = {"name": "notes", "type": "note", "node": "notes/", "to_sync": True}
TITLE = "{http://www.w3.org/2005/Atom}title"


class TestServer:
    async def test_published_items_come_back_oldest_first(
        self, service: str, owner: Client, reader: Client, node_name: str
    ) -> None:
        await owner.create(service, node_name, {"pubsub#max_items": "1000"})
        for number in range(3):
            await owner.publish(service, node_name, f"i{number}", ENTRY.format(number))

        items = await reader.items(service, node_name)

        assert items.ids == ["i0", "i1", "i2"]
        assert [each.findtext(TITLE) for each in items.payloads] == ["0", "1", "2"]
        assert sorted((await reader.disco_items(service, node_name)).ids) == ["i0", "i1", "i2"]
        assert node_name in await reader.nodes(service)

    async def test_subscribers_see_events(
        self, service: str, owner: Client, reader: Client, node_name: str
    ) -> None:
        await owner.create(service, node_name, {"pubsub#notify_delete": "1"})
        await reader.subscribe(service, node_name)

        await owner.publish(service, node_name, "i1", ENTRY.format("one"))
        await owner.retract(service, node_name, "i1")
        await owner.purge(service, node_name)
        await owner.delete(service, node_name)
        await reader.wait_for_event(
            lambda event: (event.kind, event.node) == ("delete", node_name),
            "the node to be deleted",
        )

        # ejabberd also sends what it has of other nodes to those who have just become available.
        events = [event for event in reader.events if event.node == node_name]
        assert [event.kind for event in events] == ["items", "items", "purge", "delete"]
        assert events[0].item_ids == ["i1"]
        assert events[1].retracted_ids == ["i1"]
        assert {event.sender for event in events} == {service}

    async def test_an_error_tells_type_and_conditions(
        self, server: ThrowAwayServer, owner: Client, reader: Client, node_name: str
    ) -> None:
        await owner.create(server.service, node_name)
        await owner.configure(server.service, node_name, {"pubsub#access_model": "whitelist"})

        with pytest.raises(ErrorReply) as refused:
            await reader.items(server.service, node_name)

        reply = refused.value.reply
        assert (
            reply.error_type,
            reply.condition,
            reply.application_condition,
        ) == server.facts.closed

    async def test_what_is_said_of_its_ways_is_true(
        self, server: ThrowAwayServer, owner: Client, reader: Client, node_name: str
    ) -> None:
        service = server.service
        await owner.create(service, node_name)
        for item_id in ("first", "second", "first"):
            await owner.publish(service, node_name, item_id, ENTRY.format(item_id))

        ids = (await reader.items(service, node_name)).ids
        page = await reader.items(service, node_name, page=page_request(1))

        assert (ids == ["second", "first"]) is server.facts.republish_moves
        assert (page.page is not None) is server.facts.pages

    async def test_the_service_is_taken_away_and_brought_back_with_its_items(
        self, server: ThrowAwayServer, owner: Client, reader: Client, node_name: str
    ) -> None:
        service = server.service
        await owner.create(service, node_name)
        await owner.publish(service, node_name, "i1", ENTRY.format("one"))
        await reader.subscribe(service, node_name)

        await server.take_service_away()
        with pytest.raises(ErrorReply) as gone:
            await reader.items(service, node_name)
        await server.bring_service_back()

        reply = gone.value.reply
        assert (reply.error_type, reply.condition) == server.facts.absent
        assert (await reader.items(service, node_name)).ids == ["i1"]
        await owner.publish(service, node_name, "i2", ENTRY.format("two"))
        await reader.wait_for_event(lambda event: event.item_ids == ["i2"])

    async def test_a_wrong_password_is_refused(self, server: ThrowAwayServer) -> None:
        client = Client("owner@localhost", "wrong", server.client_port)
        with pytest.raises(ConnectionRefusedError):
            await client.connect()
        await client.disconnect()

    async def test_a_restart_keeps_accounts_nodes_and_items(
        self, server: ThrowAwayServer, connect: Callable[[str], Awaitable[Client]], node_name: str
    ) -> None:
        owner = await connect("owner")
        await owner.create(server.service, node_name)
        await owner.publish(server.service, node_name, "i1", ENTRY.format("one"))

        await server.restart()

        assert (await (await connect("reader")).items(server.service, node_name)).ids == ["i1"]

    async def test_nothing_is_left_of_one_that_was_killed_and_removed(
        self, own_server: Callable[..., Awaitable[ThrowAwayServer]]
    ) -> None:
        """With a node name, Erlang would leave its port mapper behind."""
        server = await own_server()
        assert processes_of(server.directory)

        server.remove()

        await wait_until(lambda: not processes_of(server.directory), "its processes to end")
        assert not server.directory.exists()


def processes_of(directory: Path) -> list[str]:
    """Return the command lines of processes that were started with a path in that directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command_line = (process / "cmdline").read_bytes()
            said = command_line + (process / "environ").read_bytes()
            if str(directory).encode() in said:
                found.append(command_line.replace(b"\0", b" ").decode())
    return found


@pytest.mark.only_server("prosody", reason="its snippet and its shell are its own")
class TestProsody:
    async def test_the_operators_snippet_is_what_runs(
        self, service: str, owner: Client, reader: Client, node_name: str
    ) -> None:
        """`expose_publisher` stands in conf/prosody.cfg.lua alone."""
        await owner.create(service, node_name)
        await owner.publish(service, node_name, "i1", ENTRY.format("one"))

        items = await reader.items(service, node_name)

        assert items.elements[0].get("publisher") == owner.bare_jid

    async def test_a_refused_command_of_the_shell_is_an_error(
        self, server: ThrowAwayProsody
    ) -> None:
        with pytest.raises(RuntimeError, match=r"nobody\.localhost"):
            await server.shell('host:deactivate("nobody.localhost")')


class TestCountingService:
    async def test_it_counts_by_kind_node_and_sender(
        self, counting_service: CountingService, reader: Client
    ) -> None:
        counting_service.create("n", items=3)
        service = counting_service.jid

        assert (await reader.items(service, "n")).ids == ["item-1", "item-2", "item-3"]
        assert (await reader.items(service, "n", max_items=2)).ids == ["item-2", "item-3"]
        info = await reader.disco_info(service, "n")

        assert form_fields(info.xml)["pubsub#access_model"] == "open"
        assert counting_service.count(Kind.ITEMS, "n", reader.jid) == 2
        assert counting_service.count(Kind.NODE_INFO) == 1
        assert counting_service.count() == 3
        counting_service.forget()
        assert counting_service.count() == 0

    @pytest.mark.parametrize("size", [1, 3, 10, 11])
    async def test_it_pages_with_tokens_that_are_no_ids(
        self, counting_service: CountingService, reader: Client, size: int
    ) -> None:
        counting_service.pages = True
        node = counting_service.create("n", items=10)

        pages = await reader.all_pages(counting_service.jid, "n", size)

        assert [each for page in pages for each in page.ids] == [i.item_id for i in node.items]
        assert {page.page.count for page in pages} == {10}
        assert pages[0].page.first not in pages[0].ids
        last = await reader.items(counting_service.jid, "n", page=page_request(4, before=""))
        assert (last.ids, last.page.index) == (["item-7", "item-8", "item-9", "item-10"], 6)
        with pytest.raises(ErrorReply):
            await reader.items(counting_service.jid, "n", page=page_request(4, after="item-1"))

    async def test_it_sends_every_kind_of_event(
        self, counting_service: CountingService, reader: Client
    ) -> None:
        counting_service.create("n", items=3)
        await reader.subscribe(counting_service.jid, "n")

        counting_service.publish("n", "new", ENTRY.format("new"))
        counting_service.publish("n", "bare", ENTRY.format("bare"), with_payload=False)
        counting_service.publish("n", "silent", ENTRY.format("silent"), notify=False)
        counting_service.retract("n", "item-1", "item-2")
        counting_service.configure("n", "whitelist")
        counting_service.purge("n")
        counting_service.end_subscription("n", reader.bare_jid)
        await reader.wait_for_event(lambda event: event.kind == "subscription")

        # ejabberd's own service sends what it has for those who have just become available.
        events = [event for event in reader.events if event.sender == counting_service.jid]
        kinds = [event.kind for event in events]
        assert kinds == ["items", "items", "items", "configuration", "purge", "subscription"]
        new, bare, retracted = events[:3]
        assert (new.item_ids, len(new.action[0])) == (["new"], 1)
        assert (bare.item_ids, len(bare.action[0])) == (["bare"], 0)
        assert retracted.retracted_ids == ["item-1", "item-2"]
        assert form_fields(events[3].action) == {
            "FORM_TYPE": "http://jabber.org/protocol/pubsub#node_config",
            "pubsub#access_model": "whitelist",
        }

    async def test_it_refuses_with_application_condition_and_text(
        self, counting_service: CountingService, reader: Client
    ) -> None:
        counting_service.create("n", items=1)
        error = StanzaError("wait", "resource-constraint", "too-many-subscriptions", "Not today")
        counting_service.refuse(Kind.SUBSCRIBE, error)

        with pytest.raises(ErrorReply) as refused:
            await reader.subscribe(counting_service.jid, "n")
        counting_service.accept(Kind.SUBSCRIBE)
        await reader.subscribe(counting_service.jid, "n")

        reply = refused.value.reply
        assert (reply.error_type, reply.condition) == ("wait", "resource-constraint")
        assert reply.application_condition == "too-many-subscriptions"
        assert reply.text == "Not today"

    async def test_it_withholds_an_answer_and_gives_it_later_unchanged(
        self, counting_service: CountingService, reader: Client
    ) -> None:
        counting_service.create("n", items=2)
        with counting_service.withholding(Kind.ITEMS):
            asked = asyncio.ensure_future(reader.items(counting_service.jid, "n"))
            await counting_service.wait_for(Kind.ITEMS, "n")
            counting_service.retract("n", "item-1")
            assert not asked.done()

        assert (await asked).ids == ["item-1", "item-2"]
        assert (await reader.items(counting_service.jid, "n")).ids == ["item-2"]

    async def test_it_goes_away_and_comes_back_with_its_nodes(
        self, server: ThrowAwayServer, counting_service: CountingService, reader: Client
    ) -> None:
        counting_service.create("n", items=1)

        await counting_service.disconnect()
        with pytest.raises(ErrorReply) as gone:
            await reader.items(counting_service.jid, "n")
        await counting_service.connect()

        assert gone.value.reply.condition == server.facts.absent[1]
        assert (await reader.items(counting_service.jid, "n")).ids == ["item-1"]


class TestProxyProcess:
    @pytest.mark.parametrize("secret_by", ["file", "environment"])
    def test_its_configuration_is_one_that_pubcellar_accepts(self, secret_by: str) -> None:
        proxy = ProxyProcess(
            5347,
            "not-a-real-secret",
            allow=("pubsub.localhost", "counting.localhost"),
            tables={"cache": {"verify_every": "1m"}, "analyser": [NOTES]},
            secret_by=secret_by,
        )
        argv = [sys.executable, "-m", "pubcellar", "check", "--config", str(proxy.config_path)]
        try:
            done = subprocess.run(argv, capture_output=True, text=True, env=proxy.process.env)
        finally:
            proxy.remove()

        assert done.returncode == 0, done.stdout + done.stderr
        assert "not-a-real-secret" not in done.stdout + done.stderr

    async def test_a_process_that_ends_instead_of_connecting_fails_with_its_log(self) -> None:
        proxy = ProxyProcess(5347, "secret", tables={"cache": {"no_such_key": 1}})
        try:
            with pytest.raises(RuntimeError, match="no_such_key"):
                await proxy.start()
        finally:
            proxy.remove()


async def test_waiting_in_vain_says_for_what() -> None:
    with pytest.raises(TimeoutError, match="pigs to fly"):
        await wait_until(lambda: False, "pigs to fly", deadline_seconds=0.01)


def test_tables_are_written_as_toml_reads_them() -> None:
    tables = {
        "upstream": {"allow": ["a", 'b"\\'], "timeout": "10s"},
        "cache": {"max_nodes": 3, "check_open": True},
        "analyser": [{"name": "notes"}, {"name": "more"}],
    }
    assert tomllib.loads(render_toml(tables)) == tables
