"""What docs/postgresql.md shows is run as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.journal.postgres_store import session

PAGE = Path(__file__).parent.parent.parent / "docs" / "postgresql.md"


def _printed(program: str, **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PAGE.parent.parent,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


async def test_the_page_does_what_it_says(postgres_url: str) -> None:
    """Both programs, the second with two roles; the page's role is renamed, since roles belong to the whole server."""
    first, second = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    printed = _printed(first, DATABASE_URL=postgres_url)
    assert printed == ["[Appended(shard=7, last_offset=1)]"]
    role = f"app_{postgres_url.rpartition('_')[2]}"
    application = f"postgresql://{role}:w0rd@{postgres_url.rpartition('@')[2]}"
    async with session(postgres_url) as owner:
        await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'w0rd'")
        try:
            printed += _printed(
                second.replace("tickets_app", role), OWNER_URL=postgres_url, APPLICATION_URL=application
            )
        finally:
            await owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
    assert printed[1:] == ["64 shards"]
    assert all(f"`{line}`" in PAGE.read_text() for line in printed)
