"""Time, randomness, identifiers and connections come in from outside: the linter refuses other ways (see pyproject)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

FORBIDDEN = [
    "import time\nprint(time.time())",
    "from time import monotonic\nprint(monotonic())",
    "import random\nprint(random.random())",
    "from random import shuffle\nshuffle([])",
    "import uuid\nprint(uuid.uuid4())",
    "from datetime import UTC, datetime\nprint(datetime.now(UTC))",
    "import secrets\nprint(secrets.token_hex())",
    "import asyncio\nprint(asyncio.open_connection)",
]
ALLOWED = [
    "import random\nprint(random.Random(1).random())",
    "import asyncio\nprint(asyncio.get_running_loop().time())",
    "from datetime import datetime\nprint(datetime.fromtimestamp)",
]


def refused(program: str, path: str) -> bool:
    """Whether the linter refuses a program at a path of this project."""
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--select", "TID251", "--stdin-filename", str(ROOT / path), "-"],
        input=program,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return "TID251" in done.stdout


@pytest.mark.parametrize("path", ["aecorpy/new.py", "sharding/new.py", "journal/new.py"])
@pytest.mark.parametrize("program", FORBIDDEN)
def test_what_reads_the_real_world_is_refused(program: str, path: str) -> None:
    assert refused(program, path)


@pytest.mark.parametrize("program", ALLOWED)
def test_what_is_given_is_allowed(program: str) -> None:
    assert not refused(program, "aecorpy/new.py")


def test_ports_and_tests_may_read_the_real_world() -> None:
    for path in ("aecorpy/node.py", "journal/database.py", "tests/test_new.py", "benchmarks/new.py"):
        assert not refused("\n".join(FORBIDDEN[:1]), path)
