"""A throw-away Prosody on free loopback ports, configured with the snippet operators use.

Users, nodes and logs live in a temporary directory. Needs Debian's packages prosody and, for
`storage="sql"`, lua-dbi-sqlite3.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from harness.logged_process import LoggedProcess
from harness.waiting import free_port, is_listening, wait_until

SNIPPET = Path(__file__).resolve().parents[3] / "conf" / "prosody.cfg.lua"

CONFIGURATION = """
-- A throw-away server: nothing of this is fit for a real one.
run_as_root = true
pidfile = "{directory}/prosody.pid"
data_path = "{directory}/data"
admin_socket = "{directory}/admin.sock"
log = {{ {{ levels = {{ min = "{log_level}" }}, to = "console" }} }}

interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {client_port} }}
component_interfaces = {{ "127.0.0.1" }}
component_ports = {{ {component_port} }}
s2s_ports = {{ }}
modules_disabled = {{ "s2s" }}
modules_enabled = {{ "roster", "saslauth", "disco", "ping", "pep", "admin_shell" }}

c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
admins = {{ "owner@localhost" }}
storage = "internal"
sql = {{ driver = "SQLite3", database = "{directory}/prosody.sqlite" }}
{options}

VirtualHost "localhost"

Include "{directory}/snippet.cfg.lua"

-- Goes on with what the snippet began.
Component "pubsub.localhost" "pubsub"
    storage = "{storage}"
    pubsub_max_items = {max_items}

Component "counting.localhost"
    component_secret = "{component_secret}"

-- Never connected: see bring_service_back.
Component "spare.localhost"
    component_secret = "{component_secret}"
"""

SPARE = "spare.localhost"


class ThrowAwayProsody:
    """Prosody with users, a pubsub service, and two places for external components.

    Args:
        storage: where pubsub.localhost keeps its items: "sql" (SQLite; use it for large nodes) or
            "internal" (a file per node, read whole at each request).
        max_items: the most items that a node may be configured to keep.
        users: passwords by name. `owner@localhost` is the administrator and may create nodes.
        options: further server-wide settings, in Lua.
        log_level: Prosody's own: debug, info, warn, error.
    """

    host = "localhost"
    service = "pubsub.localhost"
    cache = "cache.localhost"
    counting = "counting.localhost"
    component_secret = "not-a-real-secret"

    def __init__(
        self,
        storage: str = "sql",
        max_items: int = 100_000,
        users: Mapping[str, str] | None = None,
        options: str = "",
        log_level: str = "info",
    ) -> None:
        self.storage = storage
        self.max_items = max_items
        self.users = dict(
            users or {"owner": "owner-pw", "reader": "reader-pw", "other": "other-pw"}
        )
        self.options = options
        self.log_level = log_level
        self.client_port = free_port()
        self.component_port = free_port()
        # Not pytest's: a path of the admin socket may have 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="prosody-"))
        self.process = LoggedProcess(
            "Prosody",
            ["prosody", "-F", "--config", str(self.directory / "prosody.cfg.lua")],
            self.directory / "prosody.log",
        )

    def log(self) -> str:
        """Return what Prosody has logged so far."""
        return self.process.log()

    async def start(self) -> None:
        """Start and return once clients and components can connect.

        Raises: RuntimeError with Prosody's log if it stops, or is not installed; TimeoutError.
        """
        if shutil.which("prosody") is None:
            raise RuntimeError("prosody is missing; install it with: .ci/install-packages")
        self._write_configuration()
        self.process.start()
        await wait_until(self._is_ready, "Prosody to accept connections")

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

    async def take_service_away(self) -> None:
        """Leave the service's address without a service; its data stays.

        Requests then get `wait/remote-server-timeout`, as those to a component that is not
        connected do: its place is taken by an external component that nobody is.
        """
        host = self.service
        # pubsub depends on disco, and goes with it.
        await self.shell(f'module:unload("disco", "{host}"); module:load("component", "{host}")')

    async def bring_service_back(self) -> None:
        """Undo `take_service_away`."""
        host = self.service
        await self.shell(f'module:unload("component", "{host}"); module:load("pubsub", "{host}")')
        # Unloading it for one host has closed the port for all; loading it for one opens it again.
        await self.shell(f'module:reload("component", "{SPARE}")')

    async def shell(self, command: str) -> str:
        """Have the running server carry out a command of its administration shell.

        Raises: RuntimeError with what the shell said against it.
        """
        process = await asyncio.create_subprocess_exec(
            "prosodyctl",
            *("--config", str(self.directory / "prosody.cfg.lua"), "shell", command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 20)
        text = output.decode(errors="replace")
        if process.returncode != 0:
            raise RuntimeError(f"Prosody's shell refused {command}:\n{text}")
        return text

    async def _is_ready(self) -> bool:
        self.process.require_running()
        return await is_listening(self.client_port) and await is_listening(self.component_port)

    def _write_configuration(self) -> None:
        accounts = self.directory / "data" / "localhost" / "accounts"
        accounts.mkdir(parents=True, exist_ok=True)
        for name, password in self.users.items():
            (accounts / f"{name}.dat").write_text(f'return {{ ["password"] = "{password}"; }};\n')
        (self.directory / "snippet.cfg.lua").write_text(self._snippet())
        (self.directory / "prosody.cfg.lua").write_text(
            CONFIGURATION.format(
                directory=self.directory,
                log_level=self.log_level,
                client_port=self.client_port,
                component_port=self.component_port,
                options=self.options,
                storage=self.storage,
                max_items=self.max_items,
                component_secret=self.component_secret,
            )
        )

    def _snippet(self) -> str:
        """Return the operators' snippet with our addresses and secret in the places of theirs."""
        text = SNIPPET.read_text()
        replacements = {
            '"pubsub.example.org"': f'"{self.service}"',
            '"cache.example.org"': f'"{self.cache}"',
            '"change-me"': f'"{self.component_secret}"',
        }
        for theirs, ours in replacements.items():
            assert text.count(theirs) == 1, f"{SNIPPET} should have {theirs} once"
            text = text.replace(theirs, ours)
        return text
