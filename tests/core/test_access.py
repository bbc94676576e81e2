"""Who may be given what is held, row by row (XEP-0060 section 4.5)."""

import pytest

from pubcellar.core.access import Audience, audience, is_open, may_be_given

EVERYBODY, ENTITLED, NOBODY = Audience.EVERYBODY, Audience.ENTITLED, Audience.NOBODY


@pytest.mark.parametrize(
    ("access_model", "to", "to_with_check_open"),
    [
        ("open", EVERYBODY, ENTITLED),
        ("authorize", ENTITLED, ENTITLED),
        ("presence", ENTITLED, ENTITLED),
        ("roster", ENTITLED, ENTITLED),
        ("whitelist", ENTITLED, ENTITLED),
        ("Open", NOBODY, NOBODY),
        ("open ", NOBODY, NOBODY),
        ("", NOBODY, NOBODY),
        ("something-new", NOBODY, NOBODY),
        (None, NOBODY, NOBODY),
    ],
)
def test_to_whom_a_node_may_be_given(
    access_model: str | None, to: Audience, to_with_check_open: Audience
) -> None:
    assert audience(access_model) is to
    assert audience(access_model, check_open=True) is to_with_check_open
    assert is_open(access_model) is (access_model == "open")


@pytest.mark.parametrize(
    ("access_model", "check_open", "is_entitled", "expected"),
    [
        ("open", False, False, True),
        ("open", False, True, True),
        ("open", True, False, False),
        ("open", True, True, True),
        ("whitelist", False, False, False),
        ("whitelist", False, True, True),
        ("future", False, True, False),
        (None, False, True, False),
        (None, True, True, False),
    ],
)
def test_who_may_be_given_a_node(
    access_model: str | None, check_open: bool, is_entitled: bool, expected: bool
) -> None:
    found = may_be_given(access_model, check_open=check_open, is_entitled=is_entitled)
    assert found is expected
