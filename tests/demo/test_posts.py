"""The posts that the demo publishes are what it says of them."""

from xml.etree import ElementTree

from posts import BLOG, COMMENTS, new_post, posts

ATOM = "{http://www.w3.org/2005/Atom}"


def test_they_are_the_same_at_every_run() -> None:
    assert posts(300) == posts(300)


def test_they_are_well_formed_entries_with_ids_of_their_own() -> None:
    batch = [*posts(300), new_post()]

    entries = [ElementTree.fromstring(post.entry) for post in batch]

    assert len({(post.node, post.item_id) for post in batch}) == 301
    assert {entry.tag for entry in entries} == {f"{ATOM}entry"}
    for name in ("title", "published", "updated", "author"):
        assert all(entry.find(f"{ATOM}{name}") is not None for entry in entries)


def test_they_are_varied_and_some_are_comments() -> None:
    batch = posts(300)

    blog = [ElementTree.fromstring(post.entry) for post in batch if post.node == BLOG]
    comments = [post for post in batch if post.node.startswith(f"{COMMENTS}/")]

    assert len(blog) + len(comments) == 300
    assert len(comments) == 50
    assert len({entry.findtext(f"{ATOM}title") for entry in blog}) > 10
    assert len({entry.findtext(f"{ATOM}author/{ATOM}name") for entry in blog}) > 3
    stamps = [entry.findtext(f"{ATOM}published") or "" for entry in blog]
    assert stamps == sorted(stamps)
