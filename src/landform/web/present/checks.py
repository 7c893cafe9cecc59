"""What a plan says of conditions, check blocks and validations. Pure.

The input is `checks` of `show -json` (Terraform's documentation, "JSON Output Format").
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

LOOKS: Final[Mapping[str, str]] = {"fail": "bad", "error": "bad", "unknown": "wait", "pass": "good"}
WORDS: Final[Mapping[str, str]] = {
    "fail": "Failed",
    "error": "Could not be checked",
    "unknown": "Known after apply",
    "pass": "Passed",
}
_ORDER: Final = tuple(LOOKS)
_PROBLEMS: Final = 20  # told of one check


@dataclass(frozen=True, kw_only=True)
class Check:
    """The conditions of one object, all its instances together.

    Attributes:
        status: a key of WORDS.
        problems: why not, of instances that did not pass, with the instance where there are many.
    """

    address: str
    status: str
    problems: Sequence[str]


def checks_of(checks: Iterable[Mapping[str, Any]]) -> list[Check]:
    """Return the checks of a plan, those that did not pass first."""
    found = []
    for entry in checks:
        status = str(entry.get("status") or "")
        found.append(
            Check(
                address=str((entry.get("address") or {}).get("to_display") or "(unnamed)"),
                status=status if status in WORDS else "unknown",
                problems=_problems(entry.get("instances") or [])[:_PROBLEMS],
            )
        )
    return sorted(found, key=lambda each: (_ORDER.index(each.status), each.address))


def _problems(instances: Sequence[Mapping[str, Any]]) -> list[str]:
    found = []
    for instance in instances:
        where = str((instance.get("address") or {}).get("to_display") or "")
        for problem in instance.get("problems") or []:
            message = str(problem.get("message") or "")
            found.append(f"{where}: {message}" if len(instances) > 1 else message)
    return found
