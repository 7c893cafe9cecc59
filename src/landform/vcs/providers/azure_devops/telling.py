"""Statuses and comments on Azure DevOps. Facts: vcs_providers.md §1.6.

Branch policies look at the statuses of pull requests, not at those of commits.
"""

from collections.abc import Mapping
from typing import Any, Final

from landform.vcs.errors import NoSuchRepositoryError
from landform.vcs.facts import Repository, State, Status
from landform.vcs.providers.azure_devops.api import AzureApi
from landform.vcs.providers.azure_devops.looking import last_iteration, of_repository

_STATES: Final[Mapping[State, str]] = {
    State.PENDING: "pending",
    State.RUNNING: "pending",
    State.SUCCEEDED: "succeeded",
    State.FAILED: "failed",
    State.ERRORED: "error",
    State.CANCELED: "error",
    State.NOT_APPLICABLE: "notApplicable",
}
_DESCRIPTION: Final = 512  # characters
_COMMENT: Final = 150_000
_ACTIVE: Final = 1  # a thread that a policy may require to be resolved
_CLOSED: Final = 4
_CUT: Final = "\n\n… cut: the rest is in the run."


async def set_commit_status(
    api: AzureApi, repository: Repository, sha: str, status: Status
) -> None:
    """See VcsProvider.set_commit_status."""
    path = of_repository(repository, "commits", sha, "statuses")
    await api.send("POST", path, _body(status), organization=repository.organization)


async def set_pull_request_status(
    api: AzureApi, repository: Repository, number: int, sha: str, status: Status
) -> None:
    """Bind the status to the iteration of `sha`, else it would count for later pushes too."""
    iteration = await last_iteration(api, repository, number, sha)
    if iteration is None:
        return  # pushed over already: nobody asks about that commit any more
    path = of_repository(repository, "pullRequests", str(number), "statuses")
    body = _body(status) | {"iterationId": iteration["id"]}
    await api.send("POST", path, body, organization=repository.organization)


async def upsert_comment(
    api: AzureApi,
    repository: Repository,
    number: int,
    text: str,
    *,
    comment_id: str,
    needs_attention: bool,
) -> str:
    """Write into a thread of our own; ids are `thread:comment`."""
    content = text if len(text) <= _COMMENT else text[: _COMMENT - len(_CUT)] + _CUT
    state = _ACTIVE if needs_attention else _CLOSED
    threads = of_repository(repository, "pullRequests", str(number), "threads")
    organization = repository.organization
    thread, _, comment = comment_id.partition(":")
    if thread and comment:
        try:
            await api.send(
                "PATCH",
                [*threads, thread, "comments", comment],
                {"content": content},
                organization=organization,
            )
            await api.send(
                "PATCH", [*threads, thread], {"status": state}, organization=organization
            )
        except NoSuchRepositoryError:
            pass  # somebody deleted it
        else:
            return comment_id
    body = {
        "comments": [{"parentCommentId": 0, "content": content, "commentType": 1}],
        "status": state,
    }
    said: Any = (await api.send("POST", threads, body, organization=organization)).said
    return f"{said['id']}:{said['comments'][0]['id']}"


def _body(status: Status) -> dict[str, Any]:
    text = status.description
    return {
        "state": _STATES[status.state],
        "description": text if len(text) <= _DESCRIPTION else f"{text[: _DESCRIPTION - 1]}…",
        "targetUrl": status.url,
        "context": {"genre": status.genre, "name": status.name},
    }
