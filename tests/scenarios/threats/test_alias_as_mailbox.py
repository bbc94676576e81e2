"""An alias is no mailbox: nobody reaches a user through it (threats 2, 4, 8, 13)."""

import pytest
from playbook import Cellar, Service
from playbook.cellar import CACHE, JULIET
from playbook.subscribing import ALIAS, ALIAS_BARE, NODE, PUBLISHED, notification, subscribed

from pubcellar.core.counters import Happened

SPAM = "<body>buy</body>"
FORWARDED = f"<forwarded xmlns='urn:xmpp:forward:0'>{notification()}</forwarded>"
SERVICES = "<message from='pubsub.example.org' to='{}'>{}</message>"


@pytest.fixture
def juliets(cellar: Cellar, service: Service, wait_for_coroutine) -> Cellar:
    """Return a component through which Juliet has subscribed to a node."""
    wait_for_coroutine(subscribed(cellar, service))
    return cellar


@pytest.mark.parametrize(
    "stray",
    [
        pytest.param(notification(sender="mallory@evil.example"), id="from somebody"),
        pytest.param(notification(sender="other.example.org"), id="from another service"),
        pytest.param(notification(sender="pubsub.example.org/x"), id="from a resource"),
        pytest.param(notification(sender="x@pubsub.example.org"), id="from a user of the service"),
        pytest.param(notification(f"<purge node='{NODE}x'/>"), id="another node"),
        pytest.param(notification("<purge node='NOTES/A'/>"), id="another case"),
        pytest.param(notification("<purge/>"), id="no node"),
        pytest.param(notification(""), id="nothing"),
        pytest.param(notification(f"{PUBLISHED}<purge node='x'/>"), id="another node beside"),
        pytest.param(notification(f"{PUBLISHED}<purge/>"), id="no node beside"),
        pytest.param(notification(to=ALIAS_BARE), id="no resource"),
        pytest.param(notification(to=f"{ALIAS_BARE}/crypt"), id="another resource"),
        pytest.param(notification(to=rf"romeo\40montague.lit@{CACHE}/x"), id="another user"),
        pytest.param(
            notification(to=rf"juliet\5c40capulet.lit@{CACHE}/balcony"), id="escaped twice"
        ),
        pytest.param(notification(attributes="type='error'"), id="an error"),
        pytest.param(SERVICES.format(ALIAS, SPAM), id="a body"),
        pytest.param(SERVICES.format(ALIAS, FORWARDED), id="forwarded"),
        pytest.param(
            SERVICES.format(ALIAS, f"<received xmlns='urn:xmpp:carbons:2'>{FORWARDED}</received>"),
            id="a carbon",
        ),
        pytest.param(
            SERVICES.format(ALIAS, f"<result xmlns='urn:xmpp:mam:2'>{FORWARDED}</result>"),
            id="from an archive",
        ),
    ],
)
async def test_threat_2_what_the_alias_is_not_subscribed_to_reaches_nobody(
    juliets: Cellar, stray: str
) -> None:
    juliets.receives(stray)
    await juliets.idle()
    assert juliets.counted(Happened.NOTIFICATION_DROPPED) == 1
    assert juliets.counted(Happened.NOTIFICATION_RELAYED) == 0


@pytest.mark.parametrize(
    "beside",
    [
        SPAM,
        "<x xmlns='jabber:x:oob'><url>http://evil.example</url></x>",
        FORWARDED,
        f"<sent xmlns='urn:xmpp:carbons:2'>{FORWARDED}</sent>",
        "<x xmlns='jabber:x:conference' jid='a@b.c'/>",
        "<privilege xmlns='urn:xmpp:privilege:2'/>",
    ],
)
async def test_threat_8_nothing_else_is_carried_along(juliets: Cellar, beside: str) -> None:
    juliets.receives(notification(beside=beside))
    await juliets.sends(notification(sender=CACHE, to=JULIET))


@pytest.mark.parametrize(
    "stray",
    [
        f"<presence from='pubsub.example.org' to='{ALIAS}' type='subscribe'/>",
        f"<iq type='result' id='x' from='pubsub.example.org' to='{ALIAS}'/>",
    ],
)
async def test_threat_4_presence_and_results_nobody_asked_for_reach_nobody(
    juliets: Cellar, stray: str
) -> None:
    juliets.receives(stray)
    await juliets.idle()


@pytest.mark.parametrize("type_", ["get", "set"])
async def test_threat_4_a_request_to_an_alias_is_not_passed_on(juliets: Cellar, type_: str) -> None:
    answer = await juliets.answer(
        "<ping xmlns='urn:xmpp:ping'/>", sender="pubsub.example.org", to=ALIAS_BARE, type_=type_
    )
    assert answer.kind == "error"
    await juliets.idle()


async def test_threat_2_what_stands_for_a_service_and_a_user_is_the_alias_to_who_notifies_it(
    juliets: Cellar, service: Service
) -> None:
    """Romeo's address here is that of his own service too."""
    address = rf"romeo\40montague.lit@{CACHE}"
    romeos = Service("romeo@montague.lit")
    await subscribed(juliets, romeos, to=address)
    juliets.receives(notification(to=address))
    await juliets.idle()
    juliets.receives(notification(sender="romeo@montague.lit"))
    await juliets.sends(notification(sender=address, to=JULIET))


async def test_threat_4_who_subscribes_somebody_elses_alias_sends_them_nothing(
    cellar: Cellar,
) -> None:
    """An owner can subscribe anybody at the service itself."""
    cellar.receives(notification())
    await cellar.idle()
    assert cellar.counted(Happened.NOTIFICATION_DROPPED) == 1
