"""A throw-away ejabberd on free loopback ports, configured with the snippet operators use.

It runs without a node name, so that Erlang starts no port mapper (epmd), and without name servers,
so that an address that is not here is not looked for elsewhere. Needs Debian's packages ejabberd
and, for `storage="sql"`, erlang-p1-sqlite3.
"""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.client import Client
from harness.stanzas import NS_DISCO_ITEMS
from harness.throw_away_server import Facts, ThrowAwayServer, render_snippet
from harness.waiting import free_port, wait_until

CONFIGURATION = """
# A throw-away server: nothing of this is fit for a real one.
hosts:
  - {host}
loglevel: {log_level}
log_rotate_count: 0
language: en
acme:
  auto: false
default_db: {storage}
auth_method: internal
sql_type: sqlite
sql_database: "{directory}/ejabberd.sqlite"

listen:
  -
    port: {client_port}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    shaper: none
    starttls: false
  -
    port: {counting_port}
    ip: "127.0.0.1"
    module: ejabberd_service
    hosts:
      {counting}:
        password: "{component_secret}"
  -
    port: {control_port}
    ip: "127.0.0.1"
    module: ejabberd_http
    request_handlers:
      /api: mod_http_api

acl:
  admin:
    user: owner@{host}
api_permissions:
  tests:
    from: mod_http_api
    who: all
    what: [register, reload_config]

modules:
  mod_adhoc: {{}}
  mod_caps: {{}}
  mod_disco: {{}}
  mod_http_api: {{}}
  mod_ping: {{}}
  mod_roster: {{}}

include_config_file:
  "{directory}/snippet.yml":
    disallow: [{disallowed}]
"""

# Erlang's own resolver, with the file of hosts and nothing else.
NAME_LOOKUP = """{lookup, [file]}.
{resolv_conf, ""}.
"""

CONFLICT = 409


class ThrowAwayEjabberd(ThrowAwayServer):
    """ejabberd; see ThrowAwayServer.

    Args:
        storage: where it keeps its items: "mnesia" or "sql" (SQLite).
        max_items: the most items that a node may be configured to keep.
        users: passwords by name.
        aliases_may_create: whether those who come through the proxy may create nodes.
        options: further top-level settings, in YAML.
        log_level: ejabberd's own: debug, info, warning, error.
    """

    def __init__(
        self,
        storage: str = "mnesia",
        max_items: int = 100_000,
        users: Mapping[str, str] | None = None,
        aliases_may_create: bool = False,
        options: str = "",
        log_level: str = "info",
    ) -> None:
        self.facts = Facts(
            name=f"ejabberd ({storage})",
            pages=True,
            republish_moves=False,
            absent=("cancel", "remote-server-not-found"),
            closed=("cancel", "not-allowed", "closed-node"),
            notifies_the_absent=False,
        )
        self.storage = storage
        self.max_items = max_items
        self.aliases_may_create = aliases_may_create
        self.options = options
        self.control_port = free_port()
        super().__init__("ejabberd", log_level, users)
        # A listener's connections get what is for any of its addresses.
        self.counting_port = free_port()

    async def start(self) -> None:
        await super().start()
        for name, password in self.users.items():
            try:
                await self.call("register", user=name, host=self.host, password=password)
            except RuntimeError as refused:
                # After a restart they are there already.
                if str(CONFLICT) not in str(refused):
                    raise
        # It listens before its database answers; until then, it refuses with an error of its own.
        name, password = next(iter(self.users.items()))
        async with Client(f"{name}@{self.host}", password, self.client_port) as client:
            await wait_until(lambda: self._has_its_nodes(client), f"the nodes of {self.service}")

    async def _has_its_nodes(self, client: Client) -> bool:
        question = f"<query xmlns='{NS_DISCO_ITEMS}'/>"
        return not (await client.request("get", self.service, question)).is_error

    async def take_service_away(self) -> None:
        self._write_configuration(is_service_there=False)
        await self.call("reload_config")

    async def bring_service_back(self) -> None:
        self._write_configuration()
        await self.call("reload_config")

    async def call(self, command: str, **arguments: str) -> Any:
        """Have the running server carry out a command of its administration interface.

        Raises: RuntimeError with what the server said against it.
        """
        try:
            return await asyncio.to_thread(self._call, command, arguments)
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
            raise RuntimeError(f"ejabberd refused {command}: {error.code} {said}") from error

    def _call(self, command: str, arguments: Mapping[str, str]) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.control_port}/api/{command}", json.dumps(arguments).encode()
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def _command_line(self) -> Sequence[str]:
        # Erlang's schedulers would keep a core busy while they wait for work.
        patience = ("+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none")
        database = json.dumps(str(self.directory / "mnesia"))
        return ("erl", "-noinput", *patience, "-mnesia", "dir", database, "-s", "ejabberd")

    def _environment(self) -> Mapping[str, str]:
        return {
            "EJABBERD_CONFIG_PATH": str(self.directory / "ejabberd.yml"),
            "EJABBERD_LOG_PATH": str(self.directory / "log" / "ejabberd.log"),
            "ERL_CRASH_DUMP_SECONDS": "0",
            "ERL_INETRC": str(self.directory / "inetrc"),
            "ERL_LIBS": ":".join(map(str, _library_directories())),
        }

    def _require_installed(self) -> None:
        if not _library_directories():
            raise RuntimeError("ejabberd is missing; install it with: .ci/install-packages")
        super()._require_installed()

    def _ports(self) -> Sequence[int]:
        return (*super()._ports(), self.counting_port, self.control_port)

    def _write_configuration(self, is_service_there: bool = True) -> None:
        (self.directory / "inetrc").write_text(NAME_LOOKUP)
        (self.directory / "snippet.yml").write_text(self._snippet())
        (self.directory / "ejabberd.yml").write_text(
            CONFIGURATION.format(
                directory=self.directory,
                host=self.host,
                log_level=self.log_level,
                client_port=self.client_port,
                control_port=self.control_port,
                counting=self.counting,
                counting_port=self.counting_port,
                component_secret=self.component_secret,
                storage=self.storage,
                disallowed="" if is_service_there else "modules",
            )
            + self.options
        )

    def _snippet(self) -> str:
        replacements = {
            "    port: 5347\n": f"    port: {self.component_port}\n",
            "      cache.example.org:\n": f"      {self.cache}:\n",
            '"change-me"': f'"{self.component_secret}"',
            "    host: pubsub.example.org\n": f"    host: {self.service}\n",
            "    max_items_node: 10000\n": f"    max_items_node: {self.max_items}\n",
            '".+@cache.example.org"': f'".+@{self.cache}"',
        }
        if self.aliases_may_create:
            replacements["    # - allow: pubcellar_aliases\n"] = "    - allow: pubcellar_aliases\n"
        return render_snippet("ejabberd.yml", replacements)


def _library_directories() -> list[Path]:
    """Return where Debian has put ejabberd: a directory named after the machine's architecture."""
    return sorted({path.parents[1] for path in Path("/usr/lib").glob("*/ejabberd-*/ebin")})
