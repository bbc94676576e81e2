"""Entries as clients publish them, and as nobody should."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pubcellar.analysers import PubsubCache, register_builtin
from pubcellar.analysers.json_object import json_object
from pubcellar.core.counters import Counters, Happened
from pubcellar.core.ports import Verdict
from pubcellar.core.values import BareJID, Item, NodeKey

SERVICE = BareJID("pubsub.example.org")
KEY = NodeKey(SERVICE, "urn:xmpp:microblog:0")

MOVIM = """
<entry xmlns='http://www.w3.org/2005/Atom'>
  <title type='text'>A walk &amp; a photo</title>
  <id>tag:example.org,2026-03-01:posts-walk</id>
  <published>2026-03-01T09:30:00.250+01:00</published>
  <updated>2026-03-02T10:00:00Z</updated>
  <author><name>Juliet</name><uri>xmpp:juliet@capulet.lit</uri></author>
  <category term='walks'/><category term='verona'/><category term='walks'/>
  <content type='xhtml'>
    <div xmlns='http://www.w3.org/1999/xhtml'>
      <h1>Morning</h1><p>Along   the <em>river</em>,
      then up.</p><script>alert(1)</script><ul><li>bread</li><li>cheese</li></ul>
    </div>
  </content>
  <link rel='enclosure' href='https://upload.example.org/1/photo.jpg' type='image/jpeg'
        title='photo.jpg' length='48213'/>
  <link rel='alternate' href='xmpp:pubsub.example.org?;node=blog;item=walk'/>
  <link rel='alternate' type='text/html' href='https://social.example.org/blog/walk'/>
  <link rel='replies' title='other' href='xmpp:elsewhere.lit?;node=x'/>
  <link rel='replies' title='comments'
        href='xmpp:comments.example.org?;node=urn%3Axmpp%3Amicroblog%3A0%3Acomments%2Fwalk'/>
</entry>"""

LIBERVIA = """
<entry xmlns='http://www.w3.org/2005/Atom' xml:lang='fr'>
  <title type='text'>Le cache</title>
  <title type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'><p>Le <b>cache</b></p></div></title>
  <content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'><p>Ça <i>va</i>.</p>
  </div></content>
  <content type='text'>Ça *va*.

Deuxième paragraphe.</content>
  <author><name>Louise</name><uri>xmpp:louise@example.org</uri><email>l@example.org</email></author>
  <updated>2026-01-05T08:00:00Z</updated>
  <published>2026-01-05T08:00:00Z</published>
  <id>xmpp:pubsub.example.org?;node=blog;item=le-cache</id>
  <link rel='replies' title='comments' xmlns:thr='http://purl.org/syndication/thread/1.0'
        thr:count='3' href='xmpp:pubsub.example.org?;node=urn:xmpp:microblog:0:comments/le-cache'/>
  <link rel='replies' title='comments' href='https://example.org/comments'/>
</entry>"""

REPLY = """
<entry xmlns='http://www.w3.org/2005/Atom' xmlns:thr='http://purl.org/syndication/thread/1.0'>
  <title>I agree.</title>
  <id>tag:example.org,2026:reply</id>
  <thr:in-reply-to ref='tag:example.org,2026:post' type='application/xhtml+xml'
                   href='xmpp:pubsub.example.org?;node=blog;item=post'/>
  <link rel='via' ref='tag:example.org,2026:post' href='https://example.org/post'/>
</entry>"""


def item(payload: str) -> Item:
    xml = f"<item xmlns='http://jabber.org/protocol/pubsub' id='i1'>{payload}</item>"
    return Item("i1", xml, None, "http://www.w3.org/2005/Atom")


async def parsed(payload: str) -> dict[str, Any] | None:
    counters = Counters()
    cache = PubsubCache(counters=counters)
    register_builtin(cache)
    [result] = await cache.parse("blog", KEY, [item(payload)])
    assert (result.parsed is None) == bool(counters[Happened.PARSER_FAILED])
    assert result.parsed_by == (None if result.parsed is None else "blog/1")
    return result.parsed


class TestVerdict:
    @pytest.mark.parametrize(
        ("node", "namespace", "subtype"),
        [
            ("urn:xmpp:microblog:0", None, None),
            ("urn:xmpp:microblog:0:comments/a", None, "comment"),
            ("urn:xmpp:microblog:0:commentsless", None, None),
            ("my-blog", "http://www.w3.org/2005/Atom", None),
        ],
    )
    async def test_blogs_and_comments_are_held(
        self, node: str, namespace: str | None, subtype: str | None
    ) -> None:
        cache = PubsubCache()
        register_builtin(cache)
        verdict = await cache.analyse(NodeKey(SERVICE, node), namespace)
        assert verdict == Verdict("blog", "blog", subtype, True)

    @pytest.mark.parametrize("node", ["urn:xmpp:microblog:01", "urn:xmpp:bookmarks:1"])
    async def test_other_nodes_are_not(self, node: str) -> None:
        cache = PubsubCache()
        register_builtin(cache)
        assert await cache.analyse(NodeKey(SERVICE, node), "urn:xmpp:other") is None
        assert cache.needs_namespace(node)


class TestEntries:
    async def test_a_post_with_xhtml_attachment_and_comments(self) -> None:
        assert await parsed(MOVIM) == {
            "atom_id": "tag:example.org,2026-03-01:posts-walk",
            "title": "A walk & a photo",
            "content": "Morning\n\nAlong the river, then up.\n\nbread\n\ncheese",
            "author": {
                "name": "Juliet",
                "uri": "xmpp:juliet@capulet.lit",
                "jid": "juliet@capulet.lit",
            },
            "published": "2026-03-01T08:30:00Z",
            "updated": "2026-03-02T10:00:00Z",
            "tags": ["walks", "verona"],
            "alternate": "https://social.example.org/blog/walk",
            "comments": [
                {
                    "uri": "xmpp:comments.example.org"
                    "?;node=urn%3Axmpp%3Amicroblog%3A0%3Acomments%2Fwalk",
                    "service": "comments.example.org",
                    "node": "urn:xmpp:microblog:0:comments/walk",
                }
            ],
            "attachments": [
                {
                    "uri": "https://upload.example.org/1/photo.jpg",
                    "title": "photo.jpg",
                    "media_type": "image/jpeg",
                    "size_bytes": 48213,
                }
            ],
        }

    async def test_a_post_in_text_and_xhtml_gives_its_text(self) -> None:
        assert await parsed(LIBERVIA) == {
            "atom_id": "xmpp:pubsub.example.org?;node=blog;item=le-cache",
            "language": "fr",
            "title": "Le cache",
            "content": "Ça *va*.\n\nDeuxième paragraphe.",
            "author": {
                "name": "Louise",
                "uri": "xmpp:louise@example.org",
                "email": "l@example.org",
                "jid": "louise@example.org",
            },
            "published": "2026-01-05T08:00:00Z",
            "updated": "2026-01-05T08:00:00Z",
            "comments": [
                {
                    "uri": "xmpp:pubsub.example.org?;node=urn:xmpp:microblog:0:comments/le-cache",
                    "service": "pubsub.example.org",
                    "node": "urn:xmpp:microblog:0:comments/le-cache",
                    "count": 3,
                },
                {"uri": "https://example.org/comments"},
            ],
        }

    async def test_a_reply_and_a_repeat_name_what_they_are_of(self) -> None:
        """XEP-0277 sections 2.5 and 2.6."""
        assert await parsed(REPLY) == {
            "atom_id": "tag:example.org,2026:reply",
            "title": "I agree.",
            "in_reply_to": {
                "ref": "tag:example.org,2026:post",
                "uri": "xmpp:pubsub.example.org?;node=blog;item=post",
                "service": "pubsub.example.org",
                "node": "blog",
                "item": "post",
            },
            "repeat_of": {"ref": "tag:example.org,2026:post", "uri": "https://example.org/post"},
        }


class TestOddEntries:
    @pytest.mark.parametrize(
        ("inside", "expected"),
        [
            ("", {}),
            ("<title/><content/><author/><category/><link/><published/>", {}),
            ("<published>soon</published><title>a</title>", {"title": "a"}),
            ("<category label='only a label'/>", {"tags": ["only a label"]}),
            ("<link href='https://a.lit/'/>", {"alternate": "https://a.lit/"}),
            ("<link rel='replies' href='xmpp:a.lit'/>", {"comments": [{"uri": "xmpp:a.lit"}]}),
            ("<link rel='enclosure' href='x' length='-1'/>", {"attachments": [{"uri": "x"}]}),
            ("<link rel='enclosure' href='x' length='²'/>", {"attachments": [{"uri": "x"}]}),
            (
                "<content type='html'>&lt;p>a &amp;amp; b&lt;p>c</content>",
                {"content": "a & b\n\nc"},
            ),
            ("<content type='text/html'>&lt;b>a&lt;/b></content>", {"content": "a"}),
            ("<content type='html'>&lt;!-- --></content>", {}),
            ("<content type='html'>&lt;style>x&lt;/style>a</content>", {"content": "a"}),
            ("<content type='image/png'>iVBORw0KGgo=</content>", {}),
            ("<content type='text/plain; charset=utf-8'>a</content>", {"content": "a"}),
            ("<content src='https://a.lit/'/>", {}),
            ("<title>  a\n b </title>", {"title": "a\nb"}),
            ("<title>a<b/>c</title>", {"title": "ac"}),
            ("<title xml:lang='de'>a</title>", {"title": "a", "language": "de"}),
            ("<summary type='xhtml'>a</summary>", {"summary": "a"}),
            ("<!-- c --><title>a<!-- c -->b<?pi?>c</title>", {"title": "abc"}),
            ("<author><uri>https://a.lit/</uri></author>", {"author": {"uri": "https://a.lit/"}}),
            ("<title xmlns=''>foreign</title>", {}),
        ],
    )
    async def test_what_is_there_and_makes_sense_is_kept(
        self, inside: str, expected: dict[str, Any]
    ) -> None:
        assert (
            await parsed(f"<entry xmlns='http://www.w3.org/2005/Atom'>{inside}</entry>") == expected
        )

    @pytest.mark.parametrize("payload", ["", "<entry/>", "<geoloc xmlns='urn:x'/>"])
    async def test_an_item_without_atom_entry_says_nothing(self, payload: str) -> None:
        assert await parsed(payload) == {}

    async def test_an_entry_that_overdoes_everything_keeps_what_matters_most(self) -> None:
        long = "\U0001f600" * 1000
        text = "\U0001f600\n" * 50_000
        links = f"<link rel='replies' title='comments' href='xmpp:a.lit?;node={long}'/>" * 200
        files = f"<link rel='enclosure' href='https://a.lit/{long}' title='{long}'/>" * 200
        tags = "".join(f"<category term='{number}{long}'/>" for number in range(200))
        result = await parsed(
            "<entry xmlns='http://www.w3.org/2005/Atom'><updated>2026-01-01T00:00:00Z</updated>"
            f"<title>{text}</title><summary>{text}</summary><content>{text}</content>"
            f"{tags}{links}{files}</entry>"
        )
        assert result is not None
        assert result["updated"] and len(result["title"]) == len(result["content"]) == 16 * 1024

    async def test_lists_are_cut_at_a_hundred_values(self) -> None:
        tags = "".join(f"<category term='{number}'/>" for number in range(500))
        result = await parsed(f"<entry xmlns='http://www.w3.org/2005/Atom'>{tags}</entry>")
        assert result == {"tags": [str(number) for number in range(100)]}

    async def test_html_brings_in_no_character_that_databases_refuse(self) -> None:
        html = "a&amp;#0;&amp;#xD800;&amp;#1;b"
        result = await parsed(
            f"<entry xmlns='http://www.w3.org/2005/Atom'><title type='html'>{html}</title></entry>"
        )
        assert result is not None and result["title"][0] + result["title"][-1] == "ab"

    async def test_nesting_without_end_leaves_the_item_raw(self) -> None:
        depth = 5000
        assert (
            await parsed(
                "<entry xmlns='http://www.w3.org/2005/Atom'><content type='xhtml'>"
                f"{'<b>' * depth}{'</b>' * depth}</content></entry>"
            )
            is None
        )

    async def test_an_entity_is_neither_expanded_nor_fetched(self) -> None:
        xml = (
            "<!DOCTYPE item [<!ENTITY f SYSTEM 'file:///etc/hostname'><!ENTITY e 'expanded'>]>"
            "<item xmlns='http://jabber.org/protocol/pubsub'><entry "
            "xmlns='http://www.w3.org/2005/Atom'><title>a&f;&e;b</title></entry></item>"
        )
        cache = PubsubCache()
        register_builtin(cache)
        [result] = await cache.parse("blog", KEY, [Item("i1", xml)])
        assert result.parsed == {"title": "a&f;&e;b"}


tags = st.sampled_from(
    "title summary content author name uri email category link id published updated div p".split()
)
attributes = st.dictionaries(
    st.sampled_from(["type", "rel", "href", "term", "title", "length", "ref"]),
    st.sampled_from(
        ["", "text", "html", "xhtml", "x/y", "replies", "via", "xmpp:?;node=&amp;", "%ff", "-1"]
    ),
)


def element(tag: str, values: dict[str, str], inside: str) -> str:
    listed = "".join(f" {name}='{value}'" for name, value in values.items())
    return f"<{tag}{listed}>{inside}</{tag}>"


entries = st.recursive(
    st.text("ab &lt;\n\u00a0é", max_size=5).map(
        lambda text: text.replace("&", "&amp;").replace("<", "")
    ),
    lambda inner: st.lists(st.builds(element, tags, attributes, inner), max_size=5).map("".join),
    max_leaves=10,
)


@given(entries)
def test_no_well_formed_entry_makes_the_parser_fail(inside: str) -> None:
    from pubcellar.analysers.atom import entry_of, parsed_entry

    entry = entry_of(item(f"<entry xmlns='http://www.w3.org/2005/Atom'>{inside}</entry>").xml)
    assert entry is not None
    json_object(parsed_entry(entry))
