"""Looks the pinned dependencies up among known vulnerabilities; 1 where there is one.

Where nobody answers, or the registry knows of no advisories, it says so, and fails nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECONDS = 120


def main() -> int:
    """Runs pip-audit, and says in a line what it found."""
    ask = [sys.executable, "-m", "pip_audit", "--requirement", str(ROOT / "constraints.txt")]
    ask += ["--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    try:
        answer = subprocess.run(ask, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603 - our own command
        found = json.loads(answer.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        print("audit: no advisories can be had here: nothing was looked up")
        return 0
    looked_up = [one for one in found if "skip_reason" not in one]
    if not looked_up:
        print("audit: whom we ask knows none of the dependencies: nothing was looked up")
        return 0
    bad = [(one, flaw) for one in looked_up for flaw in one["vulns"]]
    for one, flaw in bad:
        mended = ", ".join(flaw["fix_versions"]) or "none yet"
        print(f"audit: {one['name']} {one['version']}: {flaw['id']}; mended in: {mended}")
    print(f"audit: {len(looked_up)} of {len(found)} dependencies could be looked up, {len(bad)} known flaws")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
