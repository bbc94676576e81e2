"""What Pubcellar does, shown in front of a real server: `make demo`, see the README.

Starts a throw-away Prosody and Pubcellar on free loopback ports, publishes blog posts, and walks
through the life of a node with a client library. Exits non-zero if any step did not do what it
says.
"""

import argparse
import asyncio
import contextlib
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from xml.etree.ElementTree import canonicalize, tostring

from harness import Client, ErrorReply, Items, ProxyProcess, ThrowAwayProsody
from harness.stanzas import page_request
from observation import ANSWERED_BY, AnsweredBy, Contradiction, Observer
from posts import BLOG, comments_node, new_post, posts
from rich.console import Console
from rich.progress import track
from rich.table import Table

POSTS = 300
NEWEST = 20
PAGE = 50
DEADLINE_SECONDS = 30
LOG_LINES = 60
HELD = (AnsweredBy.CACHE, AnsweredBy.STALE)

console = Console()


class StepFailed(Exception):
    """A step did not do what it says."""


class Demo:
    """The steps, in the order of the table; each adds its row."""

    def __init__(
        self, prosody: ThrowAwayProsody, proxy: ProxyProcess, owner: Client, reader: Client
    ) -> None:
        self.prosody = prosody
        self.proxy = proxy
        self.owner = owner
        self.reader = reader
        self.observer = Observer(prosody, proxy, reader.jid)
        self.table = Table(title="What was asked, and who answered")
        for name in ("Step", "Asked", "Answered by"):
            self.table.add_column(name)
        self.table.add_column("Time", justify="right")
        self.all_ids: list[str] = []

    async def run(self) -> None:
        """Take all steps. Raises: StepFailed and what else went wrong."""
        await self.publish_posts()
        await self.first_read()
        await self.synchronisation()
        await self.second_read()
        await self.all_in_pages()
        await self.new_post()
        await self.retract()
        await self.restart_of_the_proxy()
        await self.service_gone()

    async def publish_posts(self) -> None:
        batch = posts(POSTS)
        for node in dict.fromkeys(post.node for post in batch):
            config = {"pubsub#max_items": "1000", "pubsub#access_model": "open"}
            await self.owner.create(self.prosody.service, node, config)
        for post in track(batch, f"Publishing {POSTS} posts and comments", console=console):
            await self.owner.publish(self.prosody.service, post.node, post.item_id, post.entry)
        self.all_ids = [post.item_id for post in batch if post.node == BLOG]

    async def first_read(self) -> None:
        items, by, elapsed = await self.read()
        self.expect(by is AnsweredBy.SERVICE, f"the first read was answered by {by}")
        await self.expect_as_from_service(items)
        self.row("First read, forwarded", f"newest {len(items.ids)} posts", by, elapsed)

    async def synchronisation(self) -> None:
        started = time.monotonic()
        _, by = await self.read_until(lambda _, by: by is AnsweredBy.CACHE)
        elapsed = time.monotonic() - started
        self.row("Analysed, synchronised", "until held", by, elapsed)

    async def second_read(self) -> None:
        items, by, elapsed = await self.read()
        self.expect(by is AnsweredBy.CACHE, f"the second read was answered by {by}")
        await self.expect_as_from_service(items)
        self.row("Second read", f"newest {len(items.ids)} posts", by, elapsed)

    async def all_in_pages(self) -> None:
        """Prosody knows no pages: the proxy looks at its whole list once, and learns from it."""
        elapsed, ids, answers, token = 0.0, [], [], None
        while len(ids) < len(self.all_ids):
            page = page_request(PAGE, after=token)
            items, by, seconds = await self.observe(page=page)
            self.expect(items.page is not None and bool(items.ids), "a page came without items")
            ids, token, elapsed = ids + items.ids, items.page.last, elapsed + seconds
            answers.append(by)
        self.expect(ids == self.all_ids, "the pages together differ from what was published")
        self.expect(answers[-1] is AnsweredBy.CACHE, "no page was answered by the cache")
        by = ", ".join(f"{count} {by}" for by, count in Counter(answers).items())
        self.row(f"Pages of {PAGE}", f"all {len(ids)} posts", by, elapsed)

    async def new_post(self) -> None:
        post = new_post()
        started = time.monotonic()
        await self.owner.publish(self.prosody.service, post.node, post.item_id, post.entry)
        items, by = await self.read_until(
            lambda items, by: by is AnsweredBy.CACHE and items.ids[-1:] == [post.item_id]
        )
        elapsed = time.monotonic() - started
        await self.expect_as_from_service(items)
        self.row("New post, by event", "until there", by, elapsed)

    async def retract(self) -> None:
        gone = self.all_ids.pop()
        started = time.monotonic()
        await self.owner.retract(self.prosody.service, BLOG, gone)
        items, by = await self.read_until(
            lambda items, by: by is AnsweredBy.CACHE and gone not in items.ids
        )
        elapsed = time.monotonic() - started
        await self.expect_as_from_service(items)
        self.row("Retracted post", "until gone", by, elapsed)

    async def restart_of_the_proxy(self) -> None:
        started = time.monotonic()
        exit_code = await self.proxy.restart()
        self.expect(exit_code == 0, f"the proxy stopped with exit code {exit_code}")
        items, by = await self.read_until(lambda _, by: by is AnsweredBy.CACHE)
        elapsed = time.monotonic() - started
        await self.expect_as_from_service(items)
        self.row("Proxy restarted", "until held again", by, elapsed)

    async def service_gone(self) -> None:
        before, _, _ = await self.read()
        await self.prosody.take_service_away()
        started = time.monotonic()
        try:
            await self.reader.items(self.prosody.service, BLOG)
        except ErrorReply:
            elapsed = time.monotonic() - started
        else:
            raise StepFailed("the service still answers, though it was taken away")
        self.row("Service gone, itself", f"newest {NEWEST} posts", "an error", elapsed)
        items, by, elapsed = await self.read()
        self.expect(by in HELD, f"the read was answered by {by}")
        self.expect(items.ids == before.ids, "the answer differs from the one before")
        self.row("Service gone, cache", f"newest {len(items.ids)} posts", by, elapsed)
        await self.prosody.bring_service_back()

    async def read(self) -> tuple[Items, AnsweredBy, float]:
        """Ask the proxy for the newest posts; return as `observe` does."""
        return await self.observe(max_items=NEWEST)

    async def observe(self, **what: Any) -> tuple[Items, AnsweredBy, float]:
        """Ask the proxy for items; return them, who answered, and the seconds it took."""
        since = self.observer.now()
        started = time.monotonic()
        items = await self.reader.items(self.proxy.jid, BLOG, **what)
        elapsed = time.monotonic() - started
        return items, await self.observer.answered_by(BLOG, since), elapsed

    async def read_until(
        self, done: Callable[[Items, AnsweredBy], bool]
    ) -> tuple[Items, AnsweredBy]:
        """Read the blog until the condition holds; return the last answer and who gave it."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        reads = 0
        while time.monotonic() < deadline:
            reads += 1
            items, by, _ = await self.read()
            if done(items, by):
                return items, by
            await asyncio.sleep(0.05)
        raise StepFailed(f"did not happen within {DEADLINE_SECONDS} s and {reads} reads")

    async def expect_as_from_service(self, items: Items) -> None:
        """Hold an answer against the service's own, item for item."""
        asked_directly = await self.reader.items(self.prosody.service, BLOG, max_items=NEWEST)
        ours, theirs = _canonical(items), _canonical(asked_directly)
        self.expect(ours == theirs, "the answer differs from the service's own")

    def expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise StepFailed(otherwise)

    def row(self, step: str, asked: str, by: str, seconds: float) -> None:
        self.table.add_row(step, asked, by, f"{seconds * 1000:,.1f} ms")


def _canonical(items: Items) -> list[str]:
    return [canonicalize(tostring(each, encoding="unicode")) for each in items.elements]


@contextlib.asynccontextmanager
async def stage() -> AsyncIterator[Demo]:
    """Start everything, and leave nothing of it behind."""
    # The debug level says which stanzas passed, which is how the demo knows who was asked.
    prosody = ThrowAwayProsody(log_level="debug")
    proxy = ProxyProcess(prosody.component_port, prosody.component_secret, jid=prosody.cache)
    try:
        console.print(f"Prosody starts on 127.0.0.1:{prosody.client_port}, Pubcellar behind it")
        await prosody.start()
        await proxy.start()
        async with _client(prosody, "owner") as owner, _client(prosody, "reader") as reader:
            yield Demo(prosody, proxy, owner, reader)
    except (StepFailed, Contradiction, TimeoutError, RuntimeError, ErrorReply):
        _print_log(proxy)
        raise
    finally:
        proxy.remove()
        prosody.remove()


def _print_log(proxy: ProxyProcess) -> None:
    """Print the end of the proxy's log, without the lines that the demo itself looks for."""
    console.rule("the end of Pubcellar's log")
    lines = (line for line in proxy.log().splitlines() if not ANSWERED_BY.search(line))
    for line in list(lines)[-LOG_LINES:]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _client(prosody: ThrowAwayProsody, user: str) -> Client:
    return Client(f"{user}@{prosody.host}", prosody.users[user], prosody.client_port)


async def keep(demo: Demo) -> None:
    """Leave everything running until Ctrl-C, and say how to use it."""
    prosody = demo.prosody
    console.print(
        f"""
Left running until Ctrl-C. Without encryption, on 127.0.0.1 port {prosody.client_port}:
  the administrator   owner@{prosody.host}, password {prosody.users["owner"]}
  a reader            reader@{prosody.host}, password {prosody.users["reader"]}
  the service         {prosody.service}
  the cache of it     {prosody.cache}
  a blog              {BLOG}
  comments            {comments_node(25)}
Logs: {prosody.process.log_path}
      {demo.proxy.process.log_path}""",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    # Whoever stops it now has seen every step succeed.
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()


async def show(stay: bool) -> int:
    """Run the demo; return the exit code."""
    async with stage() as demo:
        try:
            await demo.run()
        finally:
            console.print(demo.table)
        if stay:
            await keep(demo)
        exit_code = await demo.proxy.terminate()
        demo.expect(exit_code == 0, f"the proxy stopped with exit code {exit_code}")
    console.print("Every step did what it says.")
    return 0


async def until_told_to_stop(work: Awaitable[int]) -> int:
    """Return the work's exit code; on Ctrl-C or SIGTERM cancel it, and let it clean up."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        console.print("Stopped; nothing is left behind.")
        return 130
    except (StepFailed, Contradiction, TimeoutError, RuntimeError, ErrorReply) as error:
        console.print(f"[bold red]The demo failed:[/] {type(error).__name__}: {error}")
        return 1


def main() -> int:
    parser = argparse.ArgumentParser(description="Show what Pubcellar does.")
    parser.add_argument("--keep", action="store_true", help="leave everything running")
    return asyncio.run(until_told_to_stop(show(parser.parse_args().keep)))


if __name__ == "__main__":
    sys.exit(main())
