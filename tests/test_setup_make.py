"""What `make` and `.ci/run` say and do on a machine where something is missing or fails."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
pytestmark = needs_make


def run(folder: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        command, cwd=folder, env=outside | variables, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def fake_python(folder: Path, name: str, version: str, old: bool, venv: bool) -> None:
    """Put a program into `folder` that answers the three questions the Makefile asks a Python."""
    program = folder / name
    program.write_text(
        "#!/bin/sh\n"
        'case "$2" in\n'
        f'  *print*) echo "{version}" ;;\n'
        f"  *exit*) exit {int(old)} ;;\n"
        f"  *ensurepip*) exit {int(not venv)} ;;\n"
        f'  *) mkdir -p "$3/bin"; echo "{version}" > "$3/made-by" ;;\n'
        "esac\n"
    )
    program.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the Makefile, and in `bin` the few programs it may use."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "bin").mkdir()
    for name in ("make", "sh", "mkdir", "cat", "rm", "sed"):
        found = shutil.which(name)
        assert found is not None
        (tmp_path / "bin" / name).symlink_to(found)
    return tmp_path


def make_venv(checkout: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return run(checkout, "make", ".venv/.made", PATH=str(checkout / "bin"), **variables)


def test_setup_an_old_python_is_named_with_its_version(checkout: Path) -> None:
    fake_python(checkout / "bin", "python3", "3.9.2", old=True, venv=True)
    result = make_venv(checkout)
    assert result.returncode != 0
    assert "needs Python 3.11 or newer" in result.stderr
    assert "python3 is Python 3.9.2: too old" in result.stderr


def test_setup_a_newer_python_is_found_behind_an_old_one(checkout: Path) -> None:
    fake_python(checkout / "bin", "python3", "3.9.2", old=True, venv=True)
    fake_python(checkout / "bin", "python3.12", "3.12.1", old=False, venv=True)
    result = make_venv(checkout)
    assert result.returncode == 0, result.stderr
    assert (checkout / ".venv" / "made-by").read_text().strip() == "3.12.1"


def test_setup_a_missing_venv_module_names_the_package(checkout: Path) -> None:
    fake_python(checkout / "bin", "python3", "3.11.2", old=False, venv=False)
    result = make_venv(checkout)
    assert result.returncode != 0
    assert "apt-get install python3.11-venv" in result.stderr


def test_setup_no_python_at_all_is_said(checkout: Path) -> None:
    assert "No Python found" in make_venv(checkout).stderr
    assert "No Python found as /nowhere/python" in make_venv(checkout, PYTHON="/nowhere/python").stderr


def test_setup_the_oldest_python_is_the_same_everywhere() -> None:
    declared = re.search(r'requires-python = ">=3\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    assert declared is not None
    makefile = (ROOT / "Makefile").read_text()
    assert f"(3, {declared[1]})" in makefile
    assert f"Python 3.{declared[1]} or newer" in makefile


def test_setup_help_lists_what_there_is() -> None:
    result = run(ROOT, "make")
    assert result.returncode == 0
    for target in ("demo", "test", "bench", "lint", "simulate", "conformance", "faults", "fuzz", "audit", "clean"):
        assert re.search(rf"^  {target} +\w", result.stdout, re.MULTILINE), result.stdout


CI_MAKEFILE = """
lint:
\t@echo 'lint: FAILED: mypy' >&2; exit {lint}
test:
\t@echo '== 7 passed, 1 skipped in 0.12s =='; exit {test}
simulate:
\t@echo 'simulation: 400 passed, 0 failed'; exit {simulate}
conformance:
\t@echo '264 passed, 92 skipped in 9.00s'; exit {conformance}
faults:
\t@echo "faults: $(MINUTES) minutes, violations 0; seed 1"; exit {faults}
fuzz:
\t@echo "fuzz: $(INPUTS) inputs, 0 findings in 5.0s, seed 1"; exit {fuzz}
audit:
\t@echo 'audit: NOT DONE: the index cannot be reached'; exit {audit}
"""


@pytest.mark.parametrize("failing", [(), ("lint",), ("test", "audit")])
def test_setup_ci_runs_every_stage_and_says_which_failed(tmp_path: Path, failing: tuple[str, ...]) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    stages = ("lint", "test", "simulate", "conformance", "faults", "fuzz", "audit")
    (tmp_path / "Makefile").write_text(CI_MAKEFILE.format(**{name: int(name in failing) for name in stages}))
    result = run(tmp_path, "bash", ".ci/run")
    summary = result.stdout.split("===== summary\n")[1].splitlines()
    assert result.returncode == (1 if failing else 0)
    for name, line in zip(stages, summary, strict=False):
        assert re.match(rf"{name} +\d+ s  {'FAILED' if name in failing else 'passed'}", line)
    assert summary[7:13] == [
        "7 passed, 1 skipped in 0.12s",
        "simulation: 400 passed, 0 failed",
        "264 passed, 92 skipped in 9.00s",
        "faults: 2 minutes, violations 0; seed 1",
        "fuzz: 200000 inputs, 0 findings in 5.0s, seed 1",
        "audit: NOT DONE: the index cannot be reached",
    ]
    assert summary[13] == (f"ci: FAILED: {' '.join(failing)}" if failing else "ci: passed")
