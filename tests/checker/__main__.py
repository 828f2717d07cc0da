"""Check histories in files: `python -m tests.checker run/*.history`. Exit code 1 when a promise is broken."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.checker.checks import check
from tests.checker.files import read


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.checker", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    records = list(read(*parser.parse_args().files))
    found = check(records)
    for violation in found[:50]:
        print(violation)
    print(f"{len(records)} records, {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
