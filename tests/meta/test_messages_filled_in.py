"""No message goes out with the names of what should stand in it.

The cache before this one, inside a client, logged `{service}` as it stands here, a method in the
place of an address, and a list of stack frames in the place of a reason.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pubcellar

PACKAGE = Path(pubcellar.__file__).parent
FILES = sorted(path for path in PACKAGE.rglob("*.py"))

PLACEHOLDER = re.compile(r"\{[A-Za-z_][\w.]*(?:![rsa])?\}")
METHODS_OF_LOGGERS = {"debug", "info", "warning", "error", "exception", "critical", "log"}


def constants(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each string of a module with its line; of an f-string only what was meant literally."""
    tree = ast.parse(path.read_text())
    filled_in_later = {
        id(found.func.value)
        for found in ast.walk(tree)
        if isinstance(found, ast.Call)
        and isinstance(found.func, ast.Attribute)
        and found.func.attr in ("format", "format_map")
    }
    for found in ast.walk(tree):
        is_text = isinstance(found, ast.Constant) and isinstance(found.value, str)
        if is_text and id(found) not in filled_in_later:
            yield found.lineno, found.value


def test_no_string_has_a_placeholder_that_nothing_fills_in() -> None:
    found = [
        f"{path.name}:{line} {match[0]}"
        for path in FILES
        for line, text in constants(path)
        if (match := PLACEHOLDER.search(text))
    ]
    assert found == []


def test_every_log_call_has_an_argument_for_each_place() -> None:
    wrong = []
    calls = log_calls()
    assert len(calls) > 40
    for path, call in calls:
        if any(isinstance(one, ast.Starred) for one in call.args):
            continue
        arguments = call.args[1:] if call.func.attr == "log" else call.args
        if not arguments or not isinstance(arguments[0], ast.Constant):
            continue
        places = re.findall(r"%[-#0-9.]*[a-zA-Z]", arguments[0].value.replace("%%", ""))
        if len(places) != len(arguments) - 1:
            wrong.append(f"{path.name}:{call.lineno}")
    assert wrong == []


def log_calls() -> list[tuple[Path, ast.Call]]:
    return [
        (path, found)
        for path in FILES
        for found in ast.walk(ast.parse(path.read_text()))
        if isinstance(found, ast.Call)
        and isinstance(found.func, ast.Attribute)
        and found.func.attr in METHODS_OF_LOGGERS
        and isinstance(found.func.value, ast.Name)
        and found.func.value.id == "log"
    ]
