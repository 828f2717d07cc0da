"""The judge of Thespian's tests: what it must not let pass."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.conformance.thespian.exceptions import EXCEPTIONS, PASSED_ON_SIMPLE_SYSTEM_BASE
from tests.conformance.thespian.report import ConformanceReport, plain_name

EXPECTED = PASSED_ON_SIMPLE_SYSTEM_BASE - len(EXCEPTIONS)


def ended(name: str, outcome: str, when: str = "call", **more: Any) -> pytest.TestReport:
    """How one test, or its set-up or tear-down, ended."""
    nodeid = f"../thespian/test/{name}[asyncioBase]"
    return pytest.TestReport(nodeid, (nodeid, 0, name), {}, cast(Any, outcome), None, cast(Any, when), **more)


def exit_status(reports: list[pytest.TestReport], *, complete: bool = True) -> int:
    """What the run ends with when pytest itself found nothing wrong."""
    judge = ConformanceReport(complete=complete)
    for report in reports:
        judge.pytest_runtest_logreport(report)
    session = SimpleNamespace(exitstatus=pytest.ExitCode.OK)
    judge.pytest_sessionfinish(cast(Any, session))
    return int(session.exitstatus)


def passes(count: int) -> list[pytest.TestReport]:
    return [ended(f"test_actors.py::test{number}", "passed") for number in range(count)]


def test_as_many_passes_as_expected_conform() -> None:
    assert exit_status(passes(EXPECTED)) == 0


def test_one_pass_too_few_does_not() -> None:
    assert exit_status(passes(EXPECTED - 1)) == 1


def test_a_skip_is_not_a_pass() -> None:
    assert exit_status([*passes(EXPECTED - 1), ended("test_x.py::test_y", "skipped")]) == 1


def test_an_exception_is_not_a_pass() -> None:
    assert exit_status([*passes(EXPECTED - 1), ended("test_x.py::test_y", "skipped", wasxfail="reason")]) == 1


def test_a_test_whose_tear_down_fails_is_not_a_pass() -> None:
    last = ended("test_actors.py::test0", "failed", when="teardown")
    assert exit_status([*passes(EXPECTED), last]) == 1


def test_the_number_is_not_judged_when_only_some_tests_run() -> None:
    assert exit_status(passes(3), complete=False) == 0


def test_every_exception_has_a_reason_and_most_are_source_loading() -> None:
    assert all(len(exemption.reason) > 40 for exemption in EXCEPTIONS.values())
    others = [name for name, exemption in EXCEPTIONS.items() if "source" not in exemption.reason]
    assert [plain_name(name) for name in others] == [
        "test_threadedExternal.py::TestFuncThreadedExternal::test_multiple_threads_private_context_ask-100"
    ]


def test_a_name_is_the_test_s_without_our_base() -> None:
    assert plain_name("../a/test_x.py::TestY::test_z[asyncioBase]") == "test_x.py::TestY::test_z"
    assert plain_name("test_x.py::test_z[asyncioBase-100]") == "test_x.py::test_z-100"
