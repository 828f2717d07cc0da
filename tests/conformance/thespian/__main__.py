"""`python -m tests.conformance.thespian [pytest arguments]`: Thespian's own tests on our system base.

Exits with 0 only when every test that passes on Thespian's simpleSystemBase passes here, but for the exceptions named
in `exceptions.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.conformance.thespian import plugin
from tests.conformance.thespian.report import ConformanceReport

SETTINGS = Path(__file__).with_name("settings.ini")


def main(arguments: list[str]) -> int:
    """Run the tests; further arguments are pytest's, and without a complete run the number of passes is not judged."""
    fixed = ["--pyargs", "thespian.test", "-c", str(SETTINGS), "-k", plugin.NAME, "--timeout=120"]
    off = [argument for name in ("cacheprovider", "randomly", "asyncio") for argument in ("-p", f"no:{name}")]
    return int(pytest.main([*fixed, *off, *arguments], plugins=[plugin, ConformanceReport(complete=not arguments)]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
