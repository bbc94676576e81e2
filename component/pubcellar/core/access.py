"""Who may be given what is held (XEP-0060 section 4.5); asked before every answer from the cache.

A cache is a trust boundary: items of a node that is not open are never given to somebody whom the
service has not let in. Whom it has let in is known from what it gave them (`core.entitlements`);
everybody else is forwarded as themselves, and what the service answers decides.
"""

from enum import Enum


class Audience(Enum):
    """To whom a node that is held may be given."""

    EVERYBODY = "everybody"
    ENTITLED = "entitled"
    """Who was given its items by the service, in their own name, a short while ago."""
    NOBODY = "nobody"


AUDIENCES = {
    "open": Audience.EVERYBODY,
    "presence": Audience.ENTITLED,
    "roster": Audience.ENTITLED,
    "authorize": Audience.ENTITLED,
    "whitelist": Audience.ENTITLED,
}
"""The access models of XEP-0060. One that is missing or that we do not know is for nobody."""


def is_open(access_model: str | None) -> bool:
    """Tell whether the service lets everybody read a node of that access model, but outcasts."""
    return access_model is not None and AUDIENCES.get(access_model) is Audience.EVERYBODY


def audience(access_model: str | None, *, check_open: bool = False) -> Audience:
    """Return to whom a node of that access model may be given from the cache.

    Args:
        access_model: as the service last said; None if it has not, or if that is in doubt.
        check_open: whether open nodes are treated like any other, for the sake of outcasts.
    """
    found = Audience.NOBODY if access_model is None else AUDIENCES.get(access_model)
    if found is Audience.EVERYBODY and check_open:
        return Audience.ENTITLED
    return found or Audience.NOBODY


def may_be_given(
    access_model: str | None, *, check_open: bool = False, is_entitled: bool = False
) -> bool:
    """Tell whether somebody may be given a node of that access model from the cache."""
    to = audience(access_model, check_open=check_open)
    return to is Audience.EVERYBODY or (to is Audience.ENTITLED and is_entitled)
