"""S14: what an audit says and whether it fails, for each way it can go."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.security.audit import audit, needed

FLAW = {"id": "PYSEC-2026-1", "fix_versions": ["9.9"], "aliases": [], "description": "bad"}


def ended(code: int, out: str, error: str = "") -> Any:
    return lambda arguments: subprocess.CompletedProcess(arguments, code, out, error)


def report(**vulns: list[Any]) -> str:
    packages = needed()
    rows: list[dict[str, Any]] = [
        {"name": name, "version": packages[name], "vulns": vulns.get(name, [])} for name in packages
    ]
    return json.dumps({"dependencies": rows, "fixes": []})


def test_s14_all_that_is_needed_to_run_is_audited_and_nothing_else() -> None:
    packages = needed()
    assert {"thespian", "msgpack", "asyncpg", "hashring", "cattrs", "attrs"} <= packages.keys()
    assert not {"pytest", "hypothesis", "ruff", "aecorpy"} & packages.keys()


def test_s14_a_vulnerability_fails_and_is_named() -> None:
    code, said = audit(ended(1, report(msgpack=[FLAW])))
    assert code == 1
    assert "msgpack" in said
    assert "PYSEC-2026-1, fixed in 9.9" in said


def test_s14_without_one_it_passes_and_says_how_many_packages() -> None:
    code, said = audit(ended(0, report()))
    assert (code, said) == (0, f"audit: no known vulnerability in {len(needed())} packages")


@pytest.mark.parametrize(
    "error", ["requests.exceptions.ConnectionError: …", "urllib3: Max retries exceeded", "ERROR: ServiceError: 503"]
)
def test_s14_an_index_out_of_reach_is_said_and_does_not_fail(error: str) -> None:
    code, said = audit(ended(1, "", f"Traceback\n{error}"))
    assert code == 0
    assert said.startswith("audit: NOT DONE: the index cannot be reached: ")


def test_s14_an_index_that_does_not_answer_in_time_is_said_and_does_not_fail() -> None:
    def run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
        raise subprocess.TimeoutExpired(arguments, 1)

    assert audit(run)[1].startswith("audit: NOT DONE: no answer")


def test_s14_packages_that_the_index_does_not_know_are_not_taken_for_sound() -> None:
    skipped = [{"name": name, "skip_reason": "Dependency not found on PyPI"} for name in needed()]
    code, said = audit(ended(0, json.dumps({"dependencies": skipped})))
    assert code == 0
    assert said.startswith("audit: NOT DONE: the index knows none of ")
    skipped[0] = {"name": skipped[0]["name"], "vulns": []}  # type: ignore[dict-item]
    assert "in 1 packages; NOT DONE for " in audit(ended(0, json.dumps({"dependencies": skipped})))[1]


def test_s14_an_audit_that_fails_otherwise_fails() -> None:
    code, said = audit(ended(2, "", "pip-audit: error: unrecognized arguments: --what"))
    assert code == 1
    assert "unrecognized arguments" in said
