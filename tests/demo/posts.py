"""A few hundred blog posts and comments as people write them, the same at every run."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from xml.sax.saxutils import escape, quoteattr

BLOG = "urn:xmpp:microblog:0"
COMMENTS = f"{BLOG}:comments"
SERVICE = "pubsub.localhost"

AUTHORS = (
    "Ada Okafor",
    "Björn Lindqvist",
    "Chiara Rossi",
    "Dewi Suryani",
    "Émile Durand",
    "小林 花",
)
TOPICS = {
    "bread": ("Rye, again", "A starter that survived the holidays", "Why your crust is pale"),
    "cycling": ("Over the pass before the snow", "One gear is enough", "A map of quiet lanes"),
    "garden": ("Slugs: 3, lettuce: 0", "Planting garlic in the rain", "Notes on a dry spring"),
    "music": (
        "Learning the slow movement",
        "Two mandolins & a cold room",
        "Practice < performance",
    ),
    "software": ("The cache was right", "Deleting 4,000 lines", "A queue is not a database"),
    "travel": ("Night train to the coast", "Lost in the old town", "What I packed and never used"),
}
OPENINGS = (
    "I did not plan to write about this today.",
    "Several of you asked, so here it is.",
    "A short note, mostly for myself.",
    "This took me longer than I like to admit.",
)
MIDDLES = (
    "The first attempt failed in a way that taught me more than the book did.",
    "It turns out that the old advice still holds: change one thing at a time.",
    "My neighbour, who has done it for forty years, only shrugged and smiled.",
    "I measured twice, wrote the numbers down, and then lost the paper.",
    "What surprised me most was how little of it was about talent.",
)
CLOSINGS = ("More next week.", "Corrections welcome.", "Pictures will follow.", "That is all.")
REMARKS = (
    "Thank you, that is exactly what I needed.",
    "I see it differently: patience matters more than tools.",
    "Have you tried it the other way round?",
    "This made me laugh out loud on the train.",
)
FIRST_DAY = datetime(2025, 1, 6, 7, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Post:
    """One item to publish."""

    node: str
    item_id: str
    entry: str


def posts(count: int) -> list[Post]:
    """Return that many blog posts, the oldest first, with comments on every twenty-fifth."""
    source = random.Random("pubcellar")
    return list(islice(_posts(source), count))


def new_post() -> Post:
    """Return a post that is newer than all of them."""
    return _post(random.Random("new"), 10_000)


def _posts(source: random.Random) -> Iterator[Post]:
    number = 0
    while True:
        number += 1
        post = _post(source, number)
        yield post
        if number % 25 == 0:
            for remark in range(5):
                yield _comment(source, number, remark)


def _post(source: random.Random, number: int) -> Post:
    topic = source.choice(list(TOPICS))
    title = source.choice(TOPICS[topic])
    tags = [topic, *source.sample([t for t in TOPICS if t != topic], source.randint(0, 2))]
    published = FIRST_DAY + timedelta(hours=26 * number, minutes=source.randint(0, 300))
    updated = published + timedelta(minutes=source.choice((0, 0, 0, 45, 1500)))
    middle = source.sample(MIDDLES, source.randint(1, 4))
    text = " ".join((source.choice(OPENINGS), *middle, source.choice(CLOSINGS)))
    author = source.choice(AUTHORS)
    item_id = f"{title.lower().replace(' ', '-').translate(_ID)}-{number}"
    categories = "".join(f"<category term={quoteattr(tag)}/>" for tag in tags)
    replies = f"xmpp:{SERVICE}?;node={comments_node(number)}"
    entry = (
        f"<entry xmlns='http://www.w3.org/2005/Atom' xml:lang='en'>"
        f"<id>tag:blog.example,{published:%Y-%m-%d}:{item_id}</id>"
        f"<title type='text'>{escape(title)}</title>"
        f"<summary type='text'>{escape(text.partition('.')[0])}.</summary>"
        f"<content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>"
        f"<p>{escape(text)}</p></div></content>"
        f"<author><name>{author}</name></author>"
        f"<published>{_stamp(published)}</published><updated>{_stamp(updated)}</updated>"
        f"{categories}"
        f"<link rel='replies' title='comments' href={quoteattr(replies)}/>"
        f"</entry>"
    )
    return Post(BLOG, item_id, entry)


def _comment(source: random.Random, number: int, remark: int) -> Post:
    when = _stamp(FIRST_DAY + timedelta(hours=26 * number, minutes=400 + 17 * remark))
    text = escape(source.choice(REMARKS))
    entry = (
        f"<entry xmlns='http://www.w3.org/2005/Atom'><title>{text}</title>"
        f"<author><name>{source.choice(AUTHORS)}</name></author>"
        f"<published>{when}</published><updated>{when}</updated></entry>"
    )
    return Post(comments_node(number), f"comment-{number}-{remark}", entry)


def comments_node(number: int) -> str:
    """Return the node of the comments on a post (XEP-0277 section 3)."""
    return f"{COMMENTS}/post-{number}"


def _stamp(when: datetime) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"


_ID = str.maketrans("", "", ",.:;&<?!")
