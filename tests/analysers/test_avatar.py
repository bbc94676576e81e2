"""User avatars (XEP-0084) as clients publish them, and as nobody should."""

import base64
import hashlib
from typing import Any

import pytest
from builtin_parsing import builtin, key, parsed
from published import AVATAR_DATA, AVATAR_METADATA, PICTURE

from pubcellar.core.ports import Verdict

DATA, METADATA = "urn:xmpp:avatar:data", "urn:xmpp:avatar:metadata"


@pytest.mark.parametrize(
    ("node", "namespace"),
    [(DATA, None), (METADATA, None), ("pictures", DATA), ("pictures", METADATA)],
)
async def test_both_nodes_are_held(node: str, namespace: str | None) -> None:
    verdict = await builtin().analyse(key(node), namespace)
    assert verdict == Verdict("avatar", "avatar", None, True)


async def test_metadata_lists_the_pictures() -> None:
    assert await parsed("avatar", METADATA, AVATAR_METADATA) == {
        "variants": [
            {
                "id": "111f4b3c50d7b0df729d299bc6f8e9ef9066971f",
                "size_bytes": 68,
                "width": 96,
                "height": 64,
                "media_type": "image/png",
            },
            {
                "id": "357a8123a30844a3aa99861b6349264ba67a5694",
                "size_bytes": 23456,
                "width": 64,
                "height": 64,
                "media_type": "image/webp",
                "uri": "https://avatars.example.org/a.webp",
            },
        ],
        "is_disabled": False,
    }


async def test_empty_metadata_switches_the_avatar_off() -> None:
    assert await parsed("avatar", METADATA, f"<metadata xmlns='{METADATA}'/>") == {
        "is_disabled": True
    }


async def test_of_a_picture_hash_and_size_are_kept_and_not_the_picture() -> None:
    """With the line feeds that section 4.1 wants accepted."""
    assert "\n" in AVATAR_DATA.strip()
    assert await parsed("avatar", DATA, AVATAR_DATA) == {
        "sha1": hashlib.sha1(PICTURE).hexdigest(),
        "size_bytes": len(PICTURE),
    }


async def test_a_large_picture_gives_a_small_result() -> None:
    picture = base64.b64encode(bytes(180_000)).decode()
    result = await parsed("avatar", DATA, f"<data xmlns='{DATA}'>{picture}</data>")
    assert result == {"sha1": hashlib.sha1(bytes(180_000)).hexdigest(), "size_bytes": 180_000}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("", {}),
        (f"<data xmlns='{DATA}'/>", {}),
        (f"<data xmlns='{DATA}'>a</data>", {}),
        (f"<data xmlns='{DATA}'>é ☃</data>", {}),
        (f"<data xmlns='{DATA}'>-_-_</data>", {}),
        ("<data xmlns='urn:example:other'>AAAA</data>", {}),
        (f"<metadata xmlns='{METADATA}'><info/><stop/></metadata>", {"is_disabled": False}),
        (
            f"<metadata xmlns='{METADATA}'><info bytes='-1' width='9.5' height='x' id='a'/>"
            "<info xmlns='urn:example:other' id='b'/></metadata>",
            {"variants": [{"id": "a"}], "is_disabled": False},
        ),
    ],
)
async def test_what_is_there_and_makes_sense_is_kept(
    payload: str, expected: dict[str, Any]
) -> None:
    assert await parsed("avatar", DATA, payload) == expected


async def test_metadata_that_overdoes_it_is_cut() -> None:
    long = "\U0001f600" * 1000
    info = f"<info id='{long}' type='{long}' url='{long}'/>"
    payload = f"<metadata xmlns='{METADATA}'>{info * 500}</metadata>"
    assert len((await parsed("avatar", METADATA, payload))["variants"]) == 20
