r"""JID escaping (XEP-0106): any bare JID as the local part of another one.

Two rules. Only the canonical form is believed: `unescaped` refuses a text that `escaped` would not
have made, so that two spellings can never mean one address. Nothing is compared unescaped.
"""

import re

_CODES = {
    " ": r"\20",
    '"': r"\22",
    "&": r"\26",
    "'": r"\27",
    "/": r"\2f",
    ":": r"\3a",
    "<": r"\3c",
    ">": r"\3e",
    "@": r"\40",
}
_CHARACTERS = {code: character for character, code in _CODES.items()} | {r"\5c": "\\"}

# XEP-0106 section 4.2: a backslash is escaped only where what follows would make it look like one
# of the escape sequences.
_TO_ESCAPE = re.compile(r"""[ "&'/:<>@]|\\(?=20|22|26|27|2f|3a|3c|3e|40|5c)""")
_SEQUENCE = re.compile(r"\\(?:20|22|26|27|2f|3a|3c|3e|40|5c)")


def escaped(address: str) -> str:
    """Return `address`, a normalised bare JID, as it is written in a local part."""
    return _TO_ESCAPE.sub(lambda match: _CODES.get(match[0], r"\5c"), address)


def unescaped(local_part: str) -> str:
    """Return the address that `local_part` stands for.

    Raises:
        ValueError: it is not in canonical form.
    """
    address = _SEQUENCE.sub(lambda match: _CHARACTERS[match[0]], local_part)
    if escaped(address) != local_part:
        raise ValueError("not in the canonical form of XEP-0106")
    return address
