"""GitLab: REST, git over HTTPS, the sign-in of OAuth, access tokens, and webhooks.

Written from GitLab's documents (vcs_providers.md §4); nothing here knows how Landform works.
"""

import base64
import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from tests.standins import gitlab_answers as answers
from tests.standins.gitlab_hooks import Hooks
from tests.standins.gitlab_oauth import OAuth
from tests.standins.gitlab_people import People
from tests.standins.gitlab_world import (
    DEVELOPER,
    GUEST,
    MAINTAINER,
    Hook,
    MergeRequest,
    Project,
    Token,
    Tokens,
    User,
)
from tests.standins.repositories import GitRepository
from tests.standins.serving import (
    Answer,
    Clock,
    Refusal,
    Request,
    Server,
    html_answer,
    json_answer,
)

_COUNTED: Final = 10_000  # rows; of more, a list does not say how many there are
_WINDOW: Final = timedelta(minutes=1)
_OF_GIT: Final = frozenset({"info", "git-upload-pack"})


class GitLab:
    """One service.

    Attributes:
        url: where its pages are; below a path when it was told so.
        limit: requests of the API in a minute; past it they are 429.
    """

    def __init__(self, root: Path, *, below: str = "") -> None:
        self.root = root
        self.clock = Clock()
        self.users: dict[str, User] = {}
        self.projects: dict[int, Project] = {}
        self.tokens = Tokens(self.clock)
        self.oauth = OAuth(self.tokens)
        self.limit = 2000
        self._below = below
        self._numbers = count(15)
        self._window = (self.clock.now(), 0)
        self.server = Server(self._handle)
        self.url = f"{self.server.url}{below}"
        self.hooks = Hooks(self.clock, self.url)
        self.people = People(self.hooks)

    # ── what there is ───────────────────────────────────────────────────────────────────────────

    def user(self, username: str) -> User:
        if username not in self.users:
            self.users[username] = User(next(self._numbers), username, username.capitalize())
        return self.users[username]

    def project(self, path: str, *maintainers: User) -> Project:
        """Make one, with all the groups it is in."""
        number = next(self._numbers)
        git = GitRepository(self.root / f"{number}.git")
        made = Project(number, path, git, self.url)
        made.members |= dict.fromkeys((each.id for each in maintainers), MAINTAINER)
        self.projects[number] = made
        return made

    def fork(self, project: Project, owner: User) -> Project:
        made = self.project(f"{owner.username}/{project.name}", owner)
        source = str(project.git.directory)
        made.git.git("fetch", "--quiet", source, "refs/heads/main:refs/heads/main")
        return made

    def move(self, project: Project, path: str) -> None:
        """Rename it; its old path leads to it still."""
        project.old_paths.append(project.path)
        project.path = path

    def project_token(self, project: Project, *, level: int = MAINTAINER) -> str:
        """Return a token of the project's own, which is that of a bot."""
        bot = self.user(f"project_{project.id}_bot_{len(self.users)}")
        project.members[bot.id] = level
        return self.tokens.issue(bot, life=timedelta(days=365))

    # ── HTTP ────────────────────────────────────────────────────────────────────────────────────

    def _handle(self, request: Request) -> Answer:
        below = tuple(part for part in self._below.split("/") if part)
        segments = request.segments
        if segments[: len(below)] != below:
            return html_answer(404, "The page could not be found.")
        path = segments[len(below) :]
        try:
            if path[:2] == ("api", "v4"):
                return self._rest(request, path[2:])
            if path[:1] == ("oauth",):
                return self.oauth.answer(request, path[1:])
            return self._git(request, path)
        except Refusal as refusal:
            return json_answer(_error(refusal), refusal.status)

    def _git(self, request: Request, path: Sequence[str]) -> Answer:
        # What is git's, large files included, follows the project's path, with its suffix or not.
        end = next((i for i, part in enumerate(path) if part.endswith(".git")), None)
        if end is None:
            end = next((i - 1 for i, part in enumerate(path) if part in _OF_GIT), None)
        if end is None:
            return html_answer(404, "The page could not be found.")
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        password = base64.b64decode(value).decode().partition(":")[2] if kind == "Basic" else ""
        token = self.tokens.all.get(password)
        reads = token and {"api", "read_repository", "write_repository"} & set(token.scopes)
        if token is None or self.tokens.why_not(password) or not reads:
            return Answer(401, b"HTTP Basic: Access denied.", {"WWW-Authenticate": "Basic"})
        project = self._found("/".join(path[: end + 1]).removesuffix(".git"))
        if _level(project, token.user) < GUEST:
            raise Refusal(404, "404 Project Not Found")
        rest = tuple(path[end + 1 :])
        if rest[:2] == ("info", "lfs"):
            base = f"{self.url}/{project.path}.git/info/lfs"
            return project.large.answer(request, rest[2:], base)
        return project.git.serve(request, "/".join(rest), token.user.username)

    def _rest(self, request: Request, path: tuple[str, ...]) -> Answer:
        left = self._budget()
        if left < 0:
            headers = {"Retry-After": "60", "RateLimit-Remaining": "0"}
            return Answer(429, b"Retry later\n", {"Content-Type": "text/plain", **headers})
        token = self._signed_in(request)
        _require_scope(token, "read_api" if request.method == "GET" else "api")
        answer = self._routed(request, path, token)
        limits = {"RateLimit-Limit": str(self.limit), "RateLimit-Remaining": str(left)}
        return Answer(answer.status, answer.body, {**answer.headers, **limits})

    def _budget(self) -> int:
        began, used = self._window
        if self.clock.now() - began > _WINDOW:
            began, used = self.clock.now(), 0
        self._window = (began, used + 1)
        return self.limit - used - 1

    def _signed_in(self, request: Request) -> Token:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        value = request.headers.get("private-token") or bearer
        words = self.tokens.why_not(value)
        if words:
            raise Refusal(401, words, "invalid_token")
        token = self.tokens.all[value]
        if token.is_oauth and "private-token" in request.headers:
            raise Refusal(401, "401 Unauthorized")
        return token

    def _routed(self, request: Request, path: tuple[str, ...], token: Token) -> Answer:
        match path:
            case ("user",):
                return json_answer(token.user.json())
            case ("personal_access_tokens", "self"):
                return _shown(token)
            case ("groups",):
                names = sorted({each.group for each in self._seen(token.user)})
                wanted = request.query.get("search", "").lower()
                rows = [{"id": i, "full_path": each} for i, each in enumerate(names)]
                return self._paged(
                    request, [each for each in rows if wanted in str(each["full_path"]).lower()]
                )
            case ("groups", group, "projects"):
                return self._projects(request, token.user, group)
            case ("projects",):
                return self._projects(request, token.user, "")
            case ("projects", name, *rest):
                project = self._found(name, follow=request.method == "GET")
                if _level(project, token.user) < GUEST:
                    raise Refusal(404, "404 Project Not Found")
                return (
                    self._of_project(request, project, rest, token)
                    if rest
                    else json_answer(project.json())
                )
        raise Refusal(404, "404 Not Found")

    def _found(self, name: str, *, follow: bool = True) -> Project:
        for each in self.projects.values():
            paths = [each.path, *(each.old_paths if follow else ())]
            if name == str(each.id) or name.lower() in (path.lower() for path in paths):
                return each
        raise Refusal(404, "404 Project Not Found")

    def _seen(self, user: User) -> list[Project]:
        return [each for each in self.projects.values() if _level(each, user) >= GUEST]

    def _projects(self, request: Request, user: User, group: str) -> Answer:
        query = request.query
        least = int(query.get("min_access_level", GUEST))
        wanted = query.get("search", "").lower()
        found = [
            each
            for each in self._seen(user)
            if _level(each, user) >= least
            and wanted in each.name.lower()
            and (not group or f"{each.group}/".startswith(f"{group}/"))
        ]
        if query.get("pagination") == "keyset" and not group:
            if query.get("order_by") != "id":
                raise Refusal(
                    405, "Keyset pagination is not yet available for this type of request"
                )
            rows = [each.json() for each in sorted(found, key=lambda each: each.id)]
            return self._keyed(request, rows, "id", "id_after", int)
        return self._paged(request, [each.json() for each in found])

    def _of_project(
        self, request: Request, project: Project, path: Sequence[str], token: Token
    ) -> Answer:
        routes: dict[str, Callable[[], Answer]] = {
            "repository": lambda: self._repository(request, project, path[1:]),
            "merge_requests": lambda: self._merge_requests(request, project, path[1:], token),
            "statuses": lambda: self._status(request, project, path[1], token),
            "hooks": lambda: self._hooks(request, project, path[1:], token),
            "members": lambda: self._member(project, path[1:]),
        }
        if path[0] not in routes:
            raise Refusal(404, "404 Not Found")
        return routes[path[0]]()

    def _member(self, project: Project, path: Sequence[str]) -> Answer:
        """Show a member, inherited ones too, as `all` is asked for."""
        user = next((each for each in self.users.values() if str(each.id) == path[1]), None)
        if path[0] != "all" or user is None or user.id not in project.members:
            raise Refusal(404, "404 Not found")
        return json_answer({**user.json(), "access_level": project.members[user.id]})

    def _repository(self, request: Request, project: Project, path: Sequence[str]) -> Answer:
        kind = path[0]
        if kind in ("branches", "tags"):
            if len(path) > 1:
                return answers.ref(project, kind, path[1])
            rows = answers.refs(project, kind, request.query.get("search", ""))
            if request.query.get("pagination") == "keyset" and "search" not in request.query:
                return self._keyed(request, rows, "name", "page_token", str)
            return self._paged(request, rows)
        if kind == "commits":
            return answers.commit(project, path[1])
        if kind == "compare":
            return answers.compare(project, request.query)
        raise Refusal(404, "404 Not Found")

    def _merge_requests(
        self, request: Request, project: Project, path: Sequence[str], token: Token
    ) -> Answer:
        if not path:
            state = request.query.get("state", "all")
            found = project.merge_requests.values()
            rows = [each.json() for each in found if state in ("all", each.state)]
            return self._paged(request, rows)
        found_one: MergeRequest | None = project.merge_requests.get(int(path[0]))
        if found_one is None:
            raise Refusal(404, "404 Not found")
        if path[1:2] == ["diffs"]:
            return self._paged(request, answers.merge_request_diffs(found_one))
        if path[1:2] == ["notes"]:
            return answers.note(found_one, path[2:], request, token.user)
        return json_answer(found_one.json(whole=True))

    def _status(self, request: Request, project: Project, sha: str, token: Token) -> Answer:
        if _level(project, token.user) < DEVELOPER:
            raise Refusal(403, "403 Forbidden")
        return answers.status(project, sha, request.json(), token.user)

    def _hooks(
        self, request: Request, project: Project, path: Sequence[str], token: Token
    ) -> Answer:
        if _level(project, token.user) < MAINTAINER:
            raise Refusal(403, "403 Forbidden")
        if not path:
            if request.method == "POST":
                return self.hooks.create(project, request)
            return self._paged(request, self.hooks.listed(project))
        hook: Hook | None = project.hooks.get(int(path[0]))
        if hook is None:
            raise Refusal(404, "404 Not found")
        if request.method == "DELETE":
            del project.hooks[hook.id]
            return Answer(204)
        if request.method == "PUT":
            return self.hooks.change(hook, request)
        return json_answer(hook.json(self.clock))

    def _paged(self, request: Request, rows: Sequence[Any]) -> Answer:
        """By number of the page: with a `Link`, and how many there are unless they are many."""
        size, page = _size(request), max(int(request.query.get("page", 1)), 1)
        part = rows[(page - 1) * size : page * size]
        more = page * size < len(rows)
        headers = {
            "X-Page": str(page),
            "X-Per-Page": str(size),
            "X-Next-Page": str(page + 1) if more else "",
        }
        if len(rows) <= _COUNTED:
            headers |= {
                "X-Total": str(len(rows)),
                "X-Total-Pages": str(math.ceil(len(rows) / size)),
            }
        return self._linked(request, part, {"page": str(page + 1)} if more else {}, headers)

    def _keyed(
        self,
        request: Request,
        rows: Sequence[dict[str, Any]],
        key: str,
        cursor: str,
        kind: Callable[[str], Any],
    ) -> Answer:
        """By key: what comes after the last one seen, and no word of how many there are."""
        size = _size(request)
        if cursor in request.query:
            last = kind(request.query[cursor])
            rows = [each for each in rows if each[key] > last]
        part = rows[:size]
        more = {cursor: str(part[-1][key])} if len(rows) > size else {}
        return self._linked(request, part, more, {})

    def _linked(
        self, request: Request, part: Sequence[Any], more: dict[str, str], headers: dict[str, str]
    ) -> Answer:
        answer = json_answer(part)
        if more:
            query = urlencode({**request.query, **more})
            headers["Link"] = f'<{self.server.url}{request.path}?{query}>; rel="next"'
        return Answer(answer.status, answer.body, {**answer.headers, **headers})


def _size(request: Request) -> int:
    return min(max(int(request.query.get("per_page", 20)), 1), 100)


def _level(project: Project, user: User) -> int:
    return project.members.get(user.id, 0)


def _shown(token: Token) -> Answer:
    if token.is_oauth:
        raise Refusal(400, "This endpoint requires token type to be a personal access token")
    day = token.ends_at.date().isoformat() if token.ends_at else None
    return json_answer({"scopes": list(token.scopes), "expires_at": day, "active": True})


def _require_scope(token: Token, scope: str) -> None:
    if not {"api", scope} & set(token.scopes):
        raise Refusal(403, scope, "insufficient_scope")


def _error(refusal: Refusal) -> dict[str, Any]:
    if refusal.kind == "insufficient_scope":
        words = "The request requires higher privileges than provided by the access token."
        return {"error": refusal.kind, "error_description": words, "scope": refusal.message}
    if refusal.kind and refusal.message != "401 Unauthorized":
        return {"error": refusal.kind, "error_description": refusal.message}
    if refusal.message.startswith("{"):
        return {"message": json.loads(refusal.message)}
    return {"message": refusal.message}


@contextmanager
def gitlab(root: Path, *, below: str = "") -> Iterator[GitLab]:
    """Serve one for as long as the context lasts."""
    service = GitLab(root, below=below)
    try:
        yield service
    finally:
        service.hooks.settle()
        service.server.close()
