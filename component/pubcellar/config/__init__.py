"""Floor 4: the configuration, from a TOML file and the environment to frozen settings.

`load_settings` returns everything checked, or raises one ConfigError that lists all that is wrong.
No other room below reads settings: their values are handed down as plain arguments.
"""

from pubcellar.config.description import describe
from pubcellar.config.loading import load_settings
from pubcellar.config.secret import SECRET_VARIABLE
from pubcellar.config.settings import (
    AnalyserSettings,
    CacheSettings,
    ComponentSettings,
    Settings,
    UpstreamSettings,
)

__all__ = [
    "SECRET_VARIABLE",
    "AnalyserSettings",
    "CacheSettings",
    "ComponentSettings",
    "Settings",
    "UpstreamSettings",
    "describe",
    "load_settings",
]
