"""Items published again in their old order, unheard: nothing moves among those that were held."""

import pytest
from playbook import Cellar, Service
from test_revalidating import CHANGED, held, is_right, lose_the_stream


@pytest.mark.parametrize("number", [2, 5, 30])
@pytest.mark.parametrize("with_new", [False, True], ids=["alone", "and a new one"])
@pytest.mark.parametrize("with_retract", [False, True], ids=["all", "the newest retracted"])
async def test_all_of_them_are_found_after_a_loss(
    cellar: Cellar, service: Service, number: int, with_new: bool, with_retract: bool
) -> None:
    """Where republished items move, the newest ones in their order end up where they were."""
    await held(cellar, service, moves=True)
    await lose_the_stream(cellar)
    newest = list(service.nodes["notes/a"].items)[-number:]
    if with_retract:
        service.retract("notes/a", newest.pop())
    for one in newest:
        service.publish("notes/a", one, CHANGED)
    if with_new:
        service.publish("notes/a", "new")

    await cellar.reconnect()
    await cellar.settled()

    await is_right(cellar, service)
