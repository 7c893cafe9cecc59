"""An OpenID Connect provider on loopback that can misbehave, and GitHub's sign-in.

Written from OpenID Connect Core 1.0 and Discovery 1.0, RFC 7636 and GitHub's documents: it
checks what a client sends as a provider does (client, secret, redirect, PKCE, one use of a code).
What it does wrong is said by `spoil`.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.standins.serving import Answer, Request, Server, html_answer, json_answer

CLIENT_ID: Final = "landform"
CLIENT_SECRET: Final = "s3cret/of+landform"
_LIFE_S: Final = 600


@dataclass
class Account:
    """Somebody with an account there; `claims` go into the ID token as they are."""

    subject: str
    claims: dict[str, Any] = field(default_factory=dict)


@dataclass
class _Code:
    account: Account
    redirect_uri: str
    challenge: str
    nonce: str


class IdentityProvider:
    """One provider with one client.

    Attributes:
        account: who sits before the browser.
        spoil: changes the claims and the header of the next ID tokens before they are signed.
        sign: makes another token than a signed one of claims and header.
        only_userinfo: claims that the ID token leaves out and the user info endpoint has.
    """

    def __init__(self) -> None:
        self.server = Server(self._respond)
        self.url = self.issuer = self.server.url
        self.account = Account("sub-1", {"email": "ann@example.com", "email_verified": True})
        self.key, self.key_id = RSAKey.generate_key(2048), "key-1"
        self.published = {self.key_id: self.key}
        self.spoil: Callable[[dict[str, Any], dict[str, Any]], None] = lambda _claims, _header: None
        self.sign: Callable[[dict[str, Any], dict[str, Any]], str] = self._sign
        self.only_userinfo: set[str] = set()
        self.reuses_codes = False
        self.addresses: list[dict[str, Any]] = []
        self.teams: list[dict[str, Any]] = []
        self.organizations: list[dict[str, Any]] = []
        self._codes: dict[str, _Code] = {}
        self._tokens: dict[str, Account] = {}

    def close(self) -> None:
        self.server.close()

    def rotate(self) -> None:
        """Sign with a new key, and publish no other."""
        self.key, self.key_id = RSAKey.generate_key(2048), f"key-{secrets.token_hex(4)}"
        self.published = {self.key_id: self.key}

    def visit(self, url: str) -> str:
        """Be the browser that is sent there; return where it is sent back to."""
        parts = urlsplit(url)
        answer = self._respond(Request("GET", f"{parts.path}?{parts.query}", {}, b""))
        assert answer.status == 302, answer.body
        return answer.headers["Location"]

    # ── what it answers ─────────────────────────────────────────────────────────────────────────

    def _respond(self, request: Request) -> Answer:
        match request.method, request.path:
            case "GET", "/.well-known/openid-configuration":
                return json_answer(self._configuration())
            case "GET", "/jwks":
                return json_answer({"keys": [self._public(each) for each in self.published]})
            case "GET", "/authorize" | "/login/oauth/authorize":
                return self._authorize(request)
            case "POST", "/token" | "/login/oauth/access_token":
                return self._token(request)
            case "GET", "/userinfo":
                return self._userinfo(request)
            case "GET", path if path.startswith("/api/v3/user"):
                return self._github(request)
        return html_answer(404, "Not found")

    def _configuration(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def _public(self, key_id: str) -> dict[str, Any]:
        return {**self.published[key_id].as_dict(private=False), "kid": key_id, "use": "sig"}

    def _authorize(self, request: Request) -> Answer:
        query = request.query
        if query.get("client_id") != CLIENT_ID or query.get("response_type") != "code":
            return html_answer(400, "Unknown client.")
        if query.get("code_challenge_method") != "S256" or not query.get("code_challenge"):
            return html_answer(400, "PKCE is required.")
        code = secrets.token_urlsafe(24)
        self._codes[code] = _Code(
            self.account, query["redirect_uri"], query["code_challenge"], query.get("nonce", "")
        )
        back = urlencode({"code": code, "state": query["state"]})
        return Answer(302, b"", {"Location": f"{query['redirect_uri']}?{back}"})

    def _token(self, request: Request) -> Answer:
        form = dict(parse_qsl(request.body.decode()))
        is_github = request.path.startswith("/login/")
        refused = 200 if is_github else 400
        if self._client(request, form) != (CLIENT_ID, CLIENT_SECRET):
            return json_answer({"error": "invalid_client"}, 401)
        code = self._codes.get(form.get("code", ""))
        if not self.reuses_codes:
            self._codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        made = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if code is None or code.redirect_uri != form.get("redirect_uri") or code.challenge != made:
            words = "The code was used, or is not yours."
            return json_answer({"error": "invalid_grant", "error_description": words}, refused)
        token = secrets.token_urlsafe(24)
        self._tokens[token] = code.account
        given: dict[str, Any] = {"access_token": token, "token_type": "Bearer"}
        if not is_github:
            given["id_token"] = self._id_token(code)
        return json_answer(given)

    def _client(self, request: Request, form: dict[str, str]) -> tuple[str, str]:
        scheme, _, pair = request.headers.get("authorization", "").partition(" ")
        if scheme != "Basic":
            return form.get("client_id", ""), form.get("client_secret", "")
        name, _, secret = base64.b64decode(pair).decode().partition(":")
        return unquote(name), unquote(secret)

    def _id_token(self, code: _Code) -> str:
        moment = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": code.account.subject,
            "aud": CLIENT_ID,
            "iat": moment,
            "exp": moment + _LIFE_S,
            "nonce": code.nonce,
            **{k: v for k, v in code.account.claims.items() if k not in self.only_userinfo},
        }
        header = {"alg": "RS256", "kid": self.key_id}
        self.spoil(claims, header)
        return self.sign(claims, header)

    def _sign(self, claims: dict[str, Any], header: dict[str, Any]) -> str:
        return jwt.encode(header, claims, self.key, algorithms=["RS256"])

    def unsigned(self, claims: dict[str, Any], header: dict[str, Any]) -> str:
        """Make a token of algorithm `none`."""
        return f"{_part({**header, 'alg': 'none'})}.{_part(claims)}."

    def signed_with_the_public_key(self, claims: dict[str, Any], header: dict[str, Any]) -> str:
        """Make a token of HS256 whose secret is what everybody can read."""
        signed = f"{_part({**header, 'alg': 'HS256'})}.{_part(claims)}"
        mac = hmac.digest(self.key.as_pem(private=False), signed.encode(), "sha256")
        return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    def _owner(self, request: Request) -> Account | None:
        return self._tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))

    def _userinfo(self, request: Request) -> Answer:
        account = self._owner(request)
        if account is None:
            return json_answer({"error": "invalid_token"}, 401)
        return json_answer({"sub": account.subject, **account.claims})

    # ── GitHub Enterprise Server's API ──────────────────────────────────────────────────────────

    def _github(self, request: Request) -> Answer:
        account = self._owner(request)
        if account is None:
            return json_answer({"message": "Bad credentials"}, 401)
        number = int(parse_qs(urlsplit(request.target).query).get("page", ["1"])[0])
        listed = {
            "/api/v3/user/emails": self.addresses,
            "/api/v3/user/teams": self.teams,
            "/api/v3/user/orgs": self.organizations,
        }
        if request.path == "/api/v3/user":
            return json_answer({"id": int(account.subject), **account.claims})
        return json_answer(listed[request.path][(number - 1) * 100 : number * 100])


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@contextmanager
def identity_provider() -> Iterator[IdentityProvider]:
    """Run one."""
    provider = IdentityProvider()
    try:
        yield provider
    finally:
        provider.close()
