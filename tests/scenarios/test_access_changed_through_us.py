"""What changes who may read, and goes through the proxy, takes effect on cached answers at once.

Threat 5: `entitlement_max_age` bounds only what the proxy has not seen.
"""

import pytest
from playbook import Cellar, Service, items
from playbook.cellar import JULIET, ROMEO
from playbook.closed import REFUSED, alias, held, is_answered_from_the_cache
from playbook.stanzas import PUBSUB, configuration, owned

CHANGES = {
    "affiliations": owned(
        "affiliations", "notes/a", f"<affiliation jid='{alias(ROMEO)}' affiliation='none'/>"
    ),
    "subscriptions": owned(
        "subscriptions", "notes/a", f"<subscription jid='{alias(ROMEO)}' subscription='none'/>"
    ),
    "configuration": owned("configure", "notes/a", configuration(title="Other")),
    "something unknown": f"<pubsub xmlns='{PUBSUB}'><future/></pubsub>",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_threat_5_who_is_shut_out_through_the_proxy_reads_no_more(
    cellar: Cellar, service: Service, change: str
) -> None:
    await held(cellar, service)
    await cellar.result(items("notes/a"), sender=ROMEO)
    assert await is_answered_from_the_cache(cellar, service, items("notes/a"), ROMEO)
    # That is what the service makes of the change.
    node = service.nodes["notes/a"]
    node.access_model = "whitelist"
    node.members.discard(alias(ROMEO))
    await cellar.answer(change, sender=JULIET, type_="set")
    for seconds in (0, 2, 10):
        await cellar.advance(seconds)
        assert (await cellar.answer(items("notes/a"), sender=ROMEO)).condition == REFUSED
