"""What docs/journal.md shows is run as it stands."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from journal.database import open_database

PAGE = Path(__file__).parent.parent.parent / "docs" / "journal.md"


def test_the_page_does_what_it_says(tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines == ["[Appended(shard=7, last_offset=1)]", "[(1, 'b-1', 1)]"]
    assert all(line in PAGE.read_text() for line in lines)


async def test_the_page_names_the_columns_of_the_tables(tmp_path: Path) -> None:
    database = await open_database(f"sqlite:///{tmp_path}/journal.db")
    await database.journal("booking", 1)
    await database.close()
    rows = re.findall(r"^\| `(\w+)` \| ([\w, ]+) \|", PAGE.read_text(), re.MULTILINE)
    assert len(rows) == 8
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
        for table, columns in rows:
            found = connection.execute("SELECT name FROM pragma_table_info(?) ORDER BY cid", (table,)).fetchall()
            assert [name for (name,) in found] == columns.split(", ")
