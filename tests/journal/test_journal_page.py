"""What docs/journal.md shows is run as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parent.parent.parent / "docs" / "journal.md"


def test_the_page_does_what_it_says(tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines == ["[Appended(shard=7, last_offset=1)]", "[(1, 'b-1', 1)]"]
    assert all(line in PAGE.read_text() for line in lines)


def test_the_page_names_the_columns_of_the_tables() -> None:
    schema = "".join(path.read_text() for path in (PAGE.parent.parent / "journal" / "sqlite" / "sql").rglob("*.sql"))
    rows = re.findall(r"^\| `(\w+)` \| ([\w, ]+) \|", PAGE.read_text(), re.MULTILINE)
    assert len(rows) == 8
    for table, columns in rows:
        name = table.replace("booking_", "{journal}_")
        (body,) = re.findall(rf'CREATE TABLE (?:IF NOT EXISTS )?"?{re.escape(name)}"? \((.*?)\n\)', schema, re.DOTALL)
        assert re.findall(r'^ +"?([a-z_]+)"? [A-Z]+ NOT NULL', body, re.MULTILINE) == columns.split(", ")
