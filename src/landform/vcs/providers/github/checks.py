"""Check runs of a GitHub App: a status with a page of its own, on which the plan is.

Facts: docs.github.com, REST, "Create a check run", "Update a check run" and "List check runs for a
Git reference": only apps may, with the permission `checks: write`; of one name on a commit the
newest counts, so that rules for branches can require it by its name, which is the status's; its
conclusion says that it is completed; summary and text have 65,535 characters at most.
"""

from collections.abc import Mapping
from typing import Any, Final

from landform.vcs.facts import Repository, State, Status
from landform.vcs.providers.github.api import PAGE, GitHubApi
from landform.vcs.providers.github.looking import of
from landform.vcs.texts import comment_of, line_of

_PROGRESS: Final[Mapping[State, str]] = {State.PENDING: "queued", State.RUNNING: "in_progress"}
_CONCLUSIONS: Final[Mapping[State, str]] = {
    State.SUCCEEDED: "success",
    State.FAILED: "failure",
    State.ERRORED: "failure",
    State.CANCELED: "cancelled",
    State.NOT_APPLICABLE: "skipped",
}
_TITLE: Final = 140  # characters
_TEXT: Final = 65_535
_PAGES: Final = 10  # GitHub keeps 1,000 of a name


async def set_check(api: GitHubApi, repository: Repository, sha: str, status: Status) -> None:
    """Show a status as a check run: one for each `status.key`, changed in place.

    Raises:
        NotAllowedError: the app was not granted `checks: write`.
    """
    name = f"{status.genre}/{status.name}"
    there = await _find(api, repository, sha, name, status.key)
    body = _body(name, status)
    if status.details is not None:
        body["output"]["text"] = comment_of(await status.details(), _TEXT)
    if there:
        await api.call("PATCH", of(repository, "check-runs", there), body=body)
    else:
        body |= {"head_sha": sha, "external_id": status.key}
        await api.call("POST", of(repository, "check-runs"), body=body)


def _body(name: str, status: Status) -> dict[str, Any]:
    title = line_of(status.description, _TITLE) or status.state.value
    body: dict[str, Any] = {
        "name": name,
        "output": {"title": title, "summary": comment_of(status.description, _TEXT) or title},
    }
    if status.url:
        body["details_url"] = status.url
    if conclusion := _CONCLUSIONS.get(status.state):
        return {**body, "status": "completed", "conclusion": conclusion}
    return {**body, "status": _PROGRESS[status.state]}


async def _find(api: GitHubApi, repository: Repository, sha: str, name: str, key: str) -> str:
    """Return the id of the check run that tells of `key` already; empty when there is none."""
    query: dict[str, str | int] = {"check_name": name, "filter": "all", "per_page": PAGE}
    for page in range(1, _PAGES + 1):
        path = of(repository, "commits", sha, "check-runs")
        reply = await api.get(path, {**query, "page": page})
        for each in reply.said["check_runs"]:
            if (each.get("external_id") or "") == key:
                return str(each["id"])
        if not reply.has_more:
            break
    return ""
