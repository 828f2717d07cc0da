"""One URL, one cluster store."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from sharding.store.errors import ClusterSchemaMismatch, InvalidClusterName, InvalidStoreUrl, NoSuchCluster
from sharding.store.memory import MemoryClusterStore
from sharding.store.opening import open_cluster_store
from sharding.store.records import Seat

SEAT = Seat("a", "127.0.0.1", 7000)


async def test_memory_is_a_store_of_its_own_each_time() -> None:
    one, two = [await open_cluster_store("memory:", "tickets") for _ in range(2)]
    await one.join(SEAT, 10)
    assert (await two.picture()).members == ()
    assert isinstance(one, MemoryClusterStore)


async def test_a_clusters_file_lies_beside_the_journals(tmp_path: Path) -> None:
    store = await open_cluster_store(f"sqlite:///{tmp_path}/tickets.db", "tickets")
    await store.join(SEAT, 10)
    await store.close()
    assert os.listdir(tmp_path) == ["tickets.db-cluster"]


async def test_a_relative_path_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one two").mkdir()
    monkeypatch.chdir(tmp_path)
    store = await open_cluster_store("sqlite:///one%20two/tickets.db", "tickets")
    monkeypatch.chdir("/")
    assert (await store.join(SEAT, 10)).incarnation == 1
    await store.close()
    assert (tmp_path / "one two" / "tickets.db-cluster").exists()


async def test_postgresql_is_opened_by_its_url(postgres_url: str) -> None:
    store = await open_cluster_store(postgres_url, "tickets")
    assert (await store.join(SEAT, 10)).incarnation == 1
    await store.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mysql://root:s3cret@localhost/x",
        "sqlite://tickets.db",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///folder/",
        "sqlite:///x.db?mode=ro",
        "postgresql://user:s3cret@host:port/database",
        "postgresql://user:s3cret@host:65536/database",
        "postgresql://user:s3cret@host/database?port=70000",
        "postgresql://user:s3cr#et@localhost/database",
        "postgresql://user:12/s3cret@localhost/database",
        "postgresql://user:12?a=s3cret@localhost/database",
        "postgresql://user:x@1/s3cret@localhost/database",
        "sqlite://user:s3cret@localhost/x.db",
        "sqlite:///user:s3cret@localhost/",
        "sqlite://[s3cret",
    ],
)
async def test_what_names_no_store_is_refused_without_repeating_a_password(url: str) -> None:
    with pytest.raises(InvalidStoreUrl) as refused:
        await open_cluster_store(url, "tickets")
    assert "s3c" not in str(refused.value)


async def test_names_of_clusters_are_checked_before_anything_is_opened(tmp_path: Path) -> None:
    for url in ("memory:", f"sqlite:///{tmp_path}/x.db", "postgresql://127.0.0.1:1/x"):
        with pytest.raises(InvalidClusterName):
            await open_cluster_store(url, "two words")
    assert os.listdir(tmp_path) == []


async def test_who_only_looks_creates_nothing(tmp_path: Path, postgres_url: str) -> None:
    for url in ("memory:", f"sqlite:///{tmp_path}/tickets.db", postgres_url):
        with pytest.raises(NoSuchCluster, match="'tickets'"):
            await open_cluster_store(url, "tickets", create=False)
        await (await open_cluster_store(url, "other")).close()
        with pytest.raises(NoSuchCluster, match="'tickets'"):
            await open_cluster_store(url, "tickets", create=False)
    assert os.listdir(tmp_path) == ["tickets.db-cluster"]


@pytest.mark.parametrize("script", ["", "CREATE TABLE others (id INTEGER)"], ids=["empty", "another program's"])
async def test_who_only_looks_leaves_a_file_as_it_is(tmp_path: Path, script: str) -> None:
    file = tmp_path / "tickets.db-cluster"
    connection = sqlite3.connect(file)
    connection.executescript(script)
    connection.close()
    before = file.read_bytes()
    assert bool(before) is bool(script)
    with pytest.raises(NoSuchCluster, match="'tickets'"):
        await open_cluster_store(f"sqlite:///{tmp_path}/tickets.db", "tickets", create=False)
    assert file.read_bytes() == before
    assert os.listdir(tmp_path) == [file.name]


async def test_who_only_looks_sees_what_others_wrote(tmp_path: Path, postgres_url: str) -> None:
    for url in (f"sqlite:///{tmp_path}/tickets.db", postgres_url):
        store = await open_cluster_store(url, "tickets")
        await store.join(SEAT, 10)
        looking = await open_cluster_store(url, "tickets", create=False)
        assert [member.node for member in (await looking.picture()).members] == ["a"]
        await looking.close()
        await store.close()


async def test_an_older_file_is_brought_up_to_date_but_not_by_who_only_looks(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/tickets.db"
    store = await open_cluster_store(url, "tickets")
    await store.join(SEAT, 10)
    await store.close()
    connection = sqlite3.connect(tmp_path / "tickets.db-cluster")
    connection.executescript(
        "ALTER TABLE aecorpy_cluster_term DROP COLUMN moves; UPDATE aecorpy_cluster_schema SET version = 1"
    )
    connection.close()
    with pytest.raises(ClusterSchemaMismatch, match="version 1, this program needs 2"):
        await open_cluster_store(url, "tickets", create=False)
    store = await open_cluster_store(url, "tickets")
    assert await store.moves() == {}
    assert [member.node for member in (await store.picture()).members] == ["a"]
    await store.close()


def test_the_example_of_the_page_prints_what_it_says(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "cluster-store.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (said,) = re.findall(r"This prints `(.*?)`", page)
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == said


def test_only_postgresql_needs_its_driver() -> None:
    look = "import sys, sharding.store.opening; sys.exit('asyncpg' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], check=False).returncode == 0
