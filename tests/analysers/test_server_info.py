"""Server information (XEP-0485) as servers publish it, and as nobody should."""

from typing import Any

import pytest
from builtin_parsing import builtin, key, parsed
from published import SERVER_INFO

from pubcellar.core.ports import Verdict

NS = "urn:xmpp:serverinfo:0"


@pytest.mark.parametrize(("node", "namespace"), [("serverinfo", None), ("about", NS)])
async def test_server_information_is_held(node: str, namespace: str | None) -> None:
    verdict = await builtin().analyse(key(node), namespace)
    assert verdict == Verdict("serverinfo", "serverinfo", None, True)


async def test_domains_and_whom_they_talk_to() -> None:
    assert await parsed("serverinfo", "serverinfo", SERVER_INFO, "current") == {
        "domains": [
            {
                "name": "shakespeare.lit",
                "remote_domains": [
                    {"name": "denmark.lit", "connections": ["incoming", "outgoing"]},
                    {"connections": ["bidi"]},
                    {"name": "verona.lit"},
                ],
            }
        ],
        "software": {"name": "Prosody", "version": "13.0", "os": "Linux"},
    }


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("", {}),
        ("<domain/><domain name='a.lit'/>", {"domains": [{"name": "a.lit"}]}),
        (
            "<domain name='a.lit'><query xmlns='jabber:iq:version'><name>b</name></query></domain>",
            {"domains": [{"name": "a.lit"}], "software": {"name": "b"}},
        ),
        (
            "<domain><federation><remote-domain name='b'><connection type='up'/><connection/>"
            "</remote-domain></federation></domain>",
            {"domains": [{"remote_domains": [{"name": "b"}]}]},
        ),
        ("<domain><remote-domain name='not in federation'/></domain>", {}),
        ("<domain xmlns='urn:example:other' name='a'/>", {}),
    ],
)
async def test_what_is_there_and_makes_sense_is_kept(inside: str, expected: dict[str, Any]) -> None:
    payload = f"<serverinfo xmlns='{NS}'>{inside}</serverinfo>"
    assert await parsed("serverinfo", "serverinfo", payload) == expected


async def test_the_domains_of_a_large_server_are_all_kept() -> None:
    remote = "".join(
        f"<remote-domain name='server-{number}.example.org'><connection type='bidi'/>"
        "</remote-domain>"
        for number in range(1000)
    )
    result = await parsed(
        "serverinfo",
        "serverinfo",
        f"<serverinfo xmlns='{NS}'><domain name='a'><federation>{remote * 2}</federation></domain>"
        "<domain name='b'><federation><remote-domain name='c'/></federation></domain></serverinfo>",
    )
    assert [len(domain.get("remote_domains", [])) for domain in result["domains"]] == [1000, 0]


async def test_information_that_overdoes_it_keeps_the_software() -> None:
    domain = "<domain name='{}'/>".format("\U0001f600" * 1000)
    result = await parsed(
        "serverinfo",
        "serverinfo",
        f"<serverinfo xmlns='{NS}'>{domain * 500}"
        "<query xmlns='jabber:iq:version'><name>a</name></query></serverinfo>",
    )
    assert result == {"software": {"name": "a"}}
