"""What can go wrong with a request, and whose fault it is.

`RequestError` is the requester's, `UpstreamError` the real service's, `StorageError` and
`AnalyserError` are ours. No class here knows XML: one table, in `pubcellar.xmpp.errors`, turns each
into a stanza error, and a test demands a row for every class. `ConfigError` and `DatabaseRefused`
belong to the start and never reach a requester.
"""


class ProxyError(Exception):
    """Root of everything that ends a request; never raised itself.

    The message is meant for the requester: it holds no SQL, no path and no foreign JID.
    """

    def __new__(cls, *args: object, **kwargs: object) -> "ProxyError":
        """Refuse to make an instance of one of the abstract classes."""
        if cls in (ProxyError, RequestError, UpstreamError, StorageError):
            raise TypeError(f"{cls.__name__} is abstract: raise one of its subclasses")
        return super().__new__(cls, *args, **kwargs)


class RequestError(ProxyError):
    """The requester's fault, or at least the requester's to change; abstract."""


class BadRequest(RequestError):
    """The stanza does not follow its schema (RFC 6120 section 8.3.3.1)."""


class InvalidPage(RequestError):
    """A XEP-0059 `<set/>` holds a value that cannot be one, such as a negative index."""


class ItemNotFound(RequestError):
    """The item, or the page that was asked for by its item id, does not exist (XEP-0059 2.3)."""


class ServiceNotProxied(RequestError):
    """The address asked stands for a service that `[upstream] allow` does not match."""


class ForwardingLoop(RequestError):
    """The request has been through this proxy before, or asks the proxy to ask itself."""


class NotAllowed(RequestError):
    """This proxy does not do that; the text says who does."""


class Unsupported(RequestError):
    """Nothing at this address answers that kind of request."""


class AnswerTooLarge(RequestError):
    """One single item, or an answer that cannot be cut, is larger than `max_stanza_bytes`."""


class StanzaTooLarge(RequestError):
    """A request was larger, deeper or richer in elements than we are willing to read."""


class TooManyRequests(RequestError):
    """As many requests as we hold at once are already in flight."""


class RequesterNotAllowed(RequestError):
    """`[access] requesters` does not name who asks."""


class TooManySubscriptions(RequestError):
    """A user has as many subscriptions through the proxy as one may have (XEP-0060 6.1.3)."""


class PrivilegeMissing(RequestError):
    """The user's server does not let us act for them, though it did, or has to (XEP-0356)."""


class Stopping(RequestError):
    """The proxy is being stopped; the request can be repeated later."""


class UpstreamError(ProxyError):
    """The real service, or the way to it, is at fault; abstract."""


class UpstreamTimeout(UpstreamError):
    """The service did not answer within `[upstream] timeout`."""


class UpstreamUnreachable(UpstreamError):
    """No way to the service: our stream is down, or a server on the way says that it is."""

    def __init__(self, text: str, refusal: "UpstreamRefused | None" = None) -> None:
        super().__init__(text)
        self.refusal = refusal
        """The stanza error that said so, to be relayed as it came; None where nobody did."""


class UpstreamAnswerTooLarge(UpstreamError):
    """The service's answer was over the caps for a received stanza and has been thrown away."""


class UpstreamAnswerInvalid(UpstreamError):
    """The service's answer is not what the XEP says, so that nothing can be made of it."""


class UpstreamRefused(UpstreamError):
    """The service answered with a stanza error; a decision, never an outage.

    Attributes:
        error_type: `type` of the `<error/>`, as on the wire (RFC 6120 section 8.3.2).
        condition: local name of the defined condition, such as `item-not-found`.
        application_conditions: local names of further elements, such as `closed-node`.
        text: the human-readable text, or None.
        error_xml: the whole `<error/>` element as it came, to be relayed as it is.
    """

    def __init__(
        self,
        error_type: str,
        condition: str,
        *,
        application_conditions: tuple[str, ...] = (),
        text: str | None = None,
        error_xml: str = "",
    ) -> None:
        super().__init__(f"{error_type}/{condition}")
        self.error_type = error_type
        self.condition = condition
        self.application_conditions = application_conditions
        self.text = text
        self.error_xml = error_xml


def is_passing(error: UpstreamRefused) -> bool:
    """Tell whether the same request may be granted later (RFC 6120 section 8.3.2).

    A service that is being reloaded says `cancel` too.
    """
    is_ill = error.condition in ("service-unavailable", "internal-server-error")
    return is_ill or error.error_type == "wait"


class StorageError(ProxyError):
    """Our own database is at fault; abstract."""


class StoreUnavailable(StorageError):
    """The database is locked, full or gone; the request can still be forwarded."""


class StoreConflict(StorageError):
    """What was to be written contradicts what is there; the transaction was rolled back."""


class AnalyserError(Exception):
    """An analyser failed, or took too long; the item stays, raw. Never reaches a requester."""

    def __init__(self, analyser: str, problem: str) -> None:
        super().__init__(f"analyser {analyser!r}: {problem}")
        self.analyser = analyser
        self.problem = problem


class Conflict(ValueError):
    """An analyser of that name is registered already."""


class ConfigError(Exception):
    """The configuration is wrong; lists everything that is, each with the key and the remedy."""

    def __init__(self, source: str, problems: tuple[str, ...]) -> None:
        self.source = source
        self.problems = problems
        super().__init__("\n".join((f"{source}: {len(problems)} problem(s)", *problems)))


class DatabaseRefused(Exception):
    """The database cannot be used; the message says in one line what was found and the remedy.

    Raised as it is where the database cannot be reached, opened, locked or written to; the
    subclasses say what else is in the way. Each has an exit code of its own.
    """


class DatabaseAhead(DatabaseRefused):
    """A newer version made it, or brought it to a revision that this one does not know."""


class DatabaseUnversioned(DatabaseRefused):
    """It holds tables of ours, but nothing says of which revision they are."""


class DatabaseForeign(DatabaseRefused):
    """It is no database of ours: others' tables, another program's revision, or no database."""


class DatabaseBroken(DatabaseRefused):
    """It is damaged, or a table or column of ours is missing or not as its revision made it."""


class MigrationFailed(DatabaseRefused):
    """A migration, or the copy before it, failed; the database is as it was before."""


class NoSuchRevision(Exception):
    """The revision that a command names does not exist, or does not lie in its direction."""
