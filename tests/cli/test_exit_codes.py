"""Every way in which the command can end has a code of its own, which the README promises."""

import re
from pathlib import Path

from pubcellar.core import errors
from pubcellar.core.errors import DatabaseRefused
from pubcellar.exit_codes import REFUSALS, ExitCode, exit_code_of

README = Path(__file__).parents[2] / "README.md"


def test_every_refusal_of_the_database_has_a_code_of_its_own() -> None:
    refusals = {
        each
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, DatabaseRefused)
    }
    assert set(REFUSALS) == refusals
    codes = [exit_code_of(refusal("no")) for refusal in refusals]
    assert len(set(codes)) == len(codes)
    assert set(codes).isdisjoint({ExitCode.DONE, ExitCode.WRONG, ExitCode.FAILED})


def test_the_readme_has_them_all_and_no_other() -> None:
    rows = re.findall(r"^\| (\d+) \| \S.* \|$", README.read_text(), re.MULTILINE)
    assert [int(code) for code in rows] == [code.value for code in ExitCode]
