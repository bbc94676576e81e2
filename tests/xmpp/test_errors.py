"""Exceptions as stanza errors and back (RFC 6120 section 8.3)."""

from collections.abc import Iterator

import pytest
from hypothesis import given

from pubcellar.core import errors
from pubcellar.core.namespaces import NS_COMPONENT_ACCEPT, NS_PUBSUB_ERRORS, NS_STANZA_ERRORS
from pubcellar.xmpp.errors import (
    LARGEST_ERROR,
    OUTAGES,
    STANZA_ERRORS,
    StanzaError,
    error_payload,
    refusal,
)
from pubcellar.xmpp.stanzas import Element, iq, parse_stanza, qualified
from xmpp.xml_trees import TEXTS, assert_same

Refused = errors.UpstreamRefused

ABSTRACT = {errors.ProxyError, errors.RequestError, errors.UpstreamError, errors.StorageError}

TYPES = {"auth", "cancel", "continue", "modify", "wait"}

CONDITIONS = {
    "bad-request",
    "conflict",
    "feature-not-implemented",
    "forbidden",
    "gone",
    "internal-server-error",
    "item-not-found",
    "jid-malformed",
    "not-acceptable",
    "not-allowed",
    "not-authorized",
    "policy-violation",
    "recipient-unavailable",
    "redirect",
    "registration-required",
    "remote-server-not-found",
    "remote-server-timeout",
    "resource-constraint",
    "service-unavailable",
    "subscription-required",
    "undefined-condition",
    "unexpected-request",
}
"""RFC 6120 section 8.3.3."""


def subclasses(parent: type[errors.ProxyError]) -> Iterator[type[errors.ProxyError]]:
    for child in parent.__subclasses__():
        yield child
        yield from subclasses(child)


CONCRETE = sorted(set(subclasses(errors.ProxyError)) - ABSTRACT, key=lambda each: each.__name__)


def reply(error: str) -> Element:
    """Return an iq of type error that holds `error`, as a service would send it."""
    return parse_stanza(iq("error", id_="1", sender="a@b", recipient="c@d", payload=error), {})


def written(error: BaseException) -> Element:
    """Return the `<error/>` that a requester reads."""
    (element,) = reply(error_payload(error))
    assert element.tag == qualified(NS_COMPONENT_ACCEPT, "error")
    return element


def condition(name: str) -> str:
    return f"<{name} xmlns='{NS_STANZA_ERRORS}'/>"


def refused(error: str) -> errors.UpstreamRefused:
    exception = refusal(reply(error))
    assert isinstance(exception, errors.UpstreamRefused)
    return exception


class TestTheTable:
    @pytest.mark.parametrize("error", CONCRETE)
    def test_every_error_that_can_be_raised_has_a_row(self, error: type[errors.ProxyError]) -> None:
        assert error in STANZA_ERRORS

    def test_it_has_no_other_rows(self) -> None:
        assert set(STANZA_ERRORS) == set(CONCRETE)

    @pytest.mark.parametrize("row", STANZA_ERRORS.values())
    def test_every_row_is_one_of_the_rfc(self, row: StanzaError) -> None:
        assert row.type in TYPES
        assert row.condition in CONDITIONS


class TestErrorPayload:
    @pytest.mark.parametrize("error", [each for each in CONCRETE if each is not Refused])
    def test_type_condition_and_text_are_written(self, error: type[errors.ProxyError]) -> None:
        element = written(error("what is wrong"))
        row = STANZA_ERRORS[error]
        assert dict(element.attrib) == {"type": row.type}
        more = row.pubsub_condition
        assert [child.tag for child in element] == [
            qualified(NS_STANZA_ERRORS, row.condition),
            qualified(NS_STANZA_ERRORS, "text"),
            *([qualified(NS_PUBSUB_ERRORS, more)] if more else ()),
        ]
        assert element[1].text == "what is wrong"

    @given(TEXTS)
    def test_any_text_is_written_safely(self, text: str) -> None:
        element = written(errors.NotAllowed(f"x{text}"))
        assert len(element) == 2
        assert element[1].text == f"x{text}".replace("\r\n", "\n").replace("\r", "\n")

    def test_without_text_there_is_none(self) -> None:
        assert len(written(errors.NotAllowed(""))) == 1

    @pytest.mark.parametrize("error", [KeyError("/secret"), RuntimeError("SELECT"), OSError(2)])
    def test_what_is_not_ours_says_nothing_about_itself(self, error: Exception) -> None:
        text = error_payload(error)
        assert "secret" not in text
        assert "SELECT" not in text
        assert written(error)[0].tag == qualified(NS_STANZA_ERRORS, "internal-server-error")

    def test_a_refusal_without_xml_is_written_from_its_parts(self) -> None:
        element = written(errors.UpstreamRefused("auth", "forbidden"))
        assert element.get("type") == "auth"
        assert [child.tag for child in element] == [qualified(NS_STANZA_ERRORS, "forbidden")]

    def test_an_outage_that_nobody_reported_is_our_own_error(self) -> None:
        element = written(errors.UpstreamUnreachable("no stream"))
        assert element.get("type") == "wait"
        assert element[0].tag == qualified(NS_STANZA_ERRORS, "remote-server-timeout")


SERVICE_ERRORS = {
    "bare": f"<error type='cancel'>{condition('item-not-found')}</error>",
    "with a text": (
        f"<error type='cancel'>{condition('item-not-found')}"
        f"<text xmlns='{NS_STANZA_ERRORS}' xml:lang='en'>Node &lt;not&gt; found</text></error>"
    ),
    "with an application condition": (
        f"<error type='cancel'>{condition('not-allowed')}"
        f"<closed-node xmlns='{NS_PUBSUB_ERRORS}'/></error>"
    ),
    "with by and code": f"<error type='auth' code='403' by='x@y'>{condition('forbidden')}</error>",
    "with a value": (
        f"<error type='modify'><gone xmlns='{NS_STANZA_ERRORS}'>xmpp:new@host</gone></error>"
    ),
    "with nothing": "<error/>",
    "with everything": (
        f"<error type='wait'><retry xmlns='urn:xmpp:errors' after='5'/>"
        f"{condition('resource-constraint')}<a xmlns='urn:a'><b/></a></error>"
    ),
}


class TestBothWays:
    @pytest.mark.parametrize("error", SERVICE_ERRORS.values(), ids=SERVICE_ERRORS)
    def test_what_a_service_refuses_is_relayed_as_it_came(self, error: str) -> None:
        (original,) = reply(error)
        assert_same(original, written(refusal(reply(error))))

    @pytest.mark.parametrize("name", sorted(OUTAGES))
    def test_what_a_server_on_the_way_reports_is_an_outage_and_relayed(self, name: str) -> None:
        error = f"<error type='wait' by='s2s'>{condition(name)}</error>"
        exception = refusal(reply(error))
        assert isinstance(exception, errors.UpstreamUnreachable)
        assert_same(reply(error)[0], written(exception))

    @pytest.mark.parametrize("name", sorted(CONDITIONS - OUTAGES))
    def test_everything_else_is_a_decision(self, name: str) -> None:
        exception = refused(f"<error type='cancel'>{condition(name)}</error>")
        assert (exception.error_type, exception.condition) == ("cancel", name)

    def test_its_parts_are_told_apart(self) -> None:
        exception = refused(SERVICE_ERRORS["with a text"])
        assert exception.text == "Node <not> found"
        exception = refused(SERVICE_ERRORS["with an application condition"])
        assert exception.application_conditions == ("closed-node",)
        exception = refused(SERVICE_ERRORS["with everything"])
        assert exception.condition == "resource-constraint"
        assert exception.application_conditions == ("retry", "a")

    def test_an_error_without_a_condition_is_undefined(self) -> None:
        assert refused("<error/>").condition == "undefined-condition"
        assert refused("<error/>").error_type == "cancel"

    @pytest.mark.parametrize("payload", ["", "<query xmlns='urn:q'/>", "<error xmlns='urn:e'/>"])
    def test_an_iq_of_type_error_without_one_is_no_answer(self, payload: str) -> None:
        assert isinstance(refusal(reply(payload)), errors.UpstreamAnswerInvalid)

    def test_the_request_that_a_service_echoes_is_no_part_of_it(self) -> None:
        """ejabberd sends the request back in front of the error."""
        echoed = f"<pubsub xmlns='urn:p'><error/></pubsub>{SERVICE_ERRORS['bare']}"
        assert refused(echoed).condition == "item-not-found"
        assert "pubsub" not in error_payload(refused(echoed))


class TestTooLong:
    def test_of_an_error_that_is_too_long_type_and_condition_are_relayed(self) -> None:
        text = f"<text xmlns='{NS_STANZA_ERRORS}'>{'x' * LARGEST_ERROR}</text>"
        exception = refused(f"<error type='auth'>{condition('forbidden')}{text}</error>")
        element = written(exception)
        assert dict(element.attrib) == {"type": "auth"}
        assert [child.tag for child in element] == [qualified(NS_STANZA_ERRORS, "forbidden")]

    def test_a_type_with_markup_breaks_out_of_nothing(self) -> None:
        odd = "x'><message xmlns='jabber:client'/><error type=\""
        quoted = odd.replace("<", "&lt;").replace("'", "&apos;").replace('"', "&quot;")
        long = f"<text xmlns='{NS_STANZA_ERRORS}'>{'x' * LARGEST_ERROR}</text>"
        exception = refused(f"<error type='{quoted}'>{condition('forbidden')}{long}</error>")
        assert written(exception).get("type") == odd
