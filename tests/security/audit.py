"""Ask the index for known vulnerabilities of what aecorpy needs to run: `python -m tests.security.audit`.

A vulnerability fails. That pip-audit is not there, or that the index cannot be reached or does not know a package, is
said and does not fail.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

SECONDS = 45
_UNREACHED = re.compile(
    "ConnectionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError|Max retries|NameResolution|HTTPError|ServiceError"
)
Run = Callable[[list[str]], subprocess.CompletedProcess[str]]


def needed(project: str = "aecorpy") -> dict[str, str]:
    """What the project needs to run, with all that those need: versions by name, as installed here."""
    found: dict[str, str] = {}
    waiting = [project]
    while waiting:
        for requirement in importlib.metadata.requires(waiting.pop()) or ():
            text, _, marker = requirement.partition(";")
            name = re.split(r"[^A-Za-z0-9._-]", text.strip(), maxsplit=1)[0].lower()
            if "extra" in marker or name in found:
                continue
            try:
                found[name] = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:  # needed on another Python or system
                continue
            waiting.append(name)
    return found


def audit(run: Run) -> tuple[int, str]:
    """The exit code, and what is to be said.

    Args:
        run: runs pip-audit with arguments; raises `subprocess.TimeoutExpired` when that takes too long.
    """
    packages = needed()
    with TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.txt"
        wanted.write_text("".join(f"{name}=={version}\n" for name, version in packages.items()))
        try:
            done = run(["-r", str(wanted), "--no-deps", "--disable-pip", "-f", "json", "--progress-spinner", "off"])
        except subprocess.TimeoutExpired:
            return 0, f"audit: NOT DONE: no answer from the index within {SECONDS} s"
    try:
        report = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        if _UNREACHED.search(done.stderr):
            return 0, f"audit: NOT DONE: the index cannot be reached: {last[:200]}"
        return 1, f"audit: FAILED: pip-audit ended with code {done.returncode}: {last[:200]}"
    return judged(report, packages)


def judged(report: list[dict[str, Any]], packages: dict[str, str]) -> tuple[int, str]:
    """The exit code, and what is to be said, for what pip-audit reported of `packages`."""
    known = {one["name"].lower(): one["vulns"] for one in report if "vulns" in one}
    vulnerable = [
        f"{name} {packages.get(name, '')}: {flaw['id']}, fixed in {', '.join(flaw['fix_versions']) or 'no version'}"
        for name, flaws in known.items()
        for flaw in flaws
    ]
    if vulnerable:
        return 1, "\n  ".join(["audit: FAILED: known vulnerabilities", *vulnerable])
    missed = sorted(packages.keys() - known.keys())
    if not known:
        return 0, f"audit: NOT DONE: the index knows none of {', '.join(missed)}"
    left_out = f"; NOT DONE for {', '.join(missed)}" if missed else ""
    return 0, f"audit: no known vulnerability in {len(known)} packages{left_out}"


def main() -> int:
    """Audit what is installed in this environment."""
    if importlib.util.find_spec("pip_audit") is None:
        print("audit: NOT DONE: pip-audit cannot be installed here")
        return 0
    code, said = audit(
        lambda arguments: subprocess.run(
            [sys.executable, "-m", "pip_audit", *arguments],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    )
    print(said)
    return code


if __name__ == "__main__":
    sys.exit(main())
