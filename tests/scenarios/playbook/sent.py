"""What the component sent."""

from playbook.stanzas import COMPONENT, STANZAS, parsed


class Sent:
    """A stanza that the component sent."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.element = parsed(raw)
        self.kind = self.element.get("type", "")
        self.id = self.element.get("id", "")
        self.sender = self.element.get("from", "")
        self.recipient = self.element.get("to", "")

    @property
    def condition(self) -> str:
        """The defined condition of a stanza error, after its type; empty for none."""
        error = self.element.find(f"{{{COMPONENT}}}error")
        if error is None:
            return ""
        names = [one.tag for one in error if one.tag.startswith(f"{{{STANZAS}}}")]
        names = [name.rpartition("}")[2] for name in names if not name.endswith("}text")]
        return f"{error.get('type')}/{names[0]}"

    @property
    def text(self) -> str:
        """The text of a stanza error."""
        return self.element.findtext(f".//{{{STANZAS}}}text") or ""

    def __repr__(self) -> str:
        return self.raw.decode()
