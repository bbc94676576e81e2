from collections.abc import Callable

from pubcellar.config import Settings, describe

Load = Callable[..., Settings]


def test_it_says_who_where_for_whom_and_how_much(load: Load) -> None:
    text = describe(load(upstream='allow = ["pubsub.example.org", "*.lit"]\ntimeout = "7s"'))
    for words in (
        "tcp:127.0.0.1:5347",
        "cache.example.org",
        "from environment variable PUBCELLAR_COMPONENT_SECRET",
        "none: requests to our own address are not forwarded",
        "pubsub.example.org, *.lit",
        "7s",
        "sqlite:///",
        "480KiB",
        "256KiB",
        "verified every 15m",
        "level info",
    ):
        assert words in text


def test_it_names_the_default_service(load: Load) -> None:
    settings = load(upstream='allow = ["pubsub.example.org"]\ndefault = "pubsub.example.org"')
    assert "default service   pubsub.example.org" in describe(settings)


def test_the_password_of_the_database_is_left_out(load: Load) -> None:
    settings = load('[database]\nurl = "postgresql://user:hunter2@host/name"')
    assert settings.database.url == "postgresql://user:hunter2@host/name"
    assert "hunter2" not in describe(settings) + repr(settings)
