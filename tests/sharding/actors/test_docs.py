"""The programs of docs/actors.md are run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.thespian.exceptions import EXCEPTIONS, PASSED_ON_SIMPLE_SYSTEM_BASE

PAGE = (Path(__file__).parents[3] / "docs" / "actors.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("number", "prints"), [(0, "300\nTrue\n"), (1, "hello world\n")])
def test_a_program_prints_what_the_page_says(number: int, prints: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAMS[number]], capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == (prints, "", 0)


def test_the_page_s_table_of_exceptions_is_the_list_s() -> None:

    passed = PASSED_ON_SIMPLE_SYSTEM_BASE - len(EXCEPTIONS)
    assert f"| all | {passed} | {len(EXCEPTIONS)} of the {PASSED_ON_SIMPLE_SYSTEM_BASE} " in PAGE
