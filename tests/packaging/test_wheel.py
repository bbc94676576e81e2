"""What `pip install` gives: a wheel that holds everything, and a command that runs."""

import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import pubcellar

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("component", "migrations", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Build from a copy: a build leaves directories behind, which the checkout should not have."""
    checkout = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, checkout / name, ignore=ignored)
        else:
            shutil.copy(source, checkout / name)
    out = tmp_path_factory.mktemp("dist")
    _run([sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(checkout)])
    (built,) = out.glob("*.whl")
    yield built
    shutil.rmtree(checkout)


def _run(argv: list[str], cwd: Path | None = None) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, cwd=cwd, check=False, timeout=300)
    assert done.returncode == 0, f"{argv} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _modules(directory: Path, package: str) -> set[str]:
    found = (path for path in directory.rglob("*.py") if "__pycache__" not in path.parts)
    return {f"{package}/{path.relative_to(directory).as_posix()}" for path in found}


def test_the_wheel_holds_every_module_and_every_migration(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = _modules(ROOT / "component" / "pubcellar", "pubcellar")
    migrations = _modules(ROOT / "migrations", "pubcellar/migrations")

    assert any("/versions/" in name for name in migrations)
    assert modules | migrations <= names
    assert {"pubcellar/py.typed", "pubcellar/migrations/script.py.mako"} <= names


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert tops == {"pubcellar", f"pubcellar-{pubcellar.__version__}.dist-info"}


def test_the_wheel_installs_in_a_fresh_environment_and_its_command_runs(
    wheel: Path, tmp_path: Path
) -> None:
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    pip = [str(environment / "bin" / "pip"), "--disable-pip-version-check"]
    _run([*pip, "install", "--quiet", str(wheel)])

    version = _run([str(environment / "bin" / "pubcellar"), "--version"], cwd=tmp_path)

    assert version.strip() == f"pubcellar {pubcellar.__version__}"
    where = "from importlib.resources import files; print(files('pubcellar.migrations'))"
    path = _run([str(environment / "bin" / "python"), "-c", where], cwd=tmp_path)
    assert path.strip().startswith(str(environment))
