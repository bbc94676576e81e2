import pytest

from pubcellar.config.jids import (
    bare_jid,
    domain_jid,
    is_allowed,
    matches_everything,
    service_glob,
)


@pytest.mark.parametrize("text", ["cache.example.org", "localhost", "Cache.Example.ORG", "büro.de"])
def test_a_domain_is_taken_in_lower_case(text: str) -> None:
    assert domain_jid(text) == text.lower()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty domain"),
        ("user@cache.example.org", "domain alone"),
        ("cache.example.org/resource", "domain alone"),
        ("cache..example.org", "empty part"),
        ("cache.example.org.", "empty part"),
        ("cache example", "' '"),
        ("cache.example.org:5347", "':'"),
        ("cache\u0000", "cannot be in a domain"),
        ("*.example.org", "without wildcards"),
        ("x" * 1024, "longer than 1023 bytes"),
    ],
)
def test_what_is_no_domain_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        domain_jid(text)


@pytest.mark.parametrize("text", ["pubsub.example.org", "Juliet@Capulet.lit", r"a\40b@c.example"])
def test_a_bare_jid_may_be_a_service_or_a_user(text: str) -> None:
    assert bare_jid(text) == text.lower()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("juliet@capulet.lit/balcony", "no resource"),
        ("@capulet.lit", "empty part before the '@'"),
        ("juliet@", "empty domain"),
        ("a@b@c", "'@'"),
        ("ju liet@capulet.lit", "' '"),
    ],
)
def test_what_is_no_bare_jid_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        bare_jid(text)


@pytest.mark.parametrize(
    "text", ["*", "*.example.org", "pubsub.?.org", "*@Capulet.lit", "[ab].org"]
)
def test_a_glob_is_taken_in_lower_case(text: str) -> None:
    assert service_glob(text) == text.lower()


@pytest.mark.parametrize("text", ["", "* ", "*/x", "pubsub example", "*\n"])
def test_what_is_no_glob_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        service_glob(text)


def test_a_glob_matches_the_whole_address() -> None:
    assert is_allowed("pubsub.example.org", ["other.org", "pubsub.*"])
    assert not is_allowed("pubsub.example.org.evil.net", ["pubsub.example.org"])
    assert not is_allowed("pubsub.example.org", [])


@pytest.mark.parametrize(
    ("glob", "everything"),
    [(glob, True) for glob in ("*", "**", "*.*", "*@*", "?*")]
    + [(glob, False) for glob in ("*.org", "pubsub.*", "???")],
)
def test_a_glob_for_everything_is_recognised(glob: str, everything: bool) -> None:
    assert matches_everything(glob) is everything
