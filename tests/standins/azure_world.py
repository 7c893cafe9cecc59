"""What an Azure DevOps organization holds: identities, tokens, projects, repositories, reviews.

The facts are Microsoft's documents and payloads as people recorded them; nothing here knows how
Landform works.
"""

import base64
import secrets
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from tests.standins.repositories import GitRepository
from tests.standins.serving import Clock, Request

CODE: Final = frozenset({"vso.code"})
READ_AND_STATUS: Final = frozenset({"vso.code", "vso.code_status"})
EVERYTHING: Final = frozenset({"vso.code_write", "vso.code_status", "vso.threads_full"})
_IMPLIED: Final = {
    "vso.code_write": {"vso.code", "vso.threads_full"},
    "vso.code_full": {"vso.code", "vso.code_write", "vso.code_status", "vso.threads_full"},
    "vso.project": {"vso.profile"},
}


def guid() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Identity:
    """A user or service principal of an organization."""

    id: str
    name: str
    mail: str

    def json(self) -> dict[str, Any]:
        return {"id": self.id, "displayName": self.name, "uniqueName": self.mail}


@dataclass
class Token:
    """A PAT, or a bearer of OAuth or Entra; PATs go by Basic, bearers by Bearer or as password."""

    identity: Identity
    scopes: frozenset[str]
    expires_at: datetime
    is_pat: bool
    revoked: bool = False

    @property
    def all_scopes(self) -> frozenset[str]:
        return self.scopes | {more for scope in self.scopes for more in _IMPLIED.get(scope, ())}


@dataclass
class Project:
    id: str
    name: str
    organization: "Organization"
    teams: dict[str, list[Identity]] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        url = f"{self.organization.url}/_apis/projects/{self.id}"
        return {"id": self.id, "name": self.name, "url": url, "state": "wellFormed"}


@dataclass
class Repository:
    """A repository; nothing of it can be seen by identities outside of `readers`, if that is set.

    Attributes:
        pushes: one per push: what was moved, and by whom.
    """

    id: str
    name: str
    project: Project
    git: GitRepository
    default_branch: str = "refs/heads/main"
    is_disabled: bool = False
    readers: set[str] | None = None
    pushes: list[dict[str, Any]] = field(default_factory=list)
    pulls: dict[int, "PullRequest"] = field(default_factory=dict)
    commit_statuses: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def api(self) -> str:
        return f"{self.project.organization.url}/{self.project.id}/_apis/git/repositories/{self.id}"

    @property
    def web_url(self) -> str:
        organization, project = self.project.organization.url, _quoted(self.project.name)
        return f"{organization}/{project}/_git/{_quoted(self.name)}"

    @property
    def remote_url(self) -> str:
        scheme, rest = self.web_url.split("://", 1)
        return f"{scheme}://{self.project.organization.name}@{rest}"

    def json(self) -> dict[str, Any]:
        organization, project = self.project.organization.name, self.project.name
        path = f"v3/{organization}/{_quoted(project)}/{_quoted(self.name)}"
        shown = {
            "id": self.id,
            "name": self.name,
            "url": self.api,
            "project": self.project.json(),
            "size": 728,
            "remoteUrl": self.remote_url,
            "sshUrl": f"git@ssh.dev.azure.com:{path}",
            "webUrl": self.web_url,
            "isDisabled": self.is_disabled,
            "isInMaintenance": False,
        }
        if self.git.refs():
            shown["defaultBranch"] = self.default_branch
        return shown


@dataclass
class PullRequest:
    id: int
    repository: Repository
    author: Identity
    title: str
    source: str
    target: str
    fork: Repository | None = None
    is_draft: bool = False
    status: str = "active"
    merge_status: str = "queued"
    merge_commit: str = ""
    iterations: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    threads: list[dict[str, Any]] = field(default_factory=list)
    created_at: datetime | None = None
    votes: dict[str, int] = field(default_factory=dict)

    @property
    def source_sha(self) -> str:
        return str(self.iterations[-1]["sourceRefCommit"]["commitId"])

    @property
    def target_sha(self) -> str:
        return str(self.iterations[-1]["targetRefCommit"]["commitId"])

    def json(self) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "repository": self.repository.json(),
            "pullRequestId": self.id,
            "codeReviewId": self.id,
            "status": self.status,
            "isDraft": self.is_draft,
            "createdBy": self.author.json(),
            "creationDate": stamp(self.created_at),
            "title": self.title,
            "description": "",
            "sourceRefName": self.source,
            "targetRefName": self.target,
            "mergeStatus": self.merge_status,
            "mergeId": self.repository.id,
            "lastMergeSourceCommit": {"commitId": self.source_sha},
            "lastMergeTargetCommit": {"commitId": self.target_sha},
            "reviewers": [
                {"id": id_, "vote": vote, "isContainer": False} for id_, vote in self.votes.items()
            ],
            "url": f"{self.repository.api}/pullRequests/{self.id}",
            "supportsIterations": True,
        }
        if self.merge_commit:
            shown["lastMergeCommit"] = {"commitId": self.merge_commit}
        if self.fork is not None:
            shown["forkSource"] = {"name": self.source, "repository": self.fork.json()}
        return shown


@dataclass
class Subscription:
    """A service hook of one event type; `document` is what was posted, with the server's keys."""

    id: str
    document: dict[str, Any]
    secrets: dict[str, str]
    status: str = "enabled"
    probation_retries: int = 0
    next_probation_at: datetime | None = None
    notifications: list[dict[str, Any]] = field(default_factory=list)

    @property
    def inputs(self) -> dict[str, str]:
        return dict(self.document.get("publisherInputs", {}))

    def json(self) -> dict[str, Any]:
        shown = dict.fromkeys(self.secrets, "********")
        return self.document | {
            "id": self.id,
            "status": self.status,
            "probationRetries": self.probation_retries,
            "consumerInputs": self.document["consumerInputs"] | shown,
        }


class Organization:
    """An organization of dev.azure.com; its name is found in any case."""

    def __init__(self, name: str, base_url: str, directory: Path, clock: Clock) -> None:
        self.id = guid()
        self.name = name
        self.url = f"{base_url}/{name}"
        self.clock = clock
        self.identities: dict[str, Identity] = {}
        self.projects: list[Project] = []
        self.repositories: list[Repository] = []
        self.subscriptions: dict[str, Subscription] = {}
        self.hook_rights: set[str] = set()  # identities that may edit subscriptions
        self.oauth_forbidden = False
        self._directory = directory

    def identity(self, name: str, *, hooks: bool = True, account: str = "") -> Identity:
        """Add somebody; service principals have an id for their account, and no address."""
        mail = account or f"{name.lower().replace(' ', '.')}@example.com"
        made = Identity(guid(), name, mail)
        self.identities[made.id] = made
        if hooks:
            self.hook_rights.add(made.id)
        return made

    def project(self, name: str) -> Project:
        for one in self.projects:
            if one.name == name:
                return one
        self.projects.append(Project(guid(), name, self))
        return self.projects[-1]

    def repository(self, project: str, name: str) -> Repository:
        """Add an empty repository."""
        id_ = guid()
        git = GitRepository(self._directory / f"{id_}.git")
        repository = Repository(id_, name, self.project(project), git)
        self.repositories.append(repository)
        return repository

    def find_repository(self, project: str | None, wanted: str) -> Repository | None:
        """Find by GUID or, within a project given by GUID or name, by name."""
        for one in self.repositories:
            in_project = project is None or project.lower() in (
                one.project.id,
                one.project.name.lower(),
            )
            if in_project and wanted.lower() == one.id:
                return one
            if project is not None and in_project and wanted.lower() == one.name.lower():
                return one
        return None


class Tokens:
    """Every credential, by what is sent."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tokens: dict[str, Token] = {}

    def issue(
        self,
        identity: Identity,
        scopes: Iterable[str] = READ_AND_STATUS,
        *,
        is_pat: bool = True,
        life: timedelta = timedelta(days=90),
    ) -> str:
        secret = secrets.token_urlsafe(39)
        expires_at = self._clock.now() + life
        self._tokens[secret] = Token(identity, frozenset(scopes), expires_at, is_pat)
        return secret

    def revoke(self, secret: str) -> None:
        self._tokens[secret].revoked = True

    def find(self, secret: str) -> Token | None:
        token = self._tokens.get(secret)
        if token is None or token.revoked or token.expires_at <= self._clock.now():
            return None
        return token

    def of_request(self, request: Request, *, for_git: bool = False) -> tuple[str, Token | None]:
        """Return the scheme that was used, in lower case and empty for none, and whose it is."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        scheme = scheme.lower()
        if scheme == "bearer":
            token = self.find(value)
            return scheme, None if token is None or token.is_pat else token
        if scheme == "basic":
            username, password = _basic(value)
            if for_git and not username:
                return scheme, None
            token = self.find(password)
            # Only git takes bearers as passwords.
            return scheme, token if token and (token.is_pat or for_git) else None
        return "", None


def stamp(moment: datetime | None) -> str | None:
    """Write a time with seven digits of a second, as the service does."""
    if moment is None:
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond:06d}0Z"


def _basic(value: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(value, validate=True).decode()
    except ValueError:
        return "", ""
    username, _, password = text.partition(":")
    return username, password


def _quoted(name: str) -> str:
    return quote(name, safe="")
