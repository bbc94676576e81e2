"""Pubcellar itself, as an operator runs it: a process, a configuration file, a secret beside it."""

import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from harness.logged_process import LoggedProcess
from harness.waiting import wait_until

Tables = Mapping[str, Mapping[str, Any] | list[Mapping[str, Any]]]

READY = "connected as "
SQLITE = "sqlite:///"


class ProxyProcess:
    """`python -m pubcellar run` in front of a server that listens for components on `port`.

    Args:
        port: the server's port for components, on the loopback interface.
        secret: the component's secret; handed over in a file, or by `secret_by="environment"`.
        allow: the services that may be asked; the first is the default one.
        tables: further tables of the configuration by name, merged over the ones written here;
            an array of tables as a list.
        database_url: of the proxy's database; a file beside its configuration if not given.
    """

    def __init__(
        self,
        port: int,
        secret: str,
        jid: str = "cache.localhost",
        allow: tuple[str, ...] = ("pubsub.localhost",),
        tables: Tables | None = None,
        secret_by: str = "file",
        database_url: str | None = None,
    ) -> None:
        self.jid = jid
        self.directory = Path(tempfile.mkdtemp(prefix="pubcellar-"))
        self.config_path = self.directory / "pubcellar.toml"
        self.database_url = database_url or f"{SQLITE}{self.directory}/cache.db"
        component: dict[str, Any] = {"jid": jid, "server": f"tcp:127.0.0.1:{port}"}
        env = {"PYTHONUNBUFFERED": "1"}
        if secret_by == "file":
            component["secret_file"] = str(self._write_secret(secret))
        else:
            env["PUBCELLAR_COMPONENT_SECRET"] = secret
        self.tables: dict[str, Any] = {
            "component": component,
            "upstream": {"default": allow[0], "allow": list(allow)},
            "database": {"url": self.database_url},
            # What tests ask in a minute is more than anybody does.
            "access": {"exempt": ["localhost"]},
            "log": {"level": "debug"},
        }
        self._configured = self._started = 0
        self.configure(tables or {})
        self.process = LoggedProcess(
            "Pubcellar",
            [sys.executable, "-m", "pubcellar", "run", "--config", str(self.config_path)],
            self.directory / "pubcellar.log",
            env,
        )

    def configure(self, tables: Tables) -> None:
        """Change keys of the configuration; takes effect at the next start."""
        self._configured += 1
        for name, table in tables.items():
            if isinstance(table, list):
                self.tables[name] = table
            else:
                self.tables[name] = {**self.tables.get(name, {}), **table}
        self.config_path.write_text(render_toml(self.tables))

    @property
    def is_as_started(self) -> bool:
        """Whether it runs, and was neither configured nor started more than once."""
        return self.process.is_running and (self._configured, self._started) == (1, 1)

    def log(self) -> str:
        """Return what the proxy has logged so far, over all its starts."""
        return self.process.log()

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a SELECT statement, read from the proxy's database."""
        if self.database_url.startswith(SQLITE):
            file = f"file:{self.database_url.removeprefix(SQLITE)}?mode=ro"
            with closing(sqlite3.connect(file, uri=True)) as database:
                return database.execute(statement).fetchall()
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(statement).fetchall()

    @contextmanager
    def without_database_file(self) -> Iterator[None]:
        """Have the SQLite file away while the block runs."""
        path = Path(self.database_url.removeprefix(SQLITE))
        hidden = path.with_suffix(".hidden")
        path.rename(hidden)
        try:
            yield
        finally:
            hidden.rename(path)

    async def start(self, deadline_seconds: float = 30) -> None:
        """Start and return once the proxy says that its stream is authenticated.

        Raises: RuntimeError with its log if it stops; TimeoutError.
        """
        before = self.log().count(self._ready_line)
        self._started += 1
        self.process.start()

        def is_ready() -> bool:
            return self.log().count(self._ready_line) > before or not self.process.require_running()

        await wait_until(is_ready, "Pubcellar to connect", deadline_seconds)

    async def wait_until_connected_again(self, times: int, deadline_seconds: float = 60) -> None:
        """Return once the log has told of `times` connections since the very first start."""
        await wait_until(
            lambda: self.connections() >= times, f"connection {times}", deadline_seconds
        )

    def connections(self) -> int:
        """Return how often it has been connected, over all its starts."""
        return self.log().count(self._ready_line)

    async def terminate(self) -> int:
        """Ask it to stop (SIGTERM) and return its exit code."""
        return await self.process.terminate()

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self.process.kill()

    async def restart(self) -> int:
        """Stop it orderly and start it again; return the exit code of the first run."""
        exit_code = await self.terminate()
        await self.start()
        return exit_code

    def remove(self) -> None:
        """End it and remove everything it wrote."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def _ready_line(self) -> str:
        return f"{READY}{self.jid}"

    def _write_secret(self, secret: str) -> Path:
        path = self.directory / "secret"
        path.touch(mode=0o600)
        path.write_text(secret)
        return path


def render_toml(tables: Mapping[str, Any]) -> str:
    """Render one level of tables and arrays of tables; the standard library only reads TOML."""
    lines: list[str] = []
    for name, table in tables.items():
        rows = table if isinstance(table, list) else [table]
        header = f"[[{name}]]" if isinstance(table, list) else f"[{name}]"
        for row in rows:
            lines += [header, *(f"{key} = {_toml_value(value)}" for key, value in row.items()), ""]
    return "\n".join(lines)


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml_value(each) for each in value)}]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    return str(value)
