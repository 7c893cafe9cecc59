"""GitHub's REST API of repositories. Facts: vcs_providers.md §3."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from tests.standins import github_answers as answers
from tests.standins import github_checks as checks
from tests.standins.github_answers import paged
from tests.standins.github_world import Account, Grant, Repo
from tests.standins.serving import Answer, Refusal, Request, json_answer

if TYPE_CHECKING:
    from tests.standins.github import GitHub

_MOST_HOOKS: Final = 20


class Rest:
    """What a token, of whatever kind, is answered."""

    def __init__(self, hub: "GitHub") -> None:
        self._hub = hub

    def answer(self, request: Request, path: Sequence[str], grant: Grant) -> Answer:
        match path:
            case ("user", *rest):
                return self._user(request, rest, grant)
            case ("orgs", organization, "teams", team, "memberships", login):
                return self._membership(grant, f"{organization}/{team}", login)
            case ("installation", "repositories") if grant.permissions is not None:
                rows = [each.json() for each in self._hub.repos.values() if each.owner is grant.who]
                return paged(request, rows, key="repositories")
            case ("repositories", number) if int(number) in self._hub.repos:
                return json_answer(self._hub.repos[int(number)].json())
            case ("repos", owner, name):
                return json_answer(self._hub.named(owner, name).json())
            case ("repos", owner, name, *rest):
                return self._of_repository(request, self._hub.named(owner, name), rest, grant)
        raise Refusal(404, "Not Found")

    def _user(self, request: Request, path: Sequence[str], grant: Grant) -> Answer:
        """Answer of an account by its number, and of whoever asks; an installation is nobody."""
        if path and path[0].isdecimal():
            return json_answer(self._account(path[0]).json())
        if grant.permissions is not None:
            raise Refusal(403, "Resource not accessible by integration")
        if not path:
            return json_answer(grant.who.json())
        rows = [each.json() for each in self._hub.repos.values()] if path == ["repos"] else []
        return paged(request, rows)

    def _of_repository(
        self, request: Request, repo: Repo, path: Sequence[str], grant: Grant
    ) -> Answer:
        routes: dict[str, Callable[[], Answer]] = {
            "branches": lambda: self._refs(request, repo, "refs/heads/"),
            "tags": lambda: self._refs(request, repo, "refs/tags/"),
            "git": lambda: answers.git_data(repo, path),
            "commits": lambda: self._commit(request, repo, path, grant),
            "check-runs": lambda: checks.answer(request, repo, path, grant, self._hub.number()),
            "compare": lambda: answers.compare(repo, path[1]),
            "pulls": lambda: self._pulls(request, repo, path),
            "statuses": lambda: self._status(request, repo, path, grant),
            "issues": lambda: self._comments(request, repo, path, grant),
            "collaborators": lambda: self._permission(repo, path[1]),
            "hooks": lambda: self._hooks(request, repo, path, grant),
        }
        if path[0] not in routes:
            raise Refusal(404, "Not Found")
        return routes[path[0]]()

    def _account(self, number: str) -> Account:
        for each in self._hub.accounts.values():
            if str(each.id) == number:
                return each
        raise Refusal(404, "Not Found")

    def _membership(self, grant: Grant, team: str, login: str) -> Answer:
        if grant.permissions is not None and "members" not in grant.permissions:
            raise Refusal(403, "Resource not accessible by integration")
        members = self._hub.teams.get(team, set())
        account = self._hub.accounts.get(login)
        if account is None or account.id not in members:
            raise Refusal(404, "Not Found")
        return json_answer({"state": "active", "role": "member"})

    def _permission(self, repo: Repo, login: str) -> Answer:
        """Legacy words for the permission, and the role's own name."""
        account = self._hub.accounts.get(login)
        if account is None:
            raise Refusal(404, "Not Found")
        role = "admin" if account is repo.owner else repo.roles.get(account.id, "none")
        legacy = {"triage": "read", "maintain": "write"}.get(role, role)
        said = {"permission": legacy, "role_name": role, "user": account.json()}
        return json_answer(said)

    def _status(self, request: Request, repo: Repo, path: Sequence[str], grant: Grant) -> Answer:
        grant.require("statuses")
        return answers.status(request, repo, path[1])

    def _commit(self, request: Request, repo: Repo, path: Sequence[str], grant: Grant) -> Answer:
        if path[2:] == ["check-runs"]:
            return checks.of_commit(request, repo, path[1], grant)
        return answers.commit(repo, path[1])

    def _refs(self, request: Request, repo: Repo, prefix: str) -> Answer:
        rows = [
            {"name": name.removeprefix(prefix), "commit": {"sha": peeled or target}}
            for name, (target, peeled) in sorted(repo.git.refs().items())
            if name.startswith(prefix)
        ]
        return paged(request, rows)

    def _pulls(self, request: Request, repo: Repo, path: Sequence[str]) -> Answer:
        if len(path) == 1:
            rows = [each.json() for each in repo.pulls.values() if each.state == "open"]
            return paged(request, rows)
        pull = repo.pulls.get(int(path[1]))
        if pull is None:
            raise Refusal(404, "Not Found")
        if path[2:] == ["files"]:
            base = repo.git.merge_base(f"refs/heads/{pull.target}", pull.sha)
            return paged(request, answers.files(repo, base, pull.sha)[:3000])
        return json_answer(pull.json())

    def _comments(self, request: Request, repo: Repo, path: Sequence[str], grant: Grant) -> Answer:
        grant.require("issues", "pull_requests")
        text = request.json()["body"]
        if len(text) > 65_536:
            raise Refusal(422, "body is too long (maximum is 65536 characters)")
        if request.method == "PATCH":
            made = repo.comments.get(int(path[2]))
            if made is None:
                raise Refusal(404, "Not Found")
            made["body"] = text
            return json_answer(made)
        number = self._hub.number()
        repo.comments[number] = made = {
            "id": number,
            "body": text,
            "user": grant.who.json(),
            "on": int(path[1]),
        }
        return json_answer(made, 201)

    def _hooks(self, request: Request, repo: Repo, path: Sequence[str], grant: Grant) -> Answer:
        if not grant.hooks:
            raise Refusal(404, "Not Found")
        grant.require("repository_hooks")
        if request.method == "GET":
            return paged(request, [answers.shown(each) for each in repo.hooks.values()])
        if request.method == "POST":
            if len(repo.hooks) >= _MOST_HOOKS:
                raise Refusal(422, "The hook limit was reached.")
            number = self._hub.number()
            hook: dict[str, Any] = {"id": number, "name": "web"}
        elif (number := int(path[1])) in repo.hooks:
            hook = repo.hooks[number]
        else:
            raise Refusal(404, "Not Found")
        if request.method == "DELETE":
            del repo.hooks[number]
            return Answer(204)
        said = request.json()
        config = dict(said["config"])
        hook |= {"secret": config.pop("secret", ""), "config": config}
        hook |= {"active": said["active"], "events": said["events"]}
        repo.hooks[number] = hook  # only now, as pushes are told to every one there is
        if request.method == "POST":
            self._hub.send(hook, "ping", b'{"zen": "Speak like a human.", "hook_id": 1}')
        return json_answer(answers.shown(hook), 201 if request.method == "POST" else 200)
