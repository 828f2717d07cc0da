"""Fixtures for all tests: a real PostgreSQL server for the run, and a fresh database in it for each test."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
from xdist.remote import Producer

from tests.distribution import Parts, rank
from tests.postgres_server import PostgresMissing, PostgresServer, find_server


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Parts:
    """With several processes (`-n 2`), each gets one whole part after another."""
    return Parts(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest parts go first, so that no process ends up with one of them when the others are done."""
    items.sort(key=lambda item: rank(item.nodeid))


@pytest.fixture(autouse=True)
def logging_again() -> Iterator[None]:
    """What a test runs in this process may switch logging off, as the commands that play seeds do."""
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="session")
def postgres_session() -> Iterator[PostgresServer]:
    """The server of the run or of one of its processes. Tests ask for `postgres_server`, which is this one, up."""
    try:
        server = find_server()
    except PostgresMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{missing} (in CI this is a failure, not a skip)", pytrace=False)
        pytest.skip(str(missing))
    with server:
        yield server


@pytest.fixture
def postgres_server(postgres_session: PostgresServer) -> PostgresServer:
    """The run's PostgreSQL server, up, also when the test before stopped it."""
    postgres_session.start()
    return postgres_session


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """DSN of an empty database of this test's own; dropped afterwards, with whoever is still connected."""
    url = postgres_server.create_database()
    yield url
    postgres_server.start()
    postgres_server.drop_database(url)
