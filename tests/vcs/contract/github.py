"""GitHub, in the shape of an Enterprise Server: by tokens of people, and by an app."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from landform.vcs.facts import State
from landform.vcs.kinds import Kind, SignIn
from landform.vcs.models import Connection
from tests.standins.github import GitHub
from tests.standins.repositories import GitRepository
from tests.standins.serving import Answer, Server
from tests.vcs.contract.host import Files, Host


class GitHubHost(Host):
    """See Host."""

    kind: ClassVar = Kind.GITHUB_ENTERPRISE
    words: ClassVar[Mapping[State, str]] = {
        State.PENDING: "pending",
        State.RUNNING: "pending",
        State.SUCCEEDED: "success",
        State.FAILED: "failure",
        State.ERRORED: "error",
        State.CANCELED: "error",
        State.NOT_APPLICABLE: "success",
    }
    hook_advice: ClassVar = "admin:repo_hook"
    group: ClassVar = "permission:write"
    no_groups: ClassVar = ("write", "permission:read", "permission:", "team:ops", "team:/x", "x:y")
    busy: ClassVar = Answer(403, b'{"message": "You have exceeded a secondary rate limit"}')

    def open(self, directory: Path) -> None:
        self.hub = GitHub(directory)
        self.ann = self.hub.account("ann")
        self.repo = self.hub.repository("acme", "infra")

    def shut(self) -> None:
        self.hub.server.close()

    def settle(self) -> None:
        self.hub.settle()

    @property
    def api(self) -> Server:
        return self.hub.server

    def settings(self, sign_in: SignIn) -> dict[str, Any]:
        return {"endpoint": self.hub.url}

    def application(self, redirect_uri: str) -> dict[str, Any]:
        self.hub.browser = self.ann
        return self.hub.register(redirect_uri)

    def decline(self) -> None:
        self.hub.browser = None

    def token(self, *, hooks: bool = True) -> str:
        return self.hub.token(self.ann, hooks=hooks)

    def end_tokens(self) -> None:
        self.hub.tokens.clear()

    def let_in(self) -> None:
        self.repo.roles[self.ann.id] = "maintain"

    def let_out(self) -> None:
        self.repo.roles[self.ann.id] = "triage"

    @property
    def git(self) -> GitRepository:
        return self.repo.git

    @property
    def person(self) -> tuple[str, str]:
        return str(self.ann.id), self.ann.login

    @property
    def repository_id(self) -> str:
        return str(self.repo.id)

    @property
    def forms(self) -> Sequence[str]:
        return (
            str(self.repo.id),
            "acme/infra",
            "Acme/Infra",
            f"{self.hub.url}/acme/infra",
            f"{self.hub.url}/acme/infra.git",
            f"{self.hub.url}/acme/infra/tree/main/live",
            "git@127.0.0.1:acme/infra.git",
            "ssh://git@127.0.0.1/acme/infra.git",
        )

    @property
    def others(self) -> Sequence[str]:
        return "", "infra", "https://gitlab.com/acme/infra", "a/b/../c", "../x"

    @property
    def missing(self) -> str:
        return "acme/nothing"

    def add_repositories(self, names: Sequence[str]) -> None:
        for name in names:
            self.hub.repository("acme", name)

    def push(self, files: Files, *, branch: str = "main", message: str = "Change") -> str:
        return self.hub.push(self.repo, self.ann, files, branch=branch, message=message)

    def delete_branch(self, branch: str) -> None:
        self.hub.delete_ref(self.repo, self.ann, f"refs/heads/{branch}")

    def tag(self, name: str, target: str, *, message: str = "") -> str:
        return self.hub.tag(self.repo, self.ann, name, target, message=message)

    def open_pull(self, branch: str, *, title: str = "Change", draft: bool = False) -> int:
        return self.hub.open_pull(self.repo, self.ann, branch, title=title, draft=draft).number

    def open_fork(self, files: Files) -> int:
        fork = self.hub.fork(self.repo, "eve")
        fork.git.commit("theirs", files)
        return self.hub.open_pull(self.repo, fork.owner, "theirs", source=fork).number

    def retitle(self, number: int, title: str) -> None:
        self.hub.retitle(self.repo.pulls[number], self.ann, title)

    def close_pull(self, number: int) -> None:
        self.hub.close_pull(self.repo.pulls[number], self.ann)

    def reopen_pull(self, number: int) -> None:
        self.hub.reopen_pull(self.repo.pulls[number], self.ann)

    def merge_pull(self, number: int) -> str:
        return self.hub.merge_pull(self.repo.pulls[number], self.ann)

    def comment(self, number: int, text: str) -> None:
        self.hub.comment(self.repo.pulls[number], self.ann, text)

    def edit_by_another(self, number: int, text: str) -> bool:
        bob = self.hub.account("bob")
        self.hub.edit_comment(self.repo.pulls[number], list(self.repo.comments)[-1], bob, text)
        return True

    def statuses(self, sha: str) -> Sequence[tuple[str, str]]:
        return [(each["state"], each["context"]) for each in self.repo.statuses.get(sha, [])]

    def comments(self, number: int) -> Sequence[str]:
        return [each["body"] for each in self.repo.comments.values() if each["on"] == number]

    def drop_comments(self, number: int) -> None:
        self.repo.comments.clear()

    def hooks(self) -> Sequence[str]:
        return [str(each) for each in self.repo.hooks]

    def switch_off(self, hook_id: str) -> None:
        self.repo.hooks[int(hook_id)]["active"] = False

    def remove_hook(self, hook_id: str) -> None:
        del self.repo.hooks[int(hook_id)]


class GitHubAppHost(GitHubHost):
    """The same, of connections that are an app which may write checks."""

    words: ClassVar[Mapping[State, str]] = {
        State.PENDING: "queued",
        State.RUNNING: "in_progress",
        State.SUCCEEDED: "success",
        State.FAILED: "failure",
        State.ERRORED: "failure",
        State.CANCELED: "cancelled",
        State.NOT_APPLICABLE: "skipped",
    }

    async def connect(self, sign_in: SignIn = SignIn.GITHUB_APP, **settings: Any) -> Connection:
        app = self.hub.apps.register(self.repo.owner)
        self.hub.apps.install(app, self.repo.owner)
        given = {"client_id": app.client_id, "private_key": app.pem, **settings}
        return await super().connect(sign_in, **given)

    def statuses(self, sha: str) -> Sequence[tuple[str, str]]:
        assert not self.repo.statuses
        told = [each for commit, each in self.repo.told_checks if commit == sha]
        return [(each["conclusion"] or each["status"], each["name"]) for each in told]
