"""Fixtures for all tests: a real PostgreSQL server for the run, and a fresh database in it for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.postgres_server import PostgresMissing, PostgresServer, find_server


@pytest.fixture(scope="session")
def postgres_session() -> Iterator[PostgresServer]:
    """The server of the whole run. Tests ask for `postgres_server`, which is this one, up."""
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
