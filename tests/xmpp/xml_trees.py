"""XML that is hard to keep as it is, and the measure by which it was kept."""

from xml.sax.saxutils import escape

from hypothesis import strategies as st
from lxml import etree

from pubcellar.xmpp.stanzas import Element, parse_element

NS_PUBSUB = "http://jabber.org/protocol/pubsub"

NASTY = {
    "prefix redeclared": "<p:a xmlns:p='urn:1'><p:b xmlns:p='urn:2'><p:c/></p:b><p:d/></p:a>",
    "prefix used in an attribute's value alone": (
        "<a xmlns='urn:1' xmlns:q='urn:2' type='q:name'><b ref='q:other'/></a>"
    ),
    "prefix used in text alone": "<a xmlns='urn:1' xmlns:xs='urn:schema'>xs:string</a>",
    "prefix for the namespace that is the default too": (
        "<a xmlns='urn:1' xmlns:p='urn:1'><p:b/><b/>p:name</a>"
    ),
    "prefix for the namespace of the item around it": f"<p:x xmlns:p='{NS_PUBSUB}'>p:name</p:x>",
    "two prefixes for one namespace": "<a:x xmlns:a='urn:1' xmlns:b='urn:1'><b:y b:z='1'/></a:x>",
    "no namespace at all": "<a xmlns=''><b/></a>",
    "no namespace within one": "<a xmlns='urn:1'><b xmlns=''><c/><d xmlns='urn:2'/></b><e/></a>",
    "the default namespace of what is around it": "<a><b/></a>",
    "xml:lang and xml:space": (
        "<a xmlns='urn:1' xml:lang='de'><b xml:lang='' xml:space='preserve'> </b></a>"
    ),
    "line breaks and tabs in an attribute": "<a xmlns='urn:1' b='&#10;&#13;&#9;x&#13;&#10;'/>",
    "carriage return in text": "<a xmlns='urn:1'>one&#13;&#10;two&#13;</a>",
    "white space alone": "<a xmlns='urn:1'> \n\t <b/> \n</a>",
    "unicode": "<a xmlns='urn:1' b='日本 \U0001f4a9'>\u00e9\u0301 \u2028 \ufeff \U0010fffd</a>",
    "names in unicode": "<é:ä xmlns:é='urn:1' ö='1'/>",
    "markup in text": (
        "<a xmlns='urn:1' b='&lt;&quot;&apos;&amp;>'>&lt;b/&gt; &amp;amp; ]]&gt; \"'</a>"
    ),
    "CDATA": "<a xmlns='urn:1'><![CDATA[<b>&amp;</b> ]] > ]]>]]&gt;<![CDATA[]]></a>",
    "markup in a namespace": ("<a xmlns='urn:1?b=1&amp;c=2' xmlns:p='urn:&apos;'><p:b/></a>"),
    "attributes of one name in several namespaces": (
        "<a xmlns='urn:1' xmlns:p='urn:1' xmlns:q='urn:2' b='1' p:b='2' q:b='3'/>"
    ),
    "deep": "<a xmlns='urn:1'>" + "<b>" * 50 + "</b>" * 50 + "</a>",
}
"""Payloads of items, by what is hard about them."""

NAMESPACES = ("urn:1", "urn:2", NS_PUBSUB, "http://jabber.org/protocol/pubsub#event")
PREFIXES = ("p", "q", "r")
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n\r pqr:<>&\"']"),
    max_size=8,
)


def written(text: str) -> str:
    """Return `text` as it must stand in XML to be read as it is."""
    return escape(text, {"\r": "&#13;", "\n": "&#10;", "\t": "&#9;", '"': "&quot;"})


@st.composite
def elements(draw: st.DrawFn, in_scope: frozenset[str] = frozenset(), depth: int = 0) -> str:
    """Draw an element as text: prefixes declared, redeclared, used and unused."""
    declared = draw(
        st.dictionaries(st.sampled_from(PREFIXES), st.sampled_from(NAMESPACES), max_size=2)
    )
    known = in_scope | declared.keys()
    prefixes = st.sampled_from(["", *sorted(f"{prefix}:" for prefix in known)])
    default = draw(st.none() | st.sampled_from(("", *NAMESPACES)))
    name = draw(prefixes) + draw(st.sampled_from("ab"))
    # In one namespace, a name may stand once only, whatever its prefix: these differ.
    attributes = {
        f"{prefix}{number}": draw(TEXTS)
        for number, prefix in enumerate(draw(st.lists(prefixes.map(lambda p: f"{p}x"), max_size=2)))
    }
    written_tag = "".join(
        [
            f"<{name}",
            *(f" xmlns:{prefix}='{namespace}'" for prefix, namespace in declared.items()),
            *([] if default is None else [f" xmlns='{default}'"]),
            *(f' {attribute}="{written(value)}"' for attribute, value in attributes.items()),
        ]
    )
    inside = elements(in_scope=known, depth=depth + 1) if depth < 3 else st.just("")
    content = "".join(draw(st.lists(TEXTS.map(written) | inside, max_size=3)))
    return f"{written_tag}>{content}</{name}>" if content else f"{written_tag}/>"


def canonical(xml: str | Element) -> bytes:
    """Return exclusive canonical XML: what two texts that say the same have in common."""
    element = parse_element(xml) if isinstance(xml, str) else xml
    return etree.tostring(element, method="c14n", exclusive=True)


def scopes(xml: str | Element) -> list[dict[str | None, str]]:
    """Return the prefixes that names in the content of every element can use, in its order."""
    element = parse_element(xml) if isinstance(xml, str) else xml
    return [dict(each.nsmap) for each in element.iter()]


def assert_same(before: str | Element, after: str | Element) -> None:
    """Make sure that nothing of `before` is missing or different in `after`."""
    assert canonical(after) == canonical(before)
    for wanted, found in zip(scopes(before), scopes(after), strict=True):
        prefixed = {prefix: name for prefix, name in wanted.items() if prefix}
        assert prefixed.items() <= found.items()
