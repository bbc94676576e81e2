"""The configuration of the component in scenarios, and what a scenario may add to it."""

from pathlib import Path

from pubcellar.config import Settings, load_settings

COMPONENT_TABLE = """
[component]
jid = "cache.example.org"
server = "tcp:127.0.0.1:5347"
secret = "correct-horse-battery"
"""
UPSTREAM_TABLE = """
[upstream]
default = "pubsub.example.org"
allow = ["pubsub.example.org", "other.example.org", "*@montague.lit"]
"""
ANALYSERS = """
[[analyser]]
name = "notes"
type = "note"
node = "notes/"
to_sync = true

[[analyser]]
name = "recipes"
type = "recipe"
namespace = "urn:example:recipe"
to_sync = true

[[analyser]]
name = "drafts"
type = "draft"
node = "drafts/"
"""


def settings(
    directory: Path,
    more: str = "",
    upstream: str = "",
    component: str = "",
    analysers: str = ANALYSERS,
) -> Settings:
    """Return settings; `upstream` and `component` are added to those tables, `more` to the file."""
    path = directory / "pubcellar.toml"
    path.write_text(COMPONENT_TABLE + component + UPSTREAM_TABLE + upstream + analysers + more)
    path.chmod(0o600)
    return load_settings(path, {})
