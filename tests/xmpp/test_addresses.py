"""Addresses of ours, of services and of users (docs/architecture.md, "Addresses")."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pubcellar.core.errors import ForwardingLoop, NotAllowed, ServiceNotProxied
from pubcellar.core.escaping import escaped, unescaped
from pubcellar.core.values import BareJID
from pubcellar.xmpp.addresses import Addresses, bare_jid, requester

COMPONENT = BareJID("cache.example.org")
DEFAULT = BareJID("pubsub.example.org")

ADDRESSES = Addresses(
    COMPONENT, DEFAULT, ["pubsub.example.org", "*.other.org", "juliet@capulet.lit", "*@open.lit"]
)
OPEN = Addresses(COMPONENT, None, ["*"])

LOCAL_PARTS = st.text(st.sampled_from("abcxyz0123456789\\-._~!#$%+?{}|äß日"), max_size=20)
DOMAINS = st.sampled_from(["example.org", "a.b", "bücher.example", "xn--bcher-kva.example", "h"])
RESOURCES = st.text(st.sampled_from("aB9 /@\\:<>&'\"ö"), max_size=10)


def ours(local_part: str) -> BareJID:
    return BareJID(f"{local_part}@{COMPONENT}")


class TestRequester:
    @pytest.mark.parametrize(
        ("address", "full", "bare"),
        [
            ("juliet@capulet.lit/Balcony", "juliet@capulet.lit/Balcony", "juliet@capulet.lit"),
            ("Juliet@Capulet.LIT/Balcony", "juliet@capulet.lit/Balcony", "juliet@capulet.lit"),
            ("STRASSE@Bücher.Example", "strasse@bücher.example", "strasse@bücher.example"),
            ("Straße@a.b", "strasse@a.b", "strasse@a.b"),
            ("pubsub.example.org", "pubsub.example.org", "pubsub.example.org"),
            ("pubsub.example.org/x", "pubsub.example.org/x", "pubsub.example.org"),
            ("a@b/c@d/e", "a@b/c@d/e", "a@b"),
            ("a@b/", "a@b", "a@b"),
            (r"juliet\40Capulet.lit@c", r"juliet\40capulet.lit@c", r"juliet\40capulet.lit@c"),
            (r"a\2Fb@c", r"a\2fb@c", r"a\2fb@c"),
            ("a@b.", "a@b", "a@b"),
            ("a@b.c./R", "a@b.c/R", "a@b.c"),
        ],
    )
    def test_an_address_is_normalised(self, address: str, full: str, bare: str) -> None:
        """RFC 6122 appendices A and B: nodeprep folds case, resourceprep does not."""
        assert (requester(address).full, requester(address).bare) == (full, bare)
        assert bare_jid(address) == bare

    @pytest.mark.parametrize(
        "address",
        [
            "",
            "@",
            "a@",
            "a@/c",
            "/c",
            "a b@c",
            "a@b@c",
            "a&b@c",
            "<@c",
            "a'@c",
            'a"@c',
            " ",
            ".",
            "a@.",
            "a..b",
            "a@b..c",
            "a@b..",
            "..",
            "a@ b",
            "a\x00@b",
            "a\u2003@b",
        ],
    )
    def test_what_is_no_address_is_refused(self, address: str) -> None:
        with pytest.raises(ValueError, match="not a JID"):
            requester(address)

    @given(st.text(max_size=20))
    def test_any_text_is_an_address_or_refused(self, text: str) -> None:
        try:
            found = requester(text)
        except ValueError:
            return
        assert requester(found.full) == found
        assert bare_jid(found.bare) == found.bare


class TestService:
    @pytest.mark.parametrize(
        ("asked", "service"),
        [
            (COMPONENT, DEFAULT),
            (ours("pubsub.example.org"), "pubsub.example.org"),
            (ours("pubsub.other.org"), "pubsub.other.org"),
            (ours(r"juliet\40capulet.lit"), "juliet@capulet.lit"),
            (ours(r"romeo\40open.lit"), "romeo@open.lit"),
            (ours(r"d\5c27artagnan\40open.lit"), r"d\27artagnan@open.lit"),
        ],
    )
    def test_an_address_stands_for_a_service_that_is_allowed(
        self, asked: BareJID, service: str
    ) -> None:
        assert ADDRESSES.service(asked) == service

    @pytest.mark.parametrize(
        "local_part",
        [
            "pubsub.evil.org",
            "other.org",
            "pubsub.other.org.evil.org",
            r"romeo\40capulet.lit",
            r"juliet\40capulet.lit\2fbalcony",
            "juliet",
            r"juliet\40capulet.lit\40x",
            # Not canonical, not an address, not normalised: two spellings never mean one service.
            r"pubsub.example.org\5c",
            r"\5cpubsub.example.org",
            r"\20pubsub.example.org",
            r"pubsub..other.org",
            "pubsub.example.org.",
            "Pubsub.Example.Org",
            "\\40",
            "pubsub.example.org\\",
        ],
    )
    def test_any_other_address_stands_for_nothing(self, local_part: str) -> None:
        with pytest.raises(ServiceNotProxied):
            ADDRESSES.service(ours(local_part))

    @pytest.mark.parametrize(
        "local_part",
        [
            "cache.example.org",
            r"pubsub.example.org\40cache.example.org",
            r"juliet\5c40capulet.lit\40cache.example.org",
        ],
    )
    def test_we_never_stand_for_ourselves(self, local_part: str) -> None:
        with pytest.raises(ServiceNotProxied):
            OPEN.service(ours(local_part))

    def test_a_proxy_that_is_open_stands_for_every_address(self) -> None:
        assert OPEN.service(ours("pubsub.evil.org")) == "pubsub.evil.org"
        assert OPEN.service(ours(r"a\40b.c")) == "a@b.c"
        for no_address in (r"a\20b", "a..b", r"a\40b\40c", r"a\2fb\40c"):
            with pytest.raises(ServiceNotProxied):
                OPEN.service(ours(no_address))

    def test_without_a_default_our_own_address_stands_for_none(self) -> None:
        assert OPEN.service(COMPONENT) is None

    def test_matching_does_not_depend_on_the_machine(self) -> None:
        """`fnmatch` would fold case on some systems, and JIDs are folded already."""
        addresses = Addresses(COMPONENT, None, ["*.Other.org"])
        with pytest.raises(ServiceNotProxied):
            addresses.service(ours("pubsub.other.org"))

    @given(LOCAL_PARTS, LOCAL_PARTS)
    def test_two_addresses_never_stand_for_one_service(self, one: str, other: str) -> None:
        assume(one != other)
        found = []
        for local_part in (one, other):
            try:
                found.append(OPEN.service(ours(local_part)))
            except ServiceNotProxied:
                found.append(None)
        assert found[0] is None or found[0] != found[1]


class TestIsOurs:
    @pytest.mark.parametrize(
        ("address", "expected"),
        [
            ("cache.example.org", True),
            ("pubsub.other.org@cache.example.org", True),
            ("example.org", False),
            ("x.cache.example.org", False),
            ("cache.example.org@other.org", False),
            ("xcache.example.org", False),
        ],
    )
    def test_only_our_domain_is_ours(self, address: str, expected: bool) -> None:
        assert ADDRESSES.is_ours(BareJID(address)) is expected


class TestAlias:
    @pytest.mark.parametrize(
        ("user", "alias"),
        [
            ("juliet@capulet.lit/Balcony", r"juliet\40capulet.lit@cache.example.org/Balcony"),
            ("juliet@capulet.lit", r"juliet\40capulet.lit@cache.example.org"),
            ("Juliet@Capulet.lit", r"juliet\40capulet.lit@cache.example.org"),
            ("capulet.lit", "capulet.lit@cache.example.org"),
            ("käse@bücher.example/x", r"käse\40bücher.example@cache.example.org/x"),
            ("a@b/c@d/e f", r"a\40b@cache.example.org/c@d/e f"),
            (r"a\2fb@c", r"a\5c2fb\40c@cache.example.org"),
            (r"one\40two@three.four", r"one\5c40two\40three.four@cache.example.org"),
        ],
    )
    def test_a_user_stands_in_the_local_part_and_keeps_the_resource(
        self, user: str, alias: str
    ) -> None:
        assert ADDRESSES.alias(requester(user)) == alias

    @given(LOCAL_PARTS, DOMAINS, RESOURCES)
    def test_an_alias_is_an_address_that_gives_back_the_user(
        self, local_part: str, domain: str, resource: str
    ) -> None:
        text = (f"{local_part}@" if local_part else "") + domain
        try:
            user = requester(f"{text}/{resource}" if resource else text)
        except ValueError:
            return
        alias = requester(ADDRESSES.alias(user))
        assert alias.full == ADDRESSES.alias(user), "not normalised"
        local, _, ours_domain = alias.bare.rpartition("@")
        assert unescaped(local) == user.bare
        assert ours_domain == COMPONENT
        assert alias.full.removeprefix(alias.bare) == user.full.removeprefix(user.bare)

    @given(LOCAL_PARTS, LOCAL_PARTS)
    def test_two_users_never_have_one_alias(self, one: str, other: str) -> None:
        users = {bare_jid(f"{name or 'x'}@a.b") for name in (one, other)}
        aliases = {ADDRESSES.alias(requester(user)) for user in users}
        assert len(aliases) == len(users)

    def test_a_local_part_is_at_most_1023_bytes_long(self) -> None:
        """RFC 7622 section 3.3.1; `@` takes three bytes in it."""
        longest = "ä" * 508 + "x@a.b"
        assert len(escaped(longest).encode()) == 1023
        assert ADDRESSES.alias(requester(longest)).startswith("ä")
        with pytest.raises(NotAllowed):
            ADDRESSES.alias(requester(f"x{longest}"))

    def test_an_alias_has_no_alias(self) -> None:
        with pytest.raises(ForwardingLoop):
            ADDRESSES.alias(requester(r"juliet\40capulet.lit@cache.example.org/x"))


class TestLoops:
    @pytest.mark.parametrize(
        "address",
        [
            "cache.example.org",
            r"juliet\40capulet.lit@cache.example.org",
            r"juliet\5c40capulet.lit\40cache.example.org@proxy.two",
            "cache.example.org@proxy.two",
        ],
    )
    def test_what_has_been_through_us_is_refused(self, address: str) -> None:
        with pytest.raises(ForwardingLoop, match="this proxy"):
            ADDRESSES.refuse_loop(BareJID(address))

    @pytest.mark.parametrize(
        "address",
        [
            "juliet@capulet.lit",
            "capulet.lit",
            r"juliet\40capulet.lit@proxy.two",
            r"juliet\5c40capulet.lit\40proxy.two@proxy.three",
            r"not\5canonical@capulet.lit",
        ],
    )
    def test_a_stranger_is_not(self, address: str) -> None:
        ADDRESSES.refuse_loop(BareJID(address))

    @pytest.mark.parametrize(("proxies", "is_refused"), [(6, False), (20, True)])
    def test_a_chain_of_proxies_has_an_end(self, proxies: int, is_refused: bool) -> None:
        address = "juliet@capulet.lit"
        for number in range(proxies):
            address = f"{escaped(address)}@proxy{number}.lit"
        if is_refused:
            with pytest.raises(ForwardingLoop, match="too many"):
                ADDRESSES.refuse_loop(BareJID(address))
        else:
            ADDRESSES.refuse_loop(BareJID(address))

    @given(st.integers(0, 6))
    def test_we_are_found_behind_other_proxies(self, proxies: int) -> None:
        address = r"juliet\40capulet.lit@cache.example.org"
        for number in range(proxies):
            address = f"{escaped(address)}@proxy{number}.lit"
        with pytest.raises(ForwardingLoop):
            ADDRESSES.refuse_loop(BareJID(address))
