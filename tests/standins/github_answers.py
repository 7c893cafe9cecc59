"""What a GitHub answers about commits, and how it shows what was set."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.standins.github_world import Repo
from tests.standins.serving import Answer, Refusal, Request, json_answer

_MOST_FILES: Final = 300  # of a comparison
_STATES: Final = frozenset({"error", "failure", "pending", "success"})


def paged(request: Request, rows: Sequence[Any], *, key: str = "") -> Answer:
    """Return a page of the rows, with a link to the next where there is one."""
    size = min(int(request.query.get("per_page", 30)), 100)
    page = int(request.query.get("page", 1))
    part = rows[(page - 1) * size : page * size]
    answer = json_answer({"total_count": len(rows), key: part} if key else part)
    following = f'<http://{request.headers["host"]}{request.path}?page={page + 1}>; rel="next"'
    link = {"Link": following} if page * size < len(rows) else {}
    return Answer(answer.status, answer.body, {**answer.headers, **link})


def shown(hook: Mapping[str, Any]) -> dict[str, Any]:
    """The secret is masked."""
    config = {**hook["config"], "secret": "********"} if hook["secret"] else hook["config"]
    return {name: value for name, value in hook.items() if name != "secret"} | {"config": config}


def git_data(repo: Repo, path: Sequence[str]) -> Answer:
    if path[1] == "ref":
        found = repo.git.refs().get("refs/" + "/".join(path[2:]))
        if found is None:
            raise Refusal(404, "Not Found")
        target, peeled = found
        kind = "tag" if peeled else "commit"
        return json_answer({"ref": "/".join(path[2:]), "object": {"type": kind, "sha": target}})
    commit = repo.git.resolve(f"{path[2]}^{{commit}}")
    return json_answer({"sha": path[2], "object": {"type": "commit", "sha": commit}})


def commit(repo: Repo, sha: str) -> Answer:
    if not repo.git.has_commit(sha):
        raise Refusal(422, f"No commit found for SHA: {sha}")
    fields = repo.git.commit_fields(sha)
    author = {"name": fields["name"], "email": fields["email"], "date": fields["date"]}
    return json_answer(
        {
            "sha": fields["sha"],
            "html_url": f"{repo.base}/{repo.full_name}/commit/{fields['sha']}",
            "commit": {"message": fields["message"].rstrip("\n"), "author": author},
        }
    )


def compare(repo: Repo, span: str) -> Answer:
    """Three dots: against the merge base, and 300 files at most."""
    base, _, head = span.partition("...")
    if not repo.git.has_commit(base) or not repo.git.has_commit(head):
        raise Refusal(404, "Not Found")
    common = repo.git.merge_base(base, head)
    status = {(True, True): "identical", (True, False): "ahead", (False, True): "behind"}.get(
        (common == repo.git.resolve(base), common == repo.git.resolve(head)), "diverged"
    )
    return json_answer({"status": status, "files": files(repo, common, head)[:_MOST_FILES]})


def files(repo: Repo, base: str, head: str) -> list[dict[str, Any]]:
    rows = []
    for change in repo.git.changes(base, head):
        row = {"filename": change.path, "status": "modified"}
        if change.old_path != change.path:
            row |= {"previous_filename": change.old_path, "status": "renamed"}
        rows.append(row)
    return rows


def status(request: Request, repo: Repo, sha: str) -> Answer:
    said = request.json()
    if not repo.git.has_commit(sha):
        raise Refusal(422, f"No commit found for SHA: {sha}")
    if said["state"] not in _STATES or len(said.get("description", "")) > 140:
        raise Refusal(422, "Validation Failed")
    repo.statuses.setdefault(sha, []).append(said)
    return json_answer(said, 201)
