"""The built-in analyser of what servers say of themselves (XEP-0485)."""

from typing import TypedDict

from lxml import etree

from pubcellar.analysers.analyser import Analyser, Parsed
from pubcellar.analysers.payload import children, payload_of
from pubcellar.analysers.plain_text import one_line
from pubcellar.analysers.results import bounded, present
from pubcellar.core.namespaces import NODE_SERVER_INFO, NS_SERVER_INFO, NS_VERSION
from pubcellar.core.values import Item, NodeKey

MAX_DOMAINS = 100
MAX_REMOTE_DOMAINS = 1000
MAX_CONNECTIONS = 10
DIRECTIONS = ("incoming", "outgoing", "bidi")
"""The values of a connection's `type` (XEP-0485 section 4)."""

_INFO = f"{{{NS_SERVER_INFO}}}"
_VERSION = f"{{{NS_VERSION}}}"


class RemoteDomain(TypedDict):
    """A domain that the server is connected with; without `name` unless it opted in."""

    name: str | None
    connections: list[str]


class Domain(TypedDict):
    """One domain that the server serves."""

    name: str | None
    remote_domains: list[RemoteDomain]


class Software(TypedDict):
    """The server's software (XEP-0092)."""

    name: str | None
    version: str | None
    os: str | None


class ServerInfo(TypedDict):
    """What a server says; `software` may stand beside the domains or in one of them."""

    domains: list[Domain]
    software: Software | None


class ServerInfoAnalyser(Analyser):
    """Holds the node `serverinfo`, and others of that payload (XEP-0485 sections 3 and 5)."""

    name = "serverinfo"
    type = "serverinfo"
    node = NODE_SERVER_INFO
    namespace = NS_SERVER_INFO
    to_sync = True
    version = "1"

    def parse(self, item: Item, key: NodeKey) -> Parsed:
        """Return what the server says, see `ServerInfo`; {} if it is something else."""
        info = payload_of(item.xml, f"{_INFO}serverinfo")
        return {} if info is None else parsed_server_info(info)


def parsed_server_info(info: etree._Element) -> Parsed:
    """Return what a `<serverinfo/>` says, see `ServerInfo` (XEP-0485 section 4)."""
    domains = children(info, f"{_INFO}domain", MAX_DOMAINS)
    versions = (each.find(f"{_VERSION}query") for each in (info, *domains))
    remote_left = MAX_REMOTE_DOMAINS
    found: list[Domain] = []
    for domain in domains:
        remote = [_remote_domain(each) for each in _federation(domain)[:remote_left]]
        remote_left -= len(remote)
        values: Domain = {
            "name": one_line(domain.get("name")),
            "remote_domains": [each for each in remote if each],
        }
        found.append(present(values))
    said: ServerInfo = {
        "domains": [domain for domain in found if domain],
        "software": _software(next((each for each in versions if each is not None), None)),
    }
    return bounded(present(said), "domains")


def _federation(domain: etree._Element) -> list[etree._Element]:
    return domain.findall(f"{_INFO}federation/{_INFO}remote-domain")


def _remote_domain(remote: etree._Element) -> RemoteDomain:
    connections = children(remote, f"{_INFO}connection", MAX_CONNECTIONS)
    directions = ((each.get("type") or "").strip() for each in connections)
    values: RemoteDomain = {
        "name": one_line(remote.get("name")),
        "connections": [direction for direction in directions if direction in DIRECTIONS],
    }
    return present(values)


def _software(query: etree._Element | None) -> Software | None:
    if query is None:
        return None
    values: Software = {
        "name": one_line(query.findtext(f"{_VERSION}name")),
        "version": one_line(query.findtext(f"{_VERSION}version")),
        "os": one_line(query.findtext(f"{_VERSION}os")),
    }
    return present(values)
