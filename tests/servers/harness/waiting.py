"""Waiting for conditions with a deadline, instead of sleeping and hoping."""

import asyncio
import os
import random
import socket
from collections.abc import Awaitable, Callable
from inspect import isawaitable

# Below the range that Linux takes the ports of outgoing connections from: nobody's connection can
# take the port away while its server is being restarted.
PORTS = range(20000, 32000)
WORKERS = 8
LOOK_AGAIN_SECONDS = 0.02

_given: set[int] = set()


async def wait_until(
    condition: Callable[[], object | Awaitable[object]], what: str, deadline_seconds: float = 20
) -> None:
    """Return as soon as the condition, a function or coroutine function, is true.

    Raises: TimeoutError, saying `what` was awaited.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + deadline_seconds
    while True:
        result = condition()
        if isawaitable(result):
            result = await result
        if result:
            return
        if loop.time() > deadline:
            raise TimeoutError(f"waited {deadline_seconds} s in vain: {what}")
        await asyncio.sleep(LOOK_AGAIN_SECONDS)


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody listens on now, nor was given yet.

    Test processes that run beside each other are given different ones.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = random.choice(PORTS[worker % WORKERS :: WORKERS])
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port


async def is_listening(port: int) -> bool:
    """Tell whether a connection to the port of the loopback interface is accepted."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
