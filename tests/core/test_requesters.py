"""Who may use the proxy, and who has no quotas."""

import pytest

from pubcellar.core.requesters import Requesters
from pubcellar.core.values import BareJID


@pytest.mark.parametrize(
    ("admitted", "requester", "expected"),
    [
        (("*",), "juliet@capulet.lit", True),
        (("*@capulet.lit",), "juliet@capulet.lit", True),
        (("*@capulet.lit",), "capulet.lit", False),
        (("*@capulet.lit",), "juliet@capulet.lit.evil.org", False),
        (("*@capulet.lit",), "juliet@evil.org", False),
        (("capulet.lit",), "juliet@capulet.lit", False),
        (("capulet.lit",), "capulet.lit", True),
        (("juliet@capulet.lit", "*@montague.lit"), "romeo@montague.lit", True),
        (("juliet@capulet.lit",), "juliet2@capulet.lit", False),
    ],
)
def test_who_is_admitted(admitted: tuple[str, ...], requester: str, expected: bool) -> None:
    assert Requesters(admitted).is_admitted(BareJID(requester)) is expected


@pytest.mark.parametrize(
    ("requester", "expected"),
    [
        ("juliet@gateway.lit", True),
        ("gateway.lit", True),
        ("juliet@sub.gateway.lit", False),
        ("gateway.lit@evil.org", False),
    ],
)
def test_who_has_no_quotas(requester: str, expected: bool) -> None:
    assert Requesters(exempt={"gateway.lit"}).is_exempt(BareJID(requester)) is expected
