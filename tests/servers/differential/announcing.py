"""Which steps the service tells its subscribers all about, so that no answer after them is old.

What is told must show at once, not within the bounds of verification. Where it is not certain that
all is told (docs/servers.md, "Events"), nothing is claimed. Pure values.
"""

from differential.generating import ROOM
from differential.operations import (
    Configure,
    Create,
    Operation,
    Publish,
    Purge,
    Retract,
    Step,
    Through,
)


class Announcements:
    """Follows what a node is configured to tell.

    Args:
        is_ejabberd: whether ejabberd's ways count, instead of Prosody's.
    """

    def __init__(self, is_ejabberd: bool) -> None:
        self._is_ejabberd = is_ejabberd
        self._fields: dict[str, str] = {}
        self._is_certain = False

    def tells(self, step: Step) -> bool:
        """Take the next step over, and return whether subscribers are told all that it does."""
        return all([self._tells(operation) for operation in step])

    def _tells(self, operation: Operation) -> bool:
        if isinstance(operation, Through):
            # What goes through the proxy is known to it, whether or not it is told.
            self._tells(operation.operation)
            return True
        match operation:
            case Create(fields):
                # A node that is created again has no subscribers, and Prosody does not say so.
                self._is_certain = not self._fields
                self._fields = dict(fields)
            case Configure(fields):
                self._fields |= dict(fields)
        # A subscriber who may not read any more is turned out, on Prosody silently and for good.
        self._is_certain &= self._fields.get("access_model", "open") == "open"
        is_told = self._is_certain and self._fields.get("deliver_notifications") != "0"
        return is_told and self._is_notified(operation)

    def _is_notified(self, operation: Operation) -> bool:
        notify_retract = self._fields.get("notify_retract") != "0"
        match operation:
            case Publish():
                # Of a full node an item is evicted, which Prosody never tells.
                return self._fields.get("max_items") == ROOM
            case Retract(_, notify):
                if self._is_ejabberd:
                    return notify or notify_retract
                return notify and notify_retract
            case Purge():
                return notify_retract or not self._is_ejabberd
        return False
