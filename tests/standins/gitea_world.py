"""What a Gitea holds: accounts, repositories, pull requests. Facts: vcs_providers.md §6."""

from dataclasses import dataclass, field
from typing import Any

from tests.standins.repositories import GitRepository


@dataclass
class Account:
    """A user or an organization."""

    id: int
    login: str

    def json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "login": self.login,
            "username": self.login,
            "full_name": "",
            "email": f"{self.login}@noreply.localhost",
        }


@dataclass
class Repo:
    """A repository; its addresses begin with what the server calls itself, not what we call it."""

    id: int
    owner: Account
    name: str
    git: GitRepository
    root_url: str
    hooks: dict[int, dict[str, Any]] = field(default_factory=dict)
    statuses: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    comments: dict[int, dict[str, Any]] = field(default_factory=dict)
    pulls: dict[int, "Pull"] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"

    def json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "full_name": self.full_name,
            "private": True,
            "empty": not self.git.refs(),
            "archived": False,
            "owner": self.owner.json(),
            "default_branch": "main",
            "html_url": f"{self.root_url}/{self.full_name}",
            "clone_url": f"{self.root_url}/{self.full_name}.git",
            "ssh_url": f"git@127.0.0.1:{self.full_name}.git",
        }


@dataclass
class Pull:
    """A pull request; its source may be another repository."""

    number: int
    author: Account
    repo: Repo
    source: Repo | None
    branch: str
    target: str
    title: str
    state: str = "open"
    merge_commit: str = ""
    draft: bool = False

    @property
    def sha(self) -> str:
        return (self.source or self.repo).git.resolve(f"refs/heads/{self.branch}")

    def json(self) -> dict[str, Any]:
        base = self.repo.git.resolve(f"refs/heads/{self.target}")
        return {
            "id": self.number * 100,
            "number": self.number,
            "state": self.state,
            "merged": bool(self.merge_commit),
            "merge_commit_sha": self.merge_commit or None,
            "merge_base": self.repo.git.merge_base(base, self.sha),
            "draft": self.draft,
            "title": self.title,
            "html_url": f"{self.repo.root_url}/{self.repo.full_name}/pulls/{self.number}",
            "user": self.author.json(),
            "head": {
                "label": self.branch,
                "ref": self.branch,
                "sha": self.sha,
                "repo_id": self.source.id if self.source else -1,
                "repo": self.source.json() if self.source else None,
            },
            "base": {
                "label": self.target,
                "ref": self.target,
                "sha": base,
                "repo_id": self.repo.id,
                "repo": self.repo.json(),
            },
        }
