"""A server's process, in the foreground, with everything it says in a file."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.waiting import wait_until

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class LoggedProcess:
    """A child that can be started again and again; its log goes on in the same file.

    It gets no Ctrl-C from the terminal, so that its owner decides the order of stopping, and it is
    killed by the kernel should its owner be.
    """

    def __init__(
        self, name: str, argv: Sequence[str], log_path: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.argv = list(argv)
        self.log_path = log_path
        self.env = dict(os.environ) | dict(env or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id; only while it has been started."""
        assert self._process is not None, f"{self.name} has not been started"
        return self._process.pid

    def log(self) -> str:
        """Return everything it has said so far, over all its starts."""
        if not self.log_path.exists():
            return ""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        """Start it; that it is ready is for the caller to find out."""
        assert not self.is_running, f"{self.name} runs already"
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.env,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    def require_running(self) -> bool:
        """Return true. Raises: RuntimeError with the log, if the process is gone."""
        if not self.is_running:
            raise RuntimeError(f"{self.name} is not running; its log:\n{self.log()}")
        return True

    async def wait_for_exit(self, deadline_seconds: float = 20) -> int:
        """Return its exit code. Raises: TimeoutError."""
        assert self._process is not None, f"{self.name} has not been started"
        process = self._process
        await wait_until(
            lambda: process.poll() is not None, f"{self.name} to exit", deadline_seconds
        )
        return process.returncode

    async def terminate(self, deadline_seconds: float = 20) -> int:
        """Ask it to stop (SIGTERM) and return its exit code; kill it if it does not obey.

        Raises: TimeoutError, after it was killed.
        """
        assert self._process is not None, f"{self.name} has not been started"
        self._process.terminate()
        try:
            return await self.wait_for_exit(deadline_seconds)
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """End it at once (SIGKILL), as a power cut would; no matter if it is gone already."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def _die_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
