"""Who may be given what is held (XEP-0060 section 4.5); asked before every answer from the cache.

A cache is a trust boundary: items of a node that is not open are never given to somebody whom the
service has not let in. This version holds open nodes alone; every other access model is forwarded
as the requester, and what the service answers decides.
"""

SHARED_ACCESS_MODELS = frozenset({"open"})


def is_shared(access_model: str | None) -> bool:
    """Tell whether a node of that access model may be answered to everybody.

    A model that is missing or that we do not know counts as not open.
    """
    return access_model in SHARED_ACCESS_MODELS
