"""The demo's node processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from aecorpy.demo import fleet
from tests.waiting import eventually


async def test_a_node_that_is_stopped_before_it_has_begun_is_no_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = tmp_path / "begun"
    (tmp_path / "slow_to_import.py").write_text(f"open({str(begun)!r}, 'w').close()\nimport time\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(fleet, "FACTORY", "slow_to_import:node")
    async with fleet.Fleet("sqlite:///nowhere.db", tmp_path / "payments") as nodes:
        await nodes.start("node-1")
        await eventually(begun.exists, within=20)
        await nodes.stop()
        assert nodes.findings == []
