"""What a GitLab answers about commits, refs, merge requests and statuses."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.standins.gitlab_world import MOST_FILES, MergeRequest, Project, User
from tests.standins.repositories import ZEROS
from tests.standins.serving import Answer, Refusal, Request, json_answer

_FOLDED_AFTER: Final = 100  # files of a comparison, whose texts are left out
_LONGEST_NOTE: Final = 1_000_000
_LONGEST_WORDS: Final = 255
_UNDER_WAY: Final = frozenset({"pending", "running"})
# From which states of a status each event of it leads where; any other is refused.
_EVENTS: Final[Mapping[str, tuple[str, frozenset[str], str]]] = {
    "pending": ("enqueue", frozenset({"created"}), "pending"),
    "running": ("run", frozenset({"created", "pending"}), "running"),
    "success": ("success", frozenset({"created", "pending", "running"}), "success"),
    "failed": ("drop", frozenset({"created", "pending", "running"}), "failed"),
    "canceled": ("cancel", frozenset({"created", "pending", "running"}), "canceled"),
    "skipped": ("skip", frozenset({"created", "pending"}), "skipped"),
}


def refs(project: Project, kind: str, search: str) -> list[dict[str, Any]]:
    """List `branches` or `tags` by name; the search is for a part, in any case."""
    prefix = "refs/heads/" if kind == "branches" else "refs/tags/"
    rows = []
    for name, (target, peeled) in sorted(project.git.refs().items()):
        short = name.removeprefix(prefix)
        if not name.startswith(prefix) or search.lower() not in short.lower():
            continue
        row: dict[str, Any] = {"name": short, "commit": {"id": peeled or target}}
        if kind == "tags":
            row |= {"target": target, "message": "" if not peeled else "message"}
        rows.append(row)
    return rows


def ref(project: Project, kind: str, name: str) -> Answer:
    what = "Branch" if kind == "branches" else "Tag"
    for row in refs(project, kind, name):
        if row["name"] == name:
            return json_answer(row)
    raise Refusal(404, f"404 {what} Not Found")


def commit(project: Project, sha: str) -> Answer:
    if not project.git.has_commit(sha):
        raise Refusal(404, "404 Commit Not Found")
    fields = project.git.commit_fields(sha)
    return json_answer(
        {
            "id": fields["sha"],
            "short_id": fields["sha"][:8],
            "title": fields["message"].split("\n")[0],
            "message": fields["message"],
            "author_name": fields["name"],
            "author_email": fields["email"],
            "authored_date": fields["date"],
            "committed_date": fields["by_date"],
            "web_url": f"{project.base}/{project.path}/-/commit/{fields['sha']}",
        }
    )


def compare(project: Project, query: Mapping[str, str]) -> Answer:
    """Against the merge base, unless it is to be straight; of many files, not all is told."""
    base, head = query.get("from", ""), query.get("to", "")
    if not project.git.has_commit(base) or not project.git.has_commit(head):
        raise Refusal(404, "404 Ref Not Found")
    if query.get("straight") != "true":
        base = project.git.merge_base(base, head)
    found = diffs(project, base, head)
    return json_answer(
        {"diffs": found[:MOST_FILES], "compare_timeout": False, "compare_same_ref": base == head}
    )


def diffs(project: Project, base: str, head: str) -> list[dict[str, Any]]:
    """Return what differs by file; past a hundred without the text."""
    text = "\n" + project.git.git("diff-tree", "-p", "-r", "-M", "--no-color", base, head)
    texts = text.split("\ndiff --git ")[1:]
    rows = []
    changes = project.git.changes(base, head)
    for number, (change, diff) in enumerate(zip(changes, texts, strict=True)):
        is_folded = number >= _FOLDED_AFTER
        rows.append(
            {
                "old_path": change.old_path,
                "new_path": change.path,
                "new_file": change.kind == "A",
                "deleted_file": change.kind == "D",
                "renamed_file": change.old_path != change.path,
                "diff": "" if is_folded else diff.partition("\n@@")[2],
                "collapsed": is_folded,
                "too_large": False,
            }
        )
    return rows


def merge_request_diffs(found: MergeRequest) -> list[dict[str, Any]]:
    return diffs(found.project, found.base, found.sha)[:MOST_FILES]


def note(found: MergeRequest, path: Sequence[str], request: Request, user: User) -> Answer:
    """Write one, or change one's own."""
    text = request.json().get("body") or ""
    if not text:
        raise Refusal(400, "body is missing")
    if len(text) > _LONGEST_NOTE:
        words = {"note": [f"is too long (maximum is {_LONGEST_NOTE} characters)"]}
        raise Refusal(400, json.dumps(words))
    if request.method == "POST":
        number = found.project.id * 10_000 + len(found.notes) + 1
        new = {"id": number, "body": text, "author": user.json(), "system": False}
        found.notes[number] = new
        return json_answer(new, 201)
    made = found.notes.get(int(path[0])) if path else None
    if made is None:
        raise Refusal(404, "404 Not Found")
    if made["author"]["id"] != user.id:
        raise Refusal(403, "403 Forbidden")
    made["body"] = text
    return json_answer(made)


def status(project: Project, sha: str, said: Mapping[str, Any], user: User) -> Answer:
    """Set one: a new job, unless one of the name is under way, which then moves on or refuses."""
    if not project.git.has_commit(sha):
        raise Refusal(404, "404 Commit Not Found")
    event = _EVENTS.get(str(said.get("state")))
    if event is None:
        raise Refusal(400, "state does not have a valid value")
    if len(str(said.get("description") or "")) > _LONGEST_WORDS:
        raise Refusal(400, json.dumps({"description": ["is too long (maximum is 255 characters)"]}))
    pipeline = _pipeline(project, sha, str(said.get("ref") or ""), said.get("pipeline_id"))
    ref_name = str(pipeline["ref"])
    name = str(said.get("name") or said.get("context") or "default")
    row = _under_way(project, name, pipeline)
    is_new = row is None
    if row is None:
        row = {
            "id": len(project.statuses) + 1,
            "sha": sha,
            "ref": ref_name,
            "name": name,
            "status": "created",
            "pipeline_id": pipeline["id"],
            "author": user.json(),
        }
    word, sources, target = event
    if row["status"] not in sources:
        state = row["status"]
        words = (
            f"Cannot transition status via :{word} from :{state}"
            f' (Reason(s): Status cannot transition via "{word}")'
        )
        raise Refusal(400, words)
    row |= {"status": target, "description": said.get("description")}
    row |= {"target_url": said.get("target_url")}
    if is_new:
        project.statuses.append(row)
    pipeline["status"] = target
    return json_answer(row, 201)


def start_merge_request_pipeline(found: MergeRequest) -> None:
    """Begin a pipeline of the merge request's own, as a project may be set up to."""
    found.project.pipelines.append(
        {
            "id": 7000 + len(found.project.pipelines),
            "sha": found.sha,
            "ref": f"refs/merge-requests/{found.iid}/head",
            "source": "merge_request_event",
            "status": "running",
        }
    )


def _branch_of(project: Project, sha: str) -> str:
    text = project.git.git("for-each-ref", "--contains", sha, "--format=%(refname)", "refs/heads")
    return text.splitlines()[0].removeprefix("refs/heads/") if text else ""


def _pipeline(project: Project, sha: str, ref_name: str, wanted: Any) -> dict[str, Any]:
    """Return the newest pipeline of the commit, of the ref and id if they are given, or a new."""
    each: dict[str, Any]
    for each in reversed(project.pipelines):
        if each["sha"] == sha and ref_name in ("", each["ref"]) and wanted in (None, each["id"]):
            return each
    ref_name = ref_name or _branch_of(project, sha)
    if not ref_name:
        raise Refusal(404, "404 References for commit Not Found")
    if wanted is not None:
        raise Refusal(404, "404 Pipeline for pipeline_id, sha and ref Not Found")
    made: dict[str, Any] = {
        "id": 7000 + len(project.pipelines),
        "sha": sha,
        "ref": ref_name,
        "source": "external",
        "status": "pending",
    }
    project.pipelines.append(made)
    return made


def _under_way(project: Project, name: str, pipeline: Mapping[str, Any]) -> dict[str, Any] | None:
    row: dict[str, Any]
    for row in reversed(project.statuses):
        if (row["name"], row["pipeline_id"]) == (name, pipeline["id"]):
            return row if row["status"] in _UNDER_WAY else None
    return None


def push_document(
    project: Project, user: User, ref_name: str, old: str, new: str
) -> dict[str, Any]:
    """Return what a push, of a branch or a tag, is told with: twenty commits, oldest first."""
    kind = "tag_push" if ref_name.startswith("refs/tags/") else "push"
    is_gone = new == ZEROS
    head = None if is_gone else project.git.resolve(f"{new}^{{commit}}")
    span = [] if is_gone or kind == "tag_push" else project.git.log(old, new)
    commits = []
    for sha in reversed(span[:20]):
        fields = project.git.commit_fields(sha)
        commits.append(
            {
                "id": sha,
                "message": fields["message"],
                "timestamp": fields["date"],
                "author": {"name": fields["name"], "email": "[REDACTED]"},
                "added": [],
                "modified": [],
                "removed": [],
            }
        )
    return {
        "event_name": kind,
        "before": old,
        "after": new,
        "ref": ref_name,
        "checkout_sha": head,
        "user_id": user.id,
        "user_name": user.name,
        "user_username": user.username,
        "user_email": "",
        "project_id": project.id,
        "project": project.hook_json(),
        "commits": commits,
        "total_commits_count": len(span),
        "repository": {"name": project.name},
    }
