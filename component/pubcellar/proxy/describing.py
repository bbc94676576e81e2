"""What a node is, and who may read it.

Services tell by disco#info (XEP-0060 section 5.4). Personal eventing services tell it to contacts
alone, and we are nobody's contact (XEP-0163): there, a node is open if its items are given to an
address that nobody can have let in. No access model but `open` does that.
"""

from dataclasses import dataclass
from datetime import timedelta

from pubcellar.core.access import Audience, audience, is_open
from pubcellar.core.errors import UpstreamAnswerInvalid, UpstreamRefused
from pubcellar.core.hints import NO_HINTS, CachingHints
from pubcellar.core.ports import ServiceReader
from pubcellar.core.values import NodeKey

REFUSALS_TO_TELL = frozenset(
    {"feature-not-implemented", "service-unavailable", "not-allowed", "subscription-required"}
)
"""Conditions of a service that does not answer such questions, to nobody or only to contacts."""


@dataclass(frozen=True, slots=True)
class Description:
    """What is known of a node as a whole.

    Attributes:
        info: the payload of its disco#info answer; None where the service gives us none.
        access_model: as that says, or None; without it, `open` if strangers are given items.
        hints: what that says for caches (XEP-0460).
    """

    info: str | None
    access_model: str | None
    hints: CachingHints = NO_HINTS

    def reason_not_held(self, entitlement_max_age: timedelta) -> str | None:
        """Return why the node is not held; None where it may be. No hint opens a closed node.

        Args:
            entitlement_max_age: how long somebody may be given what they were let in to; where
                that is zero, nobody would ever be given a node that is not open.
        """
        if self.access_model is None:
            return "the service does not say that it is open, nor show it to strangers"
        is_known = audience(self.access_model) is not Audience.NOBODY
        if not is_known or not (is_open(self.access_model) or entitlement_max_age):
            return f"its access model is {self.access_model}"
        return self.hints.reason_not_held


async def described(
    reader: ServiceReader, key: NodeKey, *, is_told: bool | None = None
) -> Description:
    """Return what is known of the node as a whole.

    Args:
        reader: asks the service.
        key: the node.
        is_told: whether the service gave us disco#info of the node before, and so will again; None
            where nobody has asked yet.

    Raises:
        UpstreamRefused: there is no such node, or the service refuses for now.
        UpstreamAnswerInvalid: there is no item by which it could be told.
        UpstreamError: the service gave no usable answer.
    """
    if is_told is not False:
        try:
            info = await reader.node_info(key)
            return Description(info.payload, info.access_model, info.hints)
        except UpstreamRefused as error:
            if is_told or error.condition not in REFUSALS_TO_TELL:
                raise
    is_open = await reader.is_open_to_strangers(key)
    if is_open is None:
        raise UpstreamAnswerInvalid("the node is empty, so that it cannot be told who may read it")
    return Description(None, "open" if is_open else None)
