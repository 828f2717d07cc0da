"""What the page on clusters shows is run as it stands."""

from __future__ import annotations

import ast
import asyncio
import re
import shlex
import signal
import sys
from pathlib import Path

from tests.cli.programs import aecorpy, end, run, said

PAGE = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text(encoding="utf-8")
PROGRAMS = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))
COMMANDS = [shlex.split(line) for line in re.findall(r"```sh\n(.*?)\n```", PAGE)]


async def client(folder: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "client.py", cwd=folder, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        return (await process.communicate())[0].decode()


async def test_the_pages_cluster_runs_is_called_and_is_shown(tmp_path: Path) -> None:
    for name, program in PROGRAMS.items():
        (tmp_path / name).write_text(program)
    (_, *run_words), (_, *status_words) = COMMANDS
    async with aecorpy(tmp_path, *run_words) as process:
        for _ in range(3):
            await said(process, "is up")
        assert await client(tmp_path) == "alice has 500\n"
        assert await client(tmp_path) == "alice has 1000\n"
        code, text = await run(tmp_path, *status_words)
        assert code == 0, text
        assert re.findall(r"^(node-\d)(?: \*)? +\d+ +\S+ +up ", text, re.MULTILINE) == ["node-1", "node-2", "node-3"]
        assert re.search(r"^account +entity +64 +node-1=", text, re.MULTILINE)
        code, text = await run(tmp_path, "projections", "list", status_words[1])
        assert code == 0, text
        assert re.search(r"^Balances +projection ", text, re.MULTILINE)
        process.send_signal(signal.SIGTERM)
        assert (await end(process))[0] == 0


def test_the_other_program_of_the_page_can_be_read() -> None:
    (program,) = re.findall(r"```py\n(.*?)```", PAGE, re.DOTALL)
    ast.parse(program)
