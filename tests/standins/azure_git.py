"""Azure DevOps Services, REST of git: repositories, refs, commits, diffs, items."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from tests.standins.azure_world import Repository
from tests.standins.repositories import ZEROS, Change
from tests.standins.serving import Answer, Refusal, Request, json_answer

_KINDS: Final = {"A": "add", "M": "edit", "T": "edit", "D": "delete", "R": "rename", "C": "add"}
_MOST_REFS: Final = 1000


def refs(repository: Repository, request: Request) -> Answer:
    """`filter` is a prefix; pages by continuation token; tags peeled only when asked for."""
    query = request.query
    wanted = "refs/" + query.get("filter", "")
    peel = query.get("peelTags", "false").lower() == "true"
    rows = []
    for name, (object_id, peeled) in sorted(repository.git.refs().items()):
        if name.startswith(wanted) and not name.startswith("refs/pull/"):
            row = {"name": name, "objectId": object_id, "url": f"{repository.api}/refs"}
            if peel and peeled:
                row["peeledObjectId"] = peeled
            rows.append(row)
    top = min(int(query.get("$top", _MOST_REFS)), _MOST_REFS)
    start = int(query.get("continuationToken") or 0)
    more = str(start + top) if start + top < len(rows) else ""
    return json_answer(collection(rows[start : start + top]), continuation=more)


def commit(repository: Repository, sha: str) -> dict[str, Any]:
    if not repository.git.has_commit(sha):
        raise Refusal(404, f"TF401175: The version descriptor <Commit: {sha}> is not valid.")
    fields = repository.git.commit_fields(sha)
    return {
        "commitId": fields["sha"],
        "treeId": fields["tree"],
        "author": _person(fields["name"], fields["email"], fields["date"]),
        "committer": _person(fields["by"], fields["by_email"], fields["by_date"]),
        "comment": fields["message"].rstrip("\n"),
        "parents": fields["parents"].split(),
        "url": f"{repository.api}/commits/{fields['sha']}",
        "remoteUrl": f"{repository.web_url}/commit/{fields['sha']}",
    }


def commit_changes(repository: Repository, sha: str, request: Request) -> Answer:
    """`top` and `skip` without a dollar; a merge is compared with its first parent."""
    parents = commit(repository, sha)["parents"]
    rows = change_rows(repository, parents[0] if parents else "", sha)
    skip, top = int(request.query.get("skip", 0)), int(request.query.get("top", 100))
    return json_answer({"changeCounts": _counts(rows), "changes": rows[skip : skip + top]})


def compare(repository: Repository, request: Request) -> Answer:
    """Compare two versions; 100 changes a page unless `$top` says otherwise."""
    query = request.query
    base = _version(repository, query, "baseVersion")
    target = _version(repository, query, "targetVersion")
    common = repository.git.merge_base(base, target)
    if query.get("diffCommonCommit", "false").lower() == "true":
        base = common
    rows = change_rows(repository, base, target)
    skip, top = int(query.get("$skip", 0)), int(query.get("$top", 100))
    return json_answer(
        {
            "allChangesIncluded": skip + top >= len(rows),
            "changeCounts": _counts(rows),
            "changes": rows[skip : skip + top],
            "commonCommit": common,
            "baseCommit": base,
            "targetCommit": target,
            "aheadCount": len(repository.git.log(common, target)),
            "behindCount": len(repository.git.log(common, base)),
        }
    )


def iteration_changes(repository: Repository, base: str, sha: str, request: Request) -> Answer:
    """`$top` at most 2000, 100 unless given; `nextSkip` and `nextTop` are 0 at the end."""
    skip = int(request.query.get("$skip", 0))
    top = min(int(request.query.get("$top", 100)), 2000)
    changes = repository.git.changes(base, sha)
    rows = []
    for number, change in enumerate(changes[skip : skip + top], start=skip + 1):
        row = {"changeTrackingId": number, "changeId": number} | _row(repository, change, sha)
        if change.old_path != change.path:
            row["originalPath"] = f"/{change.old_path}"
            row.pop("sourceServerItem", None)
        rows.append(row)
    more = skip + top < len(changes)
    ends = {"nextSkip": skip + top if more else 0, "nextTop": top if more else 0}
    return json_answer({"changeEntries": rows} | ends)


def items(repository: Repository, request: Request) -> Answer:
    """A file's bytes, or with `$format=json` a document."""
    query = request.query
    path = query.get("path", query.get("scopePath", "/")).lstrip("/")
    sha = _version(repository, query, "versionDescriptor.version", "versionDescriptor.versionType")
    object_id = repository.git.resolve(f"{sha}:{path}")
    if object_id == ZEROS:
        raise Refusal(404, f"TF401174: The item '/{path}' could not be found in the repository.")
    content = repository.git.git("cat-file", "-p", object_id)
    if query.get("$format") == "json" or "json" in request.headers.get("accept", ""):
        return json_answer({"objectId": object_id, "path": f"/{path}", "content": content})
    return Answer(200, content.encode(), {"Content-Type": "application/octet-stream"})


def change_rows(repository: Repository, base: str, target: str) -> list[dict[str, Any]]:
    """Return every change, and the folders that were added, changed or removed by them."""
    changes = repository.git.changes(base, target)
    folders = {
        "/".join(parts[:end])
        for change in changes
        for parts in (change.path.split("/"),)
        for end in range(1, len(parts))
    }
    rows = [_row(repository, one, target) for one in changes]
    rows += [
        {
            "item": {"gitObjectType": "tree", "path": f"/{folder}", "isFolder": True},
            "changeType": "edit",
        }
        for folder in folders
    ]
    return sorted(rows, key=lambda row: str(row["item"]["path"]))


def collection(rows: Sequence[Any]) -> dict[str, Any]:
    return {"value": list(rows), "count": len(rows)}


def _row(repository: Repository, change: Change, target: str) -> dict[str, Any]:
    item = {
        "objectId": change.object_id,
        "originalObjectId": change.object_id,
        "gitObjectType": "blob",
        "commitId": target,
        "path": f"/{change.path}",
        "url": f"{repository.api}/items/{change.path}",
    }
    row: dict[str, Any] = {"item": item, "changeType": _KINDS[change.kind]}
    if change.old_path != change.path:
        row["sourceServerItem"] = f"/{change.old_path}"
    return row


def _counts(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in rows:
        name = str(row["changeType"]).title()
        counts[name] = counts.get(name, 0) + 1
    return counts


def _version(repository: Repository, query: Any, name: str, kind_name: str | None = None) -> str:
    version = query.get(name, "")
    kind = query.get(kind_name or f"{name}Type", "branch")
    prefix = {"branch": "refs/heads/", "tag": "refs/tags/", "commit": ""}[kind]
    if not version and kind == "branch":
        version = repository.default_branch.removeprefix(prefix)
    sha = repository.git.resolve(f"{prefix}{version}^{{commit}}")
    if sha == ZEROS:
        raise Refusal(
            404,
            f"TF401175: The version descriptor <{kind.title()}: {version}> could not be resolved"
            f" to a version in the repository {repository.name}.",
            "GitUnresolvableToCommitException",
        )
    return sha


def _person(name: str, mail: str, date: str) -> dict[str, str]:
    moment = datetime.fromisoformat(date).astimezone(UTC)
    return {"name": name, "email": mail, "date": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}
