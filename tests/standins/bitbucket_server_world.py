"""What a Bitbucket Data Center holds, and how it shows it. Facts: vcs_providers.md §5."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from tests.standins.repositories import GitRepository

NAMED: Final = "https://bitbucket.example.com/ctx"  # how the server calls itself


@dataclass
class Account:
    """A user."""

    id: int
    name: str

    def json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "slug": self.name,
            "displayName": self.name.title(),
            "emailAddress": f"{self.name}@example.com",
            "active": True,
            "type": "NORMAL",
        }


@dataclass
class Repo:
    """A repository of a project."""

    id: int
    project: str
    slug: str
    git: GitRepository
    hooks: dict[int, dict[str, Any]] = field(default_factory=dict)
    builds: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    comments: dict[int, dict[str, Any]] = field(default_factory=dict)
    pulls: dict[int, "Pull"] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        path = f"{self.project.lower()}/{self.slug}.git"
        ssh = f"ssh://git@bitbucket.example.com:7999/{path}"
        return {
            "slug": self.slug,
            "id": self.id,
            "name": self.slug,
            "scmId": "git",
            "state": "AVAILABLE",
            "public": False,
            "archived": False,
            "project": {"key": self.project, "id": 1, "name": self.project, "public": False},
            "links": {
                "clone": [
                    {"href": f"{NAMED}/scm/{path}", "name": "http"},
                    {"href": ssh, "name": "ssh"},
                ],
                "self": [{"href": f"{NAMED}/projects/{self.project}/repos/{self.slug}/browse"}],
            },
        }


@dataclass
class Pull:
    """A pull request; its version counts what was changed of it."""

    id: int
    author: Account
    repo: Repo
    source: Repo
    branch: str
    target: str
    title: str
    state: str = "OPEN"
    merge_commit: str = ""
    draft: bool = False
    version: int = 0

    @property
    def sha(self) -> str:
        return self.source.git.resolve(f"refs/heads/{self.branch}")

    def json(self) -> dict[str, Any]:
        page = f"{NAMED}/projects/{self.repo.project}/repos/{self.repo.slug}"
        said: dict[str, Any] = {
            "id": self.id,
            "version": self.version,
            "title": self.title,
            "state": self.state,
            "open": self.state == "OPEN",
            "closed": self.state != "OPEN",
            "draft": self.draft,
            "fromRef": _ref(self.source, self.branch),
            "toRef": _ref(self.repo, self.target),
            "author": {"user": self.author.json(), "role": "AUTHOR"},
            "links": {"self": [{"href": f"{page}/pull-requests/{self.id}"}]},
        }
        if self.merge_commit:
            said["properties"] = {"mergeCommit": {"id": self.merge_commit}}
        return said


def _ref(repo: Repo, branch: str) -> dict[str, Any]:
    return {
        "id": f"refs/heads/{branch}",
        "displayId": branch,
        "latestCommit": repo.git.resolve(f"refs/heads/{branch}"),
        "type": "BRANCH",
        "repository": repo.json(),
    }


def commit_of(repo: Repo, sha: str) -> dict[str, Any]:
    """Show a commit, named by its whole or abbreviated id; times are in milliseconds."""
    fields = repo.git.commit_fields(repo.git.resolve(f"{sha}^{{commit}}"))
    moment = int(datetime.fromisoformat(fields["date"]).timestamp() * 1000)
    return {
        "id": fields["sha"],
        "displayId": fields["sha"][:11],
        "author": {"name": fields["name"], "emailAddress": fields["email"]},
        "authorTimestamp": moment,
        "message": fields["message"].rstrip("\n"),
    }


def changes_of(repo: Repo, base: str, target: str) -> list[dict[str, Any]]:
    """Show what differs; only what was moved has a source."""
    rows = []
    kinds = {"A": "ADD", "D": "DELETE", "R": "MOVE", "C": "COPY"}
    for change in repo.git.changes(base, target):
        row = {
            "path": {"toString": change.path, "components": change.path.split("/")},
            "type": kinds.get(change.kind[0], "MODIFY"),
            "nodeType": "FILE",
        }
        if change.old_path != change.path:
            row["srcPath"] = {"toString": change.old_path}
        rows.append(row)
    return rows
