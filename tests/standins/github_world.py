"""What a GitHub holds: accounts, tokens, repositories, pull requests."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.standins.repositories import GitRepository
from tests.standins.serving import Refusal


@dataclass
class Account:
    """A user or an organization."""

    id: int
    login: str
    type: str = "User"

    def json(self) -> dict[str, Any]:
        return {"id": self.id, "login": self.login, "type": self.type}


@dataclass
class Grant:
    """What a token may.

    Attributes:
        scopes: of a classic token; None for those of apps, which have permissions.
        hooks: may manage webhooks.
        until: when it ends.
        permissions: of an app's installation; None for tokens of people.
    """

    who: Account
    scopes: tuple[str, ...] | None
    hooks: bool = True
    until: datetime | None = None
    permissions: dict[str, str] | None = None

    def require(self, *names: str) -> None:
        """Refuse an installation that may write none of these."""
        granted = self.permissions
        if granted is not None and not any(granted.get(name) == "write" for name in names):
            raise Refusal(403, "Resource not accessible by integration")


@dataclass
class Repo:
    """A repository.

    Attributes:
        told_checks: each commit and check run as it was written, in order.
    """

    id: int
    owner: Account
    name: str
    git: GitRepository
    base: str
    hooks: dict[int, dict[str, Any]] = field(default_factory=dict)
    statuses: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    comments: dict[int, dict[str, Any]] = field(default_factory=dict)
    pulls: dict[int, "Pull"] = field(default_factory=dict)
    roles: dict[int, str] = field(default_factory=dict)
    check_runs: list[dict[str, Any]] = field(default_factory=list)
    told_checks: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"

    def json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "full_name": self.full_name,
            "private": True,
            "disabled": False,
            "owner": self.owner.json(),
            "default_branch": "main",
            "html_url": f"{self.base}/{self.full_name}",
            "clone_url": f"{self.base}/{self.full_name}.git",
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
    merged: bool = False
    draft: bool = False

    @property
    def sha(self) -> str:
        source = self.source or self.repo
        return source.git.resolve(f"refs/heads/{self.branch}")

    def json(self) -> dict[str, Any]:
        return {
            "id": self.number * 100,
            "number": self.number,
            "state": self.state,
            "merged": self.merged,
            "merged_at": "2026-11-01T10:00:00Z" if self.merged else None,
            "draft": self.draft,
            "title": self.title,
            "html_url": f"{self.repo.base}/{self.repo.full_name}/pull/{self.number}",
            "user": self.author.json(),
            "merge_commit_sha": None,
            "head": {
                "ref": self.branch,
                "sha": self.sha,
                "repo": self.source.json() if self.source else None,
            },
            "base": {
                "ref": self.target,
                "sha": self.repo.git.resolve(f"refs/heads/{self.target}"),
                "repo": self.repo.json(),
            },
        }
