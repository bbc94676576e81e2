"""vCards (XEP-0292) as clients publish them, and as nobody should."""

from typing import Any

import pytest
from builtin_parsing import builtin, key, parsed
from published import VCARD

from pubcellar.core.ports import Verdict

NODE, NS = "urn:xmpp:vcard4", "urn:ietf:params:xml:ns:vcard-4.0"


async def test_public_cards_are_held() -> None:
    assert await builtin().analyse(key(NODE), None) == Verdict("vcard", "vcard", None, True)


async def test_cards_in_any_other_node_are_not() -> None:
    """They may be somebody's address book (section 5)."""
    assert await builtin().analyse(key("address-book"), NS) is None
    contacts = await builtin().analyse(key("urn:xmpp:contacts"), NS)
    assert contacts == Verdict("contacts", "private", None, False)


async def test_a_card_with_everything() -> None:
    assert await parsed("vcard", NODE, VCARD) == {
        "kind": "individual",
        "full_name": "Dr. Juliet Capulet",
        "name": {
            "surname": "Capulet",
            "given": "Juliet",
            "additional": "Maria Rosa",
            "prefix": "Dr.",
            "suffix": "Jr.",
        },
        "nicknames": ["jule", "jules"],
        "photo": "https://capulet.lit/juliet.jpg",
        "birthday": "--0731",
        "addresses": [
            {
                "types": ["home"],
                "street": "Via Cappello 23",
                "locality": "Verona",
                "region": "Veneto",
                "postal_code": "37121",
                "country": "Italy",
            }
        ],
        "phones": [{"types": ["work", "voice"], "value": "tel:+39-45-123456"}],
        "emails": [{"types": ["home"], "value": "juliet@mail.capulet.lit"}],
        "jids": ["juliet@capulet.lit"],
        "geo": "geo:45.4418,10.9983",
        "title": "Heiress",
        "role": "Lover",
        "organisations": ["House of Capulet"],
        "uris": ["https://capulet.lit/", "https://juliet.capulet.lit/"],
        "languages": ["it"],
        "note": "On the balcony\nin the evening.",
    }


async def test_the_card_of_a_service() -> None:
    """As a gateway publishes it: XEP-0292 section 6."""
    card = (
        f"<vcard xmlns='{NS}'><fn><text>Pubcellar</text></fn>"
        "<kind><text>application</text></kind><url><uri>https://example.org</uri></url></vcard>"
    )
    assert await parsed("vcard", NODE, card) == {
        "kind": "application",
        "full_name": "Pubcellar",
        "uris": ["https://example.org"],
    }


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("", {}),
        ("<fn/><n/><tel/><adr/><email/><impp/><photo/><note/><bday/>", {}),
        ("<fn>no type</fn>", {}),
        ("<fn><text>a</text><text>b</text></fn>", {"full_name": "a"}),
        ("<adr><parameters><type><text>home</text></type></parameters><street/></adr>", {}),
        ("<tel><parameters><text>1</text></parameters></tel>", {}),
        ("<impp><uri>juliet@capulet.lit</uri></impp><impp><uri>xmpp:?message</uri></impp>", {}),
        ("<impp><uri>xmpp:a%00b@capulet.lit</uri></impp>", {}),
        ("<photo><uri>DATA:image/png;base64,AAAA</uri></photo>", {}),
        ("<fn xmlns='vcard-temp'><text>old</text></fn>", {}),
    ],
)
async def test_what_is_there_and_makes_sense_is_kept(inside: str, expected: dict[str, Any]) -> None:
    assert await parsed("vcard", NODE, f"<vcard xmlns='{NS}'>{inside}</vcard>") == expected


@pytest.mark.parametrize(
    "payload", ["", "<vcard/>", "<vCard xmlns='vcard-temp'><FN>a</FN></vCard>"]
)
async def test_an_item_without_card_says_nothing(payload: str) -> None:
    assert await parsed("vcard", NODE, payload) == {}


async def test_a_card_that_overdoes_everything_keeps_the_name() -> None:
    long = "\U0001f600" * 1000
    several = "".join(
        f"<{name}><uri>{number}{long}</uri></{name}>"
        for name in ("url", "tel", "email", "org", "nickname", "lang", "impp")
        for number in range(100)
    )
    street = f"<adr><street>{long}</street><region>{long}</region></adr>" * 100
    result = await parsed(
        "vcard", NODE, f"<vcard xmlns='{NS}'><fn><text>{long}</text></fn>{several}{street}</vcard>"
    )
    assert result["full_name"] == long
