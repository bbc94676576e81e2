"""One table from our exceptions to stanza errors, and the way back from a service's error.

RFC 6120 section 8.3; application conditions as in XEP-0060 section 11.
"""

from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from pubcellar.core import errors
from pubcellar.core.namespaces import NS_COMPONENT_ACCEPT, NS_PUBSUB_ERRORS, NS_STANZA_ERRORS
from pubcellar.xmpp.stanzas import (
    Element,
    children,
    name_of,
    namespace_of,
    qualified,
    serialised,
)


@dataclass(frozen=True, slots=True)
class StanzaError:
    """Type, defined condition and pubsub condition of a stanza error, as on the wire."""

    type: str
    condition: str
    pubsub_condition: str | None = None


STANZA_ERRORS: dict[type[errors.ProxyError], StanzaError] = {
    errors.BadRequest: StanzaError("modify", "bad-request"),
    errors.InvalidPage: StanzaError("modify", "bad-request"),
    errors.ItemNotFound: StanzaError("cancel", "item-not-found"),
    errors.ServiceNotProxied: StanzaError("cancel", "item-not-found"),
    errors.ForwardingLoop: StanzaError("cancel", "not-allowed"),
    errors.NotAllowed: StanzaError("cancel", "not-allowed"),
    errors.Unsupported: StanzaError("cancel", "service-unavailable"),
    errors.AnswerTooLarge: StanzaError("modify", "not-acceptable"),
    errors.StanzaTooLarge: StanzaError("modify", "policy-violation"),
    errors.TooManyRequests: StanzaError("wait", "resource-constraint"),
    errors.RequesterNotAllowed: StanzaError("auth", "forbidden"),
    errors.TooManySubscriptions: StanzaError("wait", "policy-violation", "too-many-subscriptions"),
    errors.PrivilegeMissing: StanzaError("wait", "service-unavailable"),
    errors.Stopping: StanzaError("wait", "service-unavailable"),
    errors.UpstreamTimeout: StanzaError("wait", "remote-server-timeout"),
    errors.UpstreamUnreachable: StanzaError("wait", "remote-server-timeout"),
    errors.UpstreamAnswerTooLarge: StanzaError("modify", "not-acceptable"),
    errors.UpstreamAnswerInvalid: StanzaError("wait", "internal-server-error"),
    errors.UpstreamRefused: StanzaError("cancel", "undefined-condition"),
    errors.StoreUnavailable: StanzaError("wait", "internal-server-error"),
    errors.StoreConflict: StanzaError("wait", "internal-server-error"),
}
"""What each exception becomes. `UpstreamRefused` is relayed as it came instead, and so is an
`UpstreamUnreachable` that a server reported."""

INTERNAL_ERROR = StanzaError("cancel", "internal-server-error")

LARGEST_ERROR = 16 * 1024
"""Characters; of an error longer than that only type and condition are relayed."""

# RFC 6120 sections 8.3.3.15 and 8.3.3.16: these say that the service cannot be reached at the
# moment, not that it refuses.
OUTAGES = frozenset({"remote-server-not-found", "remote-server-timeout"})


def error_payload(error: BaseException) -> str:
    """Return the `<error/>` element for an exception; for one of no known class, an internal one.

    The text of a `ProxyError` is given to the requester; any other exception's is not.
    """
    if isinstance(error, errors.UpstreamUnreachable) and error.refusal is not None:
        return error_payload(error.refusal)
    if isinstance(error, errors.UpstreamRefused):
        return error.error_xml or _written(StanzaError(error.error_type, error.condition), "")
    if isinstance(error, errors.ProxyError):
        return _written(STANZA_ERRORS[type(error)], str(error))
    return _written(INTERNAL_ERROR, "the proxy failed; its log says why")


def _written(error: StanzaError, text: str) -> str:
    described = f"<text xmlns='{NS_STANZA_ERRORS}'>{escape(text)}</text>" if text else ""
    condition = f"<{error.condition} xmlns='{NS_STANZA_ERRORS}'/>"
    more = (
        f"<{error.pubsub_condition} xmlns='{NS_PUBSUB_ERRORS}'/>" if error.pubsub_condition else ""
    )
    return f"<error type={quoteattr(error.type)}>{condition}{described}{more}</error>"


def refusal(reply: Element) -> errors.UpstreamError:
    """Return the exception for an iq of type error: a refusal, or an outage."""
    element = reply.find(qualified(NS_COMPONENT_ACCEPT, "error"))
    if element is None:
        return errors.UpstreamAnswerInvalid("the service answered with an error that says nothing")
    error_xml = serialised(element)
    condition, text, application_conditions = "undefined-condition", None, []
    for child in children(element):
        if namespace_of(child) != NS_STANZA_ERRORS:
            application_conditions.append(name_of(child))
        elif name_of(child) == "text":
            text = child.text
        else:
            condition = name_of(child)
    refused = errors.UpstreamRefused(
        element.get("type", "cancel"),
        condition,
        application_conditions=tuple(application_conditions),
        text=text,
        error_xml=error_xml if len(error_xml) <= LARGEST_ERROR else "",
    )
    if condition in OUTAGES:
        return errors.UpstreamUnreachable(f"the service is away: {condition}", refused)
    return refused
