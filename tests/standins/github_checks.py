"""GitHub's checks: written by apps only, of those only with the permission.

Facts: docs.github.com, REST API of check runs. A conclusion completes; an output has a title and a
summary; a name's runs stay side by side, and the newest counts.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.standins.github_answers import paged
from tests.standins.github_world import Grant, Repo
from tests.standins.serving import Answer, Refusal, Request, json_answer

_STATUSES: Final = {"queued", "in_progress", "completed"}
_CONCLUSIONS: Final = {
    *("action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out")
}
_TEXT: Final = 65_535
_ANNOTATIONS: Final = 50


def answer(request: Request, repo: Repo, path: Sequence[str], grant: Grant, number: int) -> Answer:
    """Make a check run, or change one.

    Args:
        number: of one that is made.
    """
    if grant.permissions is None:
        raise Refusal(403, "You must authenticate via a GitHub App.")
    grant.require("checks")
    said = request.json()
    _check(said)
    if request.method == "PATCH":
        found = next((each for each in repo.check_runs if str(each["id"]) == path[1]), None)
        if found is None:
            raise Refusal(404, "Not Found")
        found |= _written(said)
        repo.told_checks.append((found["head_sha"], dict(found)))
        return json_answer(found)
    if not said.get("name") or not said.get("head_sha"):
        raise Refusal(422, "Invalid request. Missing name or head_sha.")
    if not repo.git.has_commit(said["head_sha"]):
        raise Refusal(422, f"No commit found for SHA: {said['head_sha']}")
    made: dict[str, Any] = {"id": number, "status": "queued", "conclusion": None, "external_id": ""}
    made |= {"head_sha": said["head_sha"]} | _written(said)
    repo.check_runs.append(made)
    repo.told_checks.append((str(made["head_sha"]), dict(made)))
    return json_answer(made, 201)


def of_commit(request: Request, repo: Repo, sha: str, grant: Grant) -> Answer:
    """List what a commit has, newest first; without `filter=all` only the newest of a name."""
    granted = grant.permissions
    if granted is not None and granted.get("checks") not in ("read", "write"):
        raise Refusal(403, "Resource not accessible by integration")
    wanted = request.query.get("check_name")
    rows = [each for each in reversed(repo.check_runs) if each["head_sha"] == sha]
    rows = [each for each in rows if wanted in (None, each["name"])]
    if request.query.get("filter", "latest") == "latest":
        rows = list({each["name"]: each for each in reversed(rows)}.values())
    return paged(request, rows, key="check_runs")


def _written(said: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("name", "status", "conclusion", "external_id", "details_url", "output")
    found = {name: said[name] for name in kept if name in said}
    return found | ({"status": "completed"} if said.get("conclusion") else {})


def _check(said: Mapping[str, Any]) -> None:
    status, conclusion = said.get("status", "queued"), said.get("conclusion")
    if status not in _STATUSES or (conclusion is not None and conclusion not in _CONCLUSIONS):
        raise Refusal(422, "Invalid request. No such status or conclusion.")
    if status == "completed" and conclusion is None:
        raise Refusal(422, "Invalid request. Missing conclusion.")
    output = said.get("output")
    if output is None:
        return
    if not output.get("title") or not output.get("summary"):
        raise Refusal(422, "Invalid request. Missing title or summary of the output.")
    for name in ("summary", "text"):
        if len(output.get(name) or "") > _TEXT:
            raise Refusal(422, f"{name} is too long (maximum is {_TEXT} characters)")
    if len(output.get("annotations") or ()) > _ANNOTATIONS:
        raise Refusal(422, f"No more than {_ANNOTATIONS} annotations are allowed.")
