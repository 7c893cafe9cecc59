"""Providers beside Azure DevOps, with one private repository each, for the tests of whole runs."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.e2e.platforms import Platform
from tests.standins.bitbucket import Bitbucket
from tests.standins.bitbucket_world import Account
from tests.standins.github import GitHub
from tests.standins.gitlab import GitLab

Files = Mapping[str, str | bytes | None]


class There(ABC):
    """A provider; everything is done by one person.

    Attributes:
        client: what an OAuth client of TFE's is made of, but for its name.
        identifier: of the repository.
        success: the provider's word for it, in a status.
    """

    client: Mapping[str, str]
    identifier: str
    success: str = "success"

    def connect(self, platform: Platform, organization: str) -> str:
        """Make a connection to it; return its id."""
        path = f"organizations/{organization}/oauth-clients"
        return str(platform.api.send("POST", path, "oauth-clients", dict(self.client))["id"])

    @abstractmethod
    def push(self, files: Files, *, branch: str = "main", message: str = "Change") -> str: ...

    @abstractmethod
    def open_pull(self, branch: str) -> str:
        """Ask for it to be merged; return its newest commit."""

    @property
    @abstractmethod
    def has_hook(self) -> bool: ...

    @abstractmethod
    def statuses(self, sha: str) -> Sequence[tuple[str, str]]:
        """Return name and state of every status of a commit, oldest first."""

    def shown_of(self, sha: str) -> str:
        """Return what there is to read of a commit's newest plan, beside its status."""
        return self.comments[0]

    @property
    @abstractmethod
    def comments(self) -> Sequence[str]: ...

    @property
    @abstractmethod
    def answers(self) -> set[int]:
        """Return what its deliveries were answered."""

    @abstractmethod
    def close(self) -> None: ...


class OnGitHub(There):
    """GitHub Enterprise Server, by a personal token."""

    def __init__(self, root: Path) -> None:
        self.hub = GitHub(root)
        self.ann = self.hub.account("ann")
        self.repo = self.hub.repository("acme", "infra")
        self.identifier = self.repo.full_name
        self.client = {
            "service-provider": "github_enterprise",
            "http-url": self.hub.url,
            "api-url": f"{self.hub.url}/api/v3",
            "oauth-token-string": self.hub.token(self.ann),
        }

    def push(self, files: Files, **more: Any) -> str:
        return self.hub.push(self.repo, self.ann, files, **more)

    def open_pull(self, branch: str) -> str:
        return self.hub.open_pull(self.repo, self.ann, branch).sha

    @property
    def has_hook(self) -> bool:
        return bool(self.repo.hooks)

    def statuses(self, sha: str) -> Sequence[tuple[str, str]]:
        return [(each["context"], each["state"]) for each in self.repo.statuses.get(sha, [])]

    @property
    def comments(self) -> Sequence[str]:
        return [each["body"] for each in self.repo.comments.values()]

    @property
    def answers(self) -> set[int]:
        return {each["status"] for each in self.hub.deliveries}

    def close(self) -> None:
        self.hub.settle()
        self.hub.server.close()


class OnGitHubApp(OnGitHub):
    """The same, by an app, which writes checks."""

    def connect(self, platform: Platform, organization: str) -> str:
        app = self.hub.apps.register(self.repo.owner)
        self.hub.apps.install(app, self.repo.owner)
        attributes = {
            "name": "app",
            "vcsType": "GITHUB",
            "connectionType": "STANDALONE",
            "endpoint": self.hub.url,
            "apiUrl": f"{self.hub.url}/api/v3",
            "clientId": app.client_id,
            "privateKey": app.pem,
        }
        url = f"{platform.url}/api/v1/organization/{organization}/vcs"
        return str(platform.api.send("POST", url, "vcs", attributes)["id"])

    def statuses(self, sha: str) -> Sequence[tuple[str, str]]:
        told = [each for commit, each in self.repo.told_checks if commit == sha]
        return [(each["name"], each["conclusion"] or each["status"]) for each in told]

    def shown_of(self, sha: str) -> str:
        told = [each for commit, each in self.repo.told_checks if commit == sha]
        return str(told[-1]["output"]["text"])


class OnGitLab(There):
    """GitLab below a path of its host, by the token of the project."""

    def __init__(self, root: Path) -> None:
        self.lab = GitLab(root, below="/gitlab")
        self.ann = self.lab.user("ann")
        self.project = self.lab.project("acme/cloud/infra", self.ann)
        self.identifier = f"{self.lab.url}/acme/cloud/infra.git"
        self.client = {
            "service-provider": "gitlab_enterprise_edition",
            "http-url": self.lab.url,
            "api-url": f"{self.lab.url}/api/v4",
            "oauth-token-string": self.lab.project_token(self.project),
        }

    def push(self, files: Files, **more: Any) -> str:
        return self.lab.people.push(self.project, self.ann, files, **more)

    def open_pull(self, branch: str) -> str:
        return self.lab.people.open(self.project, self.ann, branch).sha

    @property
    def has_hook(self) -> bool:
        return bool(self.project.hooks)

    def statuses(self, sha: str) -> Sequence[tuple[str, str]]:
        rows = self.project.statuses
        return [(each["name"], each["status"]) for each in rows if each["sha"] == sha]

    @property
    def comments(self) -> Sequence[str]:
        found = self.project.merge_requests.values()
        return [note["body"] for each in found for note in each.notes.values()]

    @property
    def answers(self) -> set[int]:
        return {each["status"] for each in self.lab.hooks.deliveries}

    def close(self) -> None:
        self.lab.hooks.settle()
        self.lab.server.close()


class OnBitbucket(There):
    """Bitbucket Cloud, by an access token of the workspace."""

    success = "SUCCESSFUL"

    def __init__(self, root: Path) -> None:
        self.forge = Bitbucket(root)
        self.ann = Account("ann")
        self.repo = self.forge.repository("acme", "infra")
        self.identifier = "acme/infra"
        self.client = {
            "service-provider": "bitbucket_hosted",
            "http-url": self.forge.url,
            "api-url": self.forge.api_url,
            "oauth-token-string": self.forge.token(self.ann),
        }

    def push(self, files: Files, **more: Any) -> str:
        return self.forge.push(self.repo, self.ann, files, **more)

    def open_pull(self, branch: str) -> str:
        return self.forge.open_pull(self.repo, self.ann, branch).sha

    @property
    def has_hook(self) -> bool:
        return bool(self.repo.hooks)

    def statuses(self, sha: str) -> Sequence[tuple[str, str]]:
        found = self.repo.statuses.get(sha, {}).values()
        return [(each["name"], each["state"]) for each in found]

    @property
    def comments(self) -> Sequence[str]:
        return [each["content"]["raw"] for each in self.repo.comments.values()]

    @property
    def answers(self) -> set[int]:
        return {each.status for each in self.forge.webhooks.sent}

    def close(self) -> None:
        self.forge.webhooks.settle()
        self.forge.server.close()
