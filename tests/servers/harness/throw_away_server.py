"""What all throw-away servers have in common, and what tests may rely on with each of them."""

import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.logged_process import LoggedProcess
from harness.waiting import free_port, is_listening, wait_until

CONF = Path(__file__).resolve().parents[3] / "conf"

USERS = {"owner": "owner-pw", "reader": "reader-pw", "other": "other-pw"}


@dataclass(frozen=True)
class Facts:
    """What a server does its own way and cannot be asked for at the moment a test needs it.

    Attributes:
        name: as it is called in reports.
        pages: its pubsub service answers `<set/>` (XEP-0059).
        republish_moves: an item published again becomes the newest.
        absent: type and condition of the error for an address whose service or component is gone.
        closed: type, condition and XEP-0060's condition of the error for a stranger who reads a
            node that is not open to them.
        notifies_the_absent: its personal eventing notifies subscribers of whom it has no presence.
    """

    name: str
    pages: bool
    republish_moves: bool
    absent: tuple[str, str]
    closed: tuple[str, str, str | None]
    notifies_the_absent: bool

    @property
    def closed_answer(self) -> str:
        """`closed`, as `comparing.canonical` spells it."""
        return "/".join(map(str, self.closed))


class ThrowAwayServer(ABC):
    """A real server with users, a pubsub service, and two places for external components.

    It listens on free ports of the loopback interface; what it writes is in a temporary directory.
    It is configured with the snippet that operators use.

    Attributes:
        facts: its ways.
        host: the domain of the users.
        service: its own pubsub service.
        cache: where the proxy may connect, at `component_port`.
        counting: where another component may connect, at `counting_port`.
        component_secret: the secret of both.
        users: passwords by name. `owner` is the administrator and may create nodes.
        client_port: for clients, without encryption.
        component_port, counting_port: for components; perhaps the same.
        directory: everything it writes.
        process: the running server, and its log.
    """

    facts: Facts
    host = "localhost"
    service = "pubsub.localhost"
    cache = "cache.localhost"
    counting = "counting.localhost"
    component_secret = "not-a-real-secret"

    def __init__(
        self, program: str, log_level: str = "info", users: Mapping[str, str] | None = None
    ) -> None:
        self.program = program
        self.log_level = log_level
        self.users = dict(users or USERS)
        self.client_port = free_port()
        self.component_port = self.counting_port = free_port()
        # Not pytest's: a path of Prosody's admin socket may have 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix=f"{program}-"))
        self.process = LoggedProcess(
            self.facts.name,
            self._command_line(),
            self.directory / f"{program}.log",
            self._environment(),
        )

    def log(self) -> str:
        """Return what the server has logged so far, over all its starts."""
        return self.process.log()

    async def start(self) -> None:
        """Start and return once clients and components can connect.

        Raises: RuntimeError with the server's log if it stops, or is not installed; TimeoutError.
        """
        self._require_installed()
        self._write_configuration()
        self.process.start()
        await wait_until(self._is_ready, f"{self.facts.name} to accept connections")

    async def stop(self) -> None:
        """Stop it orderly; streams are closed."""
        if self.process.is_running:
            await self.process.terminate()

    def kill(self) -> None:
        """End it at once, without a word to anybody."""
        self.process.kill()

    async def restart(self) -> None:
        """Stop and start it, with the same data and ports."""
        await self.stop()
        await self.start()

    def remove(self) -> None:
        """End it and remove everything it wrote."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    @abstractmethod
    async def take_service_away(self) -> None:
        """Leave the service's address without a service; its data stays.

        Requests then get `facts.absent`, as those to a component that is not connected do.
        """

    @abstractmethod
    async def bring_service_back(self) -> None:
        """Undo `take_service_away`."""

    @abstractmethod
    def _command_line(self) -> Sequence[str]:
        """Return how to start it in the foreground."""

    def _environment(self) -> Mapping[str, str]:
        """Return what it needs in its environment beside what is there."""
        return {}

    @abstractmethod
    def _write_configuration(self) -> None:
        """Write all that it needs to start."""

    def _ports(self) -> Sequence[int]:
        """Return where it listens when it is ready."""
        return (self.client_port, self.component_port)

    async def _is_ready(self) -> bool:
        self.process.require_running()
        return all([await is_listening(port) for port in self._ports()])

    def _require_installed(self) -> None:
        if shutil.which(self._command_line()[0]) is None:
            raise RuntimeError(f"{self.program} is missing; install it with: .ci/install-packages")


def render_snippet(name: str, replacements: Mapping[str, str]) -> str:
    """Return the operators' snippet of that name with our addresses in the places of theirs.

    Each key of `replacements` stands in it.
    """
    path = CONF / name
    text = path.read_text()
    for theirs, ours in replacements.items():
        assert theirs in text, f"{path} should have {theirs}"
        text = text.replace(theirs, ours)
    return text
