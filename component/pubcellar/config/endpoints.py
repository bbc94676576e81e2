"""Twisted's endpoint strings, checked for their form without asking Twisted.

`tcp:127.0.0.1:5347`, `unix:/run/prosody/component.sock`, `tls:xmpp.example.org:5347`: a kind, then
arguments between colons, some of them with a name and `=`. A backslash takes the next character as
it is. Whether anything listens there is not looked at.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

CLIENT_FORM = 'such as "tcp:127.0.0.1:5347", "unix:/run/prosody/component.sock" or "tls:HOST:PORT"'
LISTEN_FORM = 'such as "tcp:9347:interface=127.0.0.1" or "unix:/run/pubcellar/http.sock"'

_CLIENT_ARGUMENTS = {
    "tcp": ("host", "port"),
    "unix": ("path",),
    "tls": ("host", "port"),
}
_CLIENT_OPTIONS = {
    "tcp": {"timeout", "bindAddress"},
    "unix": {"timeout", "lockfile"},
    "tls": {"timeout", "bindAddress", "certificate", "privateKey", "trustRoots", "endpoint"},
}
_LISTEN_ARGUMENTS = {"tcp": ("port",), "unix": ("path",)}
_LISTEN_OPTIONS = {"tcp": {"interface", "backlog"}, "unix": {"mode", "backlog", "lockfile"}}
_NUMBERS = ("timeout", "backlog", "lockfile")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint string taken apart: `tcp`, `unix` or `tls`, and its arguments by name."""

    kind: str
    arguments: dict[str, str]

    @property
    def is_clear_text_to_another_host(self) -> bool:
        """Whether what is sent there can be read on the way: plain TCP that leaves this host."""
        return self.kind == "tcp" and not _is_loopback(self.arguments["host"])


def client_endpoint(text: str) -> Endpoint:
    """Return the client endpoint that `text` describes; ValueError says what is wrong with it."""
    return _endpoint(text, _CLIENT_ARGUMENTS, _CLIENT_OPTIONS, CLIENT_FORM)


def listening_endpoint(text: str) -> Endpoint:
    """Return the server endpoint that `text` describes; ValueError says what is wrong with it."""
    return _endpoint(text, _LISTEN_ARGUMENTS, _LISTEN_OPTIONS, LISTEN_FORM)


def _endpoint(
    text: str,
    arguments: Mapping[str, tuple[str, ...]],
    options: Mapping[str, set[str]],
    form: str,
) -> Endpoint:
    kind, *parts = _split(text)
    name = kind[0].lower()
    if len(kind) != 1 or name not in arguments:
        raise ValueError(
            f"must begin with {' or '.join(f'{known}:' for known in arguments)}, {form}"
        )
    positions = arguments[name]
    values = [part[0] for part in parts if len(part) == 1]
    named = {part[0]: part[1] for part in parts if len(part) == 2}
    found = _placed(values, named, positions, form) | named
    unknown = sorted(found.keys() - options[name] - set(positions))
    if unknown:
        raise ValueError(
            f"{name}: has no argument {unknown[0]!r}; it knows "
            f"{', '.join((*positions, *sorted(options[name])))}"
        )
    missing = [position for position in positions if not found.get(position)]
    if missing:
        raise ValueError(f"{name}: lacks its {' and its '.join(missing)}; write it {form}")
    _check_numbers(found)
    return Endpoint(name, found)


def _placed(
    values: list[str], named: dict[str, str], positions: tuple[str, ...], form: str
) -> dict[str, str]:
    """Return the arguments without a name under the names that their places give them."""
    free = [position for position in positions if position not in named]
    if len(values) > len(free):
        raise ValueError(
            f"has {len(values)} arguments where {len(free)} belong; write it {form}, "
            r"and a colon within an argument, as in an IPv6 address, as \:"
        )
    return dict(zip(free, values, strict=False))


def _check_numbers(arguments: dict[str, str]) -> None:
    port = arguments.get("port")
    if port is not None and not (_is_number(port) and 1 <= int(port) <= 65535):
        raise ValueError(f"its port {port!r} is not a number from 1 to 65535")
    for name in _NUMBERS:
        if name in arguments and not _is_number(arguments[name]):
            raise ValueError(f"its {name} {arguments[name]!r} is not a whole number")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9


def _split(text: str) -> list[list[str]]:
    """Split at colons, and each part at its first `=`, with backslashes undone."""
    if not text.isprintable():
        raise ValueError("holds a line break or another character that cannot be printed")
    parts = [[""]]
    characters = iter(text)
    for character in characters:
        if character == "\\":
            character = next(characters, "")
            if not character:
                raise ValueError("ends with a backslash that has nothing to take as it is")
            parts[-1][-1] += character
        elif character == ":":
            parts.append([""])
        elif character == "=" and len(parts[-1]) == 1:
            parts[-1].append("")
        else:
            parts[-1][-1] += character
    return parts


def _is_loopback(host: str) -> bool:
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
