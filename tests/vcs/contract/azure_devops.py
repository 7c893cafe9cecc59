"""Azure DevOps Services."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from landform.vcs.facts import State
from landform.vcs.kinds import Kind, SignIn
from tests.standins.azure_devops import AzureDevOps
from tests.standins.azure_world import EVERYTHING
from tests.standins.repositories import GitRepository
from tests.standins.serving import Server, json_answer
from tests.vcs.contract.host import Files, Host


class AzureDevOpsHost(Host):
    """See Host."""

    kind: ClassVar = Kind.AZURE_DEVOPS
    words: ClassVar[Mapping[State, str]] = {
        State.PENDING: "pending",
        State.RUNNING: "pending",
        State.SUCCEEDED: "succeeded",
        State.FAILED: "failed",
        State.ERRORED: "error",
        State.CANCELED: "error",
        State.NOT_APPLICABLE: "notApplicable",
    }
    hook_count: ClassVar = 4
    hook_advice: ClassVar = "az devops security permission update"
    tells_paths_of_pushes: ClassVar = True
    group: ClassVar = "team:Cloud Team/Operators"
    no_groups: ClassVar = ("Operators", "team:Operators", "team:a/b/c", "permission:write")
    busy: ClassVar = json_answer({"message": "TF400733: The request has been canceled"}, 429)

    def open(self, directory: Path) -> None:
        self.azure = AzureDevOps(directory)
        self.acme = self.azure.organization("Acme")
        self.ann = self.acme.identity("Ann")
        self.repository = self.acme.repository("Cloud Team", "infra.git")

    def shut(self) -> None:
        self.azure.close()

    def settle(self) -> None:
        self.azure.sender.settle()

    @property
    def api(self) -> Server:
        return self.azure.server

    def settings(self, sign_in: SignIn) -> dict[str, Any]:
        given = {"account": "Acme", "api_url": self.azure.url}
        return given | ({"endpoint": self.azure.vssps_url} if sign_in is SignIn.OAUTH else {})

    def application(self, redirect_uri: str) -> dict[str, Any]:
        self.azure.browser = self.ann
        made = self.azure.oauth.register(redirect_uri)
        return {"client_id": made.client_id, "client_secret": made.secret}

    def decline(self) -> None:
        self.azure.browser = None

    def token(self, *, hooks: bool = True) -> str:
        who = self.ann if hooks else self.acme.identity("Bob", hooks=False)
        return self.azure.tokens.issue(who, EVERYTHING | {"vso.project"})

    def end_tokens(self) -> None:
        self.azure.clock.advance(days=400)

    def let_in(self) -> None:
        others = [self.acme.identity(f"Somebody {number}") for number in range(150)]
        self.repository.project.teams["Operators"] = [*others, self.ann]

    def let_out(self) -> None:
        self.repository.project.teams["Operators"].remove(self.ann)

    @property
    def git(self) -> GitRepository:
        return self.repository.git

    @property
    def person(self) -> tuple[str, str]:
        return self.ann.id, self.ann.name

    @property
    def repository_id(self) -> str:
        return self.repository.id

    @property
    def forms(self) -> Sequence[str]:
        return (
            self.repository.id,
            self.repository.id.upper(),
            self.repository.remote_url,
            self.repository.web_url,
            f"{self.repository.web_url}?path=/main.tf&version=GBmain",
            "acme/cloud team/_git/infra.git",
            "Acme/Cloud Team/infra.git",
            "git@ssh.dev.azure.com:v3/acme/Cloud%20Team/infra.git",
            "https://acme.visualstudio.com/DefaultCollection/Cloud%20Team/_git/infra.git",
        )

    @property
    def others(self) -> Sequence[str]:
        return "", "infra", "https://github.com/acme/infra", "https://dev.azure.com/acme"

    @property
    def missing(self) -> str:
        return "Acme/Cloud Team/nothing"

    def add_repositories(self, names: Sequence[str]) -> None:
        for name in names:
            self.acme.repository("Many", name)

    def push(self, files: Files, *, branch: str = "main", message: str = "Change") -> str:
        people = self.azure.people
        return people.push(self.repository, self.ann, files, branch=branch, message=message)

    def delete_branch(self, branch: str) -> None:
        self.azure.people.delete_ref(self.repository, self.ann, f"refs/heads/{branch}")

    def tag(self, name: str, target: str, *, message: str = "") -> str:
        return self.azure.people.tag(self.repository, self.ann, name, target, message=message)

    def open_pull(self, branch: str, *, title: str = "Change", draft: bool = False) -> int:
        people = self.azure.people
        return people.open_pull(self.repository, self.ann, branch, title=title, draft=draft).id

    def open_pulls(self, branch: str, count: int) -> set[int]:
        pulls = self.repository.pulls
        first = self.open_pull(branch)
        for number in range(first + 1, first + count):
            pulls[number] = replace(pulls[first], id=number)
        return set(pulls)

    def open_fork(self, files: Files) -> int:
        fork = self.acme.repository("Cloud Team", "fork")
        source = str(self.repository.git.directory)
        fork.git.git("fetch", "--quiet", source, "refs/heads/main:refs/heads/main")
        fork.git.commit("theirs", files)
        return self.azure.people.open_pull(self.repository, self.ann, "theirs", fork=fork).id

    def retitle(self, number: int, title: str) -> None:
        self.azure.people.retitle(self.repository.pulls[number], self.ann, title)

    def close_pull(self, number: int) -> None:
        self.azure.people.abandon(self.repository.pulls[number], self.ann)

    def reopen_pull(self, number: int) -> None:
        self.azure.people.reactivate(self.repository.pulls[number], self.ann)

    def merge_pull(self, number: int) -> str:
        return self.azure.people.complete(self.repository.pulls[number], self.ann)

    def comment(self, number: int, text: str) -> None:
        self.azure.people.comment(self.repository.pulls[number], self.ann, text)

    def statuses(self, sha: str) -> Sequence[tuple[str, str]]:
        rows = self.repository.commit_statuses.get(sha, [])
        return [
            (each["state"], f"{each['context']['genre']}/{each['context']['name']}")
            for each in rows
        ]

    def comments(self, number: int) -> Sequence[str]:
        threads = self.repository.pulls[number].threads
        return [each["content"] for thread in threads for each in thread["comments"]]

    def drop_comments(self, number: int) -> None:
        self.repository.pulls[number].threads.clear()

    def hooks(self) -> Sequence[str]:
        return list(self.acme.subscriptions)

    def switch_off(self, hook_id: str) -> None:
        self.acme.subscriptions[hook_id].status = "disabledBySystem"

    def remove_hook(self, hook_id: str) -> None:
        del self.acme.subscriptions[hook_id]
