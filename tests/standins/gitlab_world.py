"""What a GitLab holds: users, tokens, projects in groups, merge requests, hooks.

Written from GitLab's documents (vcs_providers.md §4); nothing here knows how Landform works.
"""

import secrets
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from tests.standins.large_objects import LargeObjects
from tests.standins.repositories import ZEROS, GitRepository
from tests.standins.serving import Clock

GUEST: Final = 10
DEVELOPER: Final = 30
MAINTAINER: Final = 40
MOST_FILES: Final = 1000  # that a merge request keeps, or a comparison shows


@dataclass
class User:
    """Somebody, or the bot that a project's or a group's token is of."""

    id: int
    username: str
    name: str

    def json(self) -> dict[str, Any]:
        return {"id": self.id, "username": self.username, "name": self.name, "state": "active"}

    def hook_json(self) -> dict[str, Any]:
        """As webhooks have them."""
        return {**self.json(), "avatar_url": None, "email": "[REDACTED]"}


@dataclass
class Token:
    """What is shown; `ends_at` is None for one that does not end."""

    user: User
    scopes: tuple[str, ...]
    ends_at: datetime | None
    is_oauth: bool = False
    is_revoked: bool = False


@dataclass
class Hook:
    """A webhook of a project.

    Attributes:
        said: what it was given, without the secrets.
        failures: deliveries in a row that went wrong.
        off_until: while it is switched off for some time.
    """

    id: int
    said: dict[str, Any]
    token: str = ""
    signing_key: bytes = b""
    failures: int = 0
    off_until: datetime | None = None
    is_disabled: bool = False
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))

    def state(self, clock: Clock) -> str:
        if self.is_disabled:
            return "disabled"
        is_off = self.off_until is not None and self.off_until > clock.now()
        return "temporarily_disabled" if is_off else "executable"

    def json(self, clock: Clock) -> dict[str, Any]:
        state = self.state(clock)
        is_off = self.off_until is not None and state == "temporarily_disabled"
        return {
            "id": self.id,
            **self.said,
            "alert_status": state,
            "disabled_until": self.off_until.isoformat() if is_off and self.off_until else None,
            "url_variables": [],
            "custom_headers": [],
            "token_present": bool(self.token),
            "signing_token_present": bool(self.signing_key),
        }


@dataclass
class Project:
    """A project, which is its repository.

    Attributes:
        path: with all its groups: `acme/cloud/infra`.
        members: levels of access by user; those of its groups count too.
        has_merge_request_pipelines: runs pipelines of its own for merge requests.
    """

    id: int
    path: str
    git: GitRepository
    base: str
    members: dict[int, int] = field(default_factory=dict)
    hooks: dict[int, Hook] = field(default_factory=dict)
    merge_requests: dict[int, "MergeRequest"] = field(default_factory=dict)
    pipelines: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    has_merge_request_pipelines: bool = False
    old_paths: list[str] = field(default_factory=list)
    large: LargeObjects = field(default_factory=LargeObjects)

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def group(self) -> str:
        return self.path.rpartition("/")[0]

    @property
    def default_branch(self) -> str | None:
        return "main" if self.git.resolve("refs/heads/main") != ZEROS else None

    def json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "path": self.name,
            "path_with_namespace": self.path,
            "namespace": {"full_path": self.group, "kind": "group"},
            "default_branch": self.default_branch,
            "visibility": "private",
            "archived": False,
            "repository_access_level": "enabled",
            "web_url": f"{self.base}/{self.path}",
            "http_url_to_repo": f"{self.base}/{self.path}.git",
            "ssh_url_to_repo": f"git@127.0.0.1:{self.path}.git",
        }

    def hook_json(self) -> dict[str, Any]:
        """As webhooks have it."""
        return {
            "id": self.id,
            "name": self.name,
            "description": "",
            "namespace": self.group,
            "path_with_namespace": self.path,
            "default_branch": self.default_branch,
            "visibility_level": 0,
            "web_url": f"{self.base}/{self.path}",
            "git_http_url": f"{self.base}/{self.path}.git",
            "git_ssh_url": f"git@127.0.0.1:{self.path}.git",
        }


@dataclass
class MergeRequest:
    """A merge request; its source may be another project."""

    iid: int
    author: User
    project: Project
    source: Project
    branch: str
    target: str
    title: str
    sha: str = ""
    state: str = "opened"
    draft: bool = False
    merge_commit: str | None = None
    notes: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return self.project.git.merge_base(f"refs/heads/{self.target}", self.sha)

    @property
    def url(self) -> str:
        return f"{self.project.base}/{self.project.path}/-/merge_requests/{self.iid}"

    def json(self, *, whole: bool = False) -> dict[str, Any]:
        """As the API has it; lists leave out what takes long to find."""
        said: dict[str, Any] = {
            "id": self.project.id * 1000 + self.iid,
            "iid": self.iid,
            "project_id": self.project.id,
            "title": self.title,
            "state": self.state,
            "draft": self.draft,
            "work_in_progress": self.draft,
            "web_url": self.url,
            "source_branch": self.branch,
            "target_branch": self.target,
            "source_project_id": self.source.id,
            "target_project_id": self.project.id,
            "author": self.author.json(),
            "sha": self.sha or None,
            "merge_commit_sha": self.merge_commit,
            "squash_commit_sha": None,
        }
        if whole:
            count = len(self.project.git.changes(self.base, self.sha))
            counted = f"{MOST_FILES}+" if count > MOST_FILES else str(count)
            mine = [each for each in self.project.pipelines if each["sha"] == self.sha]
            said |= {
                "changes_count": counted,
                "diff_refs": {"base_sha": self.base, "head_sha": self.sha, "start_sha": self.base},
                "head_pipeline": mine[-1] if mine else None,
            }
        return said

    def hook_json(self) -> dict[str, Any]:
        """As webhooks have it."""
        fields = self.project.git.commit_fields(self.sha)
        return {
            "id": self.project.id * 1000 + self.iid,
            "iid": self.iid,
            "title": self.title,
            "state": self.state,
            "draft": self.draft,
            "work_in_progress": self.draft,
            "url": self.url,
            "author_id": self.author.id,
            "source_branch": self.branch,
            "target_branch": self.target,
            "source_project_id": self.source.id,
            "target_project_id": self.project.id,
            "merge_commit_sha": self.merge_commit,
            "merge_status": "unchecked",
            "last_commit": {
                "id": self.sha,
                "message": fields["message"],
                "author": {"name": fields["name"], "email": "[REDACTED]"},
            },
        }


class Tokens:
    """Every credential, by what is sent."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.all: dict[str, Token] = {}

    def issue(
        self, user: User, scopes: tuple[str, ...] = ("api",), *, life: timedelta | None = None
    ) -> str:
        """Return a personal access token; of a bot, it is a project's or a group's."""
        value = f"glpat-{secrets.token_urlsafe(15)}"
        ends_at = self.clock.now() + life if life else None
        self.all[value] = Token(user, scopes, ends_at)
        return value

    def of_oauth(self, user: User, scopes: tuple[str, ...]) -> str:
        value = secrets.token_hex(32)
        self.all[value] = Token(
            user, scopes, self.clock.now() + timedelta(seconds=7200), is_oauth=True
        )
        return value

    def why_not(self, value: str) -> str:
        """Return in GitLab's words why a token is not taken; empty when it is."""
        token = self.all.get(value)
        if token is None:
            return "401 Unauthorized"
        if token.is_revoked:
            return "Token was revoked. You have to re-authorize from the user."
        if token.ends_at and token.ends_at <= self.clock.now():
            return "Token is expired. You can either do re-authorization or token refresh."
        return ""
