import subprocess
import sys

IMPORTS = "import wokkel.pubsub, wokkel.disco, wokkel.data_form, wokkel.generic"


def run(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


def test_wokkel_imports_after_the_shim() -> None:
    result = run(f"import pubcellar.xmpp.compat; {IMPORTS}")
    assert result.returncode == 0, result.stderr


def test_the_shim_is_still_needed() -> None:
    """When this fails, remove `pubcellar.xmpp.compat` and what imports it."""
    result = run(IMPORTS)
    assert result.returncode != 0
    assert "_PY3" in result.stderr
