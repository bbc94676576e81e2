import pytest

from pubcellar.core.access import is_shared


@pytest.mark.parametrize(
    ("access_model", "expected"),
    [
        ("open", True),
        ("authorize", False),
        ("presence", False),
        ("roster", False),
        ("whitelist", False),
        ("Open", False),
        ("open ", False),
        ("", False),
        ("something-new", False),
        (None, False),
    ],
)
def test_only_open_nodes_are_shared(access_model: str | None, expected: bool) -> None:
    """The access models of XEP-0060 section 4.5, and what is none."""
    assert is_shared(access_model) is expected
