"""Run every benchmark, or those named, each as a program of its own: `python -m benchmarks [--quick] [NAME …]`."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

BENCHMARKS = ("commands", "projections", "remote", "shard_rebalance")


def main() -> int:
    """Run them one after the other; the exit code is 1 when any of them missed a bound or failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of: {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="a few seconds for each figure; noisier")
    parser.add_argument("--output", type=Path, default=Path("build/bench"), metavar="FOLDER", help="for the JSON files")
    chosen = parser.parse_args()
    unknown = set(chosen.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}: there are {', '.join(BENCHMARKS)}")
    failed = []
    for name in chosen.names or BENCHMARKS:
        command = [sys.executable, "-m", f"benchmarks.{name}", "--json", str(chosen.output / f"{name}.json")]
        if subprocess.run(command + ["--quick"] * chosen.quick, check=False).returncode:
            failed.append(name)
    if failed:
        print(f"bench: MISSED or failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
