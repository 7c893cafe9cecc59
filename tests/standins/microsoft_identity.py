"""Microsoft Entra's token endpoint, and a machine's metadata service, on loopback.

Written from the documents (vcs_providers.md §1.2, §1.3): it checks every field it is sent as the
service does, verifies assertions with the certificate registered or with the keys that the trusted
issuer publishes, and counts what it gave.
"""

import base64
import hashlib
import json
import secrets
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from tests.standins.serving import Answer, Clock, Request, Server, html_answer, json_answer

RESOURCE: Final = "499b84ac-1321-427f-aa17-267ca6975798"
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_CODE_LIFE: Final = timedelta(minutes=10)


@dataclass
class Trust:
    """A federated credential: whose word is taken for the application, and about whom."""

    issuer: str
    subject: str
    audience: str = "api://AzureADTokenExchange"


@dataclass
class Application:
    """A registered application (and its service principal) of the tenant."""

    client_id: str
    redirect_uri: str = ""
    secret: str = ""
    secret_expired: bool = False
    certificate: x509.Certificate | None = None
    trusts: list[Trust] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)


@dataclass
class _Code:
    application: Application
    redirect_uri: str
    challenge: str
    scope: str
    expires_at: datetime


class Refused(Exception):  # noqa: N818 - it is an answer, no fault of ours
    """An OAuth error, with Entra's number."""

    def __init__(self, error: str, number: int, words: str, status: int = 400) -> None:
        super().__init__(words)
        self.error, self.number, self.words, self.status = error, number, words, status


class MicrosoftIdentity:
    """One tenant.

    Attributes:
        life_s: of access tokens: random in Entra, never exactly an hour.
        mint: makes the access tokens, so that another stand-in can take them.
        consents: what a person says to the consent page.
        granted: grant types in order, one entry for each token given.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.tenant = "11111111-2222-3333-4444-555555555555"
        self.life_s = 3921
        self.mint: Callable[[timedelta], str] = lambda _: secrets.token_urlsafe(40)
        self.consents = True
        self.granted: list[str] = []
        self.applications: dict[str, Application] = {}
        self.refresh_tokens: dict[str, Application] = {}
        self.managed_identities: set[str] = set()
        self._codes: dict[str, _Code] = {}
        self.server = Server(self._entra)
        self.imds = Server(self._imds)
        self.url, self.imds_url = self.server.url, self.imds.url

    def register(self, client_id: str = "", **settings: Any) -> Application:
        made = Application(client_id or secrets.token_hex(8), **settings)
        self.applications[made.client_id] = made
        return made

    def close(self) -> None:
        self.server.close()
        self.imds.close()

    # ── login.microsoftonline.com ───────────────────────────────────────────────────────────────

    def _entra(self, request: Request) -> Answer:
        tenant, _, path = request.path.lstrip("/").partition("/")
        if tenant not in (self.tenant, "organizations", "common"):
            return self._refusal(Refused("invalid_request", 90002, "Tenant not found."))
        if path == "oauth2/v2.0/authorize" and request.method == "GET":
            return self._authorize(request)
        if path == "oauth2/v2.0/token" and request.method == "POST":
            try:
                return self._token(request, tenant)
            except Refused as refused:
                return self._refusal(refused)
        return html_answer(404, "Not found")

    def _authorize(self, request: Request) -> Answer:
        query = request.query
        application = self.applications.get(query.get("client_id", ""))
        if application is None or query.get("redirect_uri") != application.redirect_uri:
            return html_answer(400, "AADSTS50011: The redirect URI does not match.")
        if query.get("response_type") != "code":
            return html_answer(400, "AADSTS700016")
        if query.get("code_challenge") and query.get("code_challenge_method") != "S256":
            return html_answer(400, "AADSTS501491")
        back = {"state": query["state"]} if "state" in query else {}
        if self.consents:
            code = "0." + secrets.token_urlsafe(30)
            self._codes[code] = _Code(
                application,
                query["redirect_uri"],
                query.get("code_challenge", ""),
                query.get("scope", ""),
                self.clock.now() + _CODE_LIFE,
            )
            back = {"code": code, **back}
        else:
            words = "AADSTS65004: User declined to consent to access the app."
            back = {"error": "access_denied", "error_description": words, **back}
        return Answer(302, b"", {"Location": f"{application.redirect_uri}?{urlencode(back)}"})

    def _token(self, request: Request, tenant: str) -> Answer:
        if request.headers.get("content-type", "").split(";")[0] != (
            "application/x-www-form-urlencoded"
        ):
            raise Refused("invalid_request", 900144, "The body must be a form.")
        form = dict(parse_qsl(request.body.decode()))
        application = self.applications.get(form.get("client_id", ""))
        if application is None:
            raise Refused("unauthorized_client", 700016, "Application not found in the directory.")
        grant = form.get("grant_type", "")
        match grant:
            case "authorization_code":
                scope = self._spend(application, form)
                self._authenticate(application, form, tenant, is_public_client_fine=True)
            case "refresh_token":
                if self.refresh_tokens.get(form.get("refresh_token", "")) is not application:
                    raise Refused("invalid_grant", 700082, "The refresh token has expired.")
                scope = form.get("scope", "")
                self._authenticate(application, form, tenant, is_public_client_fine=True)
            case "client_credentials":
                scope = form.get("scope", "")
                if scope != f"{RESOURCE}/.default":
                    raise Refused("invalid_scope", 1002012, "The scope is not valid.")
                self._authenticate(application, form, tenant, is_public_client_fine=False)
            case _:
                raise Refused("unsupported_grant_type", 70003, "The grant type is not supported.")
        return self._grant(application, grant, scope)

    def _spend(self, application: Application, form: dict[str, str]) -> str:
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or code.application is not application:
            raise Refused("invalid_grant", 54005, "The code was already redeemed.")
        if code.expires_at <= self.clock.now():
            raise Refused("invalid_grant", 70008, "The code has expired.")
        if form.get("redirect_uri") != code.redirect_uri:
            raise Refused("invalid_client", 500112, "The reply address does not match.")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        made = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if code.challenge and made != code.challenge:
            raise Refused("invalid_grant", 501481, "The Code_Verifier does not match.")
        return code.scope

    def _authenticate(
        self,
        application: Application,
        form: dict[str, str],
        tenant: str,
        *,
        is_public_client_fine: bool,
    ) -> None:
        if "client_assertion" in form:
            if form.get("client_assertion_type") != _ASSERTION:
                raise Refused("invalid_request", 90023, "Unsupported client_assertion_type.", 401)
            self._verify(application, form["client_assertion"], tenant)
        elif "client_secret" in form:
            if form["client_secret"] != application.secret:
                raise Refused("invalid_client", 7000215, "Invalid client secret provided.", 401)
            if application.secret_expired:
                raise Refused("invalid_client", 7000222, "The secret keys are expired.", 401)
        elif application.secret or not is_public_client_fine:
            raise Refused("invalid_client", 7000218, "A client_secret is required.", 401)

    def _verify(self, application: Application, assertion: str, tenant: str) -> None:
        header = _part(assertion, 0)
        claims = _part(assertion, 1)
        trust = next((each for each in application.trusts if each.issuer == claims["iss"]), None)
        key: RSAKey | KeySet
        if trust is not None:
            if (claims.get("sub"), claims.get("aud")) != (trust.subject, trust.audience):
                raise Refused("invalid_client", 700213, "No matching federated identity.", 401)
            key, wanted = _published(trust.issuer), "RS256"
        elif application.certificate is not None:
            der = application.certificate.public_bytes(Encoding.DER)
            thumbprint = base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=")
            if header.get("x5t#S256") != thumbprint.decode():
                raise Refused("invalid_client", 700027, "The key was not found.", 401)
            audience = f"{self.url}/{tenant}/oauth2/v2.0/token"
            about = {claims.get("iss"), claims.get("sub")}
            if claims.get("aud") != audience or about != {application.client_id}:
                raise Refused("invalid_client", 700023, "Assertion audience or issuer.", 401)
            key, wanted = RSAKey.import_key(_pem(application.certificate)), "PS256"
        else:
            raise Refused("invalid_client", 700213, "No matching federated identity.", 401)
        try:
            jwt.decode(assertion, key, algorithms=[wanted])
        except (JoseError, ValueError):
            raise Refused("invalid_client", 700027, "Signature is not valid.", 401) from None
        moment = self.clock.now().timestamp()
        if not claims["nbf"] <= moment < claims["exp"] <= moment + 3600:
            raise Refused("invalid_client", 700024, "Outside of its valid time.", 401)
        if claims["jti"] in application.seen:
            raise Refused("invalid_client", 50013, "The assertion was used before.", 401)
        application.seen.add(claims["jti"])

    def _grant(self, application: Application, grant: str, scope: str) -> Answer:
        self.granted.append(grant)
        given = {
            "token_type": "Bearer",
            "scope": scope,
            "expires_in": self.life_s,
            "ext_expires_in": self.life_s,
            "access_token": self.mint(timedelta(seconds=self.life_s)),
        }
        if "offline_access" in scope.split():
            given["refresh_token"] = "1." + secrets.token_urlsafe(40)
            self.refresh_tokens[str(given["refresh_token"])] = application
        return json_answer(given)

    def _refusal(self, refused: Refused) -> Answer:
        said = {
            "error": refused.error,
            "error_description": f"AADSTS{refused.number}: {refused.words}",
            "error_codes": [refused.number],
            "timestamp": self.clock.now().strftime("%Y-%m-%d %H:%M:%SZ"),
            "trace_id": secrets.token_hex(16),
            "correlation_id": secrets.token_hex(16),
        }
        return json_answer(said, refused.status)

    # ── 169.254.169.254 ─────────────────────────────────────────────────────────────────────────

    def _imds(self, request: Request) -> Answer:
        if request.path != "/metadata/identity/oauth2/token":
            return json_answer({"error": "Not found"}, 404)
        query = request.query
        if request.headers.get("metadata") != "true" or "x-forwarded-for" in request.headers:
            return json_answer({"error": "invalid_request"}, 400)
        if query.get("api-version") != "2018-02-01" or query.get("resource") != RESOURCE:
            return json_answer({"error": "invalid_request"}, 400)
        wanted = query.get("client_id", "")
        if not self.managed_identities or (wanted and wanted not in self.managed_identities):
            words = "Identity not found"
            return json_answer({"error": "invalid_request", "error_description": words}, 400)
        self.granted.append("managed")
        until = self.clock.now() + timedelta(seconds=86399)
        return json_answer(
            {
                "access_token": self.mint(timedelta(seconds=86399)),
                "client_id": wanted or min(self.managed_identities),
                "expires_in": "86399",
                "expires_on": str(int(until.timestamp())),
                "ext_expires_in": "86399",
                "not_before": str(int(self.clock.now().timestamp())),
                "resource": RESOURCE,
                "token_type": "Bearer",
            }
        )


@contextmanager
def microsoft_identity() -> Iterator[MicrosoftIdentity]:
    """Run both services."""
    service = MicrosoftIdentity()
    try:
        yield service
    finally:
        service.close()


def _published(issuer: str) -> KeySet:
    """Fetch an issuer's keys, as Entra does: by its discovery document."""
    with urllib.request.urlopen(f"{issuer}/.well-known/openid-configuration", timeout=30) as said:
        document = json.load(said)
    if document["issuer"] != issuer:
        raise Refused("invalid_client", 700211, "The issuer is another.", 401)
    with urllib.request.urlopen(document["jwks_uri"], timeout=30) as said:
        return KeySet.import_key_set(json.load(said))


def _part(token: str, number: int) -> dict[str, Any]:
    text = token.split(".")[number]
    said: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return said


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
