"""Counts Thespian's tests on our base by topic, and decides whether the run conforms."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.conformance.thespian.exceptions import EXCEPTIONS, PASSED_ON_SIMPLE_SYSTEM_BASE, Exemption

TOPICS = {
    "API, create, ask, tell, addresses": (
        "test_actors test_actorAdder test_actorAddressPassing test_actorSysAPI test_createActor test_simpleActor "
        "test_generators test_systemMessages test_withpossibleargs"
    ),
    "dispatch, wake-up, initialising, transient, troupe": (
        "test_typeDispatcher test_wakeup test_initmsgs test_transient test_troupe"
    ),
    "failure, poison, dead letters, exit, signals": (
        "test_actorFailures test_poisonMessage test_badmessage test_badStartupMessage test_deadLettering "
        "test_actorSignals"
    ),
    "global names": "test_globalName",
    "statistics": "test_stats",
    "restart": "test_actorSystemRestart",
    "load, size, threads": "test_load test_bigmessages test_threadedActor test_threadedExternal",
    "run-command": "test_runcommand",
    "source loading": "test_sourceLoading",
    "capabilities": "test_commonCapabilities test_requireCapability test_updateSystemCapabilities",
    "conventions, several systems": (
        "test_manyActorSystems test_multipleActorSystems test_preRegistration test_HAConvention test_ipbase"
    ),
}

COLUMNS = ("passed", "excepted", "skipped", "failed")

_TOPIC_OF_MODULE = {module: topic for topic, modules in TOPICS.items() for module in modules.split()}


class ConformanceReport:
    """A pytest plugin: expects the excepted tests to fail, and the others that pass on simpleSystemBase to pass.

    Args:
        complete: whether all tests run, so that their number can be judged.
    """

    def __init__(self, *, complete: bool) -> None:
        self._complete = complete
        self._outcomes: dict[str, str] = {}
        self._left_out: dict[str, Exemption] = {}

    # ---- hooks

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Mark what is excepted; one that passes nevertheless is a failure."""
        for item in items:
            exemption = EXCEPTIONS.get(plain_name(item.nodeid))
            if exemption is not None:
                item.add_marker(pytest.mark.xfail(reason=exemption.reason, run=exemption.run, strict=True))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how each test ended; a failure in its set-up or tear-down counts as one."""
        name = plain_name(report.nodeid)
        if report.failed:
            self._outcomes[name] = "failed"
        elif report.skipped:
            self._outcomes[name] = "excepted" if hasattr(report, "wasxfail") else "skipped"
        elif report.when == "call":
            self._outcomes.setdefault(name, "passed")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Too few passing tests fail the run, whatever the reason."""
        if session.exitstatus == pytest.ExitCode.OK and self._shortage():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table and the exceptions, above pytest's own last line."""
        for line in self._lines():
            terminalreporter.write_line(line)

    # ---- judgement

    @property
    def _expected(self) -> int:
        return PASSED_ON_SIMPLE_SYSTEM_BASE - len(EXCEPTIONS)

    def _shortage(self) -> int:
        if not self._complete:
            return 0
        return max(0, self._expected - Counter(self._outcomes.values())["passed"])

    def _lines(self) -> Iterator[str]:
        yield ""
        yield "Thespian's own tests on our system base"
        yield from self._table()
        yield ""
        yield f"excepted ({len(EXCEPTIONS)} of the {PASSED_ON_SIMPLE_SYSTEM_BASE} that pass on simpleSystemBase):"
        yield from _exceptions_by_reason()
        yield ""
        if self._shortage():
            yield f"conformance: FAILED: {self._shortage()} fewer passed than the {self._expected} expected"
        elif self._complete:
            yield f"conformance: {self._expected} expected to pass; a skipped test counts as nothing"

    def _table(self) -> Iterator[str]:
        counts = {topic: Counter[str]() for topic in TOPICS}
        for name, outcome in self._outcomes.items():
            module = name.partition(".py::")[0]
            counts.setdefault(_TOPIC_OF_MODULE.get(module, module), Counter())[outcome] += 1
        yield _row("topic", *COLUMNS)
        for topic, count in counts.items():
            yield _row(topic, *(count[column] for column in COLUMNS))
        total = Counter(self._outcomes.values())
        yield _row("all", *(total[column] for column in COLUMNS))


def plain_name(nodeid: str) -> str:
    """Module, class, test and parameters but our base's: `test_x.py::TestY::test_z-5`."""
    return re.sub(r"\[\w+Base(-[^]]*)?\]$", r"\1", nodeid.rpartition("/")[2])


def _row(topic: str, *cells: object) -> str:
    return f"  {topic:<52}" + "".join(f"{cell:>10}" for cell in cells)


def _exceptions_by_reason() -> Iterator[str]:
    for reason in dict.fromkeys(exemption.reason for exemption in EXCEPTIONS.values()):
        yield f"  {reason}:"
        for name, exemption in EXCEPTIONS.items():
            if exemption.reason == reason:
                yield f"    {name}{'' if exemption.run else ' (not run)'}"
