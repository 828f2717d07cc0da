"""Mutants are put in and taken out, a hunt tells found from survived, the page has the table. All: `make mutants`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest

from tests.mutants import hunting
from tests.mutants.catalogue import MUTANTS
from tests.mutants.hunting import Found, hunt
from tests.mutants.mutant import Mutant
from tests.mutants.table import BEGIN, END, PAGE, in_text, write


class _Noting:
    """Notes what a patch replaces, and replaces it."""

    def __init__(self, patches: pytest.MonkeyPatch) -> None:
        self._patches = patches
        self.places: list[tuple[Any, str]] = []

    def setattr(self, owner: Any, name: str, value: Any) -> None:
        self.places.append((owner, name))
        self._patches.setattr(owner, name, value)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_in_place_only_for_its_block(mutant: Mutant) -> None:
    with pytest.MonkeyPatch.context() as patches:
        noting = _Noting(patches)
        mutant.patch(cast(pytest.MonkeyPatch, noting))
    before = {(owner, name): getattr(owner, name) for owner, name in noting.places}
    assert before
    with mutant.in_place():
        assert all(getattr(*place) is not before[place] for place in before)
    assert all(getattr(*place) is before[place] for place in before)


def test_a_hunt_finds_a_mutant_and_says_what_it_broke() -> None:
    found = hunt("unknown outcome sent again")
    assert found.violation is not None
    assert found.violation.startswith("I")
    assert found.record


def test_what_breaks_nothing_survives(monkeypatch: pytest.MonkeyPatch) -> None:
    harmless = Mutant("harmless", "durable", lambda patches: None, 1)
    monkeypatch.setattr(hunting, "MUTANTS", (harmless,))
    found = hunt("harmless")
    assert (found.violation, found.seeds) == (None, 1)
    assert "harmless" not in in_text([found])


def test_a_survivor_is_in_the_table() -> None:
    assert "SURVIVED" in in_text([Found(MUTANTS[0].name, MUTANTS[0].bound, None, "", {})])


def test_the_page_lists_all_mutants_each_found_within_its_bound() -> None:
    table = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.strip().splitlines()[2:]]
    assert [(name, promise, bound) for name, promise, _, _, bound, _ in rows] == [
        (one.name, one.promise, str(one.bound)) for one in MUTANTS
    ]
    assert all(int(needed) <= int(bound) for *_, needed, bound, _ in rows)


def test_the_table_is_written_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n\n{BEGIN}old\n{END}behind\n")
    write([Found(MUTANTS[0].name, 3, "I5: it shows", "", {})], page)
    wanted = r"before\n\n<!--.*-->\n\n\| mutant .*I5: it shows \|\n\n<!--.*-->\nbehind\n"
    assert re.fullmatch(wanted, page.read_text(), re.DOTALL)
