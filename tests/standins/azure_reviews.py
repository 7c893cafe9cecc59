"""Azure DevOps Services, REST of reviews: pull requests, iterations, statuses, threads."""

from collections.abc import Mapping
from typing import Any, Final

from tests.standins.azure_git import collection
from tests.standins.azure_world import Identity, PullRequest, Repository, stamp
from tests.standins.serving import Answer, Refusal, Request, json_answer

_STATES: Final = ("notSet", "pending", "succeeded", "failed", "error", "notApplicable")
_THREAD_STATES: Final = {
    **dict(enumerate(("unknown", "active", "fixed", "wontFix", "closed", "byDesign", "pending"))),
}
_LONGEST_COMMENT: Final = 150_000
_LONGEST_PULL_PAGE: Final = 1000


def pulls(repository: Repository, request: Request) -> Answer:
    query = request.query
    status = query.get("searchCriteria.status", "active")
    target = query.get("searchCriteria.targetRefName")
    rows = [
        one.json()
        for one in sorted(repository.pulls.values(), key=lambda one: -one.id)
        if status in ("all", one.status) and target in (None, one.target)
    ]
    skip = int(query.get("$skip", 0))
    top = min(int(query.get("$top", 101)), _LONGEST_PULL_PAGE)
    return json_answer(collection(rows[skip : skip + top]))


def find(repository: Repository, number: str) -> PullRequest:
    pull = repository.pulls.get(int(number)) if number.isdecimal() else None
    if pull is None:
        raise Refusal(
            404,
            f"TF401180: The requested pull request was not found: {number}.",
            "GitPullRequestNotFoundException",
        )
    return pull


def add_commit_status(
    repository: Repository, sha: str, request: Request, creator: Identity
) -> Answer:
    status = _status(request.json(), creator, repository)
    repository.commit_statuses.setdefault(sha, []).append(status)
    return json_answer(status, 201)


def list_commit_statuses(repository: Repository, sha: str, request: Request) -> Answer:
    rows = list(reversed(repository.commit_statuses.get(sha, [])))
    if request.query.get("latestOnly", "false").lower() == "true":
        rows = list(latest(rows).values())
    skip, top = int(request.query.get("skip", 0)), int(request.query.get("top", 100))
    return json_answer(collection(rows[skip : skip + top]))


def latest(newest_first: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the newest status of each genre and name."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in newest_first:
        found.setdefault((row["context"].get("genre") or "", row["context"]["name"]), row)
    return found


def add_pull_status(pull: PullRequest, request: Request, creator: Identity) -> Answer:
    document = request.json()
    status = _status(document, creator, pull.repository)
    iteration = document.get("iterationId")
    if iteration is not None:
        if not 1 <= iteration <= len(pull.iterations):
            raise Refusal(400, f"The iteration {iteration} does not exist.")
        status["iterationId"] = iteration
    status["id"] = len(pull.statuses) + 1
    pull.statuses.append(status)
    return json_answer(status)


def add_thread(pull: PullRequest, request: Request, author: Identity) -> Answer:
    document = request.json()
    thread: dict[str, Any] = {
        "id": len(pull.threads) + 1,
        "publishedDate": stamp(pull.repository.project.organization.clock.now()),
        "comments": [],
        "isDeleted": False,
    }
    if document.get("status") is not None:
        thread["status"] = _thread_state(document["status"])
    for one in document.get("comments") or []:
        thread["comments"].append(comment_document(pull, thread, one, author))
    if not thread["comments"]:
        raise Refusal(400, "A thread needs at least one comment.")
    pull.threads.append(thread)
    return json_answer(thread)


def comment_document(
    pull: PullRequest, thread: Mapping[str, Any], given: Mapping[str, Any], author: Identity
) -> dict[str, Any]:
    _check_length(given.get("content", ""))
    thread_url = f"{pull.repository.api}/pullRequests/{pull.id}/threads/{thread['id']}"
    return {
        "id": len(thread["comments"]) + 1,
        "parentCommentId": given.get("parentCommentId", 0),
        "author": author.json(),
        "content": given.get("content", ""),
        "publishedDate": stamp(pull.repository.project.organization.clock.now()),
        "commentType": "text",
        "isDeleted": False,
        "_links": {"threads": {"href": thread_url}},
    }


def find_thread(pull: PullRequest, number: str) -> dict[str, Any]:
    for thread in pull.threads:
        if str(thread["id"]) == number:
            return thread
    raise Refusal(404, f"TF401388: The thread {number} was not found.", "CommentNotFoundException")


def reply(pull: PullRequest, thread: dict[str, Any], request: Request, author: Identity) -> Answer:
    made = comment_document(pull, thread, request.json(), author)
    thread["comments"].append(made)
    return json_answer(made)


def update_thread(thread: dict[str, Any], request: Request) -> Answer:
    thread["status"] = _thread_state(request.json().get("status"))
    return json_answer(thread)


def edit_comment(thread: dict[str, Any], number: str, request: Request, editor: Identity) -> Answer:
    for comment in thread["comments"]:
        if str(comment["id"]) == number and not comment["isDeleted"]:
            if comment["author"]["id"] != editor.id:
                raise Refusal(403, "TF401444: Only its author can edit a comment.")
            content = request.json().get("content", "")
            _check_length(content)
            comment["content"] = content
            return json_answer(comment)
    raise Refusal(404, f"The comment {number} was not found.", "CommentNotFoundException")


def _status(document: Any, creator: Identity, repository: Repository) -> dict[str, Any]:
    context = document.get("context") or {}
    if not context.get("name"):
        raise Refusal(400, "A status needs a context with a name.")
    if document.get("state", "notSet") not in _STATES:
        raise Refusal(400, f"The state is one of {', '.join(_STATES)}.")
    return {
        "state": document.get("state", "notSet"),
        "description": document.get("description", ""),
        "targetUrl": document.get("targetUrl"),
        "context": {"name": context["name"], "genre": context.get("genre")},
        "creationDate": stamp(repository.project.organization.clock.now()),
        "createdBy": creator.json(),
    }


def _thread_state(given: Any) -> str:
    return str(_THREAD_STATES.get(given, given))


def _check_length(content: str) -> None:
    if len(content) > _LONGEST_COMMENT:
        raise Refusal(400, f"A comment has at most {_LONGEST_COMMENT} characters.")
