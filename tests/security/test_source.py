"""S5, S8, S13, S14: what the code, its dependencies and the project's pages say themselves."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [path for package in ("aecorpy", "sharding", "journal") for path in sorted((ROOT / package).rglob("*.py"))]
MODULES = {
    *("pickle", "_pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle", "yaml", "ruamel"),
    *("code", "codeop", "runpy", "imp", "ctypes", "cffi"),
}
CALLS = {"eval", "exec", "compile", "__import__", "execfile", "literal_eval"}
IMPORTERS = {  # what they import is named by the program or its command line, never by a message
    "aecorpy/cli/factory.py",
    "sharding/actors/creation.py",
}


def forbidden_in(source: str) -> Iterator[str]:
    """What could make code or any class at all out of bytes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            yield str(node.module)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            yield node.func.id
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in CALLS - {"compile"}
        ):
            yield node.func.attr
        elif isinstance(node, ast.keyword) and node.arg in {"ext_hook", "object_hook", "object_pairs_hook", "shell"}:
            yield node.arg


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from marshal import loads",
        "import yaml.constructor",
        "eval('1')",
        "exec(text)",
        "ast.literal_eval(text)",
        "unpackb(data, ext_hook=hook)",
    ],
)
def test_s05_the_search_finds_what_it_should(source: str) -> None:
    assert list(forbidden_in(source))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_s05_no_code_comes_out_of_bytes(path: Path) -> None:
    assert list(forbidden_in(path.read_text(encoding="utf-8"))) == []


def test_s08_nothing_is_imported_by_a_name_but_where_the_program_names_it() -> None:
    importing = {str(path.relative_to(ROOT)) for path in SOURCES if re.search("import_module", path.read_text("utf-8"))}
    assert importing == IMPORTERS


def test_s13_the_dependency_has_its_bound_and_what_is_installed_keeps_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    [bound] = [one for one in project["dependencies"] if one.startswith("msgpack")]
    least = tuple(map(int, bound.removeprefix("msgpack>=").split(".")))
    assert least >= (1, 2, 4)
    installed = tuple(map(int, importlib.metadata.version("msgpack").split(".")[:3]))
    assert installed >= least


ATTACKERS = (
    "another machine, without the secret",
    "another machine, with the secret",
    "who changes packets on the way",
    "another user of the machine",
    "a user of the database",
    "who sends commands",
    "who writes payloads",
    "who runs the command line",
)


def test_s14_the_threat_model_says_of_each_attacker_what_keeps_him_out_and_what_does_not() -> None:
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "Report a vulnerability privately" in page
    rows = {cells[1].strip(): cells[2:-1] for line in page.splitlines() if len(cells := line.split("|")) == 5}
    for attacker in ATTACKERS:
        kept, open_to = rows[attacker]
        assert len(kept.strip()) > 40
        assert len(open_to.strip()) > 40


def test_s14_ci_looks_for_known_vulnerabilities() -> None:
    assert re.search(r"^stage audit \d+$", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)


TABLE = re.compile(r"^\| (S\d+) \| (.+?) \| (`.+`) \|$", re.MULTILINE)


def listed() -> dict[str, set[str]]:
    """The tests of each line, as docs/security-tests.md names them."""
    found: dict[str, set[str]] = {}
    for line, _, tests in TABLE.findall((ROOT / "docs" / "security-tests.md").read_text(encoding="utf-8")):
        found.setdefault(line, set()).update(re.findall("`(.+?)`", tests))
    return found


def names_in(module: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / f"{module}.py").read_text(encoding="utf-8"))
    return {one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_s14_every_line_of_the_list_names_tests_and_those_exist() -> None:
    lines = listed()
    assert list(lines) == [f"S{number}" for number in range(1, 15)]
    for named in set().union(*lines.values()):
        module, _, name = named.partition("::")
        assert name.startswith("test_")
        assert name in names_in(module), named


def test_s14_every_test_that_is_named_by_a_line_stands_in_it() -> None:
    lines = listed()
    own = [path for folder in ("security", "fuzz") for path in sorted((ROOT / "tests" / folder).glob("test_*.py"))]
    for path in own:
        module = str(path.relative_to(ROOT / "tests").with_suffix(""))
        for name in names_in(module):
            for number in re.findall(r"(?<=_)s(\d\d)(?=_)", name):
                assert f"{module}::{name}" in lines[f"S{int(number)}"]
