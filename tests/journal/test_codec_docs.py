"""The guide's examples run as they stand, from top to bottom."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

GUIDE = Path(__file__).parent.parent.parent / "docs" / "codec.md"


def test_every_example_of_the_guide_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    text = GUIDE.read_text(encoding="utf-8")
    examples = list(re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))
    assert len(examples) >= 9
    module = ModuleType("codec_guide")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for example in examples:
        line = text.count("\n", 0, example.start(1))
        exec(compile("\n" * line + example[1], str(GUIDE), "exec", dont_inherit=True), vars(module))
