"""`make demo` does what it says; its own exit code tells."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_SECONDS = 240


@pytest.mark.servers
async def test_every_step_of_the_demo_does_what_it_says() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "tests" / "demo" / "demo.py")),
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests" / "servers")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), DEADLINE_SECONDS)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()

    assert process.returncode == 0, output.decode()
