"""A throw-away Prosody on free loopback ports, configured with the snippet operators use.

Users, nodes and logs live in a temporary directory. Needs Debian's packages prosody and, for
`storage="sql"`, lua-dbi-sqlite3.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence

from harness.throw_away_server import Facts, ThrowAwayServer, render_snippet

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


class ThrowAwayProsody(ThrowAwayServer):
    """Prosody; see ThrowAwayServer.

    Args:
        storage: where pubsub.localhost keeps its items: "sql" (SQLite; use it for large nodes) or
            "internal" (a file per node, read whole at each request).
        max_items: the most items that a node may be configured to keep.
        users: passwords by name.
        options: further server-wide settings, in Lua.
        log_level: Prosody's own: debug, info, warn, error.
        privileges: whether the cache may act for users, as the snippet says; needs Debian's package
            prosody-modules.
    """

    facts = Facts(
        name="Prosody",
        pages=False,
        republish_moves=True,
        absent=("wait", "remote-server-timeout"),
        closed=("auth", "forbidden", None),
        notifies_the_absent=True,
    )

    def __init__(
        self,
        storage: str = "sql",
        max_items: int = 100_000,
        users: Mapping[str, str] | None = None,
        options: str = "",
        log_level: str = "info",
        privileges: bool = False,
    ) -> None:
        self.privileges = privileges
        self.storage = storage
        self.max_items = max_items
        self.options = options
        super().__init__("prosody", log_level, users)

    async def take_service_away(self) -> None:
        """As ThrowAwayServer says: an external component that nobody is takes its place."""
        host = self.service
        # pubsub depends on disco, and goes with it.
        await self.shell(f'module:unload("disco", "{host}"); module:load("component", "{host}")')

    async def bring_service_back(self) -> None:
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

    def _command_line(self) -> Sequence[str]:
        return ("prosody", "-F", "--config", str(self.directory / "prosody.cfg.lua"))

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
        replacements = {
            '"pubsub.example.org"': f'"{self.service}"',
            '"cache.example.org"': f'"{self.cache}"',
            '"change-me"': f'"{self.component_secret}"',
        }
        text = render_snippet("prosody.cfg.lua", replacements)
        if not self.privileges:
            return text
        # What an operator takes in is commented out without a space, what explains is not.
        taken_in = re.sub(r"(?m)^( *)--(?! \S)", r"\1", text)
        return taken_in.replace('VirtualHost "example.org"', f'VirtualHost "{self.host}"')
