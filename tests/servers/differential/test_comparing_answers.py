"""A comparison that never finds anything is worth nothing: each kind of difference is found."""

import pytest
from harness import Reply
from harness.stanzas import element

from differential.answers import ANY_TEXT, Answer, Failure, answer_of, differences

NS_CLIENT = "jabber:client"
NS_PUBSUB = "http://jabber.org/protocol/pubsub"
NS_RSM = "http://jabber.org/protocol/rsm"
SET = f"<set xmlns='{NS_RSM}'><first index='0'>one</first><last>two</last><count>2</count></set>"


def items(*ids: str, node: str = "n", page: str = "", text: str = "") -> Answer:
    listed = "".join(f"<item id='{one}'><p xmlns='urn:p'>{text}</p></item>" for one in ids)
    return result(
        f"<pubsub xmlns='{NS_PUBSUB}'><items node='{node}'>{listed}</items>{page}</pubsub>"
    )


def result(payload: str, attributes: str = "type='result'") -> Answer:
    return answer_of(Reply(element(f"<iq xmlns='{NS_CLIENT}' {attributes}>{payload}</iq>")))


def error(inner: str, kind: str = "cancel", echo: str = "") -> Answer:
    return result(f"{echo}<error type='{kind}'>{inner}</error>", "type='error'")


def condition(name: str) -> str:
    return f"<{name} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"


def said(expected: Answer, actual: Answer) -> str:
    return " ".join(differences(expected, actual))


class TestWhatIsFound:
    def test_missing_item(self) -> None:
        assert "lacks" in said(items("one", "two"), items("one"))

    def test_item_too_many(self) -> None:
        assert "has" in said(items("one"), items("one", "two"))

    def test_item_that_comes_twice(self) -> None:
        assert "has" in said(items("one"), items("one", "one"))

    def test_other_order(self) -> None:
        assert "another order" in said(items("one", "two"), items("two", "one"))

    def test_old_payload(self) -> None:
        assert said(items("one", text="new"), items("one", text="old"))

    def test_white_space_within_a_payload(self) -> None:
        assert said(items("one", text=" a"), items("one", text="a"))

    def test_other_attribute_of_an_item(self) -> None:
        pubsub = f"<pubsub xmlns='{NS_PUBSUB}'><items node='n'><item id='1'%s/></items></pubsub>"
        assert said(result(pubsub % " publisher='a@b'"), result(pubsub % ""))

    def test_other_node(self) -> None:
        assert "surrounded" in said(items("one"), items("one", node="m"))

    def test_page_where_there_should_be_none(self) -> None:
        assert "<set/>" in said(items("one", "two"), items("one", "two", page=SET))
        assert "<set/>" in said(items("one", "two", page=SET), items("one", "two"))

    @pytest.mark.parametrize(
        ("right", "wrong", "what"),
        [
            ("<count>2</count>", "<count>3</count>", "count"),
            ("<count>2</count>", "", "count"),
            ("index='0'", "index='1'", "index"),
            ("index='0'", "", "index"),
            ("<last>two</last>", "", "last"),
        ],
    )
    def test_wrong_page(self, right: str, wrong: str, what: str) -> None:
        assert SET.count(right) == 1
        page = SET.replace(right, wrong)
        assert what in said(items("one", "two", page=SET), items("one", "two", page=page))

    def test_error_instead_of_an_answer_and_the_other_way_round(self) -> None:
        refused = error(condition("forbidden"))
        assert said(items("one"), refused)
        assert said(refused, items("one"))
        assert said(refused, items())

    @pytest.mark.parametrize(
        "other",
        [
            error(condition("forbidden"), kind="auth"),
            error(condition("item-not-found")),
            error(
                condition("forbidden")
                + "<closed-node xmlns='http://jabber.org/protocol/pubsub#errors'/>"
            ),
            error(
                condition("forbidden")
                + "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>No.</text>"
            ),
        ],
        ids=["type", "condition", "application condition", "text"],
    )
    def test_other_error(self, other: Answer) -> None:
        assert said(error(condition("forbidden")), other)
        assert said(other, error(condition("forbidden")))


class TestWhatIsLeftOut:
    def test_prefixes_and_unused_namespaces(self) -> None:
        spelt = (
            f"<x:pubsub xmlns:x='{NS_PUBSUB}' xmlns:unused='urn:u'><x:items node='n'>"
            "<x:item id='one'><y:p xmlns:y='urn:p'/></x:item></x:items></x:pubsub>"
        )
        assert not said(items("one"), result(spelt))

    def test_stanza_s_id_and_addresses(self) -> None:
        assert not said(result("", "type='result' id='1' from='a'"), result("", "type='result'"))

    def test_number_of_subscribers(self) -> None:
        form = (
            "<query xmlns='http://jabber.org/protocol/disco#info'><x xmlns='jabber:x:data'>"
            "<field var='pubsub#%s'><value>%s</value></field></x></query>"
        )
        assert not said(
            result(form % ("num_subscribers", 1)), result(form % ("num_subscribers", 2))
        )
        assert said(result(form % ("title", 1)), result(form % ("title", 2)))

    def test_echo_of_the_request_in_an_error(self) -> None:
        refused = condition("forbidden")
        assert not said(error(refused), error(refused, echo=f"<pubsub xmlns='{NS_PUBSUB}'/>"))

    def test_tokens_unless_they_are_known(self) -> None:
        other = SET.replace("one", "2026-11-20T12:00:00Z")
        ours, theirs = items("one", "two", page=other), items("one", "two", page=SET)
        assert not differences(theirs, ours)
        assert differences(theirs, ours, same_tokens=True)

    def test_text_of_an_error_of_the_proxy_s_own(self) -> None:
        own = Answer(Failure("cancel", "item-not-found", None, ANY_TEXT))
        assert not said(own, error(condition("item-not-found")))
        assert said(own, error(condition("forbidden")))
