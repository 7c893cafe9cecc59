"""Ask which pinned dependencies have known vulnerabilities: `make audit`.

The service (pypi.org's) may be out of reach, or not know what an index of one's own serves; then
this says so and fails nothing.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_LOCKS = ("runtime.txt", "saml.txt", "dev.txt")
_DEADLINE_S = 120


def main() -> int:
    """Audit every lock file; return 1 when something is known to be vulnerable."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.json"
        said = _ask(report)
        found = json.loads(report.read_text()) if report.exists() else None
    failed, words = judge(found, said)
    print(words)
    return int(failed)


def judge(report: Mapping[str, Any] | None, said: str) -> tuple[bool, str]:
    """Tell whether the check fails, and what to say.

    Args:
        report: pip-audit's, as JSON; None when it wrote none.
        said: what it wrote besides.
    """
    if report is None:
        lines = said.strip().splitlines()
        reason = lines[-1] if lines else "it said nothing"
        return False, f"Dependencies were NOT audited: the service could not be asked ({reason})."
    every: Sequence[Mapping[str, Any]] = report["dependencies"]
    asked = [each for each in every if "skip_reason" not in each]
    lines = [
        f"{each['name']} {each['version']}: {hole['id']}"
        f" (mended in {', '.join(hole['fix_versions']) or 'no version yet'})"
        for each in asked
        for hole in each["vulns"]
    ]
    if lines:
        return True, "\n".join(["Pinned dependencies have known vulnerabilities:", *lines])
    if not asked:
        return False, "Dependencies were NOT audited: the service knows none of these versions."
    words = f"No known vulnerability in {len(asked)} pinned dependencies."
    unknown = len(every) - len(asked)
    return False, words + (f" The service does not know {unknown} others." if unknown else "")


def _ask(report: Path) -> str:
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes"]
    command += ["--progress-spinner", "off", "--timeout", "10", "-f", "json", "-o", str(report)]
    for lock in _LOCKS:
        command += ["-r", str(_HERE / lock)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_DEADLINE_S
        )
    except subprocess.TimeoutExpired:
        return f"no answer in {_DEADLINE_S} seconds"
    return done.stderr


if __name__ == "__main__":
    sys.exit(main())
