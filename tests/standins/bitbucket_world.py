"""What a Bitbucket Cloud holds, and how it shows it. Facts: vcs_providers.md §5."""

from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from tests.standins.repositories import GitRepository

SHORT: Final = 12  # characters of a commit's id in a pull request
WEB: Final = "https://bitbucket.org"


def new_uuid() -> str:
    return f"{{{uuid4()}}}"


@dataclass
class Account:
    """A user."""

    nickname: str
    uuid: str = field(default_factory=new_uuid)

    def json(self) -> dict[str, Any]:
        return {
            "type": "user",
            "uuid": self.uuid,
            "nickname": self.nickname,
            "display_name": self.nickname,
            "account_id": f"557058:{self.uuid[1:9]}",
        }


@dataclass
class Repo:
    """A repository of a workspace."""

    workspace: str
    slug: str
    git: GitRepository
    uuid: str = field(default_factory=new_uuid)
    hooks: dict[str, dict[str, Any]] = field(default_factory=dict)
    statuses: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    comments: dict[int, dict[str, Any]] = field(default_factory=dict)
    pulls: dict[int, "Pull"] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        return f"{self.workspace}/{self.slug}"

    def brief(self) -> dict[str, Any]:
        return {
            "type": "repository",
            "uuid": self.uuid,
            "full_name": self.full_name,
            "name": self.slug,
            "links": {"html": {"href": f"{WEB}/{self.full_name}"}},
        }

    def json(self) -> dict[str, Any]:
        clone = [
            {"name": "https", "href": f"https://ann@bitbucket.org/{self.full_name}.git"},
            {"name": "ssh", "href": f"git@bitbucket.org:{self.full_name}.git"},
        ]
        has_main = "refs/heads/main" in self.git.refs()
        return self.brief() | {
            "slug": self.slug,
            "is_private": True,
            "mainbranch": {"type": "branch", "name": "main"} if has_main else None,
            "workspace": {"slug": self.workspace},
            "project": {"key": "OPS", "name": "Operations"},
            "links": {"html": {"href": f"{WEB}/{self.full_name}"}, "clone": clone},
        }


@dataclass
class Pull:
    """A pull request; its commits are abbreviated wherever it is shown."""

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

    @property
    def sha(self) -> str:
        return self.source.git.resolve(f"refs/heads/{self.branch}")

    def json(self) -> dict[str, Any]:
        base = self.repo.git.resolve(f"refs/heads/{self.target}")
        return {
            "type": "pullrequest",
            "id": self.id,
            "title": self.title,
            "state": self.state,
            "draft": self.draft,
            "author": self.author.json(),
            "source": {
                "branch": {"name": self.branch},
                "commit": {"hash": self.sha[:SHORT]},
                "repository": self.source.brief(),
            },
            "destination": {
                "branch": {"name": self.target},
                "commit": {"hash": base[:SHORT]},
                "repository": self.repo.brief(),
            },
            "merge_commit": {"hash": self.merge_commit[:SHORT]} if self.merge_commit else None,
            "links": {"html": {"href": f"{WEB}/{self.repo.full_name}/pull-requests/{self.id}"}},
        }


def commit_of(repo: Repo, sha: str) -> dict[str, Any]:
    """Show a commit, named by its whole or abbreviated id."""
    fields = repo.git.commit_fields(repo.git.resolve(f"{sha}^{{commit}}"))
    return {
        "type": "commit",
        "hash": fields["sha"],
        "message": fields["message"],
        "date": fields["date"],
        "author": {"type": "author", "raw": f"{fields['name']} <{fields['email']}>"},
        "links": {"html": {"href": f"{WEB}/{repo.full_name}/commits/{fields['sha']}"}},
    }


def diffstat_of(repo: Repo, base: str, target: str) -> list[dict[str, Any]]:
    """Show what differs; a side that is not there is null."""
    rows = []
    for change in repo.git.changes(base, target):
        old = None if change.kind[0] == "A" else {"path": change.old_path}
        new = None if change.kind[0] == "D" else {"path": change.path}
        rows.append({"type": "diffstat", "status": "modified", "old": old, "new": new})
    return rows


def side_of(repo: Repo, ref: str, sha: str) -> dict[str, Any]:
    """Show one side of a ref that moved; of a tag, the commit it is on."""
    is_branch = ref.startswith("refs/heads/")
    return {
        "type": "branch" if is_branch else "tag",
        "name": ref.split("/", 2)[2],
        "target": commit_of(repo, sha),
    }
