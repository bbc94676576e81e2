from collections.abc import Callable

import pytest

from pubcellar.config import Settings

Load = Callable[..., Settings]

COMPONENT = 'jid = "cache.example.org"\nserver = "{}"\n'


@pytest.mark.parametrize("server", ["tcp:192.0.2.1:5347", "tcp:xmpp.example.org:5347"])
def test_threat_16_clear_text_to_another_host_is_warned_about(load: Load, server: str) -> None:
    (warning,) = load(component=COMPONENT.format(server)).warnings
    assert warning.startswith(f"[component] server = {server}: ")
    assert "not encrypted (XEP-0114)" in warning


@pytest.mark.parametrize("server", ["tcp:127.0.0.1:5347", "unix:/run/x", "tls:x.example.org:5347"])
def test_a_stream_that_nobody_can_read_is_not(load: Load, server: str) -> None:
    assert load(component=COMPONENT.format(server)).warnings == ()


def test_threat_4_an_open_proxy_is_permitted_and_warned_about(load: Load) -> None:
    settings = load(upstream='allow = ["pubsub.example.org", "*"]')
    (warning,) = settings.warnings
    assert "open proxy" in warning
    assert settings.upstream.allow == ("pubsub.example.org", "*")


def test_stanzas_that_prosody_does_not_take_are_warned_about(load: Load) -> None:
    assert load('[cache]\nmax_stanza_bytes = "512KiB"').warnings == ()
    (warning,) = load("[cache]\nmax_stanza_bytes = 524289").warnings
    assert "Prosody closes the stream at 512KiB" in warning


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ('[admin]\njids = ["a@b.example"]', "[admin] jids"),
        ('[http]\nlisten = "tcp:9347"', "[http] listen"),
    ],
)
def test_what_has_no_effect_yet_is_told(load: Load, more: str, key: str) -> None:
    (warning,) = load(more).warnings
    assert warning.startswith(f"{key}: has no effect yet")
