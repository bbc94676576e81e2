"""In whose name, of whom and for whom: threats 4, 5, 6, 9 and 14."""

import pytest
from playbook import DISCO_ITEMS, PUBSUB, Cellar, Service, info, item_ids, items, listing
from playbook.cellar import ROMEO

CACHE = "cache.example.org"
ALIAS = rf"juliet\40capulet.lit@{CACHE}/balcony"
OWNER = f"{PUBSUB}#owner"
COMMANDS = "http://jabber.org/protocol/commands"
CONTENT = "<items node='notes/a'><item id='i1'><n xmlns='urn:n'/></item></items>"


class TestOurOwnRights:
    """Threat 4: what somebody asks for never goes out in the proxy's own name."""

    @pytest.mark.parametrize(
        "payload",
        [
            items("notes/a"),
            items("x"),
            info("notes/a"),
            listing("notes/a"),
            listing(),
            f"<pubsub xmlns='{PUBSUB}'><subscriptions/></pubsub>",
            f"<pubsub xmlns='{PUBSUB}'><affiliations/></pubsub>",
            f"<pubsub xmlns='{PUBSUB}'><options node='notes/a' jid='{CACHE}'/></pubsub>",
            f"<pubsub xmlns='{OWNER}'><configure node='notes/a'/></pubsub>",
            f"<pubsub xmlns='{OWNER}'><affiliations node='notes/a'/></pubsub>",
            f"<pubsub xmlns='{OWNER}'><default/></pubsub>",
        ],
    )
    async def test_threat_4_what_is_asked_for_somebody_is_asked_by_their_alias(
        self, cellar: Cellar, payload: str
    ) -> None:
        cellar.asks(payload)
        asked = await cellar.next()
        assert (asked.sender, asked.recipient) == (ALIAS, "pubsub.example.org")
        cellar.refuses(asked, "forbidden", "auth")
        assert (await cellar.next()).condition == "auth/forbidden"
        await cellar.idle()

    async def test_threat_4_a_stranger_s_read_gets_no_synchronisation_of_a_node_they_may_not_read(
        self, cellar: Cellar, service: Service
    ) -> None:
        """Nor does what we may read ourselves tell them anything."""
        node = cellar.stands_behind(service).has("notes/a", ["i1"])
        node.outcasts.add(ALIAS)
        answer = await cellar.answer(items("notes/a"))
        assert answer.condition == "auth/forbidden"
        await cellar.settled()
        assert service.asked == [f"items notes/a for {ALIAS}"]

    @pytest.mark.parametrize(
        "sender",
        [
            CACHE,
            f"{CACHE}/x",
            ALIAS,
            rf"juliet\5c40capulet.lit\40{CACHE}@proxy.example.net/x",
            rf"juliet\5c5c40capulet.lit\5c40{CACHE}\40one.example@two.example",
        ],
    )
    @pytest.mark.parametrize("to", [CACHE, f"other.example.org@{CACHE}"])
    async def test_threat_4_what_went_through_us_before_is_refused(
        self, cellar: Cellar, sender: str, to: str
    ) -> None:
        answer = await cellar.answer(items("x"), sender=sender, to=to)
        assert answer.condition == "cancel/not-allowed"
        await cellar.idle()

    @pytest.mark.parametrize("type_", ["get", "set"])
    @pytest.mark.parametrize(
        "local_part",
        ["pubsub.evil.example", r"juliet\40capulet.lit", CACHE, rf"pubsub.example.org\40{CACHE}"],
    )
    async def test_threat_4_nobody_has_us_ask_whom_we_are_not_to_ask(
        self, cellar: Cellar, local_part: str, type_: str
    ) -> None:
        """An open proxy would let anybody send requests to anybody."""
        answer = await cellar.answer(items("x"), to=f"{local_part}@{CACHE}", type_=type_)
        assert answer.kind == "error"
        await cellar.idle()

    @pytest.mark.parametrize(
        "content",
        [
            "<body>Wherefore art thou?</body>",
            f"<event xmlns='{PUBSUB}#event'>{CONTENT}</event>",
            "<x xmlns='jabber:x:conference' jid='room@chat.evil.example'/>",
            f"<forwarded xmlns='urn:xmpp:forward:0'><message to='{CACHE}'/></forwarded>",
        ],
    )
    @pytest.mark.parametrize("type_", ["chat", "normal", "headline", "groupchat", "error"])
    async def test_threat_4_an_alias_is_nobody_s_mailbox(
        self, cellar: Cellar, content: str, type_: str
    ) -> None:
        for sender in ("mallory@evil.example/x", "pubsub.example.org", "other.example.org"):
            cellar.receives(
                f"<message type='{type_}' from='{sender}' to='{ALIAS}'>{content}</message>"
            )
            cellar.receives(f"<presence type='subscribe' from='{sender}' to='{ALIAS}'/>")
        await cellar.idle()


class TestLeaks:
    """Threats 5 and 6: what the service gives one, or lists to one, is not for everybody."""

    @pytest.mark.parametrize("model", ["whitelist", "authorize", "presence", "roster", None, "new"])
    async def test_threat_5_what_one_may_read_of_a_closed_node_is_not_given_to_another(
        self, cellar: Cellar, service: Service, model: str | None
    ) -> None:
        node = cellar.stands_behind(service).has("notes/a", ["i1"])
        node.access_model, node.admits_everybody = model, True
        node.outcasts.add(rf"romeo\40montague.lit@{CACHE}/orchard")
        for _ in range(2):
            assert item_ids(await cellar.result(items("notes/a"))) == ["i1"]
            await cellar.settled()
            for payload in (
                items("notes/a"),
                items("notes/a", ids=["i1"]),
                items("notes/a", max_items=1),
                items("notes/a", page="<max>1</max>"),
            ):
                answer = await cellar.answer(payload, sender=ROMEO)
                assert answer.condition == "auth/forbidden"

    async def test_threat_6_a_node_listed_to_one_is_not_listed_to_another(
        self, cellar: Cellar
    ) -> None:
        def lists(name: str) -> str:
            entry = f"<item jid='pubsub.example.org' node='{name}'/>"
            return f"<query xmlns='{DISCO_ITEMS}'>{entry}</query>"

        for sender, name in (("juliet@capulet.lit/x", "secret"), (ROMEO, "public")):
            cellar.asks(listing(), sender=sender)
            cellar.answers(await cellar.next(), lists(name))
            await cellar.next()
        for sender, name in (("juliet@capulet.lit/y", "secret"), (ROMEO, "public")):
            answer = await cellar.result(listing(), sender=sender)
            assert [one.get("node") for one in answer.iter() if one.get("node")] == [name]

    async def test_threat_6_an_answer_tells_nothing_of_who_else_asked(
        self, cellar: Cellar, service: Service
    ) -> None:
        await cellar.holds(service, "notes/a", ["i1"], sender=ROMEO)
        for payload in (info(), info("notes/a"), listing(), listing("notes/a"), items("notes/a")):
            answer = await cellar.answer(payload)
            assert b"romeo" not in answer.raw


class TestSpellings:
    """Threat 9: two spellings never mean one address."""

    @pytest.mark.parametrize(
        "local_part",
        [
            r"\20pubsub.example.org",
            r"pubsub.example.org\20",
            r"pubsub.example.org\5c20",
            r"\5cpubsub.example.org",
            r"pubsub.example.org\2f",
            r"pubsub.example.org\2fx",
            r"romeo\5c40montague.lit",
            r"romeo\5c5c40montague.lit",
            r"romeo\40montague.lit\2forchard",
            r"romeo\40montague.lit\40montague.lit",
            r"\40montague.lit",
            "pubsub.example.org.",
            "pubsub..example.org",
            "pubsub.example.org\\",
            "x" * 1024,
        ],
    )
    async def test_threat_9_an_address_written_otherwise_stands_for_nothing(
        self, cellar: Cellar, local_part: str
    ) -> None:
        cellar.asks(items("x"), to=f"{local_part}@{CACHE}")
        await cellar.settled()
        sent = [cellar._sent.popleft() for _ in range(len(cellar._sent))]
        assert [one.condition for one in sent] in ([], ["cancel/item-not-found"])

    @pytest.mark.parametrize(
        "spelt",
        [
            "Other.Example.ORG",
            "other.example.org",
            "\u2134ther.example.org",
            "\uff4fther.example.org",
            "other.exam\u00adple.org",
        ],
    )
    async def test_threat_9_what_normalising_makes_equal_is_one_address(
        self, cellar: Cellar, spelt: str
    ) -> None:
        """RFC 6122 appendix A: case, compatibility and invisible characters are folded first."""
        cellar.asks(items("x"), to=f"{spelt}@{CACHE}")
        assert (await cellar.next()).recipient == "other.example.org"

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (r"a\40b@capulet.lit", "a@b"),
            (r"a\5c40b@capulet.lit", r"a\40b@capulet.lit"),
            ("capulet.lit", r"capulet.lit@capulet.lit"),
            ("ß@capulet.lit", "sS@capulet.lit.example"),
            ("a@bücher.example", "a@xn--bcher-kva.example"),
        ],
    )
    async def test_threat_9_two_users_never_have_one_alias(
        self, cellar: Cellar, one: str, other: str
    ) -> None:
        aliases = set()
        for sender in (one, other):
            cellar.asks(items("x"), sender=sender)
            aliases.add((await cellar.next()).sender)
        assert len(aliases) == 2


class TestCommands:
    """Threat 14: there are none in this version, for whoever it is."""

    @pytest.mark.parametrize("sender", ["admin@example.org/x", "example.org", ROMEO])
    @pytest.mark.parametrize("node", ["purge", "http://jabber.org/protocol/admin#shutdown", ""])
    async def test_threat_14_no_command_is_executed_or_listed(
        self, start, sender: str, node: str
    ) -> None:
        cellar: Cellar = await start("[admin]\njids = ['admin@example.org']\n")
        for more in ("", " sessionid='1'", " action='complete' sessionid='1'"):
            command = f"<command xmlns='{COMMANDS}' node='{node}'{more}/>"
            answer = await cellar.answer(command, sender=sender, type_="set")
            assert answer.condition == "cancel/service-unavailable"
        await cellar.idle()
        cellar.asks(listing(COMMANDS), sender=sender)
        asked = await cellar.next()
        assert asked.recipient == "pubsub.example.org", "it is a node of the service like any"
