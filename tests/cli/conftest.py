"""A folder with modules to run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.programs import write_modules


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with `tickets.py` and `broken.py`."""
    write_modules(tmp_path)
    return tmp_path
