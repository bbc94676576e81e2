"""The analysers that come with the proxy; they go through the same door as everybody's."""

from pubcellar.analysers.attachment import AttachmentAnalyser
from pubcellar.analysers.avatar import AvatarAnalyser
from pubcellar.analysers.blog import BlogAnalyser
from pubcellar.analysers.event import EventAnalyser
from pubcellar.analysers.never_held import NEVER_HELD, NeverHeldAnalyser
from pubcellar.analysers.public_subscriptions import PublicSubscriptionsAnalyser
from pubcellar.analysers.registry import PubsubCache
from pubcellar.analysers.server_info import ServerInfoAnalyser
from pubcellar.analysers.story import StoryAnalyser
from pubcellar.analysers.vcard import VCardAnalyser

SOURCE = "built in"


def register_never_held(cache: PubsubCache) -> None:
    """Register those for what is never held; to be called before anything else is registered.

    Raises:
        Conflict: an analyser of that name is registered already.
    """
    for kind in NEVER_HELD:
        cache.register_analyser(NeverHeldAnalyser(kind), source=SOURCE)


def register_builtin(cache: PubsubCache) -> None:
    """Register the built-in analysers that hold nodes, in the order in which they are tried.

    Raises:
        Conflict: an analyser of that name is registered already.
    """
    for analyser in (
        # By the node's name alone, and so before the blog, whose payload it shares.
        StoryAnalyser(),
        BlogAnalyser(),
        EventAnalyser(),
        AvatarAnalyser(),
        VCardAnalyser(),
        PublicSubscriptionsAnalyser(),
        ServerInfoAnalyser(),
        AttachmentAnalyser(),
    ):
        cache.register_analyser(analyser, source=SOURCE)
