"""Statuses and comments on GitLab. Facts: vcs_providers.md §4.

A status is a job of an external pipeline. What has begun cannot wait again: GitLab refuses to
go from `running` to `pending`, and from a state to itself; it then shows what it showed before. A
merge request shows the pipeline of its newest commit, which may be one of its own.
"""

from collections.abc import Mapping
from typing import Any, Final

from landform.vcs.errors import NoSuchRepositoryError, ProviderRefusedError
from landform.vcs.facts import Repository, State, Status
from landform.vcs.providers.gitlab.api import GitLabApi
from landform.vcs.providers.gitlab.looking import merge_request, of

_STATES: Final[Mapping[State, str]] = {
    State.PENDING: "pending",
    State.RUNNING: "running",
    State.SUCCEEDED: "success",
    State.FAILED: "failed",
    State.ERRORED: "failed",
    State.CANCELED: "canceled",
    State.NOT_APPLICABLE: "success",  # `skipped` would hold up a merge that needs success
}
_DESCRIPTION: Final = 255  # characters
_COMMENT: Final = 1_000_000
_CUT: Final = "\n\n… cut: the rest is in the run."
_SAME: Final = "cannot transition status"
_NO_BRANCH: Final = "references for commit"
_OF_MERGE_REQUEST: Final = "merge_request_event"


async def set_commit_status(
    api: GitLabApi, repository: Repository, sha: str, status: Status
) -> None:
    """See VcsProvider. A commit on no branch, such as a fork's, shows none of its own."""
    try:
        await _set(api, repository, sha, _body(status))
    except NoSuchRepositoryError as missing:
        if _NO_BRANCH not in str(missing).lower():
            raise


async def set_merge_request_status(
    api: GitLabApi, repository: Repository, number: int, sha: str, status: Status
) -> None:
    """Show it on the merge request where the commit's own status does not show there."""
    said = await merge_request(api, repository, number)
    if said.get("sha") != sha:
        return  # pushed over already: nobody asks about that commit any more
    pipeline = said.get("head_pipeline") or {}
    is_fork = said.get("source_project_id") != said.get("target_project_id")
    if pipeline.get("source") == _OF_MERGE_REQUEST and pipeline.get("sha") == sha:
        more = {"pipeline_id": pipeline["id"], "ref": str(pipeline["ref"])}
    elif is_fork:
        more = {"ref": f"refs/merge-requests/{number}/head"}
    else:
        return
    await _set(api, repository, sha, _body(status) | more)


async def upsert_comment(
    api: GitLabApi, repository: Repository, number: int, text: str, comment_id: str
) -> str:
    """See VcsProvider. A note cannot be resolved, so none needs to be kept open."""
    body = {"body": text if len(text) <= _COMMENT else text[: _COMMENT - len(_CUT)] + _CUT}
    notes = of(repository, "merge_requests", str(number), "notes")
    if comment_id.isdecimal():
        try:
            await api.call("PUT", f"{notes}/{comment_id}", body=body)
        except NoSuchRepositoryError:
            pass  # somebody deleted it
        else:
            return comment_id
    return str((await api.call("POST", notes, body=body)).said["id"])


async def _set(api: GitLabApi, repository: Repository, sha: str, body: Mapping[str, Any]) -> None:
    try:
        await api.call("POST", of(repository, "statuses", sha), body=body)
    except ProviderRefusedError as refused:
        if _SAME not in str(refused).lower():
            raise


def _body(status: Status) -> dict[str, Any]:
    text = status.description
    body = {
        "state": _STATES[status.state],
        "name": f"{status.genre}/{status.name}",
        "description": text if len(text) <= _DESCRIPTION else f"{text[: _DESCRIPTION - 1]}…",
    }
    if status.url:
        body["target_url"] = status.url
    return body
