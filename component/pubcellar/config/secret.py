"""Where the component's secret comes from: one of four places, and never the command line.

The first of these that gives one is used: the environment variable, the systemd credential,
`secret_file`, `secret`. So what is closest to the process wins over what lies in a file. No text
made here holds the secret.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

SECRET_VARIABLE = "PUBCELLAR_COMPONENT_SECRET"
CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"
CREDENTIAL = "component_secret"
OTHERS_MAY_READ = 0o077
LONGEST_SECRET_BYTES = 4096


@dataclass(frozen=True, slots=True)
class FoundSecret:
    """What the search for the secret came to.

    Attributes:
        value: the secret; empty where there are problems.
        source: where it came from, in words.
        problems: what is wrong, each with its remedy.
        warnings: what is unwise.
    """

    value: SecretStr = field(default_factory=lambda: SecretStr(""))
    source: str = ""
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def find_secret(
    component: Mapping[str, Any], environ: Mapping[str, str], configuration: Path
) -> FoundSecret:
    """Return the secret, or why there is none.

    Args:
        component: the `[component]` table as it stands in the file; values that are not text are
            passed over, to be reported with all others that have the wrong type.
        environ: the environment variables.
        configuration: the file's path; a relative `secret_file` starts from its directory.
    """
    written, file_name = component.get("secret"), component.get("secret_file")
    if written is not None and file_name is not None:
        return _problem("secret and secret_file: two secrets are given; keep one of the two")
    if any(given is not None and not isinstance(given, str) for given in (written, file_name)):
        return FoundSecret()
    outside = _outside_the_file(environ)
    if outside is not None:
        return outside
    if file_name:
        return _from_file(configuration.absolute().parent / file_name)
    if written is not None:
        return _written(written, configuration)
    if file_name is not None:
        return FoundSecret()
    return _problem(
        "secret: none is given. Give one of: the environment variable "
        f"{SECRET_VARIABLE}; a systemd credential, LoadCredential={CREDENTIAL}:FILE; secret_file = "
        '"FILE"; secret = "…" in a file that only the service\'s user can read'
    )


def _outside_the_file(environ: Mapping[str, str]) -> FoundSecret | None:
    if SECRET_VARIABLE in environ:
        name = f"environment variable {SECRET_VARIABLE}"
        return _checked(environ[SECRET_VARIABLE], name, f"the {name}")
    directory = environ.get(CREDENTIALS_VARIABLE)
    if directory:
        path = Path(directory, CREDENTIAL)
        if os.path.lexists(path):
            return _read(path, f"systemd credential {path}", f"the systemd credential {path}")
    return None


def _written(secret: str, configuration: Path) -> FoundSecret:
    found = _checked(secret, f"secret in {configuration}", "secret")
    try:
        mode = configuration.stat().st_mode
    except OSError:
        return found
    return _with_warning(found, configuration, mode)


def _from_file(path: Path) -> FoundSecret:
    found = _read(path, f"secret_file {path}", f'secret_file "{path}"')
    return found if found.problems else _with_warning(found, path, path.stat().st_mode)


def _read(path: Path, source: str, subject: str) -> FoundSecret:
    """Read a regular file; anything else could block, or never end."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return _problem(
                f"{subject}: is no regular file; name a file that holds the secret alone"
            )
        with path.open("rb") as file:
            content = file.read(LONGEST_SECRET_BYTES + 3)
        text = content.decode()
    except UnicodeDecodeError:
        return _problem(f"{subject}: is not UTF-8; it must hold the secret alone, as text")
    except OSError as error:
        return _problem(
            f"{subject}: cannot be read ({error.strerror}); make it a file that the service's user "
            "can read"
        )
    except ValueError:
        return _problem(f"{subject}: is no path")
    return _checked(text.removesuffix("\n").removesuffix("\r"), source, subject)


def _checked(secret: str, source: str, subject: str) -> FoundSecret:
    if not secret.strip():
        return _problem(f"{subject}: is empty; give it the secret, or remove it")
    if not secret.isprintable():
        return _problem(
            f"{subject}: has more than one line, or a character that cannot be printed; it must "
            "hold the secret alone"
        )
    if len(secret.encode(errors="replace")) > LONGEST_SECRET_BYTES:
        return _problem(
            f"{subject}: is longer than {LONGEST_SECRET_BYTES} bytes; is it the secret?"
        )
    return FoundSecret(SecretStr(secret), source)


def _with_warning(found: FoundSecret, path: Path, mode: int) -> FoundSecret:
    if not mode & OTHERS_MAY_READ or found.problems:
        return found
    warning = shown_to_others(path, mode, "the secret")
    return FoundSecret(found.value, found.source, warnings=(warning,))


def shown_to_others(path: Path, mode: int, what: str) -> str:
    """Return the warning about a file with something in it that others should not read."""
    return (
        f"{path} holds {what}, and others than its owner can read it "
        f"(mode {stat.S_IMODE(mode):04o}): chmod 600 it"
    )


def _problem(text: str) -> FoundSecret:
    return FoundSecret(problems=(f"[component] {text}",))
