"""GitHub Apps: registered from a manifest, installed by people, and signing for themselves.

Facts: vcs_providers.md §3; docs.github.com, "Registering a GitHub App from a manifest" and "About
the setup URL": the manifest comes in a form, the person names the app and agrees, the browser
comes back with a code that is good once and for an hour. A manifest with `hook_attributes` and
without its `url` is refused; without `hook_attributes` the app has no webhook, and so no secret
for one.
"""

import html
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlencode

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from tests.standins.github_answers import paged
from tests.standins.github_world import Account, Grant
from tests.standins.serving import Answer, Refusal, Request, html_answer, json_answer

if TYPE_CHECKING:
    from tests.standins.github import GitHub

EVERYTHING: Final[Mapping[str, str]] = {
    "metadata": "read",
    "contents": "read",
    "statuses": "write",
    "checks": "write",
    "pull_requests": "write",
    "issues": "write",
    "repository_hooks": "write",
    "members": "read",
}
_LONGEST_NAME: Final = 34


@dataclass
class Installation:
    """An app in an account, with what the account granted it."""

    id: int
    account: Account
    permissions: dict[str, str]


@dataclass
class App:
    """A registered app; `pem` is shown once, and `key` kept."""

    id: int
    name: str
    slug: str
    owner: Account
    client_id: str
    pem: str
    key: RSAKey
    permissions: dict[str, str]
    setup_url: str = ""
    is_public: bool = False
    webhook_secret: str | None = None
    installations: dict[int, Installation] = field(default_factory=dict)


@dataclass
class _Code:
    app: App
    until: datetime


class Apps:
    """All the apps of one GitHub.

    Attributes:
        needs_approval: whoever installs an app may only ask an owner to.
    """

    def __init__(self, hub: "GitHub") -> None:
        self._hub = hub
        self.all: dict[int, App] = {}
        self.needs_approval = False
        self._codes: dict[str, _Code] = {}

    def register(
        self, owner: Account, *, name: str = "Landform", permissions: Mapping[str, str] = EVERYTHING
    ) -> App:
        """Register an app as somebody does by hand."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        form = PrivateFormat.TraditionalOpenSSL
        pem = key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
        number = self._hub.number()
        slug = name.lower().replace(" ", "-")
        client_id = f"Iv23{secrets.token_hex(8)}"
        made = App(
            number, name, slug, owner, client_id, pem, RSAKey.import_key(pem), dict(permissions)
        )
        self.all[number] = made
        return made

    def install(self, app: App, account: Account) -> Installation:
        number = self._hub.number()
        app.installations[number] = made = Installation(number, account, dict(app.permissions))
        return made

    # ── pages ───────────────────────────────────────────────────────────────────────────────────

    def has_page(self, request: Request) -> bool:
        return request.segments[:1] in (("settings",), ("organizations",), ("github-apps",))

    def page(self, request: Request) -> Answer:
        """Show a page to whoever is signed in in the browser."""
        who = self._hub.browser
        if who is None:
            return Answer(302, b"", {"Location": f"{self._hub.url}/login"})
        match request.segments:
            case ("settings", "apps", "new") if request.method == "POST":
                return self._ask(request, who)
            case ("organizations", login, "settings", "apps", "new") if request.method == "POST":
                return self._ask(request, self._hub.account(login))
            case ("settings", "apps", "manifest") if request.method == "POST":
                return self._create(request)
            case ("github-apps", slug, "installations", "new"):
                return self._install(request, slug)
        return html_answer(404, "Not Found")

    def _ask(self, request: Request, owner: Account) -> Answer:
        """Show what a manifest asks for, for somebody to name and to agree to."""
        form = {name: each[-1] for name, each in parse_qs(request.body.decode()).items()}
        text = form.get("manifest", "")
        wrong = _fault_of(text)
        if wrong:
            return html_answer(422, f"Invalid GitHub App configuration. Error {wrong}")
        name = msgspec.json.decode(text).get("name", "")
        kept = {"manifest": text, "state": request.query.get("state", ""), "owner": owner.login}
        fields = "".join(
            f'<input type="hidden" name="{each}" value="{html.escape(value)}">'
            for each, value in kept.items()
        )
        return html_answer(
            200,
            f'<form method="post" action="/settings/apps/manifest">{fields}'
            f'<input name="name" value="{html.escape(name)}">'
            "<button>Create GitHub App</button></form>",
        )

    def _create(self, request: Request) -> Answer:
        form = {name: each[-1] for name, each in parse_qs(request.body.decode()).items()}
        said = msgspec.json.decode(form["manifest"])
        name = form.get("name", "")
        taken = any(each.name.lower() == name.lower() for each in self.all.values())
        if not name or len(name) > _LONGEST_NAME or taken:
            return html_answer(422, "Name is already taken, or is too long (maximum is 34).")
        app = self.register(
            self._hub.account(form["owner"]),
            name=name,
            permissions=said.get("default_permissions", {}),
        )
        app.setup_url, app.is_public = said.get("setup_url", ""), bool(said.get("public"))
        app.webhook_secret = secrets.token_hex(20) if "hook_attributes" in said else None
        code = secrets.token_hex(20)
        self._codes[code] = _Code(app, self._hub.clock.now() + timedelta(hours=1))
        back = {"code": code} | ({"state": form["state"]} if form.get("state") else {})
        return Answer(302, b"", {"Location": f"{said['redirect_url']}?{urlencode(back)}"})

    def _install(self, request: Request, slug: str) -> Answer:
        """Install an app where its owner is, as a private one can be nowhere else."""
        [app] = [each for each in self.all.values() if each.slug == slug]
        if request.method != "POST":
            return html_answer(200, '<form method="post"><button>Install</button></form>')
        there = [one for one in app.installations.values() if one.account is app.owner]
        if there:
            settings = f"{self._hub.url}/settings/installations/{there[0].id}"
            return Answer(302, b"", {"Location": settings})
        back = {"setup_action": "request"}
        if not self.needs_approval:
            made = self.install(app, app.owner)
            back = {"installation_id": str(made.id), "setup_action": "install"}
        back |= {"state": request.query["state"]} if "state" in request.query else {}
        return Answer(302, b"", {"Location": f"{app.setup_url}?{urlencode(back)}"})

    # ── the API ─────────────────────────────────────────────────────────────────────────────────

    def has_route(self, path: Sequence[str]) -> bool:
        of_account = path[0] in {"users", "orgs"} and path[-1] == "installation"
        return path[0] in {"app", "app-manifests"} or of_account

    def route(self, request: Request, path: Sequence[str], assertion: str) -> Answer:
        if path[0] == "app-manifests":
            return self._convert(path[1])
        app = self._signed_by(assertion)
        match path:
            case ("app",):
                return json_answer(self._shown(app))
            case ("app", "installations"):
                rows = [self._installed(each) for each in app.installations.values()]
                return paged(request, rows)
            case ("users" | "orgs", login, "installation"):
                found = [each for each in app.installations.values() if each.account.login == login]
                return json_answer(self._installed(_only(found)))
            case ("app", "installations", number, *rest):
                every = app.installations.values()
                found = [each for each in every if str(each.id) == number]
                one = _only(found)
                return json_answer(self._installed(one)) if not rest else self._token(one)
        raise Refusal(404, "Not Found")

    def _convert(self, code: str) -> Answer:
        """Give out what was registered; to nobody else, and not again."""
        kept = self._codes.pop(code, None)
        if kept is None or kept.until <= self._hub.clock.now():
            raise Refusal(404, "Not Found")
        app = kept.app
        secret = {"client_secret": secrets.token_hex(20), "webhook_secret": app.webhook_secret}
        return json_answer({**self._shown(app), **secret, "pem": app.pem}, 201)

    def _token(self, one: Installation) -> Answer:
        value = f"ghs_{secrets.token_hex(18)}"
        until = self._hub.clock.now() + timedelta(hours=1)
        self._hub.tokens[value] = Grant(
            one.account, None, until=until, permissions=dict(one.permissions)
        )
        stamp = until.strftime("%Y-%m-%dT%H:%M:%SZ")
        said = {"token": value, "expires_at": stamp, "permissions": one.permissions}
        return json_answer({**said, "repository_selection": "all"}, 201)

    def _signed_by(self, assertion: str) -> App:
        """Return the app that an assertion is of: its key signed it, just now, for minutes."""
        for app in self.all.values():
            try:
                claims = jwt.decode(assertion, app.key, algorithms=["RS256"]).claims
            except (JoseError, ValueError):
                continue
            now = self._hub.clock.now().timestamp()
            is_short = claims["iat"] <= now < claims["exp"] <= now + 600
            if str(claims["iss"]) in {str(app.id), app.client_id} and is_short:
                return app
            raise Refusal(401, "'Expiration time' claim ('exp') is too far in the future")
        raise Refusal(401, "A JSON web token could not be decoded")

    def _shown(self, app: App) -> dict[str, Any]:
        return {
            "id": app.id,
            "slug": app.slug,
            "name": app.name,
            "client_id": app.client_id,
            "owner": app.owner.json(),
            "html_url": f"{self._hub.url}/github-apps/{app.slug}",
            "permissions": app.permissions,
            "events": [],
        }

    def _installed(self, one: Installation) -> dict[str, Any]:
        return {
            "id": one.id,
            "account": one.account.json(),
            "target_type": one.account.type,
            "permissions": one.permissions,
            "html_url": f"{self._hub.url}/settings/installations/{one.id}",
            "repository_selection": "all",
            "suspended_at": None,
        }


def _fault_of(text: str) -> str:
    """Return what is wrong with a manifest; nothing when it will do."""
    try:
        said = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return "manifest is not JSON"
    hook = said.get("hook_attributes", {"url": "none"})
    if not said.get("url") or not hook.get("url"):
        return '"url" wasn\'t supplied.'
    if not said.get("redirect_url"):
        return '"redirect_url" wasn\'t supplied.'
    unknown = set(said.get("default_permissions", {})) - set(EVERYTHING)
    return f"Default permission records resource {unknown} is not included" if unknown else ""


def _only(found: Sequence[Installation]) -> Installation:
    if not found:
        raise Refusal(404, "Not Found")
    return found[0]
