"""GitLab, self-managed, below a path of its host."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from landform.vcs.facts import State
from landform.vcs.kinds import Kind, SignIn
from tests.standins.gitlab import GitLab
from tests.standins.gitlab_world import DEVELOPER, MAINTAINER
from tests.standins.repositories import GitRepository
from tests.standins.serving import Answer, Server
from tests.vcs.contract.host import Files, Host

PATH = "acme/cloud/infra"


class GitLabHost(Host):
    """See Host."""

    kind: ClassVar = Kind.GITLAB_SELF_MANAGED
    words: ClassVar[Mapping[State, str]] = {
        State.PENDING: "pending",
        State.RUNNING: "running",
        State.SUCCEEDED: "success",
        State.FAILED: "failed",
        State.ERRORED: "failed",
        State.CANCELED: "canceled",
        State.NOT_APPLICABLE: "success",
    }
    hook_advice: ClassVar = "role Maintainer"
    most_paths_of_pulls: ClassVar = 1000
    group: ClassVar = "access-level:maintainer"
    no_groups: ClassVar = ("maintainer", "access-level:guest", "group:", "permission:write")
    busy: ClassVar = Answer(429, b"Retry later\n")

    def open(self, directory: Path) -> None:
        self.lab = GitLab(directory, below="/gitlab")
        self.ann = self.lab.user("ann")
        self.project = self.lab.project(PATH, self.ann)

    def shut(self) -> None:
        self.lab.server.close()

    def settle(self) -> None:
        self.lab.hooks.settle()

    @property
    def api(self) -> Server:
        return self.lab.server

    def settings(self, sign_in: SignIn) -> dict[str, Any]:
        return {"endpoint": self.lab.url}

    def application(self, redirect_uri: str) -> dict[str, Any]:
        self.lab.oauth.browser = self.ann
        made = self.lab.oauth.register(redirect_uri)
        return {"client_id": made.client_id, "client_secret": made.secret}

    def decline(self) -> None:
        self.lab.oauth.browser = None

    def token(self, *, hooks: bool = True) -> str:
        who = self.ann if hooks else self.lab.user("bob")
        self.project.members.setdefault(who.id, DEVELOPER)
        return self.lab.tokens.issue(who, life=timedelta(days=365))

    def end_tokens(self) -> None:
        self.lab.clock.advance(days=400)
        self.lab.oauth.revoke_all()

    def let_in(self) -> None:
        self.project.members[self.ann.id] = MAINTAINER

    def let_out(self) -> None:
        self.project.members[self.ann.id] = DEVELOPER

    @property
    def git(self) -> GitRepository:
        return self.project.git

    @property
    def person(self) -> tuple[str, str]:
        return str(self.ann.id), self.ann.username

    @property
    def repository_id(self) -> str:
        return str(self.project.id)

    @property
    def forms(self) -> Sequence[str]:
        host = self.lab.server.url.removeprefix("http://")
        return (
            str(self.project.id),
            PATH,
            "Acme/Cloud/Infra",
            f"{self.lab.url}/{PATH}",
            f"{self.lab.url}/{PATH}.git",
            f"http://oauth2:secret@{host}/gitlab/{PATH}.git",
            f"{self.lab.url}/{PATH}/-/tree/main/live?ref_type=heads",
            f"{self.lab.url}/{PATH}/-/merge_requests/3",
            f"{self.lab.url}/api/v4/projects/{self.project.id}",
            f"{self.lab.url}/api/v4/projects/acme%2Fcloud%2Finfra/repository/branches",
            f"git@127.0.0.1:{PATH}.git",
            f"ssh://git@127.0.0.1:2222/{PATH}.git",
        )

    @property
    def others(self) -> Sequence[str]:
        return "", "infra", "https://github.com/acme/infra", "a/../b", "git@github.com:a/b.git"

    @property
    def missing(self) -> str:
        return "acme/cloud/nothing"

    def add_repositories(self, names: Sequence[str]) -> None:
        for name in names:
            self.lab.project(f"acme/{name}", self.ann)

    def push(self, files: Files, *, branch: str = "main", message: str = "Change") -> str:
        people = self.lab.people
        return people.push(self.project, self.ann, files, branch=branch, message=message)

    def delete_branch(self, branch: str) -> None:
        self.lab.people.delete_ref(self.project, self.ann, f"refs/heads/{branch}")

    def tag(self, name: str, target: str, *, message: str = "") -> str:
        return self.lab.people.tag(self.project, self.ann, name, target, message=message)

    def open_pull(self, branch: str, *, title: str = "Change", draft: bool = False) -> int:
        return self.lab.people.open(self.project, self.ann, branch, title=title, draft=draft).iid

    def open_pulls(self, branch: str, count: int) -> set[int]:
        pulls = self.project.merge_requests
        first = self.open_pull(branch)
        for number in range(first + 1, first + count):
            pulls[number] = replace(pulls[first], iid=number)
        return set(pulls)

    def open_fork(self, files: Files) -> int:
        eve = self.lab.user("eve")
        fork = self.lab.fork(self.project, eve)
        fork.git.commit("theirs", files)
        return self.lab.people.open(self.project, eve, "theirs", source=fork).iid

    def retitle(self, number: int, title: str) -> None:
        self.lab.people.retitle(self.project.merge_requests[number], self.ann, title)

    def close_pull(self, number: int) -> None:
        self.lab.people.close(self.project.merge_requests[number], self.ann)

    def reopen_pull(self, number: int) -> None:
        self.lab.people.reopen(self.project.merge_requests[number], self.ann)

    def merge_pull(self, number: int) -> str:
        return self.lab.people.merge(self.project.merge_requests[number], self.ann)

    def comment(self, number: int, text: str) -> None:
        self.lab.people.comment(self.project.merge_requests[number], self.ann, text)

    def edit_by_another(self, number: int, text: str) -> bool:
        found = self.project.merge_requests[number]
        self.lab.people.edit_note(found, list(found.notes)[-1], text)
        return True

    def statuses(self, sha: str) -> Sequence[tuple[str, str]]:
        rows = self.project.statuses
        return [(each["status"], each["name"]) for each in rows if each["sha"] == sha]

    def comments(self, number: int) -> Sequence[str]:
        return [each["body"] for each in self.project.merge_requests[number].notes.values()]

    def drop_comments(self, number: int) -> None:
        self.project.merge_requests[number].notes.clear()

    def hooks(self) -> Sequence[str]:
        return [str(each) for each in self.project.hooks]

    def switch_off(self, hook_id: str) -> None:
        self.project.hooks[int(hook_id)].is_disabled = True

    def remove_hook(self, hook_id: str) -> None:
        del self.project.hooks[int(hook_id)]
