"""Azure DevOps Services on loopback: REST, git, OAuth, service hooks; from its documents.

`url` stands for https://dev.azure.com, `vssps_url` for https://app.vssps.visualstudio.com.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.standins import azure_git as git
from tests.standins import azure_reviews as reviews
from tests.standins.azure_hooks import Sender, Subscriptions
from tests.standins.azure_oauth import LegacyOAuth
from tests.standins.azure_people import People
from tests.standins.azure_world import (
    Identity,
    Organization,
    Repository,
    Token,
    Tokens,
    guid,
)
from tests.standins.repositories import ZEROS, RefUpdate
from tests.standins.serving import (
    Answer,
    Clock,
    Refusal,
    Request,
    Server,
    html_answer,
    json_answer,
)

_SIGN_IN: Final = "<title>Azure DevOps Services | Sign In</title>"
_NO_REPOSITORY: Final = (
    "TF401019: The Git repository with name or identifier {} does not exist or you do not have"
    " permissions for the operation you are attempting."
)
_GIT_SERVICES: Final = re.compile(r"info/refs|git-upload-pack|git-receive-pack")
_PROJECT_PAGE: Final = 100


class AzureDevOps:
    """The service.

    Attributes:
        newest_version: of the API; a newer one that is asked for is refused.
        browser: who is signed in in the browser that opens the authorize page; None declines.
    """

    def __init__(self, directory: Path) -> None:
        self.clock = Clock()
        self.tokens = Tokens(self.clock)
        self.oauth = LegacyOAuth(self.tokens, self.clock)
        self.hooks = Subscriptions()
        self.sender = Sender(time.sleep)
        self.people = People(self.sender)
        self.newest_version = (7, 1)
        self.browser: Identity | None = None
        self.organizations: dict[str, Organization] = {}
        self._directory = directory
        self.server = Server(self._dev)
        self.vssps = Server(self._vssps)
        self.url, self.vssps_url = self.server.url, self.vssps.url

    def close(self) -> None:
        self.sender.settle(0.5)
        self.server.close()
        self.vssps.close()

    def organization(self, name: str) -> Organization:
        made = Organization(name, self.url, self._directory, self.clock)
        self.organizations[name.lower()] = made
        return made

    # ── app.vssps.visualstudio.com ──────────────────────────────────────────────────────────────

    def _vssps(self, request: Request) -> Answer:
        if request.path == "/oauth2/authorize":
            return self.oauth.authorize(request, self.browser)
        if request.path == "/oauth2/token" and request.method == "POST":
            return self.oauth.token(request)
        try:
            who = self._signed_in(request)
            _require_scope(who, "vso.profile")
            if request.path == "/_apis/profile/profiles/me":
                return json_answer({"id": who.identity.id, "displayName": who.identity.name})
            if request.path == "/_apis/accounts":
                rows = [
                    {"accountId": one.id, "accountName": one.name}
                    for one in self.organizations.values()
                    if who.identity.id in one.identities
                ]
                return json_answer(git.collection(rows))
        except _Unauthenticated as failure:
            return failure.answer
        except Refusal as refusal:
            return _error(refusal)
        return html_answer(404, "Page not found")

    # ── dev.azure.com ───────────────────────────────────────────────────────────────────────────

    def _dev(self, request: Request) -> Answer:
        segments = request.segments
        organization = self.organizations.get(segments[0].lower()) if segments else None
        if organization is None:
            return html_answer(404, "The organization was not found")
        rest = [one for one in segments[1:] if one != "DefaultCollection"]
        try:
            if "_git" in rest:
                return self._git(organization, rest, request)
            return self._rest(organization, rest, request)
        except _Unauthenticated as failure:
            return failure.answer
        except Refusal as refusal:
            return _error(refusal)

    def _git(self, organization: Organization, rest: list[str], request: Request) -> Answer:
        at = rest.index("_git")
        after = [one for one in rest[at + 1 :] if one not in ("_optimized", "_full")]
        name, service = after[0], "/".join(after[1:])
        if _GIT_SERVICES.fullmatch(service) is None:
            return html_answer(404, "Not found")
        _, token = self.tokens.of_request(request, for_git=True)
        if token is None:
            return Answer(401, b"", {"WWW-Authenticate": f'Basic realm="{self.url}/"'})
        repository = organization.find_repository(rest[0] if at else name, name)
        if repository is None or not _may_see(repository, token):
            return Answer(404, _NO_REPOSITORY.format(name).encode())
        _require_scope(token, "vso.code_write" if "receive" in request.target else "vso.code")
        if repository.is_disabled:
            return Answer(403, b"TF401019: The repository is disabled.")
        before = {ref: ids[0] for ref, ids in repository.git.refs().items()}
        answer = repository.git.serve(request, service, token.identity.mail)
        if service == "git-receive-pack":
            self._announce(repository, token.identity, before)
        return answer

    def _announce(self, repository: Repository, by: Identity, before: dict[str, str]) -> None:
        after = {ref: ids[0] for ref, ids in repository.git.refs().items()}
        updates = [
            RefUpdate(ref, before.get(ref, ZEROS), after.get(ref, ZEROS))
            for ref in sorted(before.keys() | after.keys())
        ]
        self.people.pushed(repository, by, updates)

    def _rest(self, organization: Organization, rest: list[str], request: Request) -> Answer:
        token = self._signed_in(request)
        if organization.oauth_forbidden and not token.is_pat:
            raise _Unauthenticated(_not_authorized(token.identity.id, 401))
        if token.identity.id not in organization.identities:
            raise _Unauthenticated(_not_authorized(token.identity.id, 401))
        self._check_version(request)
        project = None if rest[:1] == ["_apis"] else rest.pop(0) if rest else None
        path = "/".join(rest)
        if path == "_apis/connectionData":
            return json_answer(_connection_data(organization, token.identity))
        if path == "_apis/projects":
            return _projects(organization, token, request)
        if rest[:2] == ["_apis", "projects"] and rest[3:4] == ["teams"]:
            _require_scope(token, "vso.project")
            return _team_members(organization, rest[2], rest[4], request)
        if rest[:2] == ["_apis", "hooks"]:
            _require_scope(token, "vso.code", "vso.work", "vso.build")
            return self._hooks(organization, rest[2:], request, token.identity)
        if rest[:3] == ["_apis", "git", "repositories"]:
            _require_scope(token, "vso.code")
            return self._repositories(organization, project, rest[3:], request, token)
        raise Refusal(404, f"The controller for path '{request.path}' was not found.")

    def _hooks(
        self, organization: Organization, rest: list[str], request: Request, who: Identity
    ) -> Answer:
        match [request.method, *rest]:
            case ["GET", "subscriptions"]:
                return self.hooks.listed(organization, request, who)
            case ["POST", "subscriptions"]:
                return self.hooks.create(organization, request, who)
            case ["GET", "subscriptions", id_]:
                return json_answer(self.hooks.find(organization, id_).json())
            case ["PUT", "subscriptions", id_]:
                return self.hooks.replace(organization, id_, request, who)
            case ["DELETE", "subscriptions", id_]:
                return self.hooks.delete(organization, id_, who)
            case ["GET", "subscriptions", id_, "notifications"]:
                found = self.hooks.find(organization, id_)
                return json_answer(git.collection(list(reversed(found.notifications))))
            case ["POST", "subscriptionsquery"]:
                return self.hooks.query(organization, request, who)
        raise Refusal(404, f"The controller for path '{request.path}' was not found.")

    def _repositories(
        self,
        organization: Organization,
        project: str | None,
        rest: list[str],
        request: Request,
        token: Token,
    ) -> Answer:
        if not rest:
            rows = [
                one.json()
                for one in organization.repositories
                if _may_see(one, token) and project in (None, one.project.id, one.project.name)
            ]
            return json_answer(git.collection(rows))
        repository = organization.find_repository(project, rest[0])
        if repository is None or not _may_see(repository, token):
            words = _NO_REPOSITORY.format(rest[0])
            raise Refusal(404, words, "GitRepositoryNotFoundException")
        if len(rest) == 1:
            return json_answer(repository.json())
        if rest[1].lower() == "pullrequests":
            return _pulls(repository, rest[2:], request, token)
        return _code(repository, rest[1:], request, token)

    def _signed_in(self, request: Request) -> Token:
        scheme, token = self.tokens.of_request(request)
        if token is not None:
            return token
        if not scheme:
            back = {"Location": f"{self.vssps_url}/_signin?realm=dev.azure.com"}
            raise _Unauthenticated(html_answer(302, _SIGN_IN, back))
        suppressed = request.headers.get("x-tfs-fedauthredirect", "").lower() == "suppress"
        if suppressed or request.method not in {"GET", "POST"}:
            raise _Unauthenticated(_not_authorized("aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", 401))
        if scheme == "basic":
            words = "Access Denied: The Personal Access Token used has expired."
            raise _Unauthenticated(html_answer(401, words))
        raise _Unauthenticated(html_answer(203, _SIGN_IN))

    def _check_version(self, request: Request) -> None:
        text = request.query.get("api-version", "")
        accept = re.search(r"api-version=([\d.]+)", request.headers.get("accept", ""))
        text = text or (accept[1] if accept else "")
        if not text:
            if request.method == "GET":
                return
            raise Refusal(
                400,
                "No api-version was supplied for the request. The version must be supplied"
                " either as part of the Accept header or as a query parameter.",
                "VssVersionNotSpecifiedException",
            )
        numbers = re.match(r"(\d+)\.(\d+)", text)
        if numbers is None or (int(numbers[1]), int(numbers[2])) > self.newest_version:
            newest = ".".join(map(str, self.newest_version))
            raise Refusal(
                400,
                f"The requested REST API version of {text} is out of range for this server. The"
                f" latest REST API version this server supports is {newest}.",
                "VssVersionOutOfRangeException",
            )


@contextmanager
def azure_devops(directory: Path) -> Iterator[AzureDevOps]:
    """Run the service; its repositories are below `directory`."""
    service = AzureDevOps(directory)
    try:
        yield service
    finally:
        service.close()


class _Unauthenticated(Exception):  # noqa: N818 - it is an answer, no fault of ours
    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


def _code(  # noqa: C901 - a table of routes
    repository: Repository, rest: list[str], request: Request, token: Token
) -> Answer:
    match [request.method, *rest]:
        case ["GET", "refs"]:
            return git.refs(repository, request)
        case ["GET", "items"]:
            return git.items(repository, request)
        case ["GET", "diffs", "commits"]:
            return git.compare(repository, request)
        case ["GET", "commits", sha]:
            return json_answer(git.commit(repository, sha))
        case ["GET", "commits", sha, "changes"]:
            return git.commit_changes(repository, sha, request)
        case ["GET", "commits", sha, "statuses"]:
            return reviews.list_commit_statuses(repository, sha, request)
        case ["POST", "commits", sha, "statuses"]:
            _require_scope(token, "vso.code_status")
            git.commit(repository, sha)
            return reviews.add_commit_status(repository, sha, request, token.identity)
        case ["GET", "pushes", number] if number.isdecimal():
            for push in repository.pushes:
                if push["pushId"] == int(number):
                    return json_answer(push)
    raise Refusal(404, f"The controller for path '{request.path}' was not found.")


def _pulls(  # noqa: C901, PLR0911, PLR0912 - a table of routes
    repository: Repository, rest: list[str], request: Request, token: Token
) -> Answer:
    if not rest:
        return reviews.pulls(repository, request)
    pull = reviews.find(repository, rest[0])
    writes = request.method != "GET"
    if writes:
        is_status = rest[1:2] == ["statuses"]
        _require_scope(token, "vso.code_status" if is_status else "vso.threads_full")
    who = token.identity
    match [request.method, *rest[1:]]:
        case ["GET"]:
            return json_answer(pull.json())
        case ["GET", "iterations"]:
            return json_answer(git.collection(pull.iterations))
        case ["GET", "iterations", number, "changes"]:
            one = pull.iterations[int(number) - 1]
            base, sha = one["commonRefCommit"]["commitId"], one["sourceRefCommit"]["commitId"]
            return git.iteration_changes(repository, base, sha, request)
        case ["GET", "statuses"]:
            return json_answer(git.collection(pull.statuses))
        case ["POST", "statuses"]:
            return reviews.add_pull_status(pull, request, who)
        case ["GET", "threads"]:
            return json_answer(git.collection(pull.threads))
        case ["POST", "threads"]:
            return reviews.add_thread(pull, request, who)
        case ["GET", "threads", number]:
            return json_answer(reviews.find_thread(pull, number))
        case ["PATCH", "threads", number]:
            return reviews.update_thread(reviews.find_thread(pull, number), request)
        case ["POST", "threads", number, "comments"]:
            return reviews.reply(pull, reviews.find_thread(pull, number), request, who)
        case ["GET", "threads", number, "comments", comment]:
            for one in reviews.find_thread(pull, number)["comments"]:
                if str(one["id"]) == comment:
                    return json_answer(one)
        case ["PATCH", "threads", number, "comments", comment]:
            thread = reviews.find_thread(pull, number)
            return reviews.edit_comment(thread, comment, request, who)
    raise Refusal(404, f"The controller for path '{request.path}' was not found.")


def _projects(organization: Organization, token: Token, request: Request) -> Answer:
    _require_scope(token, "vso.profile", "vso.project", "vso.code")
    start = int(request.query.get("continuationToken") or 0)
    top = int(request.query.get("$top", _PROJECT_PAGE))
    rows = [one.json() for one in organization.projects]
    more = str(start + top) if start + top < len(rows) else ""
    return json_answer(git.collection(rows[start : start + top]), continuation=more)


def _team_members(organization: Organization, project: str, team: str, request: Request) -> Answer:
    found = [one for one in organization.projects if project in (one.id, one.name)]
    if not found or team not in found[0].teams:
        raise Refusal(404, f"The team with id '{team}' does not exist.", "TeamNotFoundException")
    skip, top = int(request.query.get("$skip", 0)), int(request.query.get("$top", 100))
    rows = [{"isTeamAdmin": False, "identity": one.json()} for one in found[0].teams[team]]
    return json_answer(git.collection(rows[skip : skip + top]))


def _connection_data(organization: Organization, who: Identity) -> dict[str, Any]:
    user = {
        "id": who.id,
        "subjectDescriptor": f"aad.{who.id}",
        "providerDisplayName": who.name,
        "properties": {"Account": {"$type": "System.String", "$value": who.mail}},
        "isActive": True,
    }
    return {
        "authenticatedUser": user,
        "authorizedUser": user,
        "instanceId": organization.id,
        "deploymentId": guid(),
        "deploymentType": "hosted",
    }


def _may_see(repository: Repository, token: Token) -> bool:
    if token.identity.id not in repository.project.organization.identities:
        return False
    return repository.readers is None or token.identity.id in repository.readers


def _require_scope(token: Token, *scopes: str) -> None:
    """Require one of the scopes; what a token lacks looks like no authorization at all."""
    if not token.all_scopes & set(scopes):
        raise _Unauthenticated(_not_authorized(token.identity.id, 401))


def _not_authorized(id_: str, status: int) -> Answer:
    words = f'TF400813: The user "{id_}" is not authorized to access this resource.'
    return _error(Refusal(status, words, "UnauthorizedRequestException"))


def _error(refusal: Refusal) -> Answer:
    return json_answer(
        {
            "$id": "1",
            "innerException": None,
            "message": refusal.message,
            "typeName": f"Microsoft.{refusal.kind}, Microsoft",
            "typeKey": refusal.kind,
            "errorCode": 0,
            "eventId": 3000,
        },
        refusal.status,
    )
