"""XML goes through as it came."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pubcellar.core.namespaces import NS_COMPONENT_ACCEPT, NS_PUBSUB
from pubcellar.xmpp.stanzas import (
    MalformedXML,
    children,
    iq,
    lang_of,
    name_of,
    namespace_of,
    parse_element,
    parse_stanza,
    serialised,
)
from xmpp.xml_trees import NASTY, TEXTS, assert_same, canonical, elements, written

HEADER = {"db": "jabber:server:dialback", "p": "urn:declared-by-the-header"}


def item(payload: str) -> str:
    return f"<item xmlns='{NS_PUBSUB}' id='1'>{payload}</item>"


class TestFidelity:
    @pytest.mark.parametrize("payload", NASTY.values(), ids=NASTY)
    def test_an_item_is_the_same_after_parsing_and_writing(self, payload: str) -> None:
        original = item(payload)
        once = serialised(parse_element(original))
        assert_same(original, once)
        assert serialised(parse_element(once)) == once

    @pytest.mark.parametrize("payload", NASTY.values(), ids=NASTY)
    def test_an_item_cut_out_of_a_stanza_is_the_same(self, payload: str) -> None:
        raw = (
            "<iq type='result' xmlns:q='urn:of-the-iq'><pubsub "
            f"xmlns='{NS_PUBSUB}'><items node='n'><item id='1'>{payload}</item> tail</items>"
            "</pubsub></iq>"
        )
        stanza = parse_stanza(raw.encode(), HEADER)
        (cut_out,) = stanza.iter("{*}item")
        assert canonical(serialised(cut_out)) == canonical(item(payload))
        assert_same(cut_out, serialised(cut_out))

    @given(elements())
    def test_any_item_is_the_same_cut_out_of_a_stanza(self, payload: str) -> None:
        raw = f"<iq><items xmlns='{NS_PUBSUB}'><item id='1'>{payload}</item></items></iq>"
        (cut_out,) = parse_stanza(raw.encode(), {}).iter("{*}item")
        once = serialised(cut_out)
        assert_same(item(payload), once)
        assert serialised(parse_element(once)) == once

    @pytest.mark.parametrize("name", ["a b", "ü", "%", "http://[", "&lt;&quot;&amp;&apos;>"])
    def test_a_namespace_that_is_no_uri_is_kept(self, name: str) -> None:
        """XMPP servers let those through; canonical XML does not know them."""
        original = parse_element(item(f"<a xmlns='{name}' xmlns:p='p{name}'><p:b p:c='1'/></a>"))
        once = parse_element(serialised(original))
        seen = [
            [(each.tag, each.attrib, each.nsmap) for each in x.iter()] for x in (original, once)
        ]
        assert seen[0] == seen[1]
        assert len(seen[0]) == 3

    def test_prefixes_of_the_stream_header_are_declared_on_what_stands_for_itself(self) -> None:
        stanza = parse_stanza(b"<iq><db:a p:b='db:name'/></iq>", HEADER)
        text = serialised(stanza[0])
        assert parse_element(text).tag == "{jabber:server:dialback}a"
        assert parse_element(text).nsmap["p"] == HEADER["p"]

    def test_a_header_s_namespace_is_written_safely(self) -> None:
        assert parse_stanza(b"<iq><q:a/></iq>", {"q": "urn:\"'&"})[0].tag == "{urn:\"'&}a"


class TestParseElement:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            " ",
            "text",
            "<a>",
            "</a>",
            "<a/><b/>",
            "<a/>text",
            "<a b='1' b='2'/>",
            "<a b=1/>",
            "<a>&foo;</a>",
            "<a>\x00</a>",
            "<a>&#0;</a>",
            "<a>\x1b</a>",
            pytest.param("<a>\ud800</a>", id="surrogate"),
            pytest.param(b"<a>\xff</a>", id="no UTF-8"),
            pytest.param("<p:a/>", id="prefix not declared"),
            pytest.param("<a p:b='1'/>", id="prefix of an attribute not declared"),
            pytest.param("<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>", id="attribute twice"),
            pytest.param("<a xmlns:p=''/>", id="prefix for no namespace"),
            pytest.param("<!DOCTYPE a><a/>", id="document type"),
            pytest.param("<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>", id="entity"),
            pytest.param("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", id="external subset"),
            pytest.param(
                "<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/hostname'>]><a>&e;</a>",
                id="external entity",
            ),
            pytest.param("<a><!-- c --></a>", id="comment"),
            pytest.param("<a><b/><?p i?></a>", id="instruction"),
            pytest.param("<a>" * 300 + "</a>" * 300, id="too deep for libxml2"),
        ],
    )
    def test_what_is_no_single_element_without_what_xmpp_forbids_is_refused(
        self, text: str | bytes
    ) -> None:
        """RFC 6120 section 11.1 and Namespaces in XML 1.0 sections 5 to 7."""
        with pytest.raises(MalformedXML):
            parse_element(text)

    def test_text_and_bytes_are_the_same(self) -> None:
        assert serialised(parse_element("<a>é</a>")) == serialised(
            parse_element("<a>é</a>".encode())
        )

    @pytest.mark.parametrize("end", ["<p:c/>", "<c d='1' d='2'/>", "<c>", "<!-- c -->", "&foo;"])
    @pytest.mark.parametrize("count", [1, 200])
    def test_nothing_hides_behind_namespaces_that_are_no_uris(self, count: int, end: str) -> None:
        odd = "".join(f"<b xmlns='no uri {number}'/>" for number in range(count))
        assert len(parse_element(f"<a>{odd}</a>")) == count
        with pytest.raises(MalformedXML):
            parse_element(f"<a>{odd}{end}</a>")


class TestParseStanza:
    def test_it_is_in_the_component_s_namespace(self) -> None:
        stanza = parse_stanza(b"<message><body/></message>", {})
        assert namespace_of(stanza) == namespace_of(stanza[0]) == NS_COMPONENT_ACCEPT

    @pytest.mark.parametrize(
        "raw", [b"", b" ", b"<a/><b/>", b"</stream><stream>", b"<a>", b"<x:a/>", b"<a/></stream>"]
    )
    def test_anything_but_one_stanza_is_refused(self, raw: bytes) -> None:
        with pytest.raises(MalformedXML):
            parse_stanza(raw, {})


def test_children_are_elements_alone() -> None:
    assert [name_of(child) for child in children(parse_element("<a>x<b/>y<c/></a>"))] == ["b", "c"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<a xml:lang='de'/>", "de"),
        ("<a lang='de'/>", None),
        ("<a/>", None),
        ("<a xml:lang=''/>", ""),
    ],
)
def test_the_language_is_that_of_the_element_itself(text: str, expected: str | None) -> None:
    assert lang_of(parse_element(text)) == expected


@given(TEXTS, TEXTS, TEXTS, st.none() | TEXTS, TEXTS)
def test_an_iq_carries_any_text_unchanged(
    id_: str, sender: str, recipient: str, lang: str | None, content: str
) -> None:
    payload = f"<a xmlns='urn:1'>{written(content)}</a>"
    stanza = parse_stanza(
        iq("get", id_=id_, sender=sender, recipient=recipient, payload=payload, lang=lang), {}
    )
    attributes = {name: stanza.get(name) for name in ("type", "id", "from", "to")}
    assert attributes == {"type": "get", "id": id_, "from": sender, "to": recipient}
    assert lang_of(stanza) == lang
    assert stanza[0].tag == "{urn:1}a"
    assert (stanza[0].text or "") == content


def test_an_iq_without_language_has_no_such_attribute() -> None:
    written_iq = iq("result", id_="1", sender="a@b", recipient="c@d")
    assert written_iq == b'<iq type="result" id="1" from="a@b" to="c@d"></iq>'
