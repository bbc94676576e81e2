import pytest
from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.testing import MemoryReactor

from pubcellar.config.endpoints import client_endpoint, listening_endpoint

CLIENTS = [
    "tcp:127.0.0.1:5347",
    "tcp:host=127.0.0.1:port=5347",
    "tcp:host=127.0.0.1:5347",
    "tcp:127.0.0.1:port=5347",
    "TCP:localhost:5347:timeout=5:bindAddress=127.0.0.2",
    r"tcp:\:\:1:5347",
    "unix:/run/prosody/component.sock",
    "unix:path=/run/prosody/component.sock:timeout=5",
    r"unix:/run/a\:b.sock",
    "tls:xmpp.example.org:5347",
    "tls:xmpp.example.org:5347:timeout=5",
]


@pytest.mark.parametrize("text", CLIENTS)
def test_what_is_accepted_as_a_server_twisted_accepts_too(text: str) -> None:
    client_endpoint(text)
    clientFromString(MemoryReactor(), text)


@pytest.mark.parametrize(
    "text", ["tcp:9347:interface=127.0.0.1", "tcp:port=9347", "unix:/run/pubcellar/http.sock"]
)
def test_what_is_accepted_for_listening_twisted_accepts_too(text: str) -> None:
    listening_endpoint(text)
    serverFromString(MemoryReactor(), text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "must begin with tcp: or unix: or tls:"),
        ("127.0.0.1:5347", "must begin with tcp: or unix: or tls:"),
        ("http:127.0.0.1:5347", "must begin with tcp: or unix: or tls:"),
        ("tcp=1:127.0.0.1:5347", "must begin with tcp: or unix: or tls:"),
        ("tcp", "lacks its host and its port"),
        ("tcp:127.0.0.1", "lacks its port"),
        ("tcp::5347", "lacks its host"),
        ("tcp:127.0.0.1:", "lacks its port"),
        ("tcp:127.0.0.1:0", "'0' is not a number from 1 to 65535"),
        ("tcp:127.0.0.1:65536", "'65536' is not a number"),
        ("tcp:127.0.0.1:xmpp", "'xmpp' is not a number"),
        ("tcp:::1:5347", "a colon within an argument"),
        ("tcp:127.0.0.1:5347:9", "has 3 arguments where 2 belong"),
        ("tcp:127.0.0.1:5347:timeout=soon", "timeout 'soon' is not a whole number"),
        ("tcp:127.0.0.1:5347:hots=x", "no argument 'hots'; it knows host, port, bindAddress"),
        ("unix:", "lacks its path"),
        ("unix:/run/x:port=3", "no argument 'port'"),
        ("tcp:127.0.0.1:5347\\", "ends with a backslash"),
        ("tcp:127.0.0.1\n:5347", "a line break"),
    ],
)
def test_what_cannot_be_a_server_is_refused_with_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem.replace("(", r"\(")):
        client_endpoint(text)


def test_one_cannot_listen_on_a_client_endpoint() -> None:
    with pytest.raises(ValueError, match="has 2 arguments where 1 belong"):
        listening_endpoint("tcp:127.0.0.1:9347")
    with pytest.raises(ValueError, match="must begin with tcp: or unix:"):
        listening_endpoint("tls:9347")


@pytest.mark.parametrize(
    ("text", "is_clear"),
    [
        ("tcp:127.0.0.1:5347", False),
        ("tcp:127.9.9.9:5347", False),
        (r"tcp:\:\:1:5347", False),
        ("tcp:localhost:5347", False),
        ("tcp:LOCALHOST.:5347", False),
        ("unix:/run/x", False),
        ("tls:xmpp.example.org:5347", False),
        ("tcp:192.0.2.1:5347", True),
        ("tcp:0.0.0.0:5347", True),
        ("tcp:xmpp.example.org:5347", True),
        ("tcp:localhost.example.org:5347", True),
        ("tcp:port=5347:host=192.0.2.1", True),
    ],
)
def test_only_plain_tcp_to_another_host_can_be_read_on_the_way(text: str, is_clear: bool) -> None:
    assert client_endpoint(text).is_clear_text_to_another_host is is_clear
