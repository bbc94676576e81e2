"""The analysers that come with the proxy; they go through the same door as everybody's."""

from pubcellar.analysers.blog import BlogAnalyser
from pubcellar.analysers.registry import PubsubCache


def register_builtin(cache: PubsubCache) -> None:
    """Register the built-in analysers, in the order in which they are tried.

    Raises:
        Conflict: an analyser of that name is registered already.
    """
    cache.register_analyser(BlogAnalyser())
