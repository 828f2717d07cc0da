"""Every promise and every invariant has histories that break it, and each is refused with the record that shows it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.checker import CHECKS, INVARIANTS, PROMISES, check
from tests.checker.breaking import Broken
from tests.checker.broken import BROKEN
from tests.checker.good import good
from tests.checker.history import History


def test_the_good_history_is_good() -> None:
    assert check(good()) == []


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_a_broken_history_is_refused(broken: Broken) -> None:
    found = [
        one for one in check(broken.make(good())) if (one.promise, one.invariant) == (broken.promise, broken.invariant)
    ]
    assert found, check(broken.make(good()))
    assert broken.shows(found[0].record), found[0]


def test_every_promise_and_every_invariant_has_checks_and_broken_histories() -> None:
    assert {promise for one in CHECKS for promise in one.promises} == set(PROMISES)
    assert {one.number for one in CHECKS} == set(INVARIANTS)
    for one in CHECKS:
        for promise in one.promises:
            cases = [broken for broken in BROKEN if (broken.promise, broken.invariant) == (promise, one.number)]
            finds = [
                broken for broken in cases if any(v.promise == promise for v in one.find(History(broken.make(good()))))
            ]
            assert finds, f"no broken history shows that {one.find.__name__} finds what breaks {promise!r}"


def test_a_check_finds_only_what_it_says() -> None:
    for one in CHECKS:
        for broken in BROKEN:
            for violation in one.find(History(broken.make(good()))):
                assert violation.invariant == one.number
                assert violation.promise in one.promises


def test_simulation_names_the_same_promises_as_its_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "checker.md").read_text()
    named = set(re.findall(r"^\| \*([a-z -]+)\*", page, re.MULTILINE))
    assert named == set(PROMISES)
