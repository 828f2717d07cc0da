"""The same targets, guided by what code an input reaches: `python -m tests.fuzz.guided TARGET -runs=100000`.

Needs atheris (`pip install -e '.[fuzz]'`). What stands behind the target's name is for libFuzzer; it keeps a corpus in
the folder that is named there, if one is.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris

with atheris.instrument_imports(include=["aecorpy", "sharding", "journal"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Fuzz one target until libFuzzer has enough; it ends the process."""
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: python -m tests.fuzz.guided TARGET [-runs=N] [FOLDER]\ntargets: {', '.join(TARGETS)}")
    name, options = sys.argv[1], sys.argv[2:]
    logging.disable(logging.CRITICAL)
    target = TARGETS[name]

    def take(data: bytes) -> None:
        target.take(data)

    with TemporaryDirectory() as seeds:
        for at, sample in enumerate(target.samples):
            (Path(seeds) / str(at)).write_bytes(sample)
        folders = [option for option in options if not option.startswith("-")]
        atheris.Setup([name, *options, *(() if folders else ("-artifact_prefix=build/",)), seeds], take)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
